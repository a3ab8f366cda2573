import { GatefoldError } from '../base/errors.ts';
import { opOf } from '../ops/index.ts';
import type { CompleteLayer } from '../ops/index.ts';
import type { GraphBuilder, Node, Resample } from '../ops/op.ts';

/** Rows that a layer makes of those of other outputs. */
export interface Grid {
  /** The grid of what the layer reads. */
  readonly before: number;
  readonly resample: Resample;
  /** The layer that first has these rows. */
  readonly layer: string;
}

/** The nodes of a model in the order in which they run, and what follows from them. */
export class Graph {
  readonly nodes: readonly Node[];
  /** Of each node: the nodes whose outputs it reads; -1 for the inputs of the model. */
  readonly sources: readonly (readonly number[])[];
  /** Grid 0 has the rows of the model's inputs, and each other one is made of one before it. */
  readonly grids: readonly (Grid | undefined)[];
  /** The grid of the outputs of every node. */
  readonly gridOf: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  /** How many tokens there are, where inputs are tokens. */
  readonly tokens: number | undefined;
  /** Whether some node needs all steps of a sequence in one pass. */
  readonly isWhole: boolean;
  /** Whether outputs are one row a sequence. */
  readonly pools: boolean;
  /** The layer that first has other steps than its inputs; `undefined` where none has. */
  readonly resampledBy: string | undefined;
  /** Why the model cannot run step by step; `undefined` where it can. */
  readonly noStream: string | undefined;
  /** Why training needs whole windows in one pass; `undefined` where it does not. */
  readonly noSegments: string | undefined;
  /** Elements that all nodes take for every row of a pass. */
  readonly rowLength: number;

  /** @param nodes each after those that it reads; the last one has the outputs of the model. */
  constructor(nodes: readonly Node[], sources: readonly (readonly number[])[]) {
    const reader = sources.findIndex((read) => read.includes(-1));
    const first = nodes[reader]!;
    this.nodes = nodes;
    this.sources = sources;
    this.inputs = first.widths?.[sources[reader]!.indexOf(-1)] ?? first.inputs;
    this.outputs = nodes.at(-1)!.outputs;
    this.tokens = first.tokens;
    this.isWhole = nodes.some(({ isWhole }) => isWhole);
    this.noStream = nodes.find(({ noStream }) => noStream)?.noStream;
    this.noSegments = nodes.find(({ noSegments }) => noSegments)?.noSegments;
    this.rowLength = nodes.reduce((sum, node) => sum + node.rowLength, 0);
    const { grids, gridOf } = gridsOf(nodes, sources);
    this.grids = grids;
    this.gridOf = gridOf;
    this.pools = grids[gridOf.at(-1)!]?.resample.pools ?? false;
    this.resampledBy = grids[1]?.layer;
  }

  /** The grid of the inputs of a node. */
  gridBefore(node: number): number {
    const source = this.sources[node]![0]!;
    return source < 0 ? 0 : this.gridOf[source]!;
  }

  /** Steps of every grid, where a row of the inputs has `steps` valid steps. */
  #steps(steps: number): number[] {
    const all: number[] = [];
    for (const grid of this.grids) {
      all.push(grid ? grid.resample.steps(all[grid.before]!) : steps);
    }
    return all;
  }

  /** Steps of the outputs of a row of `steps` valid steps. */
  stepsOf(steps: number): number {
    return this.#steps(steps)[this.gridOf.at(-1)!]!;
  }

  /** Steps of the inputs of every node, where those of the model have `steps`. */
  nodeSteps(steps: number): Map<Node, number> {
    const all = this.#steps(steps);
    return new Map(this.nodes.map((node, index) => [node, all[this.gridBefore(index)]!]));
  }

  /** Steps of the outputs of `steps` steps of inputs; an error where some layer has none. */
  outputSteps(steps: number): number {
    const all = this.#steps(steps);
    const short = all.findIndex((count) => count < 1);
    if (short < 0) return all[this.gridOf.at(-1)!]!;
    const { before, layer } = this.grids[short]!;
    const message = `"steps" of ${steps} leaves "${layer}" ${all[before]}, too few for one output: give more steps`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
}

/**
 * The grids of some nodes: one for every way in which rows follow from those of the inputs. What a
 * node reads has to be of one grid.
 */
function gridsOf(
  nodes: readonly Node[],
  sources: readonly (readonly number[])[],
): { grids: (Grid | undefined)[]; gridOf: number[] } {
  const grids: (Grid | undefined)[] = [undefined];
  const gridOf: number[] = [];
  for (const [index, { layer, resample, isRowwise }] of nodes.entries()) {
    const [before = 0, ...others] = sources[index]!.map((source) =>
      source < 0 ? 0 : gridOf[source]!,
    );
    if (others.some((grid) => grid !== before)) {
      const message = `"${layer}" reads layers whose outputs differ in their steps: bring all to the same steps first`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    if (grids[before]?.resample.pools && !isRowwise) {
      const message = `"${layer}" stands after a pool; only layers that work row by row may follow: move the pool after it`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    if (!resample) {
      gridOf.push(before);
      continue;
    }
    // One row a sequence is the same whatever it was made of.
    const known = grids.findIndex(
      (grid) => grid?.resample.key === resample.key && (resample.pools || grid.before === before),
    );
    gridOf.push(known < 0 ? grids.push({ before, resample, layer }) - 1 : known);
  }
  return { grids, gridOf };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The nodes of completed layers. */
export function lower(layers: readonly CompleteLayer[]): Graph {
  const nodes: Node[] = [];
  /** The node with the outputs of every layer so far. */
  const ends = new Map<string, number>();
  const build: Mutable<GraphBuilder> = {
    top: -1,
    sources: [],
    add: (node) => (build.top = nodes.push(node) - 1),
    at: (index) => nodes[index],
    of: (layer) => nodes.find((node) => node.layer === layer)!,
  };
  for (const layer of layers) {
    build.sources = layer.inputs?.map((name) => ends.get(name) ?? -1) ?? [build.top];
    build.top = build.sources[0]!;
    opOf(layer).lower(layer, build);
    ends.set(layer.name, build.top);
  }
  const isRead = reachable(nodes);
  const used = new Set(nodes.filter((_, index) => isRead[index]).map(({ layer }) => layer));
  const unread = layers.find(({ name }) => !used.has(name));
  if (unread) {
    const message = `"${unread.name}" is read by no layer and is not the last one: leave it out, or name it among the "inputs" of a layer`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  // What only a pool of two directions has made needless goes.
  const kept = [...nodes.keys()].filter((index) => isRead[index]);
  const places = new Map(kept.map((index, place) => [index, place]));
  return new Graph(
    kept.map((index) => nodes[index]!),
    kept.map((index) => nodes[index]!.sources.map((source) => places.get(source) ?? -1)),
  );
}

/** Whether the outputs of each node reach those of the last one. */
function reachable(nodes: readonly Node[]): boolean[] {
  const isRead = nodes.map(() => false);
  isRead[nodes.length - 1] = true;
  for (let index = nodes.length - 1; index >= 0; index--) {
    if (!isRead[index]) continue;
    for (const source of nodes[index]!.sources) if (source >= 0) isRead[source] = true;
  }
  return isRead;
}

/** How many of some nodes each layer has, by its name. */
export function countByLayer(nodes: readonly Node[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { layer } of nodes) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  return counts;
}
