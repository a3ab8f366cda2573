import { checkInteger, ownFloats, roundUp } from '../base/check.ts';
import { HostDisposable } from '../base/disposable.ts';
import type { Engine } from '../engine/engine.ts';
import type { Kernels } from '../engine/kernels.ts';
import { Plan } from '../engine/plan.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import { getRows, putRows, resultIn, scratch } from './scratch.ts';
import { Shelf } from './shelf.ts';

/** Columns of a panel. */
const PANEL = 16;

const shelf = new Shelf<Matrix, Slot>('matrix');

/**
 * The right factor of products, packed in the engine's memory once. `kernels.matrix(w, rows,
 * columns)` makes one; `kernels.matmul` takes it.
 */
export class Matrix extends HostDisposable {
  /** Depth of the products: columns of the left factor. */
  readonly rows: number;
  /** n */
  readonly columns: number;

  private constructor(rows: number, columns: number) {
    super();
    this.rows = rows;
    this.columns = columns;
    Object.freeze(this);
  }

  /** @internal */
  static pack(engine: Engine, w: Float32Array, rows: number, columns: number): Matrix {
    checkInteger('rows', rows, 1);
    checkInteger('columns', columns, 1);
    const values = ownFloats('w', w, rows * columns, 'rows x columns');
    const plan = new Plan();
    const panels = plan.reserve(rows * roundUp(columns, PANEL));
    const matrix = new Matrix(rows, columns);
    const packed = shelf.put(engine, matrix, plan, panels).floats(panels);
    for (let row = 0; row < rows; row++) {
      for (let from = 0; from < columns; from += PANEL) {
        const until = Math.min(from + PANEL, columns);
        const part = values.subarray(row * columns + from, row * columns + until);
        packed.set(part, from * rows + row * PANEL);
      }
    }
    return matrix;
  }

  /** Gives its memory back; every use after it throws. */
  dispose(): void {
    shelf.drop(this);
  }
}

/** The right factor in the engine: bytes from row to row, and from 16 columns to the next. */
interface Right {
  readonly b: Slot;
  readonly bDepth: number;
  readonly bPanel: number;
}

/** c [m, n rounded up to four] = a [m, k] times the right factor. */
function multiply(
  kernels: Kernels,
  product: Descriptor<'Product'>,
  [m, k, n]: readonly [number, number, number],
  a: Slot,
  right: Right,
  c: Slot,
): void {
  const row = 4 * roundUp(n, 4);
  const sizes = { rows: m, depth: k, vectors: row / 16, panelVectors: PANEL / 4 };
  const left = { a, aRow: k * 4, aDepth: 4 };
  const sums = { i: c, iRow: row, iPanel: PANEL * 4, c, cRow: row, cPanel: PANEL * 4 };
  kernels.write(product, { ...sizes, ...left, ...right, ...sums });
  kernels.run.product_f32(product.address);
}

/** [m, k] x [k, n], both copied. */
export function matmul(
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
    const columns = roundUp(n, 4);
    const [rows, packed, sums] = [m * k, k * columns, m * columns].map((size) =>
      plan.reserve(size),
    ) as [Slot, Slot, Slot];
    const product = plan.descriptor('Product');
    return () => {
      kernels.floats(rows).set(left);
      putRows(kernels, packed, right, n);
      const strides = { bDepth: columns * 4, bPanel: PANEL * 4 };
      multiply(kernels, product, [m, k, n], rows, { b: packed, ...strides }, sums);
      getRows(kernels, sums, result, n);
      return out ?? result;
    };
  });
}

/** [m, rows] x [rows, columns] of a matrix that is packed already. */
export function matmulPacked(
  engine: Engine,
  a: Float32Array,
  matrix: Matrix,
  m: number,
  out: Float32Array | undefined,
): Float32Array {
  const b = shelf.of(engine, matrix);
  const { rows: k, columns: n } = matrix;
  checkInteger('m', m, 1);
  const left = ownFloats('a', a, m * k, 'm x rows of the matrix');
  const result = resultIn(out, m * n, 'm x columns of the matrix');
  return scratch(engine, 'matmul', (kernels, plan) => {
    const rows = plan.reserve(m * k);
    const sums = plan.reserve(m * roundUp(n, 4));
    const product = plan.descriptor('Product');
    return () => {
      kernels.floats(rows).set(left);
      const strides = { bDepth: PANEL * 4, bPanel: PANEL * 4 * k };
      multiply(kernels, product, [m, k, n], rows, { b, ...strides }, sums);
      getRows(kernels, sums, result, n);
      return out ?? result;
    };
  });
}
