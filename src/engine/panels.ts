import { ALIGN, OUTLIER_DEPTH } from '../../assembly/shared/codes.ts';
import { roundUp } from '../base/check.ts';

/** How the numbers of a parameter lie in the engine; see `assembly/matrix/panels.ts`. */
export interface Panels {
  readonly gates: number;
  /** Gates that share panels: the first ones. */
  readonly together: number;
  readonly hidden: number;
  readonly padded: number;
  readonly depth: number;
  readonly vectors: number;
}

/**
 * How many columns of 16 the panels of a matrix with weights of 8 bits have, and the fours of its
 * depth; see `assembly/matrix/int8.ts`.
 */
export function int8Size({ gates, padded, depth }: Panels): { columns: number; words: number } {
  return { columns: roundUp(gates * padded, 16), words: Math.ceil(depth / 4) };
}

/** Elements before the weights: their geometry, on a cache line of its own. */
export const INT8_HEAD: number = ALIGN / 4;

/**
 * Elements that they take: geometry and weights, then a scale and a correction for each column, and
 * a factor for each of the depth, and where they may be the places and values of outliers.
 */
export function int8Length(panels: Panels): number {
  const { columns, words } = int8Size(panels);
  const outliers = panels.depth < OUTLIER_DEPTH ? 0 : 2 * columns;
  return INT8_HEAD + columns * (words + 2) + 4 * words + outliers;
}

/** The panels of a matrix that belongs to no cell. */
export function plainPanels(outputs: number, padded: number, depth: number): Panels {
  return { gates: 1, together: 1, hidden: outputs, padded, depth, vectors: 4 };
}

/** Elements that the panels of a float32 matrix take. */
export function panelsLength({ gates, padded, depth, vectors }: Panels): number {
  return roundUp(gates * padded, 4 * vectors) * depth;
}

/**
 * Rows of PyTorch's [O, I, K] as [O, K, I], or back: the kernel wants the taps of an output before
 * its inputs.
 */
export function permuteTaps(rows: Float32Array, inputs: number, taps: number, into: boolean): void {
  if (taps === 1 || inputs === 1) return;
  const row = new Float32Array(inputs * taps);
  const n = into ? inputs : taps;
  for (let at = 0; at < rows.length; at += row.length) {
    // Of [n, m] the transpose [m, n].
    for (let from = at, i = 0; i < n; i++) {
      for (let to = i; to < row.length; to += n) row[to] = rows[from++]!;
    }
    rows.set(row, at);
  }
}
