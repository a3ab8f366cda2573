/** Arrays of Keras as the parameters of each kind of layer. */
import type { Tensor } from '../../base/tensor.ts';
import * as layouts from '../shared/layouts.ts';
import type { CellParameters } from '../shared/layouts.ts';
import type { Taker } from './weights.ts';

/** A layer whose sizes are all given. */
export interface SizedLayer {
  readonly type: string;
  readonly name: string;
  readonly [option: string]: unknown;
}

/** A parameter: its name after that of the layer, and its numbers. */
export type Parameter = readonly [role: string, tensor: Tensor];
type Loader = (layer: SizedLayer, takers: readonly Taker[]) => Parameter[];

const size = (layer: SizedLayer, key: string): number => layer[key] as number;
const isOn = (layer: SizedLayer, key: string): boolean => layer[key] !== false;

/** Names of Keras 1 for gates: `lstm_1_W_i`. */
const GATE = /_([WUb](?:_[ifcozrh])?)$/;

/** One cell, out of its arrays of Keras 2 and 3 or, of a gate each, Keras 1. */
function cellOf(layer: SizedLayer, taker: Taker): CellParameters {
  const [inputs, hidden] = [size(layer, 'inputSize'), size(layer, 'hiddenSize')];
  const type = layer.type as 'lstm' | 'gru' | 'rnn';
  const gates = { lstm: 4, gru: 3, rnn: 1 }[type];
  const resetAfter = isOn(layer, 'resetAfter');
  const older = taker.leaves.slice(0, 3 * gates).map((leaf) => GATE.exec(leaf)?.[1] ?? '');
  if (gates > 1 && older.length === 3 * gates && older.every((name) => name.length === 3)) {
    const shapes = { W: [inputs, hidden], U: [hidden, hidden], b: [hidden] };
    const taken = older.map((name) => [
      name,
      taker.take('', name, shapes[name[0] as keyof typeof shapes]),
    ]);
    return layouts.keras1[type](Object.fromEntries(taken) as layouts.Keras1Cell);
  }
  const wide = gates * hidden;
  const isTwo = type === 'gru' && resetAfter;
  let kernel = taker.take('cell', 'kernel', [inputs, wide]);
  let recurrent = taker.take('cell', 'recurrent_kernel', [hidden, wide]);
  let bias = isOn(layer, 'bias')
    ? taker.take(
        'cell',
        'bias',
        isTwo ? [2, wide] : [wide],
        ...(isPacked(layer) ? [[2 * wide]] : []),
      )
    : undefined;
  if (bias && isPacked(layer) && bias.shape[0] === 2 * wide) {
    [kernel, recurrent] = [turnedGates(kernel, gates), turnedGates(recurrent, gates)];
    bias = isTwo ? { shape: [2, wide], data: bias.data } : halvesOf(bias);
  }
  if (type === 'gru') return layouts.keras.gru(kernel, recurrent, bias, { resetAfter });
  return layouts.keras[type](kernel, recurrent, bias);
}

/** Whether cuDNN has such a cell: its arrays are told by a bias of twice the length. */
const isPacked = ({ type, resetAfter }: SizedLayer): boolean =>
  type === 'lstm' || (type === 'gru' && resetAfter !== false);

/** A kernel of cuDNN: of each gate [I, H] holds the elements of [H, I]. */
function turnedGates({ shape, data }: Tensor, gates: number): Tensor {
  const [inputs, wide] = shape as [number, number];
  const hidden = wide / gates;
  const out = new Float32Array(data.length);
  for (let gate = 0; gate < gates; gate++) {
    for (let h = 0; h < hidden; h++) {
      for (let i = 0; i < inputs; i++) {
        const at = h * inputs + i;
        const from = Math.floor(at / hidden) * wide + gate * hidden + (at % hidden);
        out[i * wide + gate * hidden + h] = data[from]!;
      }
    }
  }
  return { shape, data: out };
}

/** The sum of the two biases of cuDNN. */
function halvesOf({ data }: Tensor): Tensor {
  const half = data.length / 2;
  return { shape: [half], data: data.subarray(0, half).map((value, k) => value + data[half + k]!) };
}

