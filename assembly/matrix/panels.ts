/**
 * Between the order that people know (gates one after the other, `[G * H, K]` row-major, PyTorch's)
 * and the panels of base/structs.ts.
 *
 * The first gates of a cell share panels: each has S units of a panel, side by side. Gates after
 * them follow in order. The column of gate g of unit u:
 *
 *   gates that share panels   (u / S) * 4 V + g * S + u % S,  S = 4 V / (how many they are)
 *   gates after them          g * Hp + u
 */

/** A matrix in panels and in its plain order. */
@unmanaged
export class Panels {
  /** Gates, and those of them that share panels. */
  gates: i32;
  together: i32;
  hidden: i32;
  padded: i32;
  depth: i32;
  /** V */
  vectors: i32;
  panels: usize;
  /** Rows of the plain order to move, of `gates * hidden`. */
  first: i32;
  rows: i32;
  /** [rows, depth] */
  plain: usize;
}

/** A table and its transpose in panels. */
@unmanaged
export class Tied {
  rows: i32;
  width: i32;
  /** Bytes from row to row of the table. */
  rowBytes: i32;
  table: usize;
  panels: usize;
}

/** The column of a gate of a unit. */
export function columnOf(together: i32, vectors: i32, gate: i32, unit: i32, padded: i32): i32 {
  if (gate >= together) return gate * padded + unit;
  const width = vectors << 2;
  const span = width / together;
  return (unit / span) * width + gate * span + (unit % span);
}

/** Where row k, column j of panels of V vectors and depth K is. */
// @ts-ignore: decorator
@inline
function panelAddress(panels: usize, k: i32, j: i32, depth: i32, vectors: i32): usize {
  const width = vectors << 2;
  return panels + ((((j / width) * depth + k) * width + (j % width)) << 2);
}

/**
 * panels [K, N] = plain [G * H, K] transposed, with gates interleaved: some of the rows. `pack`
 * false goes the other way. Padding is not touched. A vector of biases is the case K = 1.
 */
export function rearrange(descriptor: usize, pack: bool): void {
  const d = changetype<Panels>(descriptor);
  let plain = d.plain;
  for (let row = d.first; row < d.first + d.rows; row++) {
    const j = columnOf(d.together, d.vectors, row / d.hidden, row % d.hidden, d.padded);
    for (let k = 0; k < d.depth; k++) {
      const inner = panelAddress(d.panels, k, j, d.depth, d.vectors);
      if (pack) store<f32>(inner, load<f32>(plain));
      else store<f32>(plain, load<f32>(inner));
      plain += 4;
    }
  }
}

/**
 * Between a table and its transpose in panels of four vectors: panels = table, or `back` table +=
 * panels, which become zero. Padding is not touched.
 */
export function transposeTable(descriptor: usize, back: bool): void {
  const d = changetype<Tied>(descriptor);
  for (let j = 0; j < d.rows; j++) {
    for (let k = 0; k < d.width; k++) {
      const inner = panelAddress(d.panels, k, j, d.width, 4);
      const outer = d.table + j * d.rowBytes + (k << 2);
      if (back) {
        store<f32>(outer, load<f32>(outer) + load<f32>(inner));
        store<f32>(inner, 0);
      } else {
        store<f32>(inner, load<f32>(outer));
      }
    }
  }
}

/**
 * out [N, K] in panels of four vectors = in [K, N] in panels of V vectors, transposed. K is padded
 * to whole vectors with zeros.
 */
export function transposePanels(
  out: usize,
  source: usize,
  depth: i32,
  columns: i32,
  vectors: i32,
): void {
  const stride = vectors << 4;
  const padded = (depth + 3) & ~3;
  for (let k = 0; k < padded; k += 4) {
    const target = out + (((k >> 4) * columns) << 6) + ((k & 15) << 2);
    for (let j = 0; j < columns; j += 4) {
      const from = panelAddress(source, k, j, depth, vectors);
      const a = v128.load(from);
      const b = k + 1 < depth ? v128.load(from + stride) : i32x4.splat(0);
      const c = k + 2 < depth ? v128.load(from + 2 * stride) : i32x4.splat(0);
      const d = k + 3 < depth ? v128.load(from + 3 * stride) : i32x4.splat(0);
      const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
      const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
      const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
      const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
      const to = target + (j << 6);
      v128.store(to, v128.shuffle<f64>(ab0, cd0, 0, 2));
      v128.store(to, v128.shuffle<f64>(ab0, cd0, 1, 3), 64);
      v128.store(to, v128.shuffle<f64>(ab1, cd1, 0, 2), 128);
      v128.store(to, v128.shuffle<f64>(ab1, cd1, 1, 3), 192);
    }
  }
}
