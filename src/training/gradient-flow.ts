import { frozenCopy, readOptions } from '../base/check.ts';
import { isEmpty, noRows } from '../ops/pass.ts';
import { storeOf } from '../model/model.ts';
import type { Model } from '../model/model.ts';
import { Plan } from '../engine/plan.ts';
import { requireRowLoss } from './losses/index.ts';
import type { RowLossOptions } from './losses/index.ts';
import { Losses, allOptions } from './losses/losses.ts';
import type { TargetArrays } from './losses/losses.ts';
import { SEQUENCE_KEYS, checkSequence, putInputs } from '../graph/rows.ts';
import { writeState } from '../graph/states.ts';
import type { Inputs, SequenceOptions } from '../base/tensor.ts';
import { countByLayer } from '../graph/graph.ts';
import { Workspace } from '../graph/workspace.ts';

type RowLoss = RowLossOptions['type'] | RowLossOptions;

/** Sequences, and the loss whose gradient is followed back through them. */
export interface FlowBatch extends Omit<SequenceOptions, 'padding'> {
  /** As of `Model.forward`. */
  readonly x: Inputs;
  /**
   * Classes or values, one a row of the output and in its order. A target that `ignoreIndex` names
   * sends no gradient back.
   */
  readonly target: TargetArrays;
  /** Any but `ctc`, for which `Trainer.backward` measures; of several outputs by their names. */
  readonly loss: RowLoss | Readonly<Record<string, RowLoss>>;
}

/**
 * How strong the gradient is at every step of one recurrent layer: the norms of dL/dh and dL/dc
 * over all rows of a step. Each array is [L, T] (of a bidirectional layer [2L, T], as its states):
 * T are the steps of the longest row, in the order in which the layer reads them. `c` only for an
 * LSTM; its gradient includes what reaches the loss through h of the same step.
 */
export interface LayerFlow {
  /** Norms of dL/dh, [L, T]. */
  readonly h: Float64Array;
  /** Norms of dL/dc, [L, T], of an LSTM. */
  readonly c?: Float64Array;
}

/** Gradient flow by layer name. */
export type GradientFlow = Readonly<Record<string, LayerFlow>>;

/** What a measured backward pass has left, by layer. */
export function readFlow(workspace: Workspace): GradientFlow {
  const measured = workspace.flow();
  const counts = countByLayer(measured.map(({ node }) => node));
  const places = new Map<string, number>();
  const flow = new Map<string, LayerFlow>();
  for (const { node, norms } of measured) {
    const { layer: name, states } = node;
    const steps = norms.length / 2;
    const length = counts.get(name)! * steps;
    const layer = flow.get(name) ?? {
      h: new Float64Array(length),
      ...(states.length > 1 ? { c: new Float64Array(length) } : {}),
    };
    flow.set(name, layer);
    const place = places.get(name) ?? 0;
    places.set(name, place + 1);
    for (let t = 0; t < steps; t++) {
      const at = place * steps + t;
      layer.h[at] = norms[2 * t]!;
      if (layer.c) layer.c[at] = norms[2 * t + 1]!;
    }
  }
  return Object.fromEntries(flow);
}

/**
 * How strong the gradient of a loss is in every state: the norms of dL/dh and dL/dc at every step
 * of every recurrent layer, over all rows. Runs as in inference, without dropout. It takes memory
 * for the whole batch and gives it back; parameters stay as they are.
 *
 * @example
 *   const flow = gradientFlow(model, { x, target, steps: 100, loss: 'mse' });
 *   console.log(flow.lstm?.h[0]);
 */
export function gradientFlow(model: Model, given: FlowBatch): GradientFlow {
  const store = storeOf(model);
  const keys = ['x', 'target', 'loss', ...SEQUENCE_KEYS] as const;
  const { x: inputs, target: wanted, loss: choice, ...options } = readOptions('batch', given, keys);
  store.checkTrainable();
  const { kernels } = store;
  const sequence = checkSequence(store, inputs, options);
  const { x, totals, batch, batchFirst, lengths, state } = sequence;
  const chosen = frozenCopy('loss', choice);
  for (const own of allOptions(chosen)) {
    requireRowLoss(
      own,
      'ERR_UNSUPPORTED',
      (type) => `"loss" '${type}' takes a trainer: backward({ target, targetLengths, flow: true })`,
    );
  }
  const plan = new Plan();
  const losses = new Losses(chosen, {}, { plan, store, batch }, totals, totals);
  const target = losses.check(wanted, sequence, undefined);
  // Whatever the caller's getters have done by now.
  storeOf(model);
  if (isEmpty(lengths)) throw noRows();
  const gradients = plan.reserve(store.values.length);
  const total = totals.at(-1)!;
  const purpose = `the gradient flow of batch ${batch} and ${total} steps`;
  const block = kernels.arena.allocate(plan.bytes, purpose, model);
  plan.place(block);
  let workspace: Workspace | undefined;
  try {
    losses.begin();
    workspace = new Workspace(store, { batch, steps: totals, gradients }, purpose, model);
    workspace.arrangeWhole(totals, lengths);
    const { extent } = workspace;
    const stretch = { first: 0, total, batchFirst, extent, others: totals.slice(0, -1) };
    putInputs(kernels, workspace, x, stretch);
    writeState(kernels, workspace.states(0), state, batch, workspace.orderOf);
    workspace.mask();
    workspace.forward();
    losses.mean(workspace, target, stretch);
    writeState(kernels, workspace.stateGradients, {}, batch);
    workspace.measure(true);
    workspace.backward(false);
    return readFlow(workspace);
  } finally {
    workspace?.dispose();
    kernels.arena.free(block);
  }
}