/** A taker for each sub-layer and direction, forward first. */
const recurrent: Loader = (layer, takers) =>
  takers.flatMap((taker, k) => {
    const ways = layer['bidirectional'] === true ? 2 : 1;
    const part = k < ways ? layer : { ...layer, inputSize: ways * size(layer, 'hiddenSize') };
    const place = { subLayer: Math.floor(k / ways), reverse: k % ways === 1 };
    const parameters = layouts.toStateDict('', cellOf(part, taker), place);
    return [...parameters].map(([name, tensor]): Parameter => [name.slice(1), tensor]);
  });

/** Arrays that are parameters as they are: roles of both, and the shape. */
function plain(
  ...arrays: readonly (readonly [role: string, keras: string, key: string, option?: string])[]
): Loader {
  return (layer, [taker]) =>
    arrays
      .filter(([, , , option]) => option === undefined || isOn(layer, option))
      .map(([role, keras, key]) => [role, taker!.take('', keras, [size(layer, key)])]);
}

/** Takes the kernel of a convolution; Keras 1 wrote [K, 1, I, O], and before that [O, I, K, 1]. */
function kernelOf(taker: Taker, shape: readonly number[]): Tensor {
  if (shape.length < 3) return taker.take('', 'kernel', shape);
  const [taps, inputs, outputs] = shape as [number, number, number];
  const oldest = [outputs, inputs, taps, 1];
  const { shape: found, data } = taker.take(
    '',
    'kernel',
    shape,
    [taps, 1, inputs, outputs],
    oldest,
  );
  if (found.length < 4 || found.some((size, k) => size !== oldest[k])) return { shape, data };
  const out = new Float32Array(data.length);
  for (let k = 0; k < taps; k++) {
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        out[(k * inputs + i) * outputs + o] = data[(o * inputs + i) * taps + k]!;
      }
    }
  }
  return { shape, data: out };
}

/** A kernel whose axes are the other way round, and a bias. */
function turned(of: (layer: SizedLayer) => readonly number[], outputs: string): Loader {
  return (layer, [taker]) => {
    const shape = of(layer);
    const kernel = kernelOf(taker!, shape);
    const weight = shape.length === 2 ? layouts.keras.dense(kernel) : layouts.keras.conv1d(kernel);
    const bias = (): Parameter => ['bias', taker!.take('', 'bias', [size(layer, outputs)])];
    return [['weight', weight], ...(isOn(layer, 'bias') ? [bias()] : [])];
  };
}

const linear = turned(
  (layer) => [size(layer, 'inFeatures'), size(layer, 'outFeatures')],
  'outFeatures',
);

/** What each kind of layer takes of a file, in the order of Keras. */
export const LOADERS: ReadonlyMap<string, Loader> = new Map<string, Loader>([
  ['lstm', recurrent],
  ['gru', recurrent],
  ['rnn', recurrent],
  ['linear', linear],
  [
    'conv1d',
    turned(
      (layer) => [
        size(layer, 'kernelSize'),
        size(layer, 'inChannels') / ((layer['groups'] as number | undefined) ?? 1),
        size(layer, 'outChannels'),
      ],
      'outChannels',
    ),
  ],
  [
    'convTranspose1d',
    turned(
      (layer) => [size(layer, 'kernelSize'), size(layer, 'outChannels'), size(layer, 'inChannels')],
      'outChannels',
    ),
  ],
  [
    'embedding',
    (layer, [taker]) => {
      const shape = [size(layer, 'numEmbeddings'), size(layer, 'embeddingDim')];
      return [['weight', taker!.take('', 'embeddings', shape)]];
    },
  ],
  [
    'batchNorm',
    plain(
      ['weight', 'gamma', 'inputSize', 'scale'],
      ['bias', 'beta', 'inputSize', 'bias'],
      ['running_mean', 'moving_mean', 'inputSize'],
      ['running_var', 'moving_variance', 'inputSize'],
    ),
  ],
  [
    'layerNorm',
    plain(['weight', 'gamma', 'inputSize', 'scale'], ['bias', 'beta', 'inputSize', 'bias']),
  ],
  ['rmsNorm', plain(['weight', 'scale', 'inputSize', 'scale'])],
]);
