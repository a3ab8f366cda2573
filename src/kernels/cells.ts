import { CELL_GRU_AFTER, CELL_LSTM } from '../../assembly/shared/codes.ts';
import { anyFloats, checkInteger, ownFloats, readOptions, roundUp } from '../base/check.ts';
import type { Engine } from '../engine/engine.ts';
import type { Kernels } from '../engine/kernels.ts';
import { part } from '../engine/plan.ts';
import type { Descriptor, Plan, Slot } from '../engine/plan.ts';
import { scratch } from './scratch.ts';

/** One step of an LSTM. */
export interface LstmCellResult {
  /** [B, H] */
  readonly h: Float32Array;
  /** [B, H] */
  readonly c: Float32Array;
  /** [B, 4H] activated gates: input, forget, cell, output. */
  readonly gates: Float32Array;
}

/** One step of a GRU. */
export interface GruCellResult {
  /** [B, H] */
  readonly h: Float32Array;
  /** [B, 3H] activated gates: reset, update, new. */
  readonly gates: Float32Array;
}

/** The buffers of one cell update of B rows, and the ways in and out of their layout. */
class CellScratch {
  readonly kernels: Kernels;
  readonly batch: number;
  readonly hidden: number;
  readonly padded: number;
  readonly sequence: Descriptor<'Sequence'>;
  readonly #panels: Descriptor<'Panels'>;
  readonly gates: Slot;
  readonly products: Slot;
  readonly previous: Slot;
  readonly next: Slot;
  readonly h: Slot;
  readonly dh: Slot;
  readonly dc: Slot;
  readonly #plain: Slot;
  readonly #cell: number;
  readonly #width: number;

  constructor(kernels: Kernels, plan: Plan, cell: number, batch: number, hidden: number) {
    this.kernels = kernels;
    this.batch = batch;
    this.hidden = hidden;
    this.padded = roundUp(hidden, 4);
    this.#cell = cell;
    this.#width = cell === CELL_LSTM ? 4 : 3;
    const states = batch * this.padded;
    this.gates = plan.reserve(states * this.#width);
    this.products = plan.reserve(states * this.#width);
    [this.previous, this.next, this.h, this.dh, this.dc] = [0, 1, 2, 3, 4].map(() =>
      plan.reserve(states),
    ) as [Slot, Slot, Slot, Slot, Slot];
    this.#plain = plan.reserve(hidden * this.#width);
    this.sequence = plan.descriptor('Sequence');
    this.#panels = plan.descriptor('Panels');
  }

  /** Describes one step whose states before and after are `previous` and `next`. */
  describe(): void {
    const lstm = this.#cell === CELL_LSTM;
    this.kernels.write(this.sequence, {
      cell: this.#cell,
      active: this.batch,
      padded: this.padded,
      hiddenBytes: this.padded * 4,
      stateRow: this.padded * 4,
      gateRow: this.padded * this.#width * 4,
      gates: this.gates,
      products: this.products,
      hPrevious: this.previous,
      cPrevious: this.previous,
      h: lstm ? this.h : this.next,
      c: this.next,
      dh: this.dh,
      dc: this.dc,
      gradientLimit: Infinity,
    });
  }

  putGates(slot: Slot, plain: Float32Array): void {
    this.#eachRow((row, length) => {
      this.kernels.floats(this.#plain).set(plain.subarray(row * length, (row + 1) * length));
      this.#rearrange(slot, row, true);
    });
  }

  takeGates(slot: Slot): Float32Array {
    const plain = new Float32Array(this.batch * this.hidden * this.#width);
    this.#eachRow((row, length) => {
      this.#rearrange(slot, row, false);
      plain.set(this.kernels.floats(this.#plain), row * length);
    });
    return plain;
  }

  putState(slot: Slot, plain: Float32Array): void {
    this.#eachRow((row) => {
      const source = plain.subarray(row * this.hidden, (row + 1) * this.hidden);
      this.kernels.floats(slot, row * this.padded, this.hidden).set(source);
    });
  }

  takeState(slot: Slot): Float32Array {
    const plain = new Float32Array(this.batch * this.hidden);
    this.#eachRow((row) => {
      plain.set(this.kernels.floats(slot, row * this.padded, this.hidden), row * this.hidden);
    });
    return plain;
  }

  #eachRow(body: (row: number, length: number) => void): void {
    for (let row = 0; row < this.batch; row++) body(row, this.hidden * this.#width);
  }

  #rearrange(slot: Slot, row: number, into: boolean): void {
    const { hidden, padded } = this;
    const width = this.#width;
    this.kernels.write(this.#panels, {
      panels: part(slot, row * padded * width),
      plain: this.#plain,
      first: 0,
      rows: width * hidden,
      gates: width,
      together: width,
      hidden,
      padded,
      depth: 1,
      vectors: width,
    });
    this.kernels.run.panels_rearrange(this.#panels.address, into);
  }
}

