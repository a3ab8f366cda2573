import { roundUp } from '../base/check.ts';
import { NONE, part } from '../engine/plan.ts';
import type { Plan, Slot } from '../engine/plan.ts';
import type { Bound, Node, Op, PassSize, Places } from './op.ts';
import { count, inputWidth } from './options.ts';
import { rowOfState } from './pass.ts';
import type { Extent } from './pass.ts';

/**
 * The inputs some steps later: y_t = x_(t - steps). The first `steps` outputs of a sequence are its
 * state `h` [steps, B, I], which is zero by default.
 */
export interface DelaySpec {
  readonly type: 'delay';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** How many steps later. */
  readonly steps: number;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteDelay = Required<DelaySpec>;

/**
 * The states before the first step and the steps of a row are one sequence: its first steps are the
 * outputs, and what is left is the last state. The gradient goes the same way back.
 */
function delayNode(source: number, { name, steps: late, inputSize: width }: CompleteDelay): Node {
  const row = roundUp(width, 4);
  return {
    layer: name,
    name,
    sources: [source],
    inputs: width,
    outputs: width,
    parameters: [],
    states: [{ role: 'h', count: late, width, row, meaning: ['steps', 'features'] }],
    // Outputs, and a copy of the inputs.
    rowLength: 2 * row,
    reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
      const { kernels } = at;
      const before = late * batch;
      const length = batch * steps * row;
      const reserve = (size: number): Slot => (mode === 'train' ? plan.reserve(size) : NONE);
      const output = plan.reserve(length);
      const gradient = reserve(length);
      // The states before the first step, then the inputs of every step; and their gradients.
      const values = plan.reserve(before * row + length);
      const dValues = reserve(before * row + length);
      const last = plan.reserve(before * row);
      const dState = reserve(before * row);
      const keep = plan.descriptor('Rows');
      const giveBack = plan.descriptor('Rows');
      const rowOf = rowOfState(late, batch);
      let extent: Extent;
      const move = (to: Slot, at: number, from: Slot, first: number, rows: number): void =>
        kernels.copy(to, at * row, from, first * row, rows * row);
      /** Between rows from `first` on of the outputs and those from `at` on of the sequence. */
      const shift = (isBack: boolean, first: number, at: number, rows: number): void =>
        isBack ? move(dValues, at, gradient, first, rows) : move(output, first, values, at, rows);
      const shiftAll = (isBack: boolean): void => {
        const { order, offsets, within } = extent;
        if (!order && !within) return shift(isBack, 0, 0, extent.rows);
        for (let t = 0; t < extent.steps; t++)
          shift(isBack, offsets[t]!, rowOf(extent, 0, t, 0), offsets[t + 1]! - offsets[t]!);
      };
      return {
        output: { slot: output, row },
        gradient,
        states: [{ values, last, gradient: dState, rowOf }],
        describe: () => {
          const x = at.input(0);
          const dx = at.gradientOfInput(0);
          kernels.write(keep, {
            width: width * 4,
            to: part(values, before * row),
            toRow: row * 4,
            from: x.slot,
            fromRow: x.row * 4,
          });
          kernels.write(giveBack, {
            width: width * 4,
            to: dx.slot,
            toRow: dx.row * 4,
            from: part(dValues, before * row),
            fromRow: row * 4,
          });
        },
        arrange: (inputs) => {
          extent = inputs;
          kernels.set(keep, 'rows', extent.rows);
          kernels.set(giveBack, 'rows', extent.rows);
        },
        forward: () => {
          kernels.run.rows_gather(keep.address);
          shiftAll(false);
        },
        backward: (wantsInput) => {
          shiftAll(true);
          for (let k = 0; k < late; k++) {
            for (const [place, length] of extent.lengths.entries())
              move(dValues, rowOf(extent, place, length, k), dState, k * batch + place, 1);
          }
          if (wantsInput) kernels.run.rows_gather(giveBack.address);
          move(dState, 0, dValues, 0, before);
        },
      };
    },
  };
}

export const delay: Op<DelaySpec, CompleteDelay> = {
  type: 'delay',
  options: {
    steps: count({ about: 'How many steps later.' }),
    inputSize: inputWidth(),
  },
  complete: (spec) => spec as CompleteDelay,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower: (layer, build) => void build.add(delayNode(build.top, layer)),
};
