/**
 * RTNeural's JSON: `in_shape`, and `layers` of `type`, `activation`, `shape` and `weights`, which
 * are Keras' own. AIDA-X adds `in_skip`, `in_gain` and `out_gain` (dB) and a sample rate.
 *
 *     y = g_out (f(g_in x) + g_in x)      without in_skip: g_out f(g_in x)
 */
import type { RowActivation } from '../../ops/activations.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { isMap, itemsOf, plainOf } from '../shared/json.ts';
import type { Json } from '../shared/json.ts';
import { keras } from '../shared/layouts.ts';
import type { Tensor } from '../../base/tensor.ts';
import {
  Chain,
  countOf,
  mapOf,
  numbersOf,
  refuse,
  sampleRateOf,
  tensorOf,
  unsupported,
  within,
} from './chain.ts';
import type { AudioFile } from './chain.ts';

/** RTNeural's activations; no name is none. */
export const ACTIVATIONS: ReadonlyMap<string, RowActivation | undefined> = new Map([
  ['linear', undefined],
  ['', undefined],
  ['tanh', 'tanh'],
  ['relu', 'relu'],
  ['sigmoid', 'sigmoid'],
  ['softmax', 'softmax'],
  ['elu', 'elu'],
]);

/** Far above what any audio model has. */
const MAX_INPUTS = 4096;
/** Of a layer whose own epsilon is out of the range that a description may have. */
const EPS = 1e-5;

/** A layer of the file. */
interface Layer {
  /** As errors name it: its place from 1, and its type. */
  readonly at: string;
  readonly fields: AudioFile;
  readonly weights: readonly Json[];
  /** Steps that `shape` says it has, of it and of the one before; undefined of any. */
  readonly steps: number | undefined;
  readonly before: number | undefined;
}

/** The array at a place of a layer's weights. */
function weight({ at, weights }: Layer, k: number, isNeeded = true): Tensor | undefined {
  if (!isNeeded && weights.length <= k) return undefined;
  return tensorOf(`weights[${k}] of ${at}`, weights[k]);
}

/** The last of a list of numbers, or a number itself: a kernel size as Keras has it. */
function lastOf(value: Json | undefined): Json | undefined {
  return numbersOf(value)?.numbers.at(-1) ?? value;
}

function activationOf({ at, fields }: Layer): { activation?: RowActivation } {
  const name = fields.get('activation') ?? '';
  if (typeof name !== 'string' || !ACTIVATIONS.has(name)) {
    return unsupported(`${at} has the activation ${JSON.stringify(plainOf(name))}`);
  }
  const activation = ACTIVATIONS.get(name);
  return activation ? { activation } : {};
}

/** Cells have the usual activations in RTNeural, whatever the file says. */
function checkUsual({ at, fields }: Layer): void {
  const name = fields.get('activation') ?? '';
  if (name === '' || name === 'tanh') return;
  unsupported(`${at} has the activation ${JSON.stringify(plainOf(name))} where RTNeural has tanh`);
}

/** One line of numbers, in whatever lists they are. */
const flat = ({ data }: Tensor): Tensor => ({ shape: [data.length], data });

function needed(layer: Layer, ...counts: readonly number[]): void {
  if (counts.includes(layer.weights.length)) return;
  refuse(
    `${layer.at} has ${layer.weights.length} arrays of weights, expected ${counts.join(' or ')}`,
  );
}

/** Reads `valid` only where the shapes of the file say that steps get fewer. */
function paddingOf({ at, steps, before }: Layer, lost: number): 'causal' | 'valid' {
  if (steps === undefined || before === undefined || steps === before) return 'causal';
  if (steps === before - lost) return 'valid';
  return unsupported(`${at} makes ${steps} steps of ${before}: RTNeural has no stride`);
}

const dense = (chain: Chain, layer: Layer): void => {
  needed(layer, 1, 2);
  const kernel = weight(layer, 0)!;
  const bias = weight(layer, 1, false);
  const [inputs, outputs] = kernel.shape as [number, number];
  chain.add(
    {
      type: 'linear',
      inFeatures: inputs,
      outFeatures: outputs,
      bias: !!bias,
      ...activationOf(layer),
    },
    inputs,
    outputs,
    { weight: keras.dense(kernel), bias },
  );
};

