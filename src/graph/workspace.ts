import { MERGE_CONCAT } from '../../assembly/shared/codes.ts';
import { roundUp4 } from './buffers.ts';
import type { Buffers } from './buffers.ts';
import { describeUnit } from './descriptors.ts';
import type { Reads } from './descriptors.ts';
import { emptyExtent, raggedExtent, reversal, uniformExtent } from '../ops/pass.ts';
import type { Extent } from '../ops/pass.ts';
import { NONE, part } from '../engine/plan.ts';
import { drawMask, masksOf } from './masks.ts';
import type { Draw, Mask } from './masks.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Slot } from '../engine/plan.ts';
import { shifted } from './states.ts';
import type { StatePlace } from './states.ts';
import type { Store } from './parameters.ts';
import type { Stretch } from '../ops/pass.ts';
import type {
  DropoutUnit,
  EmbeddingUnit,
  LinearUnit,
  MergeUnit,
  PoolUnit,
  RecurrentUnit,
  Unit,
} from '../ops/units.ts';
import { layOut } from './workspace-plan.ts';
import type { WorkspaceOptions } from './workspace-plan.ts';

/** Extents that a workspace keeps at most. */
const MAX_EXTENTS = 4;

/** A call for so many rows. */
type KernelCall = (rows: number) => void;

/**
 * A recurrent unit, and its gates [G, H] at a row of its last pass, in a view that lives until the
 * next row.
 */
export interface GateRows {
  readonly unit: RecurrentUnit;
  read(place: number): Float32Array;
}

/**
 * Room for passes over a model: the buffers and descriptors of every unit, for a batch and a number
 * of steps fixed at creation.
 */
export class Workspace {
  readonly batch: number;
  readonly steps: number;
  /** Whether its outputs are one row a sequence. */
  readonly pooled: boolean;
  /** Of the engine's memory. */
  readonly bytes: number;
  /** [M, I], or tokens [M]. */
  readonly input: Slot;
  /** [M, I padded to four], gradient of the inputs. */
  readonly inputGradient: Slot;
  /** Dense outputs or inputs [T, B, *], on their way out or in another order. */
  readonly staging: Slot;
  /** [T + 1]: the first row of every step. */
  readonly offsets: Slot;
  /** [G, H] gates of one row in their plain order. */
  readonly #gates: Slot;
  /** [M]: the row that mirrors each row in its valid prefix, for units that read backwards. */
  readonly #mirror: Slot;
  readonly #buffers: readonly Buffers[];
  readonly #recurrent: readonly Buffers[];
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #gradients: Slot | undefined;
  /** Units from this one on have one row a sequence. */
  readonly #pooledFrom: number;
  readonly #release: () => void;
  /** Units up to the last one that has states. */
  readonly #statesAt: number;
  readonly #forward: readonly KernelCall[];
  readonly #masks: readonly Mask[];
  #extent: Extent;
  /**
   * Extents of whole batches by their steps, the last few: a stream goes back and forth between
   * two.
   */
  readonly #uniform = new Map<number, Extent>();

