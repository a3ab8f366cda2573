import { GatefoldError } from '../base/errors.ts';
import { opOf } from '../ops/index.ts';
import type { CompleteDescription } from '../ops/description.ts';
import type { GraphBuilder, Node } from '../ops/op.ts';
import { copyNode, reorderNode } from '../ops/shape.ts';
import { Grids, IN_ORDER } from './grids.ts';
import type { Grid } from './grids.ts';

/** An input of a model. */
export interface GraphInput {
  readonly name: string;
  /** Features of a row; 1 for tokens. */
  readonly width: number;
  /** How many tokens there are; absent where it is features. */
  readonly tokens: number | undefined;
  /** The grid of its rows. */
  readonly grid: number;
}

/** An output of a model. */
export interface GraphOutput {
  readonly name: string;
  readonly node: number;
  readonly width: number;
  /** Whether it is one row a sequence. */
  readonly pools: boolean;
  /** The sequence of inputs that its steps follow from. */
  readonly sequence: number;
}

/** The nodes of a model in the order in which they run, and what follows from them. */
export class Graph {
  readonly nodes: readonly Node[];
  /** Of each node: the nodes whose outputs it reads; -1 - k for input k of the model. */
  readonly sources: readonly (readonly number[])[];
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly GraphOutput[];
  /** First those of the sequences of inputs; each other one is made of one before it. */
  readonly grids: readonly Grid[];
  /** Names of the inputs that tell how many steps each sequence has, one for each such grid. */
  readonly sequences: readonly string[];
  /** The grid of the outputs of every node. */
  readonly gridOf: readonly number[];
  /** The sequence of inputs whose rows each node goes over. */
  readonly sequenceOf: readonly number[];
  /** Whether each node works on steps within a step. */
  readonly isInside: readonly boolean[];
  /** Whether each node depends on the steps of the last sequence of inputs. */
  readonly isStreamed: readonly boolean[];
  /** Whether some node needs all steps of a sequence in one pass. */
  readonly isWhole: boolean;
  /** Whether some output is one row a sequence. */
  readonly pools: boolean;
  /** The layer that first has other steps than its inputs; `undefined` where none has. */
  readonly resampledBy: string | undefined;
  /** Why the model cannot run step by step; `undefined` where it can. */
  readonly noStream: string | undefined;
  /** Why training needs whole windows in one pass; `undefined` where it does not. */
  readonly noSegments: string | undefined;
  /** Elements that all nodes take for every row of a pass. */
  readonly rowLength: number;
  /** Steps that every sequence has, where the description says so. */
  readonly fixed: readonly (number | undefined)[];

  /**
   * @param nodes each after those that it reads.
   * @param outputs the nodes that have the outputs, by the name of their layer.
   */
  constructor(
    { inputs, steps }: Pick<CompleteDescription, 'inputs' | 'steps'>,
    nodes: readonly Node[],
    sources: readonly (readonly number[])[],
    outputs: ReadonlyMap<string, number>,
  ) {
    const grids = new Grids(inputs);
    this.nodes = nodes;
    this.sources = sources;
    this.sequences = grids.sequences;
    this.fixed = grids.sequences.map((sequence) => {
      const own = inputs.find(({ name }) => name === sequence)!;
      return own.each === 'sequence' ? 1 : (own.steps ?? steps);
    });
    const gridOf: number[] = [];
    const gridOfSource = (source: number): number =>
      source < 0 ? grids.ofInput(-1 - source) : gridOf[source]!;
    for (const [index, node] of nodes.entries()) {
      gridOf.push(grids.after(node, sources[index]!.map(gridOfSource)));
    }
    this.grids = grids.all;
    this.gridOf = gridOf;
    this.inputs = inputs.map(({ name }, k) => {
      const reader = sources.findIndex((read) => read.includes(-1 - k));
      const first = nodes[reader]!;
      const width = first.widths?.[sources[reader]!.indexOf(-1 - k)] ?? first.inputs;
      return { name, width, tokens: first.tokens, grid: grids.ofInput(k) };
    });
    this.outputs = [...outputs].map(([name, node]) => {
      const { resample, sequence } = this.grids[gridOf[node]!]!;
      const pools = resample?.pools ?? false;
      return { name, node, width: nodes[node]!.outputs, pools, sequence };
    });
    const before = nodes.map((_, index) => this.grids[this.gridBefore(index)]!);
    this.isInside = before.map(({ outer }) => outer !== undefined);
    this.sequenceOf = before.map(({ sequence }) => sequence);
    const outside = nodes.filter((_, index) => !this.isInside[index]);
    const isSeveral = this.sequences.length > 1 || inputs.some(({ each }) => each === 'sequence');
    this.isWhole = isSeveral || outside.some(({ isWhole }) => isWhole);
    this.isStreamed = this.#streamed();
    this.noStream = this.#whyNoStream();
    this.noSegments = nodes.find(({ noSegments }) => noSegments)?.noSegments;
    this.pools = this.outputs.some(({ pools }) => pools);
    const isMade = ({ resample, outer }: Grid): boolean => !!resample && outer === undefined;
    this.resampledBy = this.grids.find(isMade)?.layer;
    this.rowLength = nodes.reduce(
      (sum, node, index) => sum + node.rowLength * grids.rowsWithin(this.gridBefore(index)),
      0,
    );
  }