/** What each type of layer of the file becomes. */
const READERS: ReadonlyMap<string, (chain: Chain, layer: Layer) => void> = new Map([
  ['dense', dense],
  ['time-distributed-dense', dense],
  [
    'lstm',
    (chain, layer) => {
      checkUsual(layer);
      needed(layer, 2, 3);
      const cell = keras.lstm(weight(layer, 0)!, weight(layer, 1)!, weight(layer, 2, false));
      const hiddenSize = cell.weight_hh.shape[1]!;
      const bias = cell.bias_ih ? 'single' : false;
      const inputSize = cell.weight_ih.shape[1]!;
      chain.add(
        { type: 'lstm', inputSize, hiddenSize, bias },
        inputSize,
        hiddenSize,
        ofFirst(cell),
      );
    },
  ],
  [
    'gru',
    (chain, layer) => {
      checkUsual(layer);
      needed(layer, 2, 3);
      const cell = keras.gru(weight(layer, 0)!, weight(layer, 1)!, weight(layer, 2, false));
      const hiddenSize = cell.weight_hh.shape[1]!;
      const inputSize = cell.weight_ih.shape[1]!;
      const bias = !!cell.bias_ih;
      chain.add({ type: 'gru', inputSize, hiddenSize, bias }, inputSize, hiddenSize, ofFirst(cell));
    },
  ],
  [
    'conv1d',
    (chain, layer) => {
      needed(layer, 1, 2);
      const { at, fields } = layer;
      const kernel = weight(layer, 0)!;
      const bias = weight(layer, 1, false);
      const [kernelSize, inputs, outChannels] = kernel.shape as [number, number, number];
      const size = countOf(
        `"kernel_size" of ${at}`,
        lastOf(fields.get('kernel_size')) ?? kernelSize,
      );
      if (size !== kernelSize)
        refuse(`${at} has ${kernelSize} taps, and its "kernel_size" is ${size}`);
      const dilation = countOf(`"dilation" of ${at}`, lastOf(fields.get('dilation')) ?? 1);
      const groups = countOf(`"groups" of ${at}`, fields.get('groups') ?? 1);
      const stride = countOf(`"strides" of ${at}`, lastOf(fields.get('strides')) ?? 1);
      if (stride !== 1) unsupported(`${at} has a stride of ${stride}: a stream has none`);
      chain.add(
        {
          type: 'conv1d',
          inChannels: inputs * groups,
          outChannels,
          kernelSize,
          dilation,
          groups,
          padding: paddingOf(layer, (kernelSize - 1) * dilation),
          bias: !!bias,
          ...activationOf(layer),
        },
        inputs * groups,
        outChannels,
        { weight: keras.conv1d(kernel), bias },
      );
    },
  ],
  [
    'prelu',
    (chain, layer) => {
      needed(layer, 1);
      const slopes = flat(weight(layer, 0)!);
      const shared = slopes.data.length === 1 && chain.width > 1;
      const spec = { type: 'prelu', inputSize: chain.width, shared } as const;
      chain.same(spec, { weight: slopes });
    },
  ],
  [
    'batchnorm',
    (chain, layer) => {
      needed(layer, 2, 4);
      const { at, fields, weights } = layer;
      const eps = fields.get('epsilon') ?? 1e-3;
      if (typeof eps !== 'number' || !(eps >= 0 && eps < 1e6)) {
        refuse(`"epsilon" of ${at} is no number of at least 0`);
      }
      const isAffine = weights.length === 4;
      const [mean, variance] = (isAffine ? [2, 3] : [0, 1]).map((k) => flat(weight(layer, k)!));
      const isOurs = eps >= 1e-12 && eps <= 1;
      // Else the difference becomes a part of the variance.
      const running_var = isOurs
        ? variance
        : { ...variance!, data: variance!.data.map((value) => value + (eps as number) - EPS) };
      chain.same(
        {
          type: 'batchNorm',
          inputSize: chain.width,
          eps: isOurs ? eps : EPS,
          scale: isAffine,
          bias: isAffine,
          momentum: 0.01,
          unbiased: false,
        },
        {
          ...(isAffine && { weight: flat(weight(layer, 0)!), bias: flat(weight(layer, 1)!) }),
          running_mean: mean,
          running_var,
        },
      );
    },
  ],
  [
    'activation',
    (chain, layer) => {
      const { activation } = activationOf(layer);
      if (activation) chain.same({ type: 'activation', inputSize: chain.width, activation });
    },
  ],
]);