  constructor(store: Store, options: WorkspaceOptions, purpose: string, owner: object) {
    const { batch, steps, gradients, gradientLimit = Infinity } = options;
    const { kernels, units } = store;
    const layout = layOut(store, options);
    const { plan, pooledFrom } = layout;
    this.batch = batch;
    this.steps = steps;
    this.#store = store;
    this.#kernels = kernels;
    this.#gradients = gradients;
    this.#pooledFrom = pooledFrom;
    this.pooled = pooledFrom < units.length;
    this.input = layout.input;
    this.inputGradient = layout.inputGradient;
    this.staging = layout.staging;
    this.offsets = layout.offsets;
    this.#gates = layout.gates;
    this.#mirror = layout.mirror;
    this.#buffers = layout.buffers;
    this.#recurrent = this.#buffers.filter(({ sequence }) => sequence);
    this.#statesAt = units.map(({ kind }) => kind).lastIndexOf('recurrent') + 1;
    const block = kernels.arena.allocate(plan.bytes, purpose, owner);
    plan.place(block);
    this.bytes = block.bytes;
    this.#release = () => kernels.arena.free(block);
    try {
      const around = { kernels, store, layout, batch, gradients, gradientLimit };
      for (const buffers of this.#buffers) describeUnit(around, buffers, this.#reads(buffers));
      const training = gradients !== undefined;
      const isIdle = ({ unit }: Buffers): boolean => unit.kind === 'dropout' && !training;
      this.#forward = this.#buffers.map((buffers) =>
        isIdle(buffers) ? () => undefined : this.#forwardOf(buffers),
      );
      this.#masks = training ? this.#buffers.flatMap(masksOf) : [];
      this.#extent = uniformExtent(steps, batch);
      kernels.integers(this.offsets).set(this.#extent.offsets);
      this.arrange(this.#extent);
      this.prepare();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Bytes that such a workspace would take. */
  static bytes(store: Store, options: WorkspaceOptions): number {
    return layOut(store, options).plan.bytes;
  }

  dispose(): void {
    this.#release();
  }

  /** What the pass at hand goes over. */
  get extent(): Extent {
    return this.#extent;
  }

  /** Readies the workspace for a pass over the rows of an extent. */
  arrange(extent: Extent): void {
    const { steps } = extent;
    // The offsets of whole batches are written once for all numbers of steps.
    const isRagged = extent.order !== undefined;
    if (isRagged || this.#extent.order) {
      const { offsets } = isRagged ? extent : uniformExtent(this.steps, this.batch);
      this.#kernels.integers(this.offsets).set(offsets);
    }
    if (this.#mirror !== NONE) this.#kernels.integers(this.#mirror).set(reversal(extent));
    this.#extent = extent;
    for (let i = 0; i < this.#buffers.length; i++) {
      const { sequence, dense } = this.#buffers[i]!;
      if (sequence) this.#kernels.set(sequence, 'steps', steps);
      if (dense) this.#kernels.set(dense, 'rows', this.#rowsOf(i));
    }
  }

  /** Rows of unit `index` in the pass at hand. */
  #rowsOf(index: number): number {
    return index < this.#pooledFrom ? this.#extent.rows : this.batch;
  }

  /**
   * The same for steps `first` to `first + steps` of rows of these lengths; false where there is no
   * row.
   */
  arrangeLengths(lengths: Int32Array, first: number, steps: number): boolean {
    const empty = this.pooled ? emptyExtent(this.batch) : undefined;
    const extent = raggedExtent(lengths, first, steps) ?? empty;
    if (extent) this.arrange(extent);
    return extent !== undefined;
  }

  /** The same for `steps` steps of all rows. Does nothing while that stays the same. */
  arrangeSteps(steps: number): void {
    if (steps === this.#extent.steps && !this.#extent.order) return;
    let extent = this.#uniform.get(steps);
    if (!extent) {
      if (this.#uniform.size === MAX_EXTENTS) this.#uniform.clear();
      this.#uniform.set(steps, (extent = uniformExtent(steps, this.batch)));
    }
    this.arrange(extent);
  }

  /** The outputs [M, row] of the last unit, and the gradient that its backward pass starts from. */
  get output(): Slot {
    return this.#outputOf(this.#buffers.at(-1)!);
  }

  /** Where the outputs of a pass over a stretch of inputs lie in a caller's array. */
  outputStretch(stretch: Stretch): Stretch {
    if (!this.pooled) return stretch;
    const extent = { ...uniformExtent(1, this.batch), order: stretch.extent.order };
    return { ...stretch, first: 0, total: 1, extent };
  }

  /** Numbers from row to row of both. */
  get outputRow(): number {
    return this.#buffers.at(-1)!.unit.outputRow;
  }

  get outputGradient(): Slot {
    return this.#buffers.at(-1)!.gradient;
  }

  #outputOf({ unit, h, rows }: Buffers): Slot {
    const inOrder = unit.kind === 'recurrent' && !unit.reverse;
    return inOrder ? part(h, this.batch * unit.outputRow) : rows;
  }

  /** What a unit reads, and where backwards it leaves the gradient of that. */
  #reads({ unit, reversed, reversedGradient }: Buffers): Reads {
    const { inputs } = unit;
    if (unit.kind === 'recurrent' && unit.reverse) {
      return { x: reversed, xRow: inputs * 4, dx: reversedGradient, dxRow: roundUp4(inputs) * 4 };
    }
    return this.#source(unit);
  }

  /** What the source of a unit offers, and where it takes the gradient of that. */
  #source(unit: Unit): Reads {
    let source = this.#buffers[unit.source];
    // Without training there is nothing to drop.
    while (source?.unit.kind === 'dropout' && !this.#gradients) {
      source = this.#buffers[source.unit.source];
    }
    if (!source) {
      const { inputs } = unit;
      return {
        x: this.input,
        xRow: inputs * 4,
        dx: this.inputGradient,
        dxRow: roundUp4(inputs) * 4,
      };
    }
    const { row, gradient } = source;
    return { x: this.#outputOf(source), xRow: row, dx: gradient, dxRow: row };
  }

  /** Where the states after `step` steps of all rows are; step 0 is the initial state. */
  states(step: number): StatePlace[] {
    return this.#recurrent.map(({ unit, h, c }) => {
      const place = { unit: unit as RecurrentUnit, h, c };
      return shifted(place, step * this.batch * unit.outputRow);
    });
  }

  /** Where the last state of every row is, after a pass. */
  lastStates(): StatePlace[] {
    const { steps, offsets, lengths, order } = this.#extent;
    if (!order) return this.states(steps);
    return this.#recurrent.map(({ unit, h, c, lastH, lastC }) => {
      const { outputRow } = unit;
      for (const [place, length] of lengths.entries()) {
        const row = length === 0 ? place : this.batch + offsets[length - 1]! + place;
        this.#kernels.copy(lastH, place * outputRow, h, row * outputRow, outputRow);
        if (c !== NONE) this.#kernels.copy(lastC, place * outputRow, c, row * outputRow, outputRow);
      }
      return { unit: unit as RecurrentUnit, h: lastH, c: lastC };
    });
  }

