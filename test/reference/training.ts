/**
 * Truncated backpropagation through time, TBPTT(k1, k2): each call brings the k1 newest steps of a
 * sequence that goes on from call to call. The state at the start of the last k2 steps is taken as
 * a value, those steps are run (the older ones again, with the parameters of now), the loss of the
 * k1 newest steps alone flows back through all k2, one update follows.
 */
import type { ModelDescription } from '../../src/ops/index.ts';
import { crossEntropy, mse } from './loss.ts';
import { zeroState } from './layers.ts';
import { backward, forward, type Masks, type Parameters, type State } from './network.ts';
import { clipGradients, createOptimizer, type Optimizer } from './optim.ts';

export interface TrainingOptions {
  readonly loss: 'cross-entropy' | 'mse';
  readonly optimizer: Optimizer;
  readonly maxNorm?: number;
  /** k2; the steps of each call when absent, so that nothing is run again. */
  readonly window?: number;
  /** Masks of each update, counted from 0; only without a longer window. */
  readonly masksOf?: (update: number) => Masks;
}

export interface TrainingResult {
  readonly loss: number;
  /** Before clipping. */
  readonly gradNorm: number;
}

/**
 * input: [k1, B, ...], target: [k1, B] classes or [k1, B, O] values; changes the parameters in
 * place.
 */
export type TrainingStep = (
  input: ArrayLike<number>,
  target: ArrayLike<number>,
  steps: number,
) => TrainingResult;

export function createTraining(
  description: ModelDescription,
  parameters: Parameters,
  batch: number,
  { loss, optimizer, maxNorm = Infinity, window, masksOf }: TrainingOptions,
): TrainingStep {
  const tensors = [...parameters.values()].map(({ data }) => data);
  const update = createOptimizer(tensors, optimizer);
  const lossOf = loss === 'mse' ? mse : crossEntropy;
  /** Inputs of the older steps that the next window begins with, each with the state before it. */
  let past: { input: number[]; state: State }[] = [];
  let carried = zeroState(description, batch);
  let updates = 0;

  return (input, target, steps) => {
    const width = input.length / steps;
    const older = window === undefined ? [] : past.slice(Math.max(0, past.length + steps - window));
    const newest = Array.from({ length: steps }, (_, t) =>
      Array.from({ length: width }, (__, k) => input[t * width + k]!),
    );
    const inputs = [...older.map((step) => step.input), ...newest];
    const start = older[0]?.state ?? carried;

    if (window !== undefined) {
      let state = start;
      past = inputs.map((one) => {
        const before = state;
        state = forward(description, parameters, one, { steps: 1, batch }, before).state;
        return { input: one, state: before };
      });
    }
    const dims = { steps: inputs.length, batch };
    const run = forward(description, parameters, inputs.flat(), dims, start, masksOf?.(updates++));
    carried = run.state;

    // Only the newest steps have a loss; the older ones had theirs in an earlier update.
    const first = (run.output.length / inputs.length) * older.length;
    const result = lossOf(run.output.subarray(first), target);
    const doutput = new Float64Array(run.output.length);
    doutput.set(result.gradient, first);
    const nothing = zeroState(description, batch);
    const { gradients } = backward(description, parameters, run.tape, doutput, nothing);
    const list = [...gradients.values()].map(({ data }) => data);
    const gradNorm = clipGradients(list, maxNorm);
    update(list);
    return { loss: result.loss, gradNorm };
  };
}