  #streamed(): boolean[] {
    const isStreamed: boolean[] = [];
    for (const read of this.sources) {
      isStreamed.push(
        read.some((source) =>
          source < 0 ? this.isStreamedInput(-1 - source) : isStreamed[source],
        ),
      );
    }
    return isStreamed;
  }

  /** Whether a stream is given the rows of an input step by step, rather than at its start. */
  isStreamedInput(input: number): boolean {
    return this.inputs[input]!.grid === this.sequences.length - 1;
  }

  #whyNoStream(): string | undefined {
    const isGiven = (source: number): boolean =>
      source < 0 ? !this.isStreamedInput(-1 - source) : !this.isStreamed[source];
    for (const [index, node] of this.nodes.entries()) {
      const { noStream, layer, aside, streamsBeside, resample } = node;
      if (!this.isStreamed[index] || this.isInside[index]) continue;
      if (resample?.spreads && this.grids[this.gridBefore(index)]!.resample?.pools) {
        return `a stream cannot run "${layer}", which makes steps of a row of the whole sequence: use model.forward()`;
      }
      const isBeside = streamsBeside === true && this.sources[index]!.slice(aside).every(isGiven);
      if (noStream && !isBeside) return noStream;
      if (this.sources[index]!.slice(0, aside).some(isGiven)) {
        return `a stream cannot run "${layer}", which reads a row of the whole sequence beside its steps: use model.forward()`;
      }
    }
    if (this.isStreamed.some(Boolean)) return undefined;
    return 'a stream needs an input with a row for each step: use model.forward()';
  }

  /** The grid of what a node or an input has. */
  gridOfSource(source: number): number {
    return source < 0 ? this.inputs[-1 - source]!.grid : this.gridOf[source]!;
  }

  /** The grid of the inputs of a node. */
  gridBefore(node: number): number {
    return this.gridOfSource(this.sources[node]![0]!);
  }

  /** Steps of every grid, where the sequences of inputs have so many. */
  gridSteps(totals: readonly number[]): number[] {
    const all: number[] = [];
    for (const { before, resample, sequence } of this.grids) {
      if (!resample) all.push(totals[sequence]!);
      else all.push(resample.steps(resample.spreads ? 1 : all[before]!));
    }
    return all;
  }

  /** Steps of output number `output`, where its sequence has `steps`. */
  stepsOf(steps: number, output = 0): number {
    const grid = this.gridOf[this.outputs[output]!.node]!;
    return this.gridSteps(this.sequences.map(() => steps))[grid]!;
  }

  /** Steps of the inputs of every node, where those of the model have `totals`. */
  nodeSteps(totals: readonly number[]): Map<Node, number> {
    const all = this.gridSteps(totals);
    return new Map(this.nodes.map((node, index) => [node, all[this.gridBefore(index)]!]));
  }

  /** Refuses numbers of steps that the description does not have, or that leave some layer none. */
  checkSteps(totals: readonly number[]): void {
    for (const [k, total] of totals.entries()) {
      const fixed = this.fixed[k];
      if (fixed === undefined || fixed === total) continue;
      const message = `"steps" expected ${fixed}, as the description says, got ${total}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const all = this.gridSteps(totals);
    const short = all.findIndex((count) => count < 1);
    if (short < 0) return;
    const { before, layer, sequence } = this.grids[short]!;
    const message = `"steps" of ${totals[sequence]} leaves "${layer}" ${all[before]}, too few for one output: give more steps`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The nodes of a completed description. */
export function lower(description: CompleteDescription): Graph {
  const { layers, inputs, outputs } = description;
  const grids = new Grids(inputs);
  const nodes: Node[] = [];
  const gridOf: number[] = [];
  /** What has the values of every input, layer and part so far. */
  const ends = new Map(inputs.map(({ name }, k) => [name, -1 - k]));
  const parts = new Map<string, number>();
  const gridOfSource = (source: number): number =>
    source < 0 ? grids.ofInput(-1 - source) : gridOf[source]!;
  const add = (node: Node): number => {
    const grid = grids.after(node, node.sources.map(gridOfSource));
    gridOf.push(grid);
    const index = nodes.push(node) - 1;
    return grids.isAstray(grid) ? add(reorderNode(node, index, IN_ORDER)) : index;
  };
  let current = '';
  const build: Mutable<GraphBuilder> = {
    top: -1,
    sources: [],
    add: (node) => (build.top = add(node)),
    addPart(part, node) {
      const index = add(node);
      parts.set(`${current}.${part}`, index);
      return index;
    },
    at: (index) => nodes[index],
    of: (layer) => nodes.find((node) => node.layer === layer)!,
    find: (name) => ends.get(name) ?? parts.get(name)!,
  };
  for (const layer of layers) {
    build.sources = layer.inputs?.map(build.find) ?? [build.top];
    build.top = build.sources[0]!;
    current = layer.name;
    opOf(layer).lower(layer, build);
    ends.set(layer.name, build.top);
  }
  const tops = outputs.map((name) => ends.get(name)!);
  // The gradient of an output that layers read too is a sum.
  const isNeeded = reachable(nodes, tops);
  const isRead = (source: number): boolean =>
    nodes.some(({ sources }, index) => isNeeded[index] && sources.includes(source));
  const own = tops.map((top, k) =>
    isRead(top) || tops.indexOf(top) < k
      ? add(copyNode(outputs[k]!, top, nodes[top]!.outputs))
      : top,
  );
  return pruned(description, nodes, own);
}

/** A graph of the nodes that outputs depend on; no layer may be without one. */
function pruned(
  { layers, inputs, outputs, steps }: CompleteDescription,
  nodes: readonly Node[],
  tops: readonly number[],
): Graph {
  const isNeeded = reachable(nodes, tops);
  const kept = [...nodes.keys()].filter((index) => isNeeded[index]);
  const used = new Set(kept.map((index) => nodes[index]!.layer));
  const unread = layers.find(({ name }) => !used.has(name));
  if (unread) {
    const message = `"${unread.name}" is read by no layer and is no output: leave it out, or name it among the "inputs" of a layer or the "outputs" of the description`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const lost = inputs.find((_, k) => !kept.some((index) => nodes[index]!.sources.includes(-1 - k)));
  if (lost) {
    const message = `no layer reads the input "${lost.name}": leave it out of "description.inputs"`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const places = new Map(kept.map((index, place) => [index, place]));
  return new Graph(
    { inputs, ...(steps !== undefined && { steps }) },
    kept.map((index) => nodes[index]!),
    kept.map((index) => nodes[index]!.sources.map((source) => places.get(source) ?? source)),
    new Map(outputs.map((name, k) => [name, places.get(tops[k]!)!])),
  );
}

/** Whether some outputs depend on each node. */
function reachable(nodes: readonly Node[], tops: readonly number[]): boolean[] {
  const isNeeded = nodes.map((_, index) => tops.includes(index));
  for (let index = nodes.length - 1; index >= 0; index--) {
    if (!isNeeded[index]) continue;
    for (const source of nodes[index]!.sources) if (source >= 0) isNeeded[source] = true;
  }
  return isNeeded;
}

/** How many of some nodes each layer has, by its name. */
export function countByLayer(nodes: readonly Node[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { layer } of nodes) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  return counts;
}