/** The names that parameters of a layer have without sub-layers. */
const ofFirst = (cell: object): object =>
  Object.fromEntries(Object.entries(cell).map(([role, tensor]) => [`${role}_l0`, tensor]));

const gainOf = (value: Json | undefined): number =>
  typeof value === 'number' ? (value > -90 ? 10 ** (value / 20) : 0) : 1;

/** Whether a file is of this kind. */
export const isRtneural = (file: AudioFile): boolean => file.has('layers') && file.has('in_shape');

/** Steps and features that a shape of Keras says. */
function shapeOf(value: Json | undefined): { steps?: number; width?: number } {
  const sizes = itemsOf(value) ?? [];
  const number = (k: number): number | undefined => {
    const size = sizes.at(k);
    return typeof size === 'number' && size > 0 ? size : undefined;
  };
  return { width: number(-1), steps: sizes.length === 3 ? number(1) : undefined };
}

/** Every layer that is not read, named; in one error. */
function checkTypes(layers: readonly Json[]): void {
  const unknown = layers.flatMap((layer, k) => {
    const type = isMap(layer) ? layer.get('type') : undefined;
    if (typeof type !== 'string') return refuse(`layer ${k + 1} has no type`);
    return READERS.has(type) ? [] : [`layer ${k + 1} (${type.slice(0, 40)})`];
  });
  if (unknown.length === 0) return;
  const more = unknown.length > 8 ? ` and ${unknown.length - 8} more` : '';
  const known = [...READERS.keys()].join(', ');
  unsupported(`gatefold reads no ${unknown.slice(0, 8).join(', ')}${more}; it reads ${known}`);
}

export function readRtneural(file: AudioFile): ImportedModel {
  const layers = itemsOf(file.get('layers'));
  if (!layers) return refuse('its "layers" are no list');
  checkTypes(layers);
  const { width, steps } = shapeOf(file.get('in_shape'));
  if (!width) return refuse('its "in_shape" has no size');
  if (width > MAX_INPUTS) unsupported(`it has ${width} inputs, gatefold reads up to ${MAX_INPUTS}`);
  const chain = new Chain(width);
  const [inGain, outGain] = ['in_gain', 'out_gain'].map((key) => gainOf(file.get(key)));
  if (inGain !== 1) {
    const factor = Array.from({ length: width }, (_, k) => (k ? 1 : inGain!));
    const own = width === 1 ? inGain! : factor;
    chain.same({ type: 'scale', name: 'inputGain', inputSize: width, factor: own });
  }
  const input = chain.last;
  let before = steps;
  for (const [k, value] of layers.entries()) {
    const fields = mapOf(value);
    const type = fields.get('type') as string;
    const at = `layer ${k + 1} (${type})`;
    const says = shapeOf(fields.get('shape'));
    const weights = itemsOf(fields.get('weights') ?? []);
    if (!weights) return refuse(`"weights" of ${at} are no list`);
    within(at, () => {
      READERS.get(type)!(chain, { at, fields, weights, steps: says.steps, before });
    });
    if (says.width !== undefined && says.width !== chain.width) {
      refuse(`${at} has the width ${chain.width}, and its "shape" says ${says.width}`);
    }
    before = says.steps;
  }
  const skip = file.get('in_skip') ?? 0;
  if (skip !== 0 && skip !== 1 && typeof skip !== 'boolean') {
    return unsupported(`"in_skip" is ${JSON.stringify(plainOf(skip))}; gatefold reads 0 and 1`);
  }
  if (skip) chain.skip(input, width);
  if (outGain !== 1) {
    const factor = outGain!;
    chain.same({ type: 'scale', name: 'outputGain', inputSize: chain.width, factor });
  }
  const told = mapOf(file.get('metadata'));
  const sampleRate = sampleRateOf(told.get('samplerate'), file.get('samplerate'));
  return chain.imported('RTNeural', sampleRate, restOf(file));
}

/** What the file says besides the model. */
function restOf(file: AudioFile): unknown {
  const known = ['in_shape', 'layers', 'input_batch', 'output_batch'];
  const rest = new Map([...file].filter(([key]) => !known.includes(key)));
  return rest.size > 0 ? plainOf(rest) : undefined;
}
