/** The look-up of rows in a table. */

import { within } from '../base/bounds';
import { lostIn } from '../base/vectors';

/** Look-up of M tokens in a table. */
@unmanaged
export class Lookup {
  rows: i32;
  /** Rows of the table. */
  count: i32;
  /** Bytes of a row, of the table and of the outputs. */
  rowBytes: i32;
  /** [M] i32 in */
  tokens: usize;
  table: usize;
  /** [M, W] out */
  out: usize;
  /** [M] f32 out, or 0 where it is not wanted: 1 where the token is 0. */
  masked: usize;
  /** [M, W] in: gradient of the outputs. */
  dOut: usize;
  /** inout, accumulates: like the table. */
  dTable: usize;
  /** What rounding has taken from it, like the table; or 0. */
  dTableRest: usize;
}

/** out [M, W] = rows `tokens` [M] of the table. */
export function embeddingForward(descriptor: usize): void {
  const d = changetype<Lookup>(descriptor);
  for (let r = 0; r < d.rows; r++) {
    const token = within(load<i32>(d.tokens + (r << 2)), d.count);
    memory.copy(d.out + r * d.rowBytes, d.table + token * d.rowBytes, d.rowBytes);
    if (d.masked) store<f32>(d.masked + (r << 2), token ? 0 : 1);
  }
}

/** dTable += rows of dOut where their tokens say, the last row first. */
export function embeddingBackward(descriptor: usize): void {
  const d = changetype<Lookup>(descriptor);
  const width = d.rowBytes;
  for (let r = d.rows - 1; r >= 0; r--) {
    const to = d.dTable + within(load<i32>(d.tokens + (r << 2)), d.count) * width;
    const from = d.dOut + r * width;
    for (let k = 0; k < width; k += 16) {
      const a = v128.load(to + k);
      const b = v128.load(from + k);
      const sum = f32x4.add(a, b);
      v128.store(to + k, sum);
      if (!d.dTableRest) continue;
      const rest = d.dTableRest + (to - d.dTable) + k;
      v128.store(rest, f32x4.add(v128.load(rest), lostIn(sum, a, b)));
    }
  }
}
