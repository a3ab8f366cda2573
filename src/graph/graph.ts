import { GatefoldError } from '../base/errors.ts';
import { opOf } from '../ops/index.ts';
import type { CompleteLayer } from '../ops/index.ts';
import type { GraphBuilder, Node } from '../ops/op.ts';

/** The nodes of a model in the order in which they run, and what follows from them. */
export class Graph {
  readonly nodes: readonly Node[];
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
  /** Elements that all nodes take for every row of a pass. */
  readonly rowLength: number;

  constructor(nodes: readonly Node[]) {
    this.nodes = nodes;
    this.inputs = nodes[0]!.inputs;
    this.outputs = nodes.at(-1)!.outputs;
    this.tokens = nodes[0]!.tokens;
    this.isWhole = nodes.some(({ isWhole }) => isWhole);
    this.pools = nodes.some(({ resample }) => resample?.pools);
    this.resampledBy = nodes.find(({ resample }) => resample)?.layer;
    this.noStream = nodes.find(({ noStream }) => noStream)?.noStream;
    this.rowLength = nodes.reduce((sum, node) => sum + node.rowLength, 0);
  }

  /** Steps of the outputs of a row of `steps` valid steps. */
  stepsOf(steps: number): number {
    return this.nodes.reduce((n, { resample }) => (resample ? resample.steps(n) : n), steps);
  }

  /** Steps of the inputs of every node, where those of the model have `steps`. */
  nodeSteps(steps: number): Map<Node, number> {
    const outputs = [steps];
    return new Map(
      this.nodes.map((node) => {
        const before = outputs[node.sources[0]! + 1]!;
        outputs.push(node.resample ? node.resample.steps(before) : before);
        return [node, before];
      }),
    );
  }

  /** Steps of the outputs of `steps` steps of inputs; an error where some layer has none. */
  outputSteps(steps: number): number {
    return this.nodes.reduce((before, { resample, layer }) => {
      const after = resample ? resample.steps(before) : before;
      if (after > 0) return after;
      const message = `"steps" of ${steps} leaves "${layer}" ${before}, too few for one output: give more steps`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }, steps);
  }
}

/** The nodes of completed layers. */
export function lower(layers: readonly CompleteLayer[]): Graph {
  const nodes: Node[] = [];
  const build: GraphBuilder = {
    get top() {
      return nodes.length - 1;
    },
    add: (node) => nodes.push(node) - 1,
    at: (index) => nodes[index]!,
    pop: () => nodes.pop()!,
    of: (layer) => nodes.find((node) => node.layer === layer)!,
  };
  let pooled = false;
  for (const [index, layer] of layers.entries()) {
    const first = nodes.length;
    opOf(layer).lower(layer, build);
    const own = nodes.slice(first);
    if (pooled && !own.every(({ isRowwise }) => isRowwise)) {
      const message = `"layers[${index}]" is a ${layer.type} layer after a pool; only layers that work row by row may follow: move the pool after it`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    pooled ||= own.some(({ resample }) => resample?.pools);
  }
  return new Graph(nodes);
}

/** How many of some nodes each layer has, by its name. */
export function countByLayer(nodes: readonly Node[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { layer } of nodes) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  return counts;
}
