import { MERGE_AVE, MERGE_CONCAT, MERGE_MUL, MERGE_SUM } from '../../assembly/shared/codes.ts';
import { roundUp } from '../base/check.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Node, ParameterSpec, PassSize, Places, StateSpec } from './op.ts';

export type MergeMode = 'concat' | 'sum' | 'mul' | 'mean';

const MODES: Readonly<Record<MergeMode, number>> = {
  concat: MERGE_CONCAT,
  sum: MERGE_SUM,
  mul: MERGE_MUL,
  mean: MERGE_AVE,
};

/** Makes the outputs of two directions one. */
export class MergeNode implements Node {
  readonly parameters: readonly ParameterSpec[] = [];
  readonly states: readonly StateSpec[] = [];
  readonly isRowwise = true;
  readonly layer: string;
  readonly name: string;
  readonly sources: readonly [number, number];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly #mode: MergeMode;

  /** @param inputs outputs of each direction. */
  constructor(
    layer: string,
    name: string,
    sources: readonly [number, number],
    inputs: number,
    mode: MergeMode,
  ) {
    this.layer = layer;
    this.name = name;
    this.sources = sources;
    this.inputs = inputs;
    this.#mode = mode;
    this.outputs = mode === 'concat' ? 2 * inputs : inputs;
    this.rowLength = roundUp(this.outputs, 4);
  }

  /** The same merge of two other nodes, for another layer. */
  of(sources: readonly [number, number], layer: string): MergeNode {
    return new MergeNode(layer, this.name, sources, this.inputs, this.#mode);
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const row = this.rowLength;
    const isTraining = mode === 'train';
    const merge = plan.descriptor('Merge');
    const output = plan.reserve(batch * steps * row);
    const gradient = isTraining ? plan.reserve(batch * steps * row) : NONE;
    // All units of each direction, or whole vectors of them.
    const width = 4 * (this.#mode === 'concat' ? this.inputs : roundUp(this.inputs, 4));
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const [a, b] = [at.input(0), at.input(1)];
        kernels.write(merge, {
          mode: MODES[this.#mode],
          width,
          outRow: row * 4,
          row: a.row * 4,
          a: a.slot,
          b: b.slot,
          out: output,
        });
        if (!isTraining) return;
        const [da, db] = [at.gradientOfInput(0).slot, at.gradientOfInput(1).slot];
        kernels.write(merge, { dOut: gradient, da, db });
      },
      arrange: ({ rows }) => kernels.set(merge, 'rows', rows),
      forward: () => kernels.run.merge_forward(merge.address),
      backward: () => kernels.run.merge_backward(merge.address),
    };
  }
}
