/**
 * What a description says: the layers with names and sizes filled in, shapes of their parameters,
 * states and masks.
 */
import type { RowActivation } from '../../src/ops/activations.ts';
import type { JoinType } from '../../src/ops/join.ts';
import type { ReduceType } from '../../src/ops/reduce.ts';
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import type { Attention } from './attention.ts';
import { cellOf, type RecurrentSpec } from './cell.ts';
import { convDims, historyOf, type ConvLayer } from './conv1d.ts';
import { convTransposeDims, type ConvTranspose } from './conv-transpose1d.ts';
import type { PoolMode } from './pool.ts';
import { unfoldDims } from './shape.ts';
import type { Constant } from './scale.ts';
import type { Dims, StackState } from './stack.ts';
import type { Unit } from './step.ts';
import { repeatDims, windowPoolDims, windowPoolHistory, type WindowPool } from './window-pool.ts';

export interface RecurrentLayer {
  readonly kind: 'recurrent';
  readonly name: string;
  readonly spec: RecurrentSpec;
  readonly inputSize: number;
  readonly outputSize: number;
  /** Which directions every sub-layer has, and the width of what it puts out. */
  readonly ways: readonly Way[];
}

export interface Way extends Unit {
  readonly reverse: boolean;
  /** What the names of its parameters end in, behind the number of the sub-layer. */
  readonly suffix: string;
}

interface NormLayer {
  readonly name: string;
  readonly epsilon: number;
  readonly scale: boolean;
  readonly bias: boolean;
  readonly inputSize: number;
  readonly outputSize: number;
}

interface FoldLayer<K> {
  readonly kind: K;
  readonly name: string;
  /** Steps of what is spread or laid side by side. */
  readonly steps: number;
  /** Whether it reads one row a sequence. */
  readonly isRow: boolean;
  readonly inputSize: number;
  readonly outputSize: number;
}

/** A layer with what it reads: places among the layers before it, -1 for the model's inputs. */
export type PlacedLayer = Layer & { readonly reads: readonly number[] };

