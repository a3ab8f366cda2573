/**
 * What a description says: the layers with names and sizes filled in, shapes of their parameters,
 * states and masks.
 */
import type { ModelDescription } from '../../src/ops/index.ts';
import { cellOf, type RecurrentSpec } from './cell.ts';
import type { PoolMode } from './pool.ts';
import type { Dims, StackState } from './stack.ts';
import type { Unit } from './step.ts';

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
      readonly outputSize: number;
    }
  | {
      readonly kind: 'pool';
      readonly name: string;
      readonly mode: PoolMode;
      readonly inputSize: number;
      readonly outputSize: number;
    };

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
export function layersOf(description: ModelDescription, gradientLimit: number = Infinity): Layer[] {
  const seen = new Map<string, number>();
  let [width, firstRows, reversed] = [0, 0, false];
  return description.layers.map((spec): Layer => {
    const nth = (seen.get(spec.type) ?? 0) + 1;
    seen.set(spec.type, nth);
    const name = spec.name ?? (nth === 1 ? spec.type : `${spec.type}${nth}`);
    if (spec.type === 'embedding') {
      width = spec.embeddingDim;
      firstRows = spec.numEmbeddings;
      return { kind: 'embedding', name, count: spec.numEmbeddings, outputSize: width };
    }
    if (spec.type === 'linear') {
      const inputSize = spec.inFeatures ?? width;
      width = 'tied' in spec ? firstRows : spec.outFeatures;
      const weight = 'tied' in spec ? spec.tied : name;
      return {
        kind: 'linear',
        name,
        inputSize,
        outputSize: width,
        bias: spec.bias ?? true,
        weight,
      };
    }
    if (spec.type === 'pool') {
      if (reversed) throw new Error('the reference pools only layers that read forward');
      return { kind: 'pool', name, mode: spec.mode, inputSize: width, outputSize: width };
    }
    if (!('hiddenSize' in spec)) throw new Error(`the reference has no ${spec.type}`);
    const layer = recurrentLayer(spec, name, spec.inputSize ?? width, gradientLimit);
    width = layer.outputSize;
    reversed = layer.ways.some((way) => way.reverse);
    return layer;
  });
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
    ['weight_hh', cell.diagonal ? [size] : [rows, seen], true],
    ['bias_ih', [rows], spec.bias !== false],
    ['bias_hh', [rows], (spec.bias ?? true) === true],
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
    } else if (layer.kind === 'pool') {
      continue;
    } else if (layer.kind === 'linear') {
      if (layer.weight === layer.name)
        shapes.set(`${layer.name}.weight`, [layer.outputSize, layer.inputSize]);
      if (layer.bias) shapes.set(`${layer.name}.bias`, [layer.outputSize]);
    } else {
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

/** Shapes and probabilities of the masks that training draws. */
export function maskShapes(
  description: ModelDescription,
  { steps, batch }: Dims,
): Map<string, { readonly shape: readonly number[]; readonly p: number }> {
  const shapes = new Map<string, { shape: number[]; p: number }>();
  const add = (key: string, p: number | undefined, shape: number[]): void => {
    if (p) shapes.set(key, { shape, p });
  };
  for (const layer of layersOf(description)) {
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

/** The zero state of a batch. */
export function zeroState(
  description: ModelDescription,
  batch: number,
): Record<string, StackState> {
  const state: Record<string, StackState> = {};
  for (const layer of layersOf(description)) {
    if (layer.kind !== 'recurrent') continue;
    const rows = depthsOf(layer.spec).length * layer.ways.length * batch;
    const { cell, hiddenSize, outputSize } = layer.ways[0]!;
    state[layer.name] = {
      h: new Float64Array(rows * outputSize),
      c: new Float64Array(cell.hasCellState ? rows * hiddenSize : 0),
    };
  }
  return state;
}
