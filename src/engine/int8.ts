import { OUTLIER_DEPTH, TINY } from '../../assembly/shared/codes.ts';
import { isOf } from '../base/arrays.ts';
import { part } from './plan.ts';
import type { Fields, Kernels } from './kernels.ts';
import type { Slot } from './plan.ts';
import { INT8_HEAD, int8Size } from './panels.ts';
import type { Panels } from './panels.ts';

/**
 * Most rows whose activations are quantised at once: 96 rows of 1024 take 200 KB of the
 * second-level cache.
 */
const ROWS = 96;

/** The names of the scales of a matrix in a file, and of the factors of its columns. */
export function scaleName(name: string): string {
  return `${name}_scale`;
}

export function factorName(name: string): string {
  return `${name}_column_scale`;
}

/** The name of the outliers of a matrix, which one of less depth has not. */
export function outlierName(name: string): string {
  return `${name}_outlier`;
}

/** What beside whole numbers says what the weights are; see `assembly/matrix/int8.ts`. */
export interface Int8Scales {
  readonly scales: Float32Array;
  /** From 0 to 1. */
  readonly factors: Float32Array;
  /** For each row the place of its outlier, or -1, and its value; absent where none may be. */
  readonly outliers?: Float32Array;
}

/** An outlier is so many times as large as the next weight of its row. */
const OUTLIER_RATIO = 4;

/** The least factor: any but 0, which leaves no trace of what is multiplied by it. */
const LEAST_FACTOR = 2 ** -30;

/** Where the parts of a matrix of 8 bits are. */
export function int8Fields(
  panels: Panels,
  block: Slot,
  cut: (slot: Slot, from: number) => Slot = part,
): Fields<'Int8Product'> {
  const { columns, words } = int8Size(panels);
  const at = (index: number): Slot => cut(block, INT8_HEAD + index);
  return {
    depth: panels.depth,
    weights: at(0),
    scales: at(columns * words),
    corrections: at(columns * (words + 1)),
    factors: at(columns * (words + 2)),
    ...(panels.depth >= OUTLIER_DEPTH && { outliers: at(columns * (words + 2) + 4 * words) }),
  };
}

/** Writes the geometry at the head of a matrix, which calls over its rows read; once. */
export function describeInt8(kernels: Kernels, panels: Panels, block: Slot): void {
  const { together, vectors, hidden, padded, depth } = panels;
  const { columns } = int8Size(panels);
  const head = { struct: 'Int8Panels', address: block.address } as const;
  kernels.write(head, { together, vectors, hidden, padded, depth, columns });
}

/** Room for the quantised activations of at most `rows` rows of at most `depth` numbers. */
export function int8Operands(
  rows: number,
  depth: number,
): { readonly operandRows: number; readonly operandRow: number; readonly length: number } {
  const operandRows = Math.min(rows, ROWS);
  const operandRow = 16 + 8 * Math.ceil(depth / 4);
  return { operandRows, operandRow, length: (operandRows * operandRow) / 4 };
}

/** The view of the factors of a matrix. */
function factorsOf(kernels: Kernels, panels: Panels, block: Slot): Float32Array {
  const { columns, words } = int8Size(panels);
  return kernels.floats(block, INT8_HEAD + columns * (words + 2), panels.depth);
}

/**
 * Rows of a matrix in their plain order, quantised; with `saved` they are whole numbers already.
 *
 * @param staging room for a row and two numbers more.
 */
export function packInt8(
  kernels: Kernels,
  panels: Panels,
  block: Slot,
  staging: Slot,
  row: (index: number) => Float32Array,
  saved?: Int8Scales,
): void {
  const { address } = block;
  const { depth } = panels;
  const rows = panels.gates * panels.hidden;
  const { factors, outliers, scales } = saved ?? measure(rows, depth, row);
  factorsOf(kernels, panels, block).set(factors);
  let hasOutliers = 0;
  for (let index = 0; index < rows; index++) {
    const [place = -1, value = 0] = outliers?.subarray(2 * index, 2 * index + 2) ?? [];
    if (place >= 0) hasOutliers = 1;
    const values = kernels.floats(staging, 0, depth + 2);
    values.set(row(index));
    kernels.integers(staging, depth, 1)[0] = 4 * Math.max(place, 0);
    values[depth + 1] = value;
    const scale = scales ? scales[index]! : divide(values, factors, place);
    kernels.run.int8_pack(address, index, staging.address, scale);
  }
  kernels.write({ struct: 'Int8Panels', address }, { hasOutliers });
}