export type Layer =
  | RecurrentLayer
  | {
      readonly kind: 'linear';
      readonly name: string;
      readonly inputSize: number;
      readonly outputSize: number;
      readonly bias: boolean;
      /** Whose parameter its weight is: its own or an embedding's. */
      readonly weight: string;
    }
  | {
      readonly kind: 'embedding';
      readonly name: string;
      readonly count: number;
      readonly maskZero: boolean;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'masking';
      readonly name: string;
      readonly value: number;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'pool';
      readonly name: string;
      readonly mode: PoolMode;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'activation';
      readonly name: string;
      readonly activation: RowActivation;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | (NormLayer & {
      readonly kind: 'layerNorm';
      /** Whether the mean is taken off: not by an RMS normalisation. */
      readonly isCentred: boolean;
    })
  | (NormLayer & { readonly kind: 'batchNorm'; readonly frozen: boolean })
  | {
      readonly kind: 'prelu';
      readonly name: string;
      /** Whether there is one slope for all features. */
      readonly shared: boolean;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'scale';
      readonly name: string;
      readonly factor: Constant;
      readonly offset: Constant;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'delay';
      readonly name: string;
      readonly late: number;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'reduce';
      readonly name: string;
      readonly type: ReduceType;
      readonly inputSize: number;
      readonly outputSize: 1;
    }
  | {
      readonly kind: 'dropout';
      readonly name: string;
      readonly rate: number;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'concat';
      readonly name: string;
      readonly widths: readonly number[];
      readonly outputSize: number;
    }
  | {
      readonly kind: 'join';
      readonly name: string;
      readonly type: JoinType;
      readonly widths: readonly number[];
      readonly outputSize: number;
    }
  | {
      readonly kind: 'slice';
      readonly name: string;
      /** Whether it is one of several inputs of the model, which the product takes apart. */
      readonly isInput?: boolean;
      readonly from: number;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'reverse';
      readonly name: string;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | FoldLayer<'unfold'>
  | FoldLayer<'flatten'>
  | FoldLayer<'spread'>
  | (WindowPool & {
      readonly kind: 'windowPool';
      readonly name: string;
      readonly inputSize: number;
      readonly outputSize: number;
    })
  | {
      readonly kind: 'repeat';
      readonly name: string;
      readonly count: number;
      readonly inputSize: number;
      readonly outputSize: number;
    }
  | (Attention & {
      readonly kind: 'attention';
      readonly name: string;
      /** Whether scores have a learned scale. */
      readonly scale: boolean;
      readonly widths: readonly number[];
      readonly outputSize: number;
    })
  | (ConvTranspose & {
      readonly kind: 'convTranspose1d';
      readonly name: string;
      readonly bias: boolean;
      readonly inputSize: number;
      readonly outputSize: number;
    })
  | (ConvLayer & {
      readonly kind: 'conv1d';
      readonly name: string;
      readonly bias: boolean;
      readonly inputSize: number;
      readonly outputSize: number;
    });

function convLayer(
  spec: Extract<LayerSpec, { type: 'conv1d' }>,
  name: string,
  inputSize: number,
): Layer {
  const { outChannels, kernelSize, stride = 1, dilation = 1, groups = 1 } = spec;
  return {
    kind: 'conv1d',
    name,
    convolution: {
      inputs: inputSize,
      outputs: outChannels,
      taps: kernelSize,
      stride,
      dilation,
      groups,
    },
    padding: spec.padding ?? 'valid',
    bias: spec.bias ?? true,
    inputSize,
    outputSize: outChannels,
  };
}

function activationLayer(name: string, activation: RowActivation, width: number): Layer {
  return { kind: 'activation', name, activation, inputSize: width, outputSize: width };
}

/** A layer, and what its outputs go through. */
function withActivation(layer: Layer, activation: RowActivation | undefined): Layer[] {
  if (!activation) return [layer];
  return [layer, activationLayer(`${layer.name}.activation`, activation, layer.outputSize)];
}

function waysOf(spec: RecurrentSpec, gradientLimit: number): Way[] {
  const { hiddenSize } = spec;
  const { projSize, projClip = Infinity } = spec.type === 'lstm' ? spec : {};
  const outputSize = projSize ?? hiddenSize;
  const way = (reverse: boolean, suffix: string): Way => ({
    cell: cellOf(spec, reverse && suffix !== '', gradientLimit),
    hiddenSize,
    outputSize,
    projClip,
    reverse,
    suffix,
  });
  if (spec.bidirectional) return [way(false, ''), way(true, '_reverse')];
  return [way(spec.direction === 'backward', '')];
}

function recurrentLayer(
  spec: RecurrentSpec,
  name: string,
  inputSize: number,
  gradientLimit: number,
): RecurrentLayer {
  const ways = waysOf(spec, gradientLimit);
  const both = spec.bidirectional && (spec.merge ?? 'concat') === 'concat';
  const outputSize = (both ? 2 : 1) * ways[0]!.outputSize;
  return { kind: 'recurrent', name, spec, inputSize, outputSize, ways };
}

/**
 * The layers with names and sizes filled in; the gradient of every gate's sum is held to a limit.
 */
export function layersOf(
  description: ModelDescription,
  gradientLimit: number = Infinity,
): PlacedLayer[] {
  const seen = new Map<string, number>();
  const all: PlacedLayer[] = [];
  const ends = new Map<string, number>([['input', -1]]);
  const given = inputsOf(description);
  let inputs = given.reduce((sum, { size }) => sum + size, 0);
  let from = 0;
  for (const { name, size } of given) {
    const part = { kind: 'slice', name, isInput: true, from, inputSize: inputs } as const;
    ends.set(name, all.push({ ...part, outputSize: size, reads: [-1] }) - 1);
    from += size;
  }
  for (const spec of description.layers) {
    const nth = (seen.get(spec.type) ?? 0) + 1;
    seen.set(spec.type, nth);
    const name = spec.name ?? (nth === 1 ? spec.type : `${spec.type}${nth}`);
    const reads = spec.inputs?.map((source) => ends.get(source)!) ?? [
      all.length > given.length ? all.length - 1 : given.length ? 0 : -1,
    ];
    const widths = reads.map((k) => (k < 0 ? inputs : all[k]!.outputSize));
    const made = layerOf(spec, name, widths, all, reads, gradientLimit);
    const isSplit = spec.type === 'split';
    for (const [k, layer] of made.entries()) {
      all.push({ ...layer, reads: k === 0 || isSplit ? reads : [all.length - 1] });
      if (isSplit) ends.set(`${name}.${k}`, all.length - 1);
    }
    if (reads.includes(-1)) inputs = inputSizeOf(all);
    ends.set(name, isSplit ? ends.get(`${name}.0`)! : all.length - 1);
  }
  return all;
}

/** The inputs of a model that has several, side by side in one for the reference. */
export function inputsOf({ inputs = [] }: ModelDescription): { name: string; size: number }[] {
  return (inputs as { name: string; size: number }[]).map(({ name, size }) => ({ name, size }));
}

/** Features of the inputs of a model; 1 where they are tokens. */
export function inputSizeOf(layers: readonly PlacedLayer[]): number {
  const reader = layers.find(({ reads }) => reads.includes(-1))!;
  if (reader.kind === 'embedding') return 1;
  return 'widths' in reader ? reader.widths[reader.reads.indexOf(-1)]! : reader.inputSize;
}

function layerOf(
  spec: LayerSpec,
  name: string,
  widths: readonly number[],
  before: readonly PlacedLayer[],
  reads: readonly number[],
  gradientLimit: number,
): Layer[] {
  const width = widths[0]!;
  switch (spec.type) {
    case 'embedding':
      return [
        {
          kind: 'embedding',
          name,
          count: spec.numEmbeddings,
          maskZero: spec.maskZero ?? false,
          outputSize: spec.embeddingDim,
        },
      ];
    case 'masking': {
      const { value = 0, inputSize = width } = spec;
      return [{ kind: 'masking', name, value, inputSize, outputSize: inputSize }];
    }
    case 'linear': {
      const table = before.find((layer) => 'tied' in spec && layer.name === spec.tied);
      const outputSize = 'tied' in spec ? (table as { count: number }).count : spec.outFeatures;
      const layer: Layer = {
        kind: 'linear',
        name,
        inputSize: spec.inFeatures ?? width,
        outputSize,
        bias: spec.bias ?? true,
        weight: table?.name ?? name,
      };
      return withActivation(layer, spec.activation);
    }
    case 'conv1d':
      return withActivation(convLayer(spec, name, spec.inChannels ?? width), spec.activation);
    case 'convTranspose1d': {
      const { kernelSize: taps, outChannels: outputs, inChannels: inputs = width } = spec;
      const { stride = 1, dilation = 1, padding = 'valid', outputPadding = 0 } = spec;
      const own = { inputs, outputs, taps, stride, dilation, padding, outputPadding };
      const sizes = { name, bias: spec.bias ?? true, inputSize: inputs, outputSize: outputs };
      return withActivation({ kind: 'convTranspose1d', ...own, ...sizes }, spec.activation);
    }
    case 'activation':
      return [activationLayer(name, spec.activation, spec.inputSize ?? width)];
    case 'layerNorm':
    case 'batchNorm': {
      const { inputSize = width, eps: epsilon = 1e-5, scale = true, bias = true } = spec;
      const own = { name, epsilon, scale, bias, inputSize, outputSize: inputSize };
      if (spec.type === 'batchNorm')
        return [{ kind: 'batchNorm', ...own, frozen: spec.frozen ?? false }];
      return [{ kind: 'layerNorm', ...own, isCentred: true }];
    }
    case 'rmsNorm': {
      const { inputSize = width, eps: epsilon = 2 ** -23, scale = true } = spec;
      const own = { name, epsilon, scale, bias: false, inputSize, outputSize: inputSize };
      return [{ kind: 'layerNorm', ...own, isCentred: false }];
    }
    case 'pool': {
      const source = before[reads[0]!]!;
      if (source.kind === 'recurrent' && source.ways.some((way) => way.reverse))
        throw new Error('the reference pools only layers that read forward');
      return [{ kind: 'pool', name, mode: spec.mode, inputSize: width, outputSize: width }];
    }
    case 'reduceMean':
    case 'reduceSum':
    case 'reduceMax': {
      const { type, inputSize = width } = spec;
      return [{ kind: 'reduce', name, type, inputSize, outputSize: 1 }];
    }
    case 'dropout': {
      const { rate = 0.5, inputSize = width } = spec;
      return [{ kind: 'dropout', name, rate, inputSize, outputSize: inputSize }];
    }
    case 'concat': {
      const each = spec.inputSizes ?? widths;
      const outputSize = each.reduce((sum, size) => sum + size);
      return [{ kind: 'concat', name, widths: each, outputSize }];
    }
    case 'add':
    case 'subtract':
    case 'multiply':
    case 'divide':
    case 'average': {
      const each = spec.inputSizes ?? widths;
      const outputSize = Math.max(...each);
      return [{ kind: 'join', name, type: spec.type, widths: each, outputSize }];
    }
    case 'slice': {
      const { from, to, inputSize = width } = spec;
      return [{ kind: 'slice', name, from, inputSize, outputSize: to - from }];
    }
    case 'split': {
      const { sizes, inputSize = width } = spec;
      let end = 0;
      return sizes.map((outputSize) => {
        end += outputSize;
        return { kind: 'slice', name, from: end - outputSize, inputSize, outputSize };
      });
    }
    case 'unfold':
    case 'flatten':
    case 'reshape':
    case 'repeat':
      return foldLayers(spec, name, spec.inputSize ?? width, isRowAt(before, reads[0]!));
    case 'reverse': {
      const { inputSize = width } = spec;
      return [{ kind: 'reverse', name, inputSize, outputSize: inputSize }];
    }
    case 'maxPool1d':
    case 'averagePool1d': {
      const { type, poolSize: size, stride = size, padding = 'valid', inputSize = width } = spec;
      const mode = type === 'maxPool1d' ? 'max' : 'mean';
      const countPadding = type === 'averagePool1d' && (spec.countPadding ?? true);
      const pool = { mode, size, stride, padding, countPadding } as const;
      return [{ kind: 'windowPool', name, ...pool, inputSize, outputSize: inputSize }];
    }
    case 'upsample1d': {
      const { size: count, inputSize = width } = spec;
      return [{ kind: 'repeat', name, count, inputSize, outputSize: inputSize }];
    }
    case 'attention': {
      const { score = 'scaledDot', heads = 1, scale = false, causal = false } = spec;
      const each = spec.inputSizes ?? widths;
      const outputSize = each[1] ?? each[0]!;
      return [{ kind: 'attention', name, score, heads, scale, causal, widths: each, outputSize }];
    }
    case 'prelu': {
      const { shared = false, inputSize = width } = spec;
      return [{ kind: 'prelu', name, shared, inputSize, outputSize: inputSize }];
    }
    case 'scale': {
      const { factor = 1, offset = 0, inputSize = width } = spec;
      return [{ kind: 'scale', name, factor, offset, inputSize, outputSize: inputSize }];
    }
    case 'delay': {
      const { steps: late, inputSize = width } = spec;
      return [{ kind: 'delay', name, late, inputSize, outputSize: inputSize }];
    }
    case 'program':
      throw new Error('programs have no reference of their own');
    default:
      return [recurrentLayer(spec, name, spec.inputSize ?? width, gradientLimit)];
  }
}

/** Whether what a layer puts out is one row a sequence. */
function isRowAt(layers: readonly PlacedLayer[], place: number): boolean {
  const layer = layers[place];
  if (!layer) return false;
  const before = isRowAt(layers, layer.reads[0]!);
  if (layer.kind === 'pool' || layer.kind === 'flatten')
    return !isWithinAt(layers, layer.reads[0]!);
  return before && layer.kind !== 'unfold' && layer.kind !== 'spread';
}

/** Whether it is steps within a step. */
export function isWithinAt(layers: readonly PlacedLayer[], place: number): boolean {
  const layer = layers[place];
  if (!layer) return false;
  if (layer.kind === 'unfold') return !layer.isRow;
  if (layer.kind === 'pool' || layer.kind === 'flatten') return false;
  return isWithinAt(layers, layer.reads[0]!);
}

type FoldSpec = Extract<LayerSpec, { type: 'unfold' | 'flatten' | 'reshape' | 'repeat' }>;

/** A reshape of steps lays them side by side before it spreads them. */
function foldLayers(spec: FoldSpec, name: string, inputSize: number, isRow: boolean): Layer[] {
  const flat = (steps: number): Layer => {
    return { kind: 'flatten', name, steps, isRow, inputSize, outputSize: steps * inputSize };
  };
  if (spec.type === 'flatten') return [flat(spec.inputSteps!)];
  const { steps } = spec;
  if (spec.type === 'repeat') {
    return [{ kind: 'spread', name, steps, isRow, inputSize, outputSize: inputSize }];
  }
  const open = (total: number, ofRow: boolean): Layer => {
    const outputSize = total / steps;
    return { kind: 'unfold', name, steps, isRow: ofRow, inputSize: total, outputSize };
  };
  if (spec.type === 'unfold' || isRow) return [open(inputSize, isRow)];
  return [flat(spec.inputSteps!), open(spec.inputSteps! * inputSize, true)];
}

/**
 * Shapes of the parameters of one direction of one sub-layer, in their order, by the first part of
 * their names.
 */
function shapesOf(spec: RecurrentSpec, way: Way, inputSize: number): [string, number[]][] {
  const { cell, hiddenSize: size, outputSize } = way;
  const rows = cell.gates * size;
  const seen = cell.seen === 'c' ? size : outputSize;
  const normed = (spec.type === 'lstm' || spec.type === 'gru') && (spec.layerNorm ?? false);
  const list: [string, number[], boolean][] = [
    ['weight_ih', [rows, inputSize], true],
    ['weight_hh', cell.diagonal ? [size] : [rows, seen], cell.hasRecurrence],
    ['bias_ih', [rows], spec.bias !== false],
    ['bias_hh', [rows], cell.hasRecurrence && (spec.bias ?? true) === true],
    ['weight_peephole', [cell.peepholes, size], cell.peepholes > 0],
    ['weight_hr', [outputSize, size], spec.type === 'lstm' && spec.projSize !== undefined],
    ['layer_norm_ih', [rows], normed],
    ['layer_norm_hh', [rows], normed],
    ['layer_norm_c', [2, size], normed && cell.hasCellState],
  ];
  return list.filter(([, , present]) => present).map(([name, shape]) => [name, shape]);
}

export const depthsOf = ({ numLayers = 1 }: RecurrentSpec): number[] =>
  Array.from({ length: numLayers }, (_, depth) => depth);

/** Every parameter of a model, in the order of its layers. */
export function parameterShapes(description: ModelDescription): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const layer of layersOf(description)) {
    if (layer.kind === 'embedding') {
      shapes.set(`${layer.name}.weight`, [layer.count, layer.outputSize]);
    } else if (layer.kind === 'layerNorm' || layer.kind === 'batchNorm') {
      if (layer.scale) shapes.set(`${layer.name}.weight`, [layer.inputSize]);
      if (layer.bias) shapes.set(`${layer.name}.bias`, [layer.inputSize]);
      if (layer.kind === 'layerNorm') continue;
      for (const moment of ['mean', 'var'])
        shapes.set(`${layer.name}.running_${moment}`, [layer.inputSize]);
    } else if (layer.kind === 'prelu') {
      shapes.set(`${layer.name}.weight`, [layer.shared ? 1 : layer.inputSize]);
    } else if (layer.kind === 'conv1d') {
      const { inputs, outputs, groups, taps } = layer.convolution;
      shapes.set(`${layer.name}.weight`, [outputs, inputs / groups, taps]);
      if (layer.bias) shapes.set(`${layer.name}.bias`, [outputs]);
    } else if (layer.kind === 'convTranspose1d') {
      shapes.set(`${layer.name}.weight`, [layer.inputs, layer.outputs, layer.taps]);
      if (layer.bias) shapes.set(`${layer.name}.bias`, [layer.outputs]);
    } else if (layer.kind === 'linear') {
      if (layer.weight === layer.name)
        shapes.set(`${layer.name}.weight`, [layer.outputSize, layer.inputSize]);
      if (layer.bias) shapes.set(`${layer.name}.bias`, [layer.outputSize]);
    } else if (layer.kind === 'attention') {
      const { name, score, scale, widths } = layer;
      if (score === 'additive') shapes.set(`${name}.weight`, [widths[0]!]);
      if (score === 'concat') shapes.set(`${name}.weight`, [1]);
      if (scale) shapes.set(`${name}.scale`, [1]);
    } else if (layer.kind === 'recurrent') {
      const { name, spec, ways, inputSize, outputSize } = layer;
      for (const depth of depthsOf(spec)) {
        for (const way of ways) {
          for (const [kind, shape] of shapesOf(spec, way, depth === 0 ? inputSize : outputSize)) {
            shapes.set(`${name}.${kind}_l${depth}${way.suffix}`, shape);
          }
        }
      }
    }
  }
  return shapes;
}

