/** Sequences of different lengths in batches: what a batch has, and which sequences go into it. */

import { anyFloats, anyTokens, checkTokens, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { Input, Inputs } from '../../base/tensor.ts';
import { eachInput } from '../../graph/rows.ts';
import { Workspace } from '../../graph/workspace.ts';
import { chunkSteps, storeOf } from '../../model/model.ts';
import type { Model } from '../../model/model.ts';

/** A checked sequence in arrays of its own: of every input [T, I], tokens [T], or one row [I]. */
export interface Sequence {
  readonly steps: number;
  readonly x: readonly Input[];
}

/** A batch as a message: inputs by name, batch first, and the valid steps of every row. */
export interface Packed {
  readonly x: Readonly<Record<string, Input>>;
  readonly steps: number;
  readonly lengths: Int32Array;
}

/** Elements of one array of a batch, which bounds its padding. */
const MAX_ELEMENTS = 2 ** 24;
/** Bytes that a worker has at least, at most unless it is told, and for what it does not plan. */
const [LEAST, USUAL, SLACK] = [2 ** 22, 2 ** 27, 2 ** 20];
/** Steps that a model may take at once which needs whole sequences. */
const WHOLE_STEPS = 1024;

/** Packs sequences for one model, and takes results apart. */
export class Packer {
  readonly #model: Model;
  /** Sequences of a batch. */
  readonly batch: number;
  /** Bytes that a worker needs for it. */
  readonly bytes: number;
  /** Rows of a batch at most, with those of the padding. */
  readonly #most: number;

  /** @param bytes what a worker has; default what it needs. */
  constructor(model: Model, batch: number, bytes?: number) {
    const store = storeOf(model);
    const { graph } = store;
    if (graph.sequences.length > 1) {
      const message = `the model reads ${graph.sequences.map(show).join(' and ')}, which have steps of their own: sequences are scored of models with one`;
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
    this.#model = model;
    this.batch = batch;
    const planned = (steps: number): number => Workspace.bytes(store, { batch, steps });
    const widest = Math.max(...model.inputs.map(({ size }) => size));
    const inChunks = !graph.isWhole;
    const usual = graph.fixed[0] ?? (inChunks ? chunkSteps(store, batch) : WHOLE_STEPS);
    const wanted = planned(usual) + SLACK;
    this.bytes = bytes ?? Math.max(LEAST, inChunks ? wanted : Math.min(wanted, USUAL));
    const perRow = (planned(2 * usual) - planned(usual)) / (usual * batch);
    const base = planned(usual) - usual * batch * perRow + SLACK;
    const fitting = inChunks ? Infinity : (this.bytes - base) / perRow;
    this.#most = Math.min(fitting, MAX_ELEMENTS / widest);
  }

  /** A caller's inputs, checked, and copied unless nobody else has them (`isOwn`). */
  read(given: Inputs, isOwn = false): Sequence {
    const { graph } = storeOf(this.#model);
    const single = this.#model.inputs.length === 1;
    let steps: number | undefined;
    const x = eachInput(graph.inputs, given).map((value, k) => {
      const { width, tokens } = graph.inputs[k]!;
      const { name, each } = this.#model.inputs[k]!;
      const title = single ? 'x' : `x.${name}`;
      const flat = flattened(value);
      const own = tokens === undefined ? anyFloats(title, flat) : anyTokens(title, flat);
      if (tokens !== undefined) checkTokens(title, own as Int32Array, own.length, tokens);
      const rows = own.length / width;
      if (each === 'step') steps ??= rows;
      const wanted = each === 'step' ? steps! : 1;
      if (rows !== wanted || !Number.isInteger(rows) || rows < 1) {
        const what = each === 'step' ? 'steps of' : 'row of';
        const message = `"${title}" expected ${single || each !== 'step' ? '' : 'as many '}${what} ${width} numbers, got ${own.length} numbers`;
        throw new GatefoldError('ERR_SHAPE', message);
      }
      // Nobody may change it while it waits.
      if (isOwn) return own;
      return own === flat || own.buffer === (flat as Input).buffer ? own.slice() : own;
    });
    graph.checkSteps([steps ?? 1]);
    return { steps: steps ?? 1, x };
  }

  /** Which sequences, of so many steps each, go together: similar ones, the longest first. */
  plan(steps: readonly number[]): number[][] {
    const order = [...steps.keys()].sort((a, b) => steps[b]! - steps[a]! || a - b);
    const batches: number[][] = [];
    for (let at = 0; at < order.length;) {
      const count = this.#rowsOf(steps[order[at]!]!);
      batches.push(order.slice(at, at + count));
      at += count;
    }
    return batches;
  }

  #rowsOf(steps: number): number {
    return Math.max(1, Math.min(this.batch, Math.floor(this.#most / steps)));
  }

  /** Rows that no sequence has are of length 0: the memory of a pass is that of the last one. */
  pack(sequences: readonly Sequence[]): Packed {
    const steps = Math.max(...sequences.map((sequence) => sequence.steps));
    const rows = Math.max(sequences.length, this.#rowsOf(steps));
    const lengths = new Int32Array(rows);
    const x: Record<string, Input> = {};
    for (const [b, sequence] of sequences.entries()) lengths[b] = sequence.steps;
    for (const [k, { name, size, takesTokens, each }] of this.#model.inputs.entries()) {
      const width = each === 'step' ? steps * size : size;
      const all = takesTokens ? new Int32Array(rows * width) : new Float32Array(rows * width);
      for (const [b, sequence] of sequences.entries()) all.set(sequence.x[k]!, b * width);
      x[name] = all;
    }
    return { x, steps, lengths };
  }

  /** The outputs of each sequence, in arrays of their own. */
  unpack(
    { steps, lengths }: Packed,
    outputs: readonly Float32Array[],
    count: number,
  ): Float32Array[][] {
    const { graph } = storeOf(this.#model);
    return Array.from({ length: count }, (_, b) =>
      outputs.map((all, k) => {
        const { size, pooled } = this.#model.outputs[k]!;
        const own = pooled ? size : graph.stepsOf(lengths[b]!, k) * size;
        const row = pooled ? size : graph.stepsOf(steps, k) * size;
        return all.slice(b * row, b * row + own);
      }),
    );
  }

  /** Outputs of a sequence by name. */
  named(outputs: readonly Float32Array[]): Record<string, Float32Array> {
    return Object.fromEntries(this.#model.outputs.map(({ name }, k) => [name, outputs[k]!]));
  }
}

/** Rows of lists as one list. */
function flattened(value: unknown): unknown {
  return Array.isArray(value) && Array.isArray(value[0]) ? value.flat() : value;
}

/** Runs a batch: all outputs, those of several steps batch first. */
export function runPacked(
  model: Model,
  { x, steps, lengths }: Packed,
): Float32Array<ArrayBuffer>[] {
  const batch = lengths.length;
  const { outputs } = model.forward(x, { steps, batch, lengths, batchFirst: true });
  return model.outputs.map(({ name }) => outputs[name] as Float32Array<ArrayBuffer>);
}
