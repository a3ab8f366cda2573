import { TINY } from '../../assembly/shared/codes.ts';
import { isOf } from '../base/arrays.ts';
import { GatefoldError } from '../base/errors.ts';
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

/** Refuses a host that would get wrong numbers. */
export function checkInt8({ run }: Kernels): void {
  if (run.int8_exact()) return;
  const message = `this host multiplies int8 wrongly with relaxed SIMD: create the engine with simd: 'deterministic'`;
  throw new GatefoldError('ERR_UNSUPPORTED', message);
}

/** The names of the scales of a matrix in a file, and of the factors of its columns. */
export function scaleName(name: string): string {
  return `${name}_scale`;
}

export function factorName(name: string): string {
  return `${name}_column_scale`;
}

/** What beside whole numbers says what the weights are; see `assembly/matrix/int8.ts`. */
export interface Int8Scales {
  readonly scales: Float32Array;
  /** Above 0, at most 1. */
  readonly factors: Float32Array;
}

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
 */
export function packInt8(
  kernels: Kernels,
  panels: Panels,
  block: Slot,
  row: (index: number) => Slot,
  saved?: Int8Scales,
): void {
  const { address } = block;
  const { depth } = panels;
  const rows = panels.gates * panels.hidden;
  const factors = factorsOf(kernels, panels, block);
  if (saved) factors.set(saved.factors);
  else {
    const most = new Float32Array(depth);
    for (let index = 0; index < rows; index++) {
      const values = kernels.floats(row(index), 0, depth);
      for (let k = 0; k < depth; k++) most[k] = Math.max(most[k]!, Math.abs(values[k]!));
    }
    const top = most.reduce((all, value) => Math.max(all, value), TINY);
    for (let k = 0; k < depth; k++) factors[k] = Math.max(most[k]! / top, LEAST_FACTOR);
  }
  for (let index = 0; index < rows; index++) {
    const scale = saved ? saved.scales[index]! : -1;
    kernels.run.int8_pack(address, index, row(index).address, scale);
  }
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
  const scales = Float32Array.from({ length: gates * hidden }, (_, row) => {
    const scale = kernels.run.int8_unpack(address, row, staging.address, isScaled);
    data.set(kernels.floats(staging, 0, depth), row * depth);
    return scale;
  });
  return { scales, factors: factorsOf(kernels, panels, block).slice() };
}