/** Whether a parameter is one that no training changes. */
export function isFixed(description: ModelDescription, parameter: string): boolean {
  return layersOf(description).some(
    (layer) =>
      layer.kind === 'batchNorm' &&
      parameter.startsWith(`${layer.name}.${layer.frozen ? '' : 'running_'}`),
  );
}

/** Whether training is another function than inference, whatever it draws. */
export function trainsOtherwise(description: ModelDescription): boolean {
  return layersOf(description).some((layer) => layer.kind === 'batchNorm' && !layer.frozen);
}

/** The rows that a layer puts out: a pool one for each sequence. */
export function dimsAfter(layer: Layer, dims: Dims): Dims {
  if (layer.kind === 'conv1d') return convDims(layer, dims);
  if (layer.kind === 'convTranspose1d') return convTransposeDims(layer, dims);
  if (layer.kind === 'windowPool') return windowPoolDims(layer, dims);
  if (layer.kind === 'repeat') return repeatDims(layer.count, dims);
  if (layer.kind === 'unfold') return unfoldDims(dims, layer.steps, layer.isRow);
  if (layer.kind === 'spread') return { steps: layer.steps, batch: dims.batch };
  if (layer.kind === 'pool' || layer.kind === 'flatten') {
    if (dims.outer) return dims.outer;
    const counted = dims.lengths && Array.from(dims.lengths, (length) => length > 0);
    return { steps: 1, batch: dims.batch, ...(counted && { counted }) };
  }
  return dims;
}

