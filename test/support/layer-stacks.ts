/**
 * Random models with convolutions, normalisations and activations among recurrent layers, each
 * with one kind of layer that it is about.
 */
import type { RowActivation } from '../../src/ops/activations.ts';
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import { dimsOf, layersOf } from '../reference/layers.ts';
import type { RecurrentSpec } from '../reference/cell.ts';
import { cellForms, recurrentLayer } from './cells.ts';
import { drawOptions, optionsOf, randomActivation } from './options.ts';
import type { Random } from './random.ts';

/** What a random model is about. */
export const SUBJECTS = ['conv1d', 'layerNorm', 'activation', 'bias', 'pool'] as const;
export type Subject = (typeof SUBJECTS)[number];

/** How the sizes of a model are drawn. */
export interface StackSizes {
  readonly steps: number;
  width(random: Random): number;
  /** Whether recurrent layers have options of their own at times. */
  readonly withOptions: boolean;
}

type Conv1dSpec = Extract<LayerSpec, { type: 'conv1d' }>;

const PADDINGS = ['valid', 'same', 'causal', 'causal', 'causal', 'pair'] as const;

export function rowActivation(random: Random): RowActivation {
  const kind = random.integer(0, 5);
  if (kind === 0) return 'softmax';
  return kind === 1 ? 'logSoftmax' : randomActivation(random);
}

export const divisors = (n: number): number[] =>
  Array.from({ length: n }, (_, k) => k + 1).filter((k) => n % k === 0);

const perhaps = (random: Random): { activation?: RowActivation } =>
  random.unit() < 0.3 ? { activation: rowActivation(random) } : {};

/** A convolution of `inChannels`; a third of them has groups, a third of these are depthwise. */
export function drawConv1d(random: Random, inChannels: number, width: number): Conv1dSpec {
  const grouped = random.unit() < 1 / 3;
  const isDepthwise = grouped && random.unit() < 1 / 3;
  const groups = isDepthwise ? inChannels : grouped ? random.pick(divisors(inChannels)) : 1;
  const padding = random.pick(PADDINGS);
  return {
    type: 'conv1d',
    inChannels,
    outChannels: isDepthwise ? inChannels : groups * Math.max(1, Math.round(width / groups)),
    kernelSize: random.pick([1, 2, 3, 3, 4, 5]),
    stride: random.pick([1, 1, 1, 2, 3]),
    dilation: random.pick([1, 1, 2, 3]),
    groups,
    padding: padding === 'pair' ? [random.integer(0, 3), random.integer(0, 3)] : padding,
    bias: random.unit() < 0.7,
    ...perhaps(random),
  };
}

/** A transposed convolution. */
export function drawConvTranspose(random: Random, outChannels: number): object {
  const [stride, dilation] = [random.pick([1, 1, 2, 3]), random.pick([1, 1, 2])];
  const padding = random.pick(['valid', 'same', 1, 'pair'] as const);
  const zeros = (): number => random.integer(0, 2);
  const more = padding === 'same' ? 0 : random.integer(0, Math.max(stride, dilation) - 1);
  return {
    outChannels,
    kernelSize: random.pick([1, 2, 3, 3, 4]),
    stride,
    dilation,
    padding: padding === 'pair' ? [zeros(), zeros()] : padding,
    outputPadding: random.pick([0, more]),
    bias: random.unit() < 0.7,
    ...perhaps(random),
  };
}

/** Windows of a pool; its padding is below the steps of one. */
export function drawWindows(random: Random): object {
  const poolSize = random.pick([1, 2, 2, 3, 4, 5]);
  const zeros = (): number => random.integer(0, poolSize - 1);
  const padding = random.pick(PADDINGS);
  return {
    poolSize,
    ...(random.unit() < 0.7 ? { stride: random.pick([1, 1, 2, 3]) } : {}),
    padding: padding === 'pair' ? [zeros(), zeros()] : padding,
  };
}

