import { roundUp } from '../base/check.ts';
import type { Tensor } from '../base/tensor.ts';
import { scaleName } from '../engine/int8.ts';
import { int8Length, panelsLength } from '../engine/panels.ts';
import type { Panels } from '../engine/panels.ts';
import type { Layout, Node, ParameterSpec } from '../ops/op.ts';

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

/**
 * All parameters of the nodes, one after the other in one flat vector, each on a cache line of its
 * own; with `int8` all matrices that may be in 8 bits.
 */
export function parametersOf(
  nodes: readonly Node[],
  int8: boolean,
): { parameters: Parameter[]; length: number } {
  const parameters: Parameter[] = [];
  let offset = 0;
  for (const node of nodes) {
    for (const { isInt8, layout: plain, ...own } of node.parameters) {
      const layout = int8 && isInt8 && 'panels' in plain ? { int8: plain.panels } : plain;
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
    return [{ name, shape, int8 }, ...(int8 ? [scales] : [])];
  });
}
