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
  const kernel = taker.take('cell', 'kernel', [inputs, wide]);
  const recurrent = taker.take('cell', 'recurrent_kernel', [hidden, wide]);
  const bias = isOn(layer, 'bias')
    ? taker.take('cell', 'bias', isTwo ? [2, wide] : [wide])
    : undefined;
  if (type === 'gru') return layouts.keras.gru(kernel, recurrent, bias, { resetAfter });
  return layouts.keras[type](kernel, recurrent, bias);
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

/** A kernel whose axes are the other way round, and a bias. */
function turned(of: (layer: SizedLayer) => readonly number[], outputs: string): Loader {
  return (layer, [taker]) => {
    const shape = of(layer);
    const kernel = taker!.take('', 'kernel', shape);
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
