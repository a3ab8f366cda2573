/** Runs layers in TensorFlow.js, forward and backward, on its plain JavaScript backend. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Dims } from '../reference/stack.ts';
import type { PeerProblem } from './problems.ts';
import {
  applyTfjsLayers,
  createTfjsLayers,
  fromTfjs,
  variablesOf,
  type Tfjs,
  type TfjsLayer,
} from './tfjs-layer.ts';

const tfjs: Tfjs = { core: tf, layers: tfl };

export async function prepareTfjs(): Promise<void> {
  // Else it advertises its native package on every run.
  tf.env().set('IS_TEST', true);
  await tf.setBackend('cpu');
}

/** [T, B, N] to TensorFlow.js's [B, T, N]. */
export function batchMajor(values: ArrayLike<number>, steps: number, batch: number): tf.Tensor3D {
  return tf.transpose(
    tf.tensor3d(Float32Array.from(values), [steps, batch, values.length / (steps * batch)]),
    [1, 0, 2],
  );
}

export function timeMajor(tensor: tf.Tensor): Float32Array {
  return tf.tidy(() => tf.transpose(tensor, [1, 0, 2]).dataSync()) as Float32Array;
}

/** [L, B, H] of h, and of c for an LSTM, as the states that `applyTfjsLayers` takes. */
export function statesOf(
  { spec, dims }: PeerProblem,
  state: { readonly h: Float64Array; readonly c: Float64Array },
): tf.Tensor2D[] {
  const size = dims.batch * spec.hiddenSize;
  const letters = spec.type === 'lstm' ? [state.h, state.c] : [state.h];
  return Array.from({ length: (spec.numLayers ?? 1) * (spec.bidirectional ? 2 : 1) }, (_, k) =>
    letters.map((values) =>
      tf.tensor2d(Float32Array.from(values.subarray(k * size, (k + 1) * size)), [
        dims.batch,
        spec.hiddenSize,
      ]),
    ),
  ).flat();
}

/** The reverse: `[h, c]` or `[h]`, each [L, B, H]. */
export function joinStates({ spec }: PeerProblem, states: readonly tf.Tensor[]): Float32Array[] {
  const letters = spec.type === 'lstm' ? 2 : 1;
  return Array.from({ length: letters }, (_, letter) =>
    Float32Array.from(
      states
        .filter((_state, i) => i % letters === letter)
        .flatMap((state) => [...state.dataSync()]),
    ),
  );
}

/** [B, T]: which steps are there; undefined where all are. */
function maskOf({ steps, batch, lengths }: Dims): tf.Tensor2D | undefined {
  if (!lengths) return undefined;
  const there = Array.from({ length: batch * steps }, (_, k) =>
    Number(k % steps < lengths[Math.floor(k / steps)]!),
  );
  return tf.tensor2d(there, [batch, steps]);
}

export interface TfjsResult {
  /** [T, B, H], every output at the place of its input. */
  readonly output: Float32Array;
  /** Final `[h, c]` or `[h]`, each [L, B, H]. */
  readonly states: Float32Array[];
  /** By gatefold's parameter names, and of `input`, `initial h` and `initial c`. */
  readonly gradients: Map<string, Float32Array>;
}

/** sum(a * b) */
const dot = (a: tf.Tensor, b: tf.Tensor): tf.Scalar => tf.sum(tf.mul(a, b));

