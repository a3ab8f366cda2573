import { OUTLIER_DEPTH } from '../../assembly/shared/codes.ts';
import { roundUp } from '../base/check.ts';
import type { Tensor } from '../base/tensor.ts';
import { factorName, outlierName, scaleName } from '../engine/int8.ts';
import { int8Length, panelsLength } from '../engine/panels.ts';
import type { Panels } from '../engine/panels.ts';
import type { ModelDescription } from '../ops/index.ts';
import type { Layout, Node, ParameterSpec } from '../ops/op.ts';
import type { Graph } from './graph.ts';

/** One array in the flat vector of all. */
export interface Parameter extends Omit<ParameterSpec, 'layout' | 'isInt8'> {
  readonly node: Node;
  /** Where it starts in the flat vector, in elements. */
  readonly offset: number;
  /** Elements that it takes there, with its padding. */
  readonly length: number;
  readonly layout: Layout | { readonly int8: Panels };
}

/** A tensor as a file keeps it. */
export interface SavedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly int8: boolean;
}

export function sizeOf({ shape }: Pick<Tensor, 'shape'>): number {
  return shape.reduce((product, n) => product * n, 1);
}

function lengthOf(layout: Parameter['layout'], shape: readonly number[]): number {
  if ('int8' in layout) return int8Length(layout.int8);
  if ('panels' in layout) return (layout.groups ?? 1) * panelsLength(layout.panels);
  return (sizeOf({ shape }) / shape.at(-1)!) * layout.row;
}

/** Which matrices of a model have 8 bits. */
export type WeightForms = Pick<ModelDescription, 'weights' | 'inputWeights'>;

/** The nodes that multiply their inputs in 8 bits. */
export function int8Nodes(
  { nodes, sources }: Pick<Graph, 'nodes' | 'sources'>,
  { weights, inputWeights = weights }: WeightForms,
): ReadonlySet<Node> {
  if (weights !== 'int8') return new Set();
  // Those that read the model's inputs, or what layers without parameters make of them.
  const isFirst: boolean[] = [];
  for (const own of sources) {
    isFirst.push(own.some((k) => k < 0 || (isFirst[k] && !nodes[k]!.parameters.length)));
  }
  return new Set(nodes.filter((_, index) => inputWeights === 'int8' || !isFirst[index]));
}

/**
 * All parameters of the nodes, one after the other in one flat vector, each on a cache line of its
 * own.
 */
export function parametersOf(
  graph: Pick<Graph, 'nodes' | 'sources'>,
  forms: WeightForms,
): { parameters: Parameter[]; length: number } {
  const parameters: Parameter[] = [];
  const quantised = int8Nodes(graph, forms);
  let offset = 0;
  for (const node of graph.nodes) {
    for (const { isInt8, layout: plain, ...own } of node.parameters) {
      const has8 = own.role === 'input' ? quantised.has(node) : forms.weights === 'int8';
      const layout = has8 && isInt8 && 'panels' in plain ? { int8: plain.panels } : plain;
      const length = lengthOf(layout, own.shape);
      parameters.push({ ...own, node, offset, length, layout });
      offset += roundUp(length, 16);
    }
  }
  return { parameters, length: offset };
}

/** What a file keeps of parameters: those of 8 bits with their scales. */
export function savedTensors(parameters: readonly Parameter[]): SavedTensor[] {
  return parameters.flatMap(({ name, shape, layout }): SavedTensor[] => {
    const int8 = 'int8' in layout;
    const scales = { name: scaleName(name), shape: [shape[0]!], int8: false };
    const factors = { name: factorName(name), shape: [shape[1]!], int8: false };
    const outliers = { name: outlierName(name), shape: [shape[0]!, 2], int8: false };
    const extra = shape[1]! < OUTLIER_DEPTH ? [scales, factors] : [scales, factors, outliers];
    return [{ name, shape, int8 }, ...(int8 ? extra : [])];
  });
}