/** A normalisation of any kind. */
export function drawNorm(
  random: Random,
  type: 'layerNorm' | 'rmsNorm' | 'batchNorm' = 'layerNorm',
): LayerSpec {
  const eps = random.pick([1e-5, 1e-3, 0.1]);
  const own = { eps, scale: random.unit() < 0.7 };
  if (type === 'rmsNorm') return { type, ...own };
  const bias = random.unit() < 0.7;
  if (type === 'batchNorm') return { type, ...own, bias, frozen: random.unit() < 0.4 };
  return { type, ...own, bias };
}

/** Constants of `width` features: for each its own, one for all, or only one of the two. */
export function drawScale(random: Random, width: number): object {
  const draw = (): number | number[] =>
    random.unit() < 0.5 ? random.around(2) : [...random.vector(width, 2)];
  const drawn = { factor: draw(), offset: draw() };
  const kind = random.integer(0, 3);
  if (kind > 1) return drawn;
  return kind ? { factor: drawn.factor } : { offset: drawn.offset };
}

export function drawRecurrent(
  random: Random,
  { width, withOptions }: StackSizes,
  bias: RecurrentSpec['bias'],
): RecurrentSpec {
  const form = random.pick(Object.values(cellForms));
  const hiddenSize = width(random);
  const sizes = { hiddenSize, numLayers: random.pick([1, 1, 2]) };
  const names = withOptions && random.unit() < 0.4 ? [random.pick(optionsOf(form))] : [];
  return recurrentLayer(form, sizes, {
    ...drawOptions(random, form, hiddenSize, names).layer,
    bias,
  });
}

const readsForward = (spec: LayerSpec): boolean =>
  !('hiddenSize' in spec) || (spec.direction !== 'backward' && !spec.bidirectional);

/** Whether a model leaves at least one output of `steps` steps. */
function hasOutputs(description: ModelDescription, steps: number): boolean {
  return dimsOf(layersOf(description), { steps, batch: 1 }).every(({ after }) => after.steps > 0);
}

/** A model of two to five layers; the one that it is about stands anywhere among them. */
export function drawStack(random: Random, subject: Subject, sizes: StackSizes): ModelDescription {
  const width = sizes.width(random);
  const layers: LayerSpec[] = [];
  let isRowwise = false;
  const outputs = (): number => (layers.length ? layersOf({ layers }).at(-1)!.outputSize : width);
  const add = (spec: LayerSpec): void => {
    const key = { linear: 'inFeatures', conv1d: 'inChannels' }[spec.type as string] ?? 'inputSize';
    const own = layers.length || spec.type === 'embedding' ? spec : { ...spec, [key]: width };
    // A model of too few steps does without the layer.
    if (hasOutputs({ layers: [...layers, own as LayerSpec] }, sizes.steps)) {
      layers.push(own as LayerSpec);
    }
  };
  const draw = {
    conv1d: () => drawConv1d(random, outputs(), sizes.width(random)),
    layerNorm: () => drawNorm(random),
    activation: (): LayerSpec => ({ type: 'activation', activation: rowActivation(random) }),
    bias: () => drawRecurrent(random, sizes, 'single'),
    recurrent: () => drawRecurrent(random, sizes, random.pick([true, false])),
    linear: (): LayerSpec => ({
      type: 'linear',
      outFeatures: sizes.width(random),
      bias: random.unit() < 0.7,
      ...perhaps(random),
    }),
  };
  if (random.unit() < 0.3) {
    add({ type: 'embedding', numEmbeddings: random.integer(1, 30), embeddingDim: width });
  }
  const others = ['conv1d', 'layerNorm', 'activation', 'recurrent', 'recurrent', 'linear'] as const;
  const rowwise = ['layerNorm', 'activation', 'linear'] as const;
  const count = random.integer(1, 3);
  const at = random.integer(0, count);
  for (let k = 0; k <= count; k++) {
    if (k !== at) add(draw[random.pick(isRowwise ? rowwise : others)]());
    else if (subject !== 'pool') add(draw[subject]());
    else {
      if (!layers.length || !layers.every(readsForward)) {
        layers.splice(0, layers.length, { ...drawConv1d(random, width, width), padding: 'causal' });
      }
      add({ type: 'pool', mode: random.pick(['last', 'mean', 'max'] as const) });
      add(draw.activation());
      add(draw.layerNorm());
      isRowwise = true;
    }
  }
  return { layers };
}
