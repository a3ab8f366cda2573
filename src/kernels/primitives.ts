import {
  ACTIVATION_SIGMOID,
  ACTIVATION_SOFTMAX,
  ACTIVATION_TANH,
  CELL_GRU_AFTER,
  CELL_LSTM,
} from '../../assembly/shared/codes.ts';
import { newFloats, viewOf } from '../base/arrays.ts';
import {
  anyFloats,
  checkFloats,
  checkInteger,
  checkNumber,
  ownFloats,
  readOptions,
} from '../base/check.ts';
import { kernelsOf } from '../engine/engine.ts';
import type { Engine } from '../engine/engine.ts';
import { part, Plan } from '../engine/plan.ts';
import type { Kernels as EngineKernels } from '../engine/kernels.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';

export interface LstmCellResult {
  /** [B, H] */
  readonly h: Float32Array;
  /** [B, H] */
  readonly c: Float32Array;
  /** [B, 4H] activated gates: input, forget, cell, output. */
  readonly gates: Float32Array;
}

export interface GruCellResult {
  /** [B, H] */
  readonly h: Float32Array;
  /** [B, 3H] activated gates: reset, update, new. */
  readonly gates: Float32Array;
}

/**
 * The package's own primitives on typed arrays. Each call copies its arrays into the engine and the
 * result out.
 */
export interface Kernels {
  /** [m, k] x [k, n] = [m, n]. */
  matmul(
    a: Float32Array,
    b: Float32Array,
    m: number,
    k: number,
    n: number,
    out?: Float32Array,
  ): Float32Array;
  /**
   * Of every element; within 4e-7 of the exact value, in [0, 1], never falling. `out` may be `x`.
   */
  sigmoid(x: Float32Array, out?: Float32Array): Float32Array;
  /** Of every element; within 6 units in the last place. `out` may be `x`. */
  tanh(x: Float32Array, out?: Float32Array): Float32Array;
  /** e^(x / temperature) / sum, over all of `x`. `out` may be `x`. */
  softmax(x: Float32Array, temperature?: number, out?: Float32Array): Float32Array;
  /**
   * c' = f c + i g, h = o tanh(c'): the cell update of an LSTM from pre-activations.
   *
   * @param gates [B, 4H] pre-activations input, forget, cell, output. @param c [B, H] before the
   *   step. @param hidden H.
   */
  lstmCell(gates: Float32Array, c: Float32Array, hidden: number): LstmCellResult;
  /**
   * The gradients of `lstmCell`: of the pre-activations [B, 4H] and of the cell state before the
   * step [B, H].
   *
   * @param result what `lstmCell` returned. @param c what it was given. @param dh dL/dh [B, H].
   * @param dc dL/dc' [B, H].
   */
  lstmCellBackward(
    result: LstmCellResult,
    c: Float32Array,
    dh: Float32Array,
    dc: Float32Array,
    hidden: number,
  ): { readonly gates: Float32Array; readonly c: Float32Array };
  /**
   * h' = n + z (h - n): the cell update of a GRU whose reset gate acts after the recurrent product.
   *
   * @param x [B, 3H] W x + b of reset, update, new. @param product [B, 3H] R h + b of the same.
   * @param h [B, H] before the step.
   */
  gruCell(x: Float32Array, product: Float32Array, h: Float32Array, hidden: number): GruCellResult;
  /**
   * The gradients of `gruCell`: of x and product [B, 3H], and of h [B, H] but for what reaches it
   * through the product.
   *
   * @param result what `gruCell` returned. @param product, h what it was given. @param dh dL/dh'
   *   [B, H].
   */
  gruCellBackward(
    result: GruCellResult,
    product: Float32Array,
    h: Float32Array,
    dh: Float32Array,
    hidden: number,
  ): { readonly x: Float32Array; readonly product: Float32Array; readonly h: Float32Array };
}

/** The array that a result goes to: the caller's, of exactly that length, or a fresh one. */
function resultIn(out: Float32Array | undefined, length: number, shape: string): Float32Array {
  if (out === undefined) return newFloats(length, 'the result');
  return viewOf('Float32Array', checkFloats('out', out, length, shape));
}

/** Copies `x` in, replaces it by its activation as one row, and copies that out. */
function activation(
  engine: Engine,
  kind: number,
  x: Float32Array,
  out: Float32Array | undefined,
  beta = 0,
): Float32Array {
  const result = resultIn(out, x.length, 'like x');
  return scratch(engine, 'an activation', (kernels, plan) => {
    const slot = plan.reserve(Math.ceil(x.length / 4) * 4);
    const layer = plan.descriptor('ActivationLayer');
    return () => {
      kernels.floats(slot).set(x);
      kernels.write(layer, { kind, beta, rows: 1, width: x.length, x: slot, y: slot });
      kernels.run.activation_forward(layer.address);
      result.set(kernels.floats(slot, 0, x.length));
      return out ?? result;
    };
  });
}

