/**
 * Windows over two axes: convolutions, their transposes and pools. Tensors are [channels, height,
 * width], as ONNX has them.
 *
 *   window of an output   for every channel and tap the input that it sees, 0 where none is
 *   y += w windows        w [O, C taps], windows [C taps, outputs]
 *   pool                  the largest of a window, or its sum by a divisor, channel by channel
 *
 * A transposed convolution is one of an input with `up` - 1 zeros after every element, with taps in
 * the other order.
 */

import * as codes from '../shared/codes';
import { Matrix, productOf } from './matrix';

/** Of a convolution `matrix` has O rows and a depth of C taps. */
@unmanaged
export class Image {
  /** 0 for a convolution, otherwise a `POOL_` code. */
  mode: i32;
  /** C, of a group. */
  channels: i32;
  height: i32;
  width: i32;
  outputHeight: i32;
  outputWidth: i32;
  tapsHigh: i32;
  tapsWide: i32;
  strideHigh: i32;
  strideWide: i32;
  dilationHigh: i32;
  dilationWide: i32;
  /** Zeros before the first row and column. */
  top: i32;
  left: i32;
  /** Elements that each input stands for, of which the others are zeros. */
  upHigh: i32;
  upWide: i32;
  /** Rows and columns of padding that a mean counts: those before `height + bottom`. */
  bottom: i32;
  right: i32;
  /** Outputs whose windows are laid out at once, a multiple of 16. */
  block: i32;
}

/** The input at a place where each stands for `up`; -1 where none is. */
// @ts-ignore: decorator
@inline
function inputAt(place: i32, up: i32, size: i32): i32 {
  if (place < 0) return -1;
  if (up > 1) {
    if (place % up) return -1;
    place /= up;
  }
  return place < size ? place : -1;
}

/** The windows of `count` outputs from `first` on: panels of 16 outputs, [C taps] in each. */
function layWindows(d: Image, panels: usize, depth: i32, x: usize, first: i32, count: i32): void {
  const panel = depth << 6;
  const zero = f32x4.splat(0);
  let k = 0;
  for (let c = 0; c < d.channels; c++) {
    const channel = x + ((c * d.height * d.width) << 2);
    for (let i = 0; i < d.tapsHigh; i++) {
      for (let j = 0; j < d.tapsWide; j++) {
        let row = first / d.outputWidth;
        let column = first % d.outputWidth;
        let n = 0;
        while (n < count) {
          const high = row * d.strideHigh + i * d.dilationHigh - d.top;
          const y = inputAt(high, d.upHigh, d.height);
          const line = channel + ((y * d.width) << 2);
          let wide = column * d.strideWide + j * d.dilationWide - d.left;
          const end = min(count, n + d.outputWidth - column);
          while (n < end) {
            const to = panels + (n >> 4) * panel + (k << 6) + ((n & 15) << 2);
            const isFour = n + 4 <= end && (n & 15) <= 12;
            if (isFour && y < 0) {
              v128.store(to, zero);
              n += 4;
              wide += d.strideWide << 2;
            } else if (
              isFour &&
              d.strideWide == 1 &&
              d.upWide == 1 &&
              wide >= 0 &&
              wide + 4 <= d.width
            ) {
              v128.store(to, v128.load(line + (wide << 2)));
              n += 4;
              wide += 4;
            } else {
              const at = y < 0 ? -1 : inputAt(wide, d.upWide, d.width);
              store<f32>(to, at < 0 ? 0 : load<f32>(line + (at << 2)));
              n++;
              wide += d.strideWide;
            }
          }
          row++;
          column = 0;
        }
        k++;
      }
    }
  }
}

/** to [O, outputs] += w windows of x */
export function convolve(d: Image, m: Matrix, to: usize, x: usize, w: usize): void {
  const outputs = d.outputHeight * d.outputWidth;
  for (let first = 0; first < outputs; first += d.block) {
    const count = min(outputs - first, d.block);
    layWindows(d, m.panels, m.depth, x, first, count);
    productOf(m, to + (first << 2), w, m.panels, 64, m.depth << 6, count);
  }
}

/** to [outputs] of one channel. */
export function pool(d: Image, to: usize, x: usize): void {
  const isMax = d.mode == codes.POOL_MAX;
  for (let row = 0; row < d.outputHeight; row++) {
    for (let column = 0; column < d.outputWidth; column++) {
      let most: f32 = -Infinity;
      let sum: f32 = 0;
      let seen = 0;
      for (let i = 0; i < d.tapsHigh; i++) {
        const y = row * d.strideHigh + i * d.dilationHigh - d.top;
        for (let j = 0; j < d.tapsWide; j++) {
          const z = column * d.strideWide + j * d.dilationWide - d.left;
          if (<u32>y < <u32>d.height && <u32>z < <u32>d.width) {
            const value = load<f32>(x + ((y * d.width + z) << 2));
            sum += value;
            most = max<f32>(most, value);
            seen++;
          } else if (d.bottom >= 0 && y < d.height + d.bottom && z < d.width + d.right) seen++;
        }
      }
      store<f32>(to, isMax ? most : sum / <f32>seen);
      to += 4;
    }
  }
}
