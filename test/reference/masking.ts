/**
 * Which rows are masked, and what that does to a row of the batch: its sequence is the one without
 * its masked steps, and each of these has the output of the step before it.
 *
 *     masking:    y_t = x_t, or 0 where all of x_t is the value; dx_t = dy_t, or 0 there
 *     embedding:  masked where the token is 0, with `maskZero`
 *
 * A layer that works row by row masks what any of its sources masks, a recurrent one what it reads,
 * attention what its queries mask, `reverse` the same turned round; all others mask nothing.
 */
import type { Layer } from './layers.ts';
import type { Vec } from './math.ts';
import { reversed } from './shape.ts';
import type { Dims } from './stack.ts';

/** Of every row [T, B] whether it is masked. */
export type Masked = readonly boolean[];

const ROWWISE: readonly Layer['kind'][] = [
  'linear',
  'activation',
  'layerNorm',
  'batchNorm',
  'reduce',
  'dropout',
  'concat',
  'join',
  'slice',
  'prelu',
  'scale',
];

/** The rows [T, B, I] that have one value in all places. */
function equalRows(x: Vec, width: number, value: number): boolean[] {
  return Array.from({ length: x.length / width }, (_, row) =>
    x.subarray(row * width, (row + 1) * width).every((v) => v === value),
  );
}

/** What is masked of the outputs of a layer. */
export function maskedAfter(
  layer: Layer,
  x: Vec,
  dims: Dims,
  sources: readonly (Masked | undefined)[],
): Masked | undefined {
  if (layer.kind === 'masking') return equalRows(x, layer.inputSize, Math.fround(layer.value));
  if (layer.kind === 'embedding') return layer.maskZero ? equalRows(x, 1, 0) : undefined;
  if (layer.kind === 'recurrent' || layer.kind === 'attention') return sources[0];
  if (layer.kind === 'reverse') {
    const own = sources[0];
    return own && [...reversed(Float64Array.from(own, Number), dims)].map(Boolean);
  }
  const present = sources.filter((masked) => masked !== undefined);
  if (!ROWWISE.includes(layer.kind) || !present.length) return undefined;
  return present[0]!.map((_, row) => present.some((masked) => masked[row]));
}

/** Zeros in the place of masked rows. */
export function withoutMasked(x: Vec, masked: Masked): Vec {
  const width = x.length / masked.length;
  return x.map((value, k) => (masked[Math.floor(k / width)] ? 0 : value));
}