/** The rows of the inputs of every layer, and those that it puts out. */
export function dimsOf(
  layers: readonly PlacedLayer[],
  given: Dims,
): { before: Dims; after: Dims }[] {
  const all: { before: Dims; after: Dims }[] = [];
  for (const layer of layers) {
    const before = all[layer.reads[0]!]?.after ?? given;
    all.push({ before, after: dimsAfter(layer, before) });
  }
  return all;
}

/** Shapes and probabilities of the masks that training draws. */
export function maskShapes(
  description: ModelDescription,
  given: Dims,
): Map<string, { readonly shape: readonly number[]; readonly p: number }> {
  const shapes = new Map<string, { shape: number[]; p: number }>();
  const add = (key: string, p: number | undefined, shape: number[]): void => {
    if (p) shapes.set(key, { shape, p });
  };
  const layers = layersOf(description);
  const dims = dimsOf(layers, given);
  for (const [place, layer] of layers.entries()) {
    const { steps, batch } = dims[place]!.before;
    if (layer.kind === 'dropout')
      add(`${layer.name}.dropout`, layer.rate, [steps, batch, layer.inputSize]);
    if (layer.kind !== 'recurrent') continue;
    const { name, spec, ways, outputSize } = layer;
    for (const depth of depthsOf(spec)) {
      ways.forEach((way, k) => {
        const key = `${name}.${depth * ways.length + k}`;
        const seen = way.cell.seen === 'c' ? way.hiddenSize : way.outputSize;
        add(`${key}.recurrent`, spec.recurrentDropout, [batch, seen]);
        add(`${key}.zoneout`, spec.zoneout, [steps, batch, way.outputSize]);
      });
      const read = depth === 0 ? layer.inputSize : outputSize;
      add(`${name}.${depth}.input`, spec.inputDropout, [batch, read]);
      if (depth < (spec.numLayers ?? 1) - 1) {
        add(`${name}.${depth}.dropout`, spec.dropout, [steps, batch, outputSize]);
      }
    }
  }
  return shapes;
}

