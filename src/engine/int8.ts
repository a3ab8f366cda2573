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

/** The name of the scales of a matrix in a file. */
export function scaleName(name: string): string {
  return `${name}_scale`;
}

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

/**
 * Rows of a matrix in their plain order, quantised; with `scales` they are whole numbers already.
 */
export function packInt8(
  kernels: Kernels,
  panels: Panels,
  block: Slot,
  row: (index: number) => Slot,
  scales?: Float32Array,
): void {
  const { address } = block;
  for (let index = 0; index < panels.gates * panels.hidden; index++) {
    const scale = scales ? scales[index]! : -1;
    kernels.run.int8_pack(address, index, row(index).address, scale);
  }
}

/**
 * The other way: into `data`, whose whole numbers get their scale where it is f32. Gives the
 * scales.
 */
export function unpackInt8(
  kernels: Kernels,
  panels: Panels,
  block: Slot,
  staging: Slot,
  data: Float32Array | Int8Array,
): Float32Array {
  const { gates, hidden, depth } = panels;
  const { address } = block;
  const isScaled = isOf('Float32Array', data);
  return Float32Array.from({ length: gates * hidden }, (_, row) => {
    const scale = kernels.run.int8_unpack(address, row, staging.address, isScaled);
    data.set(kernels.floats(staging, 0, depth), row * depth);
    return scale;
  });
}