/** Divides a row of weights by its factors and its scale, but for its outlier. Gives the scale. */
function divide(values: Float32Array, factors: Float32Array, place: number): number {
  const depth = factors.length;
  let top = 0;
  for (let k = 0; k < depth; k++) {
    values[k] = k === place ? 0 : values[k]! / factors[k]!;
    top = Math.max(top, Math.abs(values[k]!));
  }
  const scale = top < TINY ? 0 : Math.fround(top / 127);
  for (let k = 0; k < depth; k++) values[k] = scale > 0 ? values[k]! / scale : 0;
  return scale;
}

/** The factors of the columns of a matrix, and the outliers of its rows. */
function measure(
  rows: number,
  depth: number,
  read: (row: number) => Float32Array,
): Omit<Int8Scales, 'scales'> & Partial<Int8Scales> {
  const outliers = depth < OUTLIER_DEPTH ? undefined : new Float32Array(2 * rows);
  // What is large in a whole column is no outlier, and a few outliers leave the sum as it is.
  const sums = new Float64Array(depth);
  for (let row = 0; outliers && row < rows; row++) {
    const values = read(row);
    for (let k = 0; k < depth; k++) sums[k]! += Math.abs(values[k]!);
  }
  const most = new Float32Array(depth);
  for (let row = 0; row < rows; row++) {
    const values = read(row);
    let [place, first, second] = [-1, 0, 0];
    for (let k = 0; outliers && k < depth; k++) {
      const size = Math.abs(values[k]!) / (sums[k]! || 1);
      if (size > first) [place, first, second] = [k, size, first];
      else if (size > second) second = size;
    }
    if (first <= OUTLIER_RATIO * second) place = -1;
    outliers?.set([place, place < 0 ? 0 : values[place]!], 2 * row);
    for (let k = 0; k < depth; k++) {
      if (k !== place) most[k] = Math.max(most[k]!, Math.abs(values[k]!));
    }
  }
  const top = most.reduce((all, value) => Math.max(all, value), TINY);
  return {
    factors: most.map((value) => Math.max(value / top, LEAST_FACTOR)),
    ...(outliers && { outliers }),
  };
}

/**
 * The other way: into `data`, whose whole numbers get their scales where it is f32. Gives the
 * scales.
 */
export function unpackInt8(
  kernels: Kernels,
  panels: Panels,
  block: Slot,
  staging: Slot,
  data: Float32Array | Int8Array,
): Int8Scales {
  const { gates, hidden, depth } = panels;
  const { address } = block;
  const isScaled = isOf('Float32Array', data);
  const outliers = depth < OUTLIER_DEPTH ? undefined : new Float32Array(2 * gates * hidden);
  const factors = factorsOf(kernels, panels, block).slice();
  const scales = Float32Array.from({ length: gates * hidden }, (_, row) => {
    const scale = kernels.run.int8_unpack(address, row, staging.address);
    const values = kernels.floats(staging, 0, depth);
    const value = outliers ? kernels.floats(staging, depth + 1, 1)[0]! : 0;
    const place = value === 0 ? -1 : kernels.integers(staging, depth, 1)[0]! / 4;
    outliers?.set([place, value], 2 * row);
    if (isScaled) {
      for (let k = 0; k < depth; k++) values[k]! *= Math.fround(scale * factors[k]!);
      if (place >= 0) values[place] = value;
    }
    data.set(values, row * depth);
    return scale;
  });
  return { scales, factors, ...(outliers && { outliers }) };
}