  /** The gates of the last pass; an Elman network's only one is its state. */
  gateRows(): GateRows[] {
    const { run } = this.#kernels;
    return this.#recurrent.map(({ unit, gates, h }) => {
      const { form, hidden, padded, gateRow, outputRow } = unit as RecurrentUnit;
      const count = form.gates.length;
      const states = part(h, this.batch * outputRow);
      const read = (place: number): Float32Array => {
        if (count === 1) return this.#kernels.floats(states, place * outputRow, hidden);
        const row = part(gates, place * gateRow).address;
        const { code, panelVectors } = form;
        const plain = this.#gates.address;
        run.panels_rearrange(row, plain, code, count, hidden, padded, 1, panelVectors, false);
        return this.#kernels.floats(this.#gates, 0, count * hidden);
      };
      return { unit: unit as RecurrentUnit, read };
    });
  }

  /** Gradients of the last states before `backward`, of the initial ones after it. */
  get stateGradients(): StatePlace[] {
    return this.#recurrent.map(({ unit, dh, dc }) => ({
      unit: unit as RecurrentUnit,
      h: dh,
      c: dc,
    }));
  }

  /** Derives what the passes need from the parameters; to be called after they have changed. */
  prepare(): void {
    this.#store.prepareTied();
    for (const { sequence, dense } of this.#buffers) {
      if (sequence) this.#kernels.run.sequence_prepare(sequence.address);
      if (dense) this.#kernels.run.dense_prepare(dense.address);
    }
  }

  /**
   * Runs the arranged rows from the inputs and initial states in place, or so far that all states
   * are there. Allocates nothing.
   */
  forward(statesOnly = false): void {
    const end = statesOnly ? this.#statesAt : this.#forward.length;
    for (let i = 0; i < end; i++) this.#forward[i]!(this.#rowsOf(i));
  }

  /** The kernel calls of one unit, bound to their addresses. */
  #forwardOf(buffers: Buffers): KernelCall {
    const { run } = this.#kernels;
    const { unit, sequence, dense, row } = buffers;
    const out = buffers.rows.address;
    if (dense) return () => run.dense_forward(dense.address);
    if (unit.kind === 'recurrent') {
      if (unit.reverse) return this.#reverseOf(buffers);
      return () => run.sequence_forward(sequence!.address);
    }
    if (unit.kind === 'dropout') {
      const { x, xRow } = this.#source(unit);
      return () => this.#mask(buffers, out, row, x.address, xRow);
    }
    if (unit.kind === 'merge') {
      const [a, b] = [this.#buffers[unit.source]!, this.#buffers[unit.source + 1]!];
      const [x, y] = [this.#outputOf(a).address, this.#outputOf(b).address];
      const width = mergeWidth(unit);
      return (rows) => run.merge_forward(unit.mode, out, row, x, y, a.row, rows, width);
    }
    if (unit.kind === 'pool') return this.#poolOf(unit, buffers);
    const table = buffers.table.address;
    const count = (unit as EmbeddingUnit).tokens;
    const tokens = this.input.address;
    return (rows) => run.embedding_forward(out, table, count, tokens, rows, row);
  }

  #poolOf(unit: PoolUnit, { rows, row }: Buffers): KernelCall {
    const { run } = this.#kernels;
    const { x, xRow } = this.#source(unit);
    const [from, out, width] = [x.address, rows.address, unit.outputRow * 4];
    if (!this.pooled) return (count) => run.rows_copy(out, 0, row, from, 0, xRow, 1, count, width);
    const offsets = this.offsets.address;
    return (count) => {
      const { steps } = this.#extent;
      run.pool_forward(unit.mode, out, row, from, xRow, offsets, steps, count, width);
    };
  }

  /** to = x times the mask of a dropout. */
  #mask({ unit, mask, row }: Buffers, to: number, toRow: number, x: number, xRow: number): void {
    const { run } = this.#kernels;
    const { fixed } = unit as DropoutUnit;
    const { steps } = this.#extent;
    const offsets = this.offsets.address;
    run.rows_mask(to, toRow, x, xRow, mask.address, row, fixed, offsets, steps, unit.outputRow * 4);
  }

  /**
   * Draws the masks of the pass to come; without a draw nothing is masked. To be called after
   * `arrange`.
   */
  mask(draw?: Draw): void {
    for (const mask of this.#masks) {
      if (draw) drawMask(this.#kernels, mask, this.#extent, draw);
      else this.#kernels.floats(mask.slot).fill(1);
    }
    for (const { options } of this.#recurrent) {
      if (!options) continue;
      const { zoneMask, recurrentMask } = draw ? options : NO_MASKS;
      this.#kernels.write(options.descriptor, { zoneMask, recurrentMask });
    }
  }

  /** Turns the inputs around, runs them, and brings the outputs to the places of their inputs. */
  #reverseOf({ unit, sequence, h, rows: natural, reversed, row }: Buffers): KernelCall {
    const { run } = this.#kernels;
    const { x, xRow } = this.#source(unit);
    const mirror = this.#mirror.address;
    const width = unit.inputs * 4;
    const states = part(h, this.batch * unit.outputRow).address;
    return (rows) => {
      run.rows_gather(reversed.address, width, x.address, xRow, mirror, rows, width);
      run.sequence_forward(sequence!.address);
      run.rows_gather(natural.address, row, states, row, mirror, rows, row);
    };
  }

  /** Whether `backward` measures the gradients of the states, for `flow`. */
  measure(wanted: boolean): void {
    for (const { sequence, dhSeen, dcSeen, norms } of this.#recurrent) {
      const places = wanted ? { dhSeen, dcSeen, norms } : { dhSeen: NONE, dcSeen: NONE };
      this.#kernels.write(sequence!, places);
    }
  }

  /**
   * The norms [T, 2] of dL/dh and dL/dc of every step of each recurrent unit, in its own order,
   * after a measured `backward`.
   */
  flow(): { unit: RecurrentUnit; norms: Float64Array }[] {
    return this.#recurrent.map(({ unit, norms }) => ({
      unit: unit as RecurrentUnit,
      norms: this.#kernels.doubles(norms, 2 * this.#extent.steps),
    }));
  }

  /** Goes back over the last `forward`, from the gradients of outputs and last states in place. */
  backward(wantsInput: boolean): void {
    for (let index = this.#buffers.length - 1; index >= 0; index--) {
      this.#backwardUnit(index, wantsInput, this.#rowsOf(index));
    }
  }

  /**
   * Adds what tied weights have gathered to the gradients of their tables; to be called when all of
   * a gradient is there.
   */
  finish(): void {
    for (const { unit, dTied } of this.#buffers) {
      if (dTied !== NONE) this.#store.moveTied(unit as LinearUnit, dTied, this.#gradients!, true);
    }
  }

  #backwardUnit(index: number, wantsInput: boolean, count: number): void {
    const { run } = this.#kernels;
    const buffers = this.#buffers[index]!;
    const { unit, sequence, dense, gradient, row } = buffers;
    const wanted = wantsInput || unit.source >= 0;
    if (sequence) {
      this.#backwardSequence(index, wanted);
    } else if (dense) {
      this.#kernels.write(dense, { dx: wanted ? this.#reads(buffers).dx : NONE });
      run.dense_backward(dense.address);
    } else if (unit.kind === 'embedding') {
      const table = this.#store.slot(unit, 'table', this.#gradients).address;
      const tokens = this.input.address;
      run.embedding_backward(table, unit.tokens, gradient.address, tokens, count, row);
    } else if (unit.kind === 'pool') {
      const { x, dx, xRow } = this.#source(unit);
      const [y, dy, from, to] = [buffers.rows, gradient, x, dx].map(({ address }) => address);
      const { steps } = this.#extent;
      const at = this.offsets.address;
      const width = unit.outputRow * 4;
      run.pool_backward(unit.mode, y!, dy!, row, from!, to!, xRow, at, steps, count, width);
    } else if (unit.kind === 'dropout') {
      const { dx, dxRow } = this.#source(unit);
      if (wanted) this.#mask(buffers, dx.address, dxRow, gradient.address, row);
    } else if (unit.kind === 'merge') {
      const [a, b] = [this.#buffers[unit.source]!, this.#buffers[unit.source + 1]!];
      const width = mergeWidth(unit);
      const [x, y] = [this.#outputOf(a).address, this.#outputOf(b).address];
      const [dx, dy] = [a.gradient.address, b.gradient.address];
      const mode = unit.mode;
      run.merge_backward(mode, gradient.address, row, x, y, dx, dy, a.row, count, width);
    }
  }

  #backwardSequence(index: number, wanted: boolean): void {
    const { run } = this.#kernels;
    const buffers = this.#buffers[index]!;
    const { rows: count } = this.#extent;
    const { unit, sequence, gradient, stepGradient, row } = buffers;
    const { reverse, paired } = unit as RecurrentUnit;
    const mirror = this.#mirror.address;
    if (reverse) {
      run.rows_gather(stepGradient.address, row, gradient.address, row, mirror, count, row);
    }
    const { dx: own, dxRow: ownRow } = this.#reads(buffers);
    this.#kernels.write(sequence!, { dx: wanted ? own : NONE });
    run.sequence_backward(sequence!.address);
    if (!wanted) return;
    const { dx, dxRow } = this.#source(unit);
    const width = unit.inputs * 4;
    if (reverse && !paired) {
      run.rows_gather(dx.address, dxRow, own.address, ownRow, mirror, count, width);
    }
    // The reverse unit of a pair comes first on the way back; its share is added once the forward
    // one has written its own.
    if (!reverse && paired) {
      const partner = this.#reads(this.#buffers[index + 1]!);
      run.rows_add_gathered(
        dx.address,
        dxRow,
        partner.dx.address,
        partner.dxRow,
        mirror,
        count,
        width,
      );
    }
  }
}

const NO_MASKS = { zoneMask: NONE, recurrentMask: NONE };

/** Bytes of a row of each direction that a merge takes: all units, or whole vectors of them. */
function mergeWidth({ mode, inputs }: MergeUnit): number {
  return 4 * (mode === MERGE_CONCAT ? inputs : roundUp4(inputs));
}