/** The zero state of a batch in a layer that has one; empty in others. */
export function zeroOf(layer: Layer, batch: number): StackState {
  const none = new Float64Array(0);
  if (layer.kind === 'conv1d') {
    return { h: new Float64Array(historyOf(layer) * batch * layer.inputSize), c: none };
  }
  if (layer.kind === 'delay') {
    return { h: new Float64Array(layer.late * batch * layer.inputSize), c: none };
  }
  if (layer.kind === 'windowPool') {
    const length = windowPoolHistory(layer) * batch * (layer.inputSize + 1);
    return { h: new Float64Array(length), c: none };
  }
  if (layer.kind !== 'recurrent') return { h: none, c: none };
  const rows = depthsOf(layer.spec).length * layer.ways.length * batch;
  const { cell, hiddenSize, outputSize } = layer.ways[0]!;
  const h = new Float64Array(rows * outputSize);
  return { h, c: new Float64Array(cell.hasCellState ? rows * hiddenSize : 0) };
}

/** The zero state of a batch. Nothing within a step keeps one. */
export function zeroState(
  description: ModelDescription,
  batch: number,
): Record<string, StackState> {
  const layers = layersOf(description);
  const own = layers.filter((layer) => !isWithinAt(layers, layer.reads[0]!));
  return Object.fromEntries(
    own
      .map((layer) => [layer.name, zeroOf(layer, batch)] as const)
      .filter(([, { h }]) => h.length > 0),
  );
}
