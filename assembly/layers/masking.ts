/**
 * Rows that are masked: layers that look at more than one step pass them over. A row is masked
 * where all of its features are one value; it goes on as zeros, and has no gradient.
 *
 *   y = x, or 0 where every x_k = value        dx = dy, or 0 there
 */

/** Which rows of x are masked, and x without them. */
@unmanaged
export class Masking {
  rows: i32;
  value: f32;
  /** Bytes of a row that count, and from row to row. */
  width: i32;
  xRow: i32;
  yRow: i32;
  dxRow: i32;
  /** [M, I] in */
  x: usize;
  /** [M, I] out */
  y: usize;
  /** [M] f32 out: 1 in rows that are masked, else 0. */
  masked: usize;
  /** in: gradient of y, rows as far apart; out: of x. */
  dy: usize;
  dx: usize;
}

/** Whether a row is masked. */
// @ts-ignore: decorator
@inline
export function isMasked(masked: usize, row: i32): bool {
  return load<f32>(masked + (row << 2)) != 0;
}

/** `to` = `from`, or zeros where the row is masked. */
function passRow(d: Masking, row: i32, to: usize, from: usize): void {
  if (isMasked(d.masked, row)) memory.fill(to, 0, d.width);
  else memory.copy(to, from, d.width);
}

export function maskingForward(descriptor: usize): void {
  const d = changetype<Masking>(descriptor);
  for (let r = 0; r < d.rows; r++) {
    const x = d.x + r * d.xRow;
    let k = 0;
    while (k < d.width && load<f32>(x + k) == d.value) k += 4;
    store<f32>(d.masked + (r << 2), k == d.width ? 1 : 0);
    passRow(d, r, d.y + r * d.yRow, x);
  }
}

export function maskingBackward(descriptor: usize): void {
  const d = changetype<Masking>(descriptor);
  for (let r = 0; r < d.rows; r++) passRow(d, r, d.dx + r * d.dxRow, d.dy + r * d.yRow);
}