function withCell<R>(
  engine: Engine,
  cell: number,
  rows: Float32Array,
  hidden: number,
  body: (cell: CellScratch) => R,
): R {
  checkInteger('hidden', hidden, 1);
  const batch = checkInteger('batch', rows.length / hidden, 1);
  return scratch(engine, 'a cell update', (kernels, plan) => {
    const places = new CellScratch(kernels, plan, cell, batch, hidden);
    return () => {
      places.describe();
      return body(places);
    };
  });
}

export function lstmCell(
  engine: Engine,
  gates: Float32Array,
  c: Float32Array,
  hidden: number,
): LstmCellResult {
  const state = anyFloats('c', c);
  const sums = ownFloats('gates', gates, 4 * state.length, 'batch x 4 hidden');
  return withCell(engine, CELL_LSTM, state, hidden, (cell) => {
    cell.putGates(cell.gates, sums);
    cell.putState(cell.previous, state);
    cell.kernels.run.cell_forward(cell.sequence.address);
    return {
      h: cell.takeState(cell.h),
      c: cell.takeState(cell.next),
      gates: cell.takeGates(cell.gates),
    };
  });
}

export function lstmCellBackward(
  engine: Engine,
  result: LstmCellResult,
  c: Float32Array,
  dh: Float32Array,
  dc: Float32Array,
  hidden: number,
): { gates: Float32Array; c: Float32Array } {
  const forward = readOptions('result', result, ['h', 'c', 'gates']);
  const state = anyFloats('c', c);
  const own = (name: string, array: Float32Array): Float32Array =>
    ownFloats(name, array, state.length, 'batch x hidden');
  const gates = ownFloats('result.gates', forward.gates, 4 * state.length, 'batch x 4 hidden');
  const [next, ofH, ofC] = [own('result.c', forward.c), own('dh', dh), own('dc', dc)];
  return withCell(engine, CELL_LSTM, state, hidden, (cell) => {
    cell.putGates(cell.gates, gates);
    cell.putState(cell.previous, state);
    cell.putState(cell.next, next);
    cell.putState(cell.dh, ofH);
    cell.putState(cell.dc, ofC);
    cell.kernels.run.cell_backward(cell.sequence.address);
    return { gates: cell.takeGates(cell.gates), c: cell.takeState(cell.dc) };
  });
}

export function gruCell(
  engine: Engine,
  x: Float32Array,
  product: Float32Array,
  h: Float32Array,
  hidden: number,
): GruCellResult {
  const state = anyFloats('h', h);
  const inputs = ownFloats('x', x, 3 * state.length, 'batch x 3 hidden');
  const products = ownFloats('product', product, 3 * state.length, 'batch x 3 hidden');
  return withCell(engine, CELL_GRU_AFTER, state, hidden, (cell) => {
    cell.putGates(cell.gates, inputs);
    cell.putGates(cell.products, products);
    cell.putState(cell.previous, state);
    cell.kernels.run.cell_forward(cell.sequence.address);
    return { h: cell.takeState(cell.next), gates: cell.takeGates(cell.gates) };
  });
}

export function gruCellBackward(
  engine: Engine,
  result: GruCellResult,
  product: Float32Array,
  h: Float32Array,
  dh: Float32Array,
  hidden: number,
): { x: Float32Array; product: Float32Array; h: Float32Array } {
  const forward = readOptions('result', result, ['h', 'gates']);
  const state = anyFloats('h', h);
  const gates = ownFloats('result.gates', forward.gates, 3 * state.length, 'batch x 3 hidden');
  const products = ownFloats('product', product, 3 * state.length, 'batch x 3 hidden');
  const ofH = ownFloats('dh', dh, state.length, 'batch x hidden');
  return withCell(engine, CELL_GRU_AFTER, state, hidden, (cell) => {
    cell.putGates(cell.gates, gates);
    cell.putGates(cell.products, products);
    cell.putState(cell.previous, state);
    cell.putState(cell.dh, ofH);
    cell.kernels.run.cell_backward(cell.sequence.address);
    return {
      x: cell.takeGates(cell.gates),
      product: cell.takeGates(cell.products),
      h: cell.takeState(cell.dh),
    };
  });
}
