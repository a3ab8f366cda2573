import {
  JOIN_ADD,
  JOIN_DIVIDE,
  JOIN_MEAN,
  JOIN_MULTIPLY,
  JOIN_SUBTRACT,
} from '../../assembly/shared/codes.ts';
import { roundUp } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Node, Op, PassSize, Places } from './op.ts';
import { concatNode, inputWidths, widthsOf } from './shape.ts';

export type JoinType = 'add' | 'subtract' | 'multiply' | 'divide' | 'average';

const CODES: Readonly<Record<JoinType, number>> = {
  add: JOIN_ADD,
  subtract: JOIN_SUBTRACT,
  multiply: JOIN_MULTIPLY,
  divide: JOIN_DIVIDE,
  average: JOIN_MEAN,
};

/**
 * The outputs of several layers feature by feature, from the left: `add` and `multiply` of any
 * number, `subtract`, `divide` and `average` of two. A layer of one feature stands beside every
 * feature of the others.
 */
export interface JoinSpec {
  readonly type: JoinType;
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Features of each layer that it reads; taken from these when absent. */
  readonly inputSizes?: readonly number[];
}

export type CompleteJoin = Required<JoinSpec>;

/** One source and another, feature by feature. */
class JoinNode implements Node {
  readonly parameters = [];
  readonly states = [];
  readonly isRowwise = true;
  readonly layer: string;
  readonly name: string;
  readonly sources: readonly number[];
  readonly widths: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly ways?: Node['ways'];
  readonly #type: JoinType;

  constructor(
    layer: string,
    name: string,
    type: JoinType,
    sources: readonly number[],
    widths: readonly number[],
    ways?: Node['ways'],
  ) {
    this.layer = layer;
    this.name = name;
    this.sources = sources;
    this.widths = widths;
    this.inputs = widths[0]! + widths[1]!;
    this.outputs = Math.max(...widths);
    this.rowLength = roundUp(this.outputs, 4);
    this.#type = type;
    if (ways) this.ways = ways;
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const row = this.rowLength;
    const isTraining = mode === 'train';
    const join = plan.descriptor('Join');
    const output = plan.reserve(batch * steps * row);
    const gradient = isTraining ? plan.reserve(batch * steps * row) : NONE;
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const [a, b, da, db] = [
          at.input(0),
          at.input(1),
          at.gradientOfInput(0),
          at.gradientOfInput(1),
        ];
        const [isOneA, isOneB] = this.widths.map((width) => Number(width < this.outputs));
        kernels.write(join, {
          mode: CODES[this.#type],
          width: this.outputs * 4,
          outRow: row * 4,
          aRow: a.row * 4,
          bRow: b.row * 4,
          daRow: da.row * 4,
          dbRow: db.row * 4,
          isOneA: isOneA!,
          isOneB: isOneB!,
          a: a.slot,
          b: b.slot,
          out: output,
          dOut: gradient,
          da: da.slot,
          db: db.slot,
        });
      },
      arrange: ({ rows }) => kernels.set(join, 'rows', rows),
      forward: () => kernels.run.join_forward(join.address),
      backward: (wantsInput) => {
        if (wantsInput) kernels.run.join_backward(join.address);
      },
    };
  }
}

export type MergeMode = 'concat' | 'sum' | 'mul' | 'mean';

const MERGES = { sum: 'add', mul: 'multiply', mean: 'average' } as const;

/** Makes the outputs of two directions, `width` features each, one. */
export function mergeNode(
  layer: string,
  name: string,
  sources: readonly number[],
  width: number,
  mode: MergeMode,
): Node {
  const ways = {
    width,
    merge: (other: string, pooled: readonly number[]): Node =>
      mergeNode(other, name, pooled, width, mode),
  };
  const widths = [width, width];
  if (mode === 'concat') return concatNode(layer, name, sources, widths, ways);
  return new JoinNode(layer, name, MERGES[mode], sources, widths, ways);
}

function joinOp(type: JoinType): Op<JoinSpec, CompleteJoin> {
  return {
    type,
    isJoin: true,
    options: { inputSizes: inputWidths },
    complete(spec, context) {
      const inputSizes = widthsOf(spec.inputSizes, context);
      const width = Math.max(...inputSizes);
      const isAny = type === 'add' || type === 'multiply';
      const { length } = inputSizes;
      if (length < 2 || (!isAny && length > 2)) {
        const count = isAny ? 'at least two layers' : 'two layers';
        throw new GatefoldError(
          'ERR_ARGUMENT',
          `"${context.at}.inputs" expected the names of ${count} for ${type}, got ${length}`,
        );
      }
      if (inputSizes.some((size) => size !== width && size !== 1)) {
        throw new GatefoldError(
          'ERR_SHAPE',
          `"${context.at}" expected layers of as many features, or of one, got ${inputSizes.join(', ')}`,
        );
      }
      return { ...spec, inputSizes } as CompleteJoin;
    },
    sizes: ({ inputSizes: each }) => ({
      inputs: each.reduce((sum, width) => sum + width),
      each,
      outputs: Math.max(...each),
    }),
    /** A node for each pair, from the left. */
    lower({ name, inputSizes }, build) {
      let [first, wide] = [build.sources[0]!, inputSizes[0]!];
      for (const [k, source] of build.sources.entries()) {
        if (k === 0) continue;
        const pair = [wide, inputSizes[k]!];
        const node = new JoinNode(name, `${name}.${k}`, type, [first, source], pair);
        first = build.add(node);
        wide = node.outputs;
      }
    },
  };
}

export const joins: readonly Op<JoinSpec, CompleteJoin>[] = (Object.keys(CODES) as JoinType[]).map(
  joinOp,
);
