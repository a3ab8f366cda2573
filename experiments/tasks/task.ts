import type { LossChoice } from '../../src/hosts/default.ts';
import type { Draw } from '../draw.ts';

/** Sequences of one update or test, time-major. */
export interface Batch {
  /** T of the longest. */
  readonly steps: number;
  /** [T, B, I] */
  readonly x: Float32Array;
  /**
   * As the loss of the task wants it: [B] or [B, O] of a task that answers once a sequence, [T, B]
   * or [T, B, O] of others.
   */
  readonly target: Float32Array | Int32Array;
  readonly lengths?: Int32Array;
}

/** What all cells of a task share. */
export interface Settings {
  /**
   * H of the LSTM; the other cells get as many units as come closest to its number of parameters.
   */
  readonly hidden: number;
  readonly batch: number;
  /** Of Adam, without a schedule. */
  readonly rate: number;
  /** Bound of the norm of all gradients. */
  readonly clip: number;
  /**
   * Start of the bias of the LSTM's forget gate and the GRU's update gate: how long a fresh cell
   * remembers.
   */
  readonly remember: number;
  /** Most sequences that a run may see. */
  readonly cap: number;
}

export interface Task {
  readonly id: string;
  readonly title: string;
  /** Source and rules, as a paragraph of the report. */
  readonly rules: string;
  readonly criterion: string;
  /** What `wrong` counts, in a word or two. */
  readonly measure: string;
  /** Inputs and outputs of a step. */
  readonly inputs: number;
  readonly outputs: number;
  /** Steps of the longest sequence. */
  readonly steps: number;
  /** Whether the net answers once, after the last step. */
  readonly once: boolean;
  readonly loss: LossChoice;
  readonly settings: Settings;
  generate(draw: Draw, batch: number): Batch;
  readonly test: Test;
}

/** When a task counts as solved. */
export interface Test {
  /** Sequences of a test, and of one batch of it. */
  readonly count: number;
  readonly batch: number;
  /** Draws the sequences where they are not those of training. */
  readonly generate?: (draw: Draw, batch: number) => Batch;
  /** Sum over a batch of what is wrong, and what to divide it by. */
  wrong(output: Float32Array, batch: Batch): { sum: number; count: number };
  /** Solved where the mean is below. */
  readonly below: number;
  /** Loss of training from which on testing is worth its time; always where absent. */
  readonly fromLoss?: number;
}

/**
 * [T, B, symbols], all zero but for the symbol of each step; `symbols` has a list of numbers for
 * every sequence.
 */
export function oneHot(sequences: readonly (readonly number[])[], symbols: number): Float32Array {
  const batch = sequences.length;
  const steps = Math.max(...sequences.map(({ length }) => length));
  const x = new Float32Array(steps * batch * symbols);
  sequences.forEach((sequence, row) =>
    sequence.forEach((symbol, t) => (x[(t * batch + row) * symbols + symbol] = 1)),
  );
  return x;
}

export const lengthsOf = (sequences: readonly (readonly unknown[])[]): Int32Array =>
  Int32Array.from(sequences, ({ length }) => length);

/** The place of the largest of `count` numbers from `at` on. */
export function argmax(values: Float32Array, at: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (values[at + k]! > values[at + best]!) best = k;
  return best;
}