/** Forward, and the gradient of the problem's linear loss on all outputs and final states. */
export function differentiateInTfjs(problem: PeerProblem): TfjsResult {
  const { spec, name, dims } = problem;
  tf.engine().startScope();
  const layers = createTfjsLayers(tfjs, spec, name, problem.parameters);
  const held = variablesOf(layers, spec, name);
  const x = tf.variable(batchMajor(problem.input, dims.steps, dims.batch));
  const initial = statesOf(problem, problem.initial[name]!).map((state) => tf.variable(state));
  const doutput = batchMajor(problem.doutput, dims.steps, dims.batch);
  const dstates = statesOf(problem, problem.dstate[name]!);

  const mask = maskOf(dims);
  // Going backwards it puts out the last step first; both ways it has turned that around itself.
  const apply = (): { output: tf.Tensor; states: tf.Tensor[] } => {
    const after = applyTfjsLayers(layers, x, initial, mask);
    const turned = spec.direction === 'backward' ? tf.reverse(after.output, 1) : after.output;
    return { output: turned, states: after.states };
  };
  const { output, states } = apply();
  const { grads } = tf.variableGrads(() => {
    const after = apply();
    return after.states.reduce<tf.Scalar>(
      (sum, state, i) => tf.add(sum, dot(state, dstates[i]!)),
      dot(after.output, doutput),
    );
  }, [x, ...initial, ...held.map(({ variable }) => variable)]);
  const gradients = new Map(
    held.flatMap(({ variable, parameters }) =>
      parameters.map((parameter) => [parameter, fromTfjs(spec, grads[variable.name]!)]),
    ),
  );
  gradients.set('input', timeMajor(grads[x.name]!));
  const dinitial = initial.map((state) => grads[state.name]!);
  joinStates(problem, dinitial).forEach((gradient, i) =>
    gradients.set(i === 0 ? 'initial h' : 'initial c', gradient),
  );
  const result = { output: timeMajor(output), states: joinStates(problem, states), gradients };
  tf.engine().endScope();
  disposeVariables(layers, [x, ...initial]);
  return result;
}

export interface TfjsTraining {
  readonly losses: number[];
  /** After the last update, by gatefold's names. */
  readonly parameters: Map<string, Float32Array>;
}

/**
 * Trains with an optimizer, which is used up, on the problem's input as one window after another of
 * an endless sequence, from a zero state that is carried over, with the problem's `doutput` as the
 * target. For layers without biases only.
 */
export function trainInTfjs(
  problem: PeerProblem,
  updates: number,
  optimizer: tf.Optimizer,
): TfjsTraining {
  const { spec, name, dims } = problem;
  tf.engine().startScope();
  const layers = createTfjsLayers(tfjs, spec, name, problem.parameters);
  const held = variablesOf(layers, spec, name);
  const x = batchMajor(problem.input, dims.steps, dims.batch);
  const target = batchMajor(problem.doutput, dims.steps, dims.batch);
  const zero = {
    h: problem.initial[name]!.h.map(() => 0),
    c: problem.initial[name]!.c.map(() => 0),
  };
  let states: tf.Tensor[] = statesOf(problem, zero);
  // Steps that are not there have no loss.
  const mask = maskOf(dims);
  const weights = mask ? tf.tile(tf.expandDims(mask, 2), [1, 1, target.shape[2]]) : 1;
  const losses: number[] = [];
  for (let update = 0; update < updates; update++) {
    let carried = states;
    const loss = optimizer.minimize(
      () => {
        const after = applyTfjsLayers(layers, x, states, mask);
        // `minimize` disposes of whatever the loss has made.
        carried = after.states.map((state) => tf.keep(tf.clone(state)));
        const { losses: all, Reduction } = tf;
        return all.meanSquaredError(
          target,
          after.output,
          weights,
          Reduction.SUM_BY_NONZERO_WEIGHTS,
        ) as tf.Scalar;
      },
      true,
      held.map(({ variable }) => variable),
    );
    losses.push(loss!.dataSync()[0]!);
    tf.dispose(states);
    states = carried;
  }
  const parameters = new Map(
    held.map(({ variable, parameters: [parameter] }) => [parameter!, fromTfjs(spec, variable)]),
  );
  tf.dispose(states);
  optimizer.dispose();
  tf.engine().endScope();
  disposeVariables(layers);
  return { losses, parameters };
}

/** Scopes leave variables alone. */
export function disposeVariables(
  layers: readonly TfjsLayer[],
  others: readonly tf.Variable[] = [],
): void {
  layers.forEach((layer) => layer.dispose());
  others.forEach((variable) => variable.dispose());
}
