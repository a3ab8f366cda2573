import { REDUCE_MAX, REDUCE_MEAN, REDUCE_SUM } from '../../assembly/shared/codes.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Node, Op, PassSize, Places } from './op.ts';
import { inputWidth } from './options.ts';

export type ReduceType = 'reduceMean' | 'reduceSum' | 'reduceMax';

const CODES: Readonly<Record<ReduceType, number>> = {
  reduceMean: REDUCE_MEAN,
  reduceSum: REDUCE_SUM,
  reduceMax: REDUCE_MAX,
};

/**
 * The mean, the sum or the largest of the features of every row, as one feature. The gradient of
 * the largest goes to the first of those that are equal.
 */
export interface ReduceSpec {
  readonly type: ReduceType;
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteReduce = Required<ReduceSpec>;

class ReduceNode implements Node {
  readonly parameters = [];
  readonly states = [];
  readonly isRowwise = true;
  readonly layer: string;
  readonly name: string;
  readonly sources: readonly number[];
  readonly inputs: number;
  readonly outputs = 1;
  readonly rowLength = 4;
  readonly #mode: number;

  constructor(source: number, { name, type, inputSize }: CompleteReduce) {
    this.layer = name;
    this.name = name;
    this.sources = [source];
    this.inputs = inputSize;
    this.#mode = CODES[type];
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const row = this.rowLength;
    const reduce = plan.descriptor('Reduce');
    const output = plan.reserve(batch * steps * row);
    const gradient = mode === 'train' ? plan.reserve(batch * steps * row) : NONE;
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const [x, dx] = [at.input(0), at.gradientOfInput(0)];
        kernels.write(reduce, {
          mode: this.#mode,
          width: this.inputs,
          x: x.slot,
          xRow: x.row * 4,
          y: output,
          dy: gradient,
          dx: dx.slot,
          dxRow: dx.row * 4,
        });
      },
      arrange: ({ rows }) => kernels.set(reduce, 'rows', rows),
      forward: () => kernels.run.reduce_forward(reduce.address),
      backward: (wantsInput) => {
        if (wantsInput) kernels.run.reduce_backward(reduce.address);
      },
    };
  }
}

export const reductions: readonly Op<ReduceSpec, CompleteReduce>[] = (
  Object.keys(CODES) as ReduceType[]
).map((type) => ({
  type,
  options: { inputSize: inputWidth() },
  complete: (spec) => spec as CompleteReduce,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: 1 }),
  lower: (layer, build) => void build.add(new ReduceNode(build.top, layer)),
}));
