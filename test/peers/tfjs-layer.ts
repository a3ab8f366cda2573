/**
 * A recurrent layer of gatefold as layers of TensorFlow.js, one for each of its `numLayers`. They
 * keep the transposes, [I, G*H] and [H, G*H], and have one bias: the sum of gatefold's two, which
 * is the same function as long as no gate stands between them.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import {
  gatesOf,
  reorderGates,
  transpose,
  type NamedTensors,
  type RecurrentLayer,
} from './gates.ts';

/** The library is handed in, because a bench brings its own copy with another backend. */
export interface Tfjs {
  readonly core: typeof tf;
  readonly layers: typeof tfl;
}

export type TfjsLayer = tfl.layers.Layer;

/** Names of what TensorFlow.js has no layer for; undefined when the layer can be built. */
export function missingInTfjs(spec: RecurrentLayer): string | undefined {
  if (spec.type === 'gru' && spec.resetAfter !== false) return 'resetAfter';
  if (spec.type === 'lstm' && spec.peephole) return 'peephole';
  if (spec.type === 'lstm' && spec.inputForget) return 'inputForget';
  return undefined;
}

/** Its activations by gatefold's names; those with parameters at their defaults. */
const ACTIVATIONS = {
  tanh: 'tanh',
  sigmoid: 'sigmoid',
  relu: 'relu',
  affine: 'linear',
  elu: 'elu',
  hardSigmoid: 'hardSigmoid',
  softsign: 'softsign',
  softplus: 'softplus',
} as const;
export type TfjsActivation = keyof typeof ACTIVATIONS;
export const tfjsActivations: readonly TfjsActivation[] = Object.keys(
  ACTIVATIONS,
) as TfjsActivation[];

type RnnLayer = ReturnType<(typeof tfl.layers)['lstm' | 'gru' | 'simpleRNN']>;

function createLayer(
  { layers: { layers } }: Tfjs,
  spec: RecurrentLayer,
  returnSequences: boolean,
): RnnLayer {
  const activations = (spec.activations as TfjsActivation[] | undefined)?.map(
    (name) => ACTIVATIONS[name],
  );
  const options = {
    units: spec.hiddenSize,
    useBias: spec.bias !== false,
    returnSequences,
    returnState: true,
    goBackwards: spec.direction === 'backward',
    // The weights are about to be set, and the default of the recurrent ones is a QR decomposition.
    kernelInitializer: 'zeros',
    recurrentInitializer: 'zeros',
  } as const;
  if (spec.type === 'rnn') {
    const activation = activations?.[0] ?? (spec.nonlinearity === 'relu' ? 'relu' : 'tanh');
    return layers.simpleRNN({ ...options, activation });
  }
  // The default of TensorFlow.js is hardSigmoid, unlike everybody else's.
  const [recurrentActivation, activation] = activations ?? ['sigmoid', 'tanh'];
  const gated = { ...options, recurrentActivation, activation };
  return spec.type === 'lstm' ? layers.lstm(gated) : layers.gru(gated);
}

/** Kernel, recurrent kernel and bias of one direction of sub-layer k. */
function weightsOf(
  { core }: Tfjs,
  spec: RecurrentLayer,
  name: string,
  suffix: string,
  tensors: NamedTensors,
): tf.Tensor[] {
  const from = gatesOf(spec, 'gatefold');
  const to = gatesOf(spec, 'keras');
  const rows = to.length * spec.hiddenSize;
  const converted = (parameter: string): Float32Array =>
    reorderGates(tensors.get(`${name}.${parameter}${suffix}`)!.data, from, to);

  const weights = (['weight_ih', 'weight_hh'] as const).map((parameter) => {
    const data = converted(parameter);
    const columns = data.length / rows;
    return core.tensor(transpose(data, rows, columns), [columns, rows]);
  });
  if (spec.bias ?? true) {
    const recurrent = converted('bias_hh');
    weights.push(core.tensor1d(converted('bias_ih').map((value, i) => value + recurrent[i]!)));
  }
  return weights;
}

/** What the names of the parameters of sub-layer k end in, by direction. */
function suffixesOf({ bidirectional }: RecurrentLayer, k: number): string[] {
  return bidirectional ? [`_l${k}`, `_l${k}_reverse`] : [`_l${k}`];
}

export function createTfjsLayers(
  tfjs: Tfjs,
  spec: RecurrentLayer,
  name: string,
  tensors: NamedTensors,
  /** Whether the last layer puts out every step. */
  returnSequences = true,
): TfjsLayer[] {
  const { core } = tfjs;
  const count = spec.numLayers ?? 1;
  return Array.from({ length: count }, (_, k) => {
    const one = createLayer(tfjs, spec, returnSequences || k + 1 < count);
    const mergeMode = spec.merge === 'mean' ? 'ave' : (spec.merge ?? 'concat');
    const layer = spec.bidirectional
      ? tfjs.layers.layers.bidirectional({ layer: one, mergeMode })
      : one;
    // Applying a layer once is what gives it its weights.
    const features = k === 0 ? spec.inputSize : spec.hiddenSize;
    core.tidy(() => void layer.apply(core.zeros([1, 1, features])));
    core.tidy(() => {
      const suffixes = suffixesOf(spec, k);
      layer.setWeights(suffixes.flatMap((suffix) => weightsOf(tfjs, spec, name, suffix, tensors)));
    });
    return layer;
  });
}

/**
 * x: [B, T, I]; states: those of the first layer, then those of the next, each [B, H], h before c;
 * mask: [B, T], 0 where a step is not there. Gives [B, T, H] and the final states in the same
 * order.
 */
export function applyTfjsLayers(
  layers: readonly TfjsLayer[],
  x: tf.Tensor,
  states: readonly tf.Tensor[],
  mask?: tf.Tensor,
): { output: tf.Tensor; states: tf.Tensor[] } {
  const perLayer = states.length / layers.length;
  const finalStates: tf.Tensor[] = [];
  let output = x;
  layers.forEach((layer, k) => {
    const initialState = states.slice(k * perLayer, (k + 1) * perLayer);
    const [y, ...after] = layer.apply(output, { initialState, mask }) as tf.Tensor[];
    output = y!;
    finalStates.push(...after);
  });
  return { output, states: finalStates };
}

/** The variables of the layers with the gatefold parameters that they hold; a bias holds two. */
export function variablesOf(
  layers: readonly TfjsLayer[],
  spec: RecurrentLayer,
  name: string,
): { variable: tf.Variable; parameters: string[] }[] {
  const held = [['weight_ih'], ['weight_hh'], ['bias_ih', 'bias_hh']];
  const kinds = (spec.bias ?? true) ? 3 : 2;
  return layers.flatMap((layer, k) =>
    layer.trainableWeights.map((weight, i) => ({
      variable: weight.read() as tf.Variable,
      parameters: held[i % kinds]!.map(
        (parameter) => `${name}.${parameter}${suffixesOf(spec, k)[Math.floor(i / kinds)]}`,
      ),
    })),
  );
}

/** The values (or gradient) of a variable in gatefold's shape and order of gates. */
export function fromTfjs(spec: RecurrentLayer, tensor: tf.Tensor): Float32Array {
  const data = tensor.dataSync() as Float32Array;
  const [rows, columns] = tensor.shape;
  const byGate = columns === undefined ? data : transpose(data, rows!, columns);
  return reorderGates(byGate, gatesOf(spec, 'keras'), gatesOf(spec, 'gatefold'));
}