/** The primitives over the kernels of an engine. */
function createKernels(engine: Engine): Kernels {
  return {
    matmul: (a, b, m, k, n, out) => matmul(engine, a, b, m, k, n, out),
    sigmoid: (x, out) => activation(engine, ACTIVATION_SIGMOID, anyFloats('x', x), out),
    tanh: (x, out) => activation(engine, ACTIVATION_TANH, anyFloats('x', x), out),
    softmax: (x, temperature = 1, out = undefined) => {
      const own = anyFloats('x', x, 1);
      const beta = 1 / checkNumber('temperature', temperature, 1e-6);
      return activation(engine, ACTIVATION_SOFTMAX, own, out, beta);
    },
    lstmCell: (gates, c, hidden) => lstmCell(engine, gates, c, hidden),
    lstmCellBackward: (result, c, dh, dc, hidden) =>
      lstmCellBackward(engine, result, c, dh, dc, hidden),
    gruCell: (x, product, h, hidden) => gruCell(engine, x, product, h, hidden),
    gruCellBackward: (result, product, h, dh, hidden) =>
      gruCellBackward(engine, result, product, h, dh, hidden),
  };
}

/** The primitives over the kernels of an engine: `Kernels.create(engine)`. */
export const Kernels: { create(engine: Engine): Kernels } = { create: createKernels };

/** Runs `body` with slots in a block that is given back afterwards. */
function scratch<R>(
  engine: Engine,
  purpose: string,
  reserve: (kernels: EngineKernels, plan: Plan) => () => R,
): R {
  const kernels = kernelsOf(engine);
  const plan = new Plan();
  const body = reserve(kernels, plan);
  const block = kernels.arena.allocate(plan.bytes, purpose);
  try {
    plan.place(block);
    return body();
  } finally {
    kernels.arena.free(block);
  }
}

function matmul(
  engine: Engine,
  a: Float32Array,
  b: Float32Array,
  m: number,
  k: number,
  n: number,
  out: Float32Array | undefined,
): Float32Array {
  for (const [name, size] of Object.entries({ m, k, n })) checkInteger(name, size, 1);
  const [left, right] = [ownFloats('a', a, m * k, 'm x k'), ownFloats('b', b, k * n, 'k x n')];
  const result = resultIn(out, m * n, 'm x n');
  return scratch(engine, 'matmul', (kernels, plan) => {
    const columns = Math.ceil(n / 4) * 4;
    const rows = plan.reserve(m * k);
    const panels = plan.reserve(k * columns);
    const sums = plan.reserve(m * columns);
    const dense = plan.reserve(Math.max(m, k) * n);
    const product = plan.descriptor('Product');
    const moved = plan.descriptor('Rows');
    return () => {
      const { run } = kernels;
      const row = columns * 4;
      kernels.floats(rows).set(left);
      kernels.floats(dense).set(right);
      const width = n * 4;
      const packing = { to: panels, toRow: row, from: dense, fromRow: width, rows: k, width };
      kernels.write(moved, packing);
      run.rows_gather(moved.address);
      const strides = {
        aRow: k * 4,
        aDepth: 4,
        bDepth: row,
        bPanel: 64,
        iRow: row,
        iPanel: 64,
        cRow: row,
        cPanel: 64,
      };
      const sizes = { rows: m, depth: k, vectors: columns / 4, panelVectors: 4 };
      kernels.write(product, { ...sizes, ...strides, a: rows, b: panels, i: sums, c: sums });
      run.product_f32(product.address);
      const taking = { to: dense, toRow: width, from: sums, fromRow: row, rows: m, width };
      kernels.write(moved, taking);
      run.rows_gather(moved.address);
      result.set(kernels.floats(dense, 0, m * n));
      return out ?? result;
    };
  });
}

/** The buffers of one cell update of B rows, and the ways in and out of their layout. */
class CellScratch {
  readonly kernels: EngineKernels;
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

  constructor(kernels: EngineKernels, plan: Plan, cell: number, batch: number, hidden: number) {
    this.kernels = kernels;
    this.batch = batch;
    this.hidden = hidden;
    this.padded = Math.ceil(hidden / 4) * 4;
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
      cell: this.#cell,
      gates: width,
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

function lstmCell(
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

function lstmCellBackward(
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

function gruCell(
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

function gruCellBackward(
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
