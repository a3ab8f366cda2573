/**
 * The convolution over time of `Conv1d`, with w [K, I / G, O / G] in every group.
 *
 *   window of an output   the rows of x that it sees: its taps side by side, zeros where no step is
 *   y = bias + window w                 dw += window^T dy       db += sum of dy over the rows
 *   dwindow = dy w^T                    dx = sum of all dwindow where they come from
 *
 * A block of windows is laid out as rows of a matrix, so the sums are those of a product: over the
 * taps, in each over the inputs. Of many inputs each tap is a sum of its own, and the sums are
 * added up: where large terms cancel, that is several times nearer to what is meant. A window is
 * the same whether its rows come from x or from a state, so a stream has the bits of the whole
 * sequence. Gradients take the last output first.
 */

import { Product } from '../base/structs';
import { columnSums, endsBlock, productOfPanels, productOverRows } from '../matrix/gemm';
import { madd } from '../base/simd';
import { transposePanels } from '../matrix/panels';
import { ZEROS } from '../base/tables';
import { addToRows, putAside } from '../base/vectors';
import { TAP_SUM } from '../shared/tuning';
import { beginGradients, copyTap, rowAt, validSteps } from './rows';

/**
 * A convolution over time, a correlation as torch.nn.Conv1d: row b of output step t' is the bias
 * plus the sum over taps k of w[k] x[t' stride + k dilation - left, b].
 *
 * x and y have their valid rows packed, step by step, as in `Sequence`; a row of a batch has the
 * same place in both. The facade computes the offsets of both. Row b of n valid steps has
 * floor((n + left + right - dilation (K - 1) - 1) / stride) + 1 outputs, at least 0. Steps before
 * the first are those of `state`, or zeros; steps after the last valid one are zeros.
 *
 * `conv1d_forward` reads x, state, w and bias, and writes y and stateAfter. `conv1d_backward` reads
 * x, state, dy and wTransposed; it writes dx, takes dState back and adds to dw and dBias.
 * `conv1d_prepare` writes wTransposed from w, once after every change of w.
 *
 * Groups: I / G inputs and O / G outputs each. Depthwise is G = I = O > 1, with a loop of its own.
 * The sizes of all buffers are those of `convSizes` (src/engine/conv1d.ts). T' stride, left and
 * dilation K have to be below 2^31.
 */
@unmanaged
export class Conv1d {
  /** I, O, K, G */
  inputs: i32;
  outputs: i32;
  taps: i32;
  groups: i32;
  stride: i32;
  dilation: i32;
  /** [B] i32: zeros, or steps of the state, before the first step of each row. */
  lefts: usize;
  /** T, T' and B of this pass. */
  steps: i32;
  outputSteps: i32;
  batch: i32;
  /** [T + 1] and [T' + 1] i32 in: the first row of every step. */
  offsets: usize;
  outputOffsets: usize;
  /** Bytes from row to row. */
  xRow: i32;
  yRow: i32;
  dyRow: i32;
  dxRow: i32;
  stateRow: i32;
  /** [M, I] in, M = offsets[T]; for both passes. */
  x: usize;
  /** [M', O] out, M' = outputOffsets[T']. */
  y: usize;
  /** [M', O] in, backward: gradient of y. */
  dy: usize;
  /** [M, I] out, backward, or 0 where it is not wanted; may not be x or dy. */
  dx: usize;
  /**
   * Steps of a state: 0 for none, dilation (K - 1) = left for a stream. A stream is causal, and
   * every pass but its last has a multiple of `stride` steps.
   */
  history: i32;
  /** [history, B, I] in: the steps before the first. */
  state: usize;
  /**
   * [history, B, I] out: the last valid steps, or 0 where they are not wanted. May be `state` where
   * no backward pass follows.
   */
  stateAfter: usize;
  /**
   * [history, B, I] inout, or 0 where none flows: gradient of the state after the last step, then
   * of that before the first.
   */
  dState: usize;
  /**
   * Panels [K I / G, O / G] of every group, one group after the other; row k I / G + i is tap k,
   * input i. Depthwise: panels [K, O]. All panels have four vectors.
   */
  w: usize;
  /** [O] in, zeros up to a multiple of four; or 0 for none. */
  bias: usize;
  /**
   * Derived for the backward pass: panels [O / G rounded up to a multiple of four, K I / G] of
   * every group. Depthwise: 0.
   */
  wTransposed: usize;
  /** inout, accumulate: like the parameters. */
  dw: usize;
  /** [O] f64 */
  dBias: usize;
  /** Where dw is put aside, like dw, or 0; outputs of the window after these. */
  dwRest: usize;
  summed: i32;
  /**
   * [windowRows, windowRow] scratch: what some outputs of a group see, or the steps that they see.
   * Depthwise: [K] i32.
   */
  windows: usize;
  windowRows: i32;
  /** Bytes from row to row: K I / G elements rounded up to whole vectors, at least. */
  windowRow: i32;
  /**
   * Scratch of [windowRows, O / G rounded up to a multiple of four] where a group has `TAP_SUM`
   * inputs, and the same for G > 1.
   */
  slice: usize;
  /** scratch */
  product: Product;
}

/** Every input has one output of its own. */
function isDepthwise(d: Conv1d): bool {
  return d.groups > 1 && d.groups == d.inputs && d.groups == d.outputs;
}

/** M' */
function outputRows(d: Conv1d): i32 {
  return load<i32>(d.outputOffsets + (d.outputSteps << 2));
}

/** Inputs and outputs of a group. */
function groupInputs(d: Conv1d): i32 {
  return d.inputs / d.groups;
}

function groupOutputs(d: Conv1d): i32 {
  return d.outputs / d.groups;
}

/** Bytes of the panels [K I / G, O / G] of a group, and of their transpose. */
function panelBytes(d: Conv1d): i32 {
  return (d.taps * groupInputs(d) * ((groupOutputs(d) + 15) & ~15)) << 2;
}

function transposedBytes(d: Conv1d): i32 {
  return (((groupOutputs(d) + 3) & ~3) * ((d.taps * groupInputs(d) + 15) & ~15)) << 2;
}

/** The step that output row `row` belongs to. */
function stepOf(d: Conv1d, row: i32): i32 {
  let low = 0;
  let high = d.outputSteps;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (load<i32>(d.outputOffsets + (middle << 2)) <= row) low = middle;
    else high = middle;
  }
  return low;
}

/** The row of x at step t, or that of the state; 0 for a row of zeros. */
// @ts-ignore: decorator
@inline
function rowOfInput(d: Conv1d, t: i32, place: i32): usize {
  if (t < 0) {
    t += d.history;
    return t < 0 ? 0 : d.state + (t * d.batch + place) * d.stateRow;
  }
  const row = t < d.steps ? rowAt(d.offsets, t, place) : -1;
  return row < 0 ? 0 : d.x + row * d.xRow;
}

/** The gradient of the row of x at step t, or of that of the state; 0 where none is wanted. */
// @ts-ignore: decorator
@inline
function rowOfGradient(d: Conv1d, t: i32, place: i32): usize {
  if (t < 0) {
    t += d.history;
    return t < 0 || !d.dState ? 0 : d.dState + (t * d.batch + place) * d.stateRow;
  }
  const row = t < d.steps ? rowAt(d.offsets, t, place) : -1;
  return row < 0 ? 0 : d.dx + row * d.dxRow;
}

/** The step that the first tap of output t reads. */
// @ts-ignore: decorator
@inline
function firstTap(d: Conv1d, t: i32, place: i32): i32 {
  return t * d.stride - load<i32>(d.lefts + (place << 2));
}

/**
 * Whether windows are stretches of one line of steps: those of one sequence alone, without gaps
 * between their taps.
 */
function isLine(d: Conv1d): bool {
  const isOne = outputRows(d) == d.outputSteps && load<i32>(d.offsets + (d.steps << 2)) == d.steps;
  return isOne && d.groups == 1 && d.dilation == 1 && d.stride <= d.taps;
}

/** The steps that `rows` outputs from row `first` on see, each once: a row is a step. */
function layLine(d: Conv1d, first: i32, rows: i32): void {
  const width = d.inputs << 2;
  let step = firstTap(d, first, 0);
  const end = step + (rows - 1) * d.stride + d.taps;
  let to = d.windows;
  while (step < end) {
    const from = rowOfInput(d, step, 0);
    let count = 1;
    // Rows side by side, or the zeros after the last one, at once.
    if (step >= 0 && !from) count = end - step;
    else if (step >= 0 && d.xRow == width) count = min(end, d.steps) - step;
    copyTap(to, from, count * d.inputs);
    to += count * width;
    step += count;
  }
}

/**
 * The windows of `rows` outputs from row `first` on, as one group sees them. A window repeats what
 * the window one step before saw, `shift` taps further: those are copied at once.
 */
function layWindows(d: Conv1d, group: i32, first: i32, rows: i32): void {
  const inputs = groupInputs(d);
  const within = (group * inputs) << 2;
  const shift = d.stride % d.dilation == 0 ? min(d.stride / d.dilation, d.taps) : d.taps;
  const repeated = (d.taps - shift) * inputs;
  let t = stepOf(d, first);
  for (let r = 0; r < rows; r++) {
    while (first + r >= load<i32>(d.outputOffsets + (t << 2), 4)) t++;
    const place = first + r - load<i32>(d.outputOffsets + (t << 2));
    const before = t > 0 ? load<i32>(d.outputOffsets + ((t - 1) << 2)) + place - first : -1;
    let to = d.windows + r * d.windowRow;
    let k = 0;
    if (before >= 0) {
      k = d.taps - shift;
      copyTap(to, d.windows + before * d.windowRow + ((shift * inputs) << 2), repeated);
      to += repeated << 2;
    }
    let step = firstTap(d, t, place) + k * d.dilation;
    for (; k < d.taps; k++) {
      const from = rowOfInput(d, step, place);
      copyTap(to, from ? from + within : 0, inputs);
      to += inputs << 2;
      step += d.dilation;
    }
  }
}

/** Windows for a product, each by itself or in a line; gives the bytes from one to the next. */
function windowsOf(d: Conv1d, group: i32, first: i32, rows: i32): i32 {
  if (isLine(d)) {
    layLine(d, first, rows);
    return (d.stride * d.inputs) << 2;
  }
  layWindows(d, group, first, rows);
  return d.windowRow;
}

/** dx += the gradients of the windows of `rows` outputs from row `first` on, the last row first. */
function addWindows(d: Conv1d, group: i32, first: i32, rows: i32): void {
  const inputs = groupInputs(d);
  const within = (group * inputs) << 2;
  let t = stepOf(d, first + rows - 1);
  for (let r = rows - 1; r >= 0; r--) {
    while (first + r < load<i32>(d.outputOffsets + (t << 2))) t--;
    const place = first + r - load<i32>(d.outputOffsets + (t << 2));
    let from = d.windows + r * d.windowRow;
    let step = firstTap(d, t, place);
    for (let k = 0; k < d.taps; k++) {
      const to = rowOfGradient(d, step, place);
      if (to) addTo(to + within, from, inputs);
      from += inputs << 2;
      step += d.dilation;
    }
  }
}

/** to [n] += from [n]; nothing beyond, where the next group is. */
// @ts-ignore: decorator
@inline
function addTo(to: usize, from: usize, n: i32): void {
  addToRows(to, 0, 1, n >> 2, from);
  for (let k = n & ~3; k < n; k++) {
    const at = to + (k << 2);
    store<f32>(at, load<f32>(at) + load<f32>(from + (k << 2)));
  }
}

/** Bytes from row to row of `slice`. */
// @ts-ignore: decorator
@inline
function sliceRow(d: Conv1d): i32 {
  return ((groupOutputs(d) + 3) & ~3) << 2;
}

/** What groups have of `slice`: what is behind the sums of taps, if there are any. */
function groupSlice(d: Conv1d): usize {
  return d.slice + (groupInputs(d) < TAP_SUM ? 0 : d.windowRows * sliceRow(d));
}

/** c = initial + windows w + bias, for `rows` windows from row `first` on; bias may be 0. */
function windowSums(
  d: Conv1d,
  first: i32,
  rows: i32,
  aRow: i32,
  w: usize,
  initial: usize,
  c: usize,
  cRow: i32,
  bias: usize,
): void {
  const inputs = groupInputs(d);
  const vectors = (groupOutputs(d) + 3) >> 2;
  const depth = d.taps * inputs;
  const row = sliceRow(d);
  const p = d.product;
  // All taps as one, or each by itself.
  let n = depth;
  let tap = 0;
  let end = 1;
  if (inputs >= TAP_SUM) {
    n = inputs;
    end = d.taps;
    if (isLine(d)) {
      // Taps that see no step in any of these windows give nothing.
      const step = firstTap(d, first, 0);
      const from = max(0, -d.history - step - (rows - 1) * d.stride);
      const to = min(end, d.steps - step);
      if (from < to) {
        tap = from;
        end = to;
      }
    }
  }
  let a = d.windows + ((tap * n) << 2);
  w += (tap * n) << 6;
  productOfPanels(p, rows, a, aRow, n, w, depth, vectors, 4, initial, c, cRow);
  while (++tap < end) {
    a += n << 2;
    w += n << 6;
    productOfPanels(p, rows, a, aRow, n, w, depth, vectors, 4, ZEROS, d.slice, row);
    for (let r = 0; r < rows; r++) addToRows(c + r * cRow, 0, 1, vectors, d.slice + r * row);
  }
  addToRows(c, cRow, rows, vectors, bias);
}

/** y of one group, for `rows` outputs from row `first` on. */
function groupForward(d: Conv1d, group: i32, first: i32, rows: i32): void {
  const outputs = groupOutputs(d);
  const vectors = (outputs + 3) >> 2;
  const w = d.w + group * panelBytes(d);
  const y = d.y + first * d.yRow;
  const aRow = windowsOf(d, group, first, rows);
  if (d.groups == 1) return windowSums(d, first, rows, aRow, w, ZEROS, y, d.yRow, d.bias);
  // Columns of a group need not begin at a vector: they have rows of their own meanwhile.
  const at = (group * outputs) << 2;
  const row = vectors << 4;
  const c = groupSlice(d);
  for (let r = 0; r < rows; r++) copyTap(c + r * row, d.bias ? d.bias + at : 0, outputs);
  windowSums(d, first, rows, aRow, w, c, c, row, 0);
  for (let r = 0; r < rows; r++) copyTap(y + r * d.yRow + at, c + r * row, outputs);
}

/** dw and dx of one group, from `rows` outputs from row `first` on. */
function groupBackward(d: Conv1d, group: i32, first: i32, rows: i32): void {
  const outputs = groupOutputs(d);
  const vectors = (outputs + 3) >> 2;
  const depth = d.taps * groupInputs(d);
  const dw = d.dw + group * panelBytes(d);
  let dy = d.dy + first * d.dyRow;
  let row = d.dyRow;
  if (d.groups > 1) {
    const from = dy + ((group * outputs) << 2);
    const slice = groupSlice(d);
    row = sliceRow(d);
    for (let r = 0; r < rows; r++) copyTap(slice + r * row, from + r * d.dyRow, outputs);
    dy = slice;
  }
  const a = d.windows;
  const rest = d.dwRest ? d.dwRest + group * panelBytes(d) : 0;
  const summed = d.summed + outputRows(d) - first - rows;
  layWindows(d, group, first, rows);
  const p = d.product;
  productOverRows(p, rows, a, d.windowRow, depth, dy, row, vectors, 4, dw, rest, summed);
  if (d.dx) windowGradients(d, group, first, rows, dy, row);
}

/** dx += the gradients of `rows` windows, from dy in rows of their own. */
function windowGradients(d: Conv1d, group: i32, first: i32, rows: i32, dy: usize, row: i32): void {
  const outputs = groupOutputs(d);
  const columns = (outputs + 3) & ~3;
  const w = d.wTransposed + group * transposedBytes(d);
  const wide = (d.taps * groupInputs(d) + 3) >> 2;
  const a = d.windows;
  productOfPanels(d.product, rows, dy, row, outputs, w, columns, wide, 4, ZEROS, a, d.windowRow);
  addWindows(d, group, first, rows);
}

/** The rows of x that an output of a depthwise convolution sees: [K] in `windows`. */
function layRows(d: Conv1d, t: i32, place: i32): void {
  let step = firstTap(d, t, place);
  for (let k = 0; k < d.taps; k++) {
    store<usize>(d.windows + (k << 2), rowOfInput(d, step, place));
    step += d.dilation;
  }
}

/** Where the weights of vector v, tap 0 of a depthwise convolution are; taps lie 64 bytes apart. */
// @ts-ignore: decorator
@inline
function tapsOf(d: Conv1d, panels: usize, v: i32): usize {
  return panels + (((v >> 2) * d.taps) << 6) + ((v & 3) << 4);
}

function depthwiseForward(d: Conv1d): void {
  const vectors = (d.outputs + 3) >> 2;
  const zero = f32x4.splat(0);
  const rows = d.windows;
  let y = d.y;
  for (let t = 0; t < d.outputSteps; t++) {
    const first = load<i32>(d.outputOffsets + (t << 2));
    const end = load<i32>(d.outputOffsets + (t << 2), 4);
    for (let row = first; row < end; row++) {
      layRows(d, t, row - first);
      for (let v = 0; v < vectors; v++) {
        const at = v << 4;
        let w = tapsOf(d, d.w, v);
        let sum = zero;
        for (let k = 0; k < d.taps; k++) {
          const x = load<usize>(rows + (k << 2));
          sum = madd(x ? v128.load(x + at) : zero, v128.load(w), sum);
          w += 64;
        }
        v128.store(y + at, sum);
      }
      addToRows(y, 0, 1, vectors, d.bias);
      y += d.yRow;
    }
  }
}

function depthwiseBackward(d: Conv1d): void {
  const vectors = (d.outputs + 3) >> 2;
  const rows = outputRows(d);
  const zero = f32x4.splat(0);
  for (let t = d.outputSteps - 1; t >= 0; t--) {
    const first = load<i32>(d.outputOffsets + (t << 2));
    const end = load<i32>(d.outputOffsets + (t << 2), 4);
    for (let row = end - 1; row >= first; row--) {
      const dy = d.dy + row * d.dyRow;
      const place = row - first;
      const from = firstTap(d, t, place);
      for (let k = 0; k < d.taps; k++) {
        const step = from + k * d.dilation;
        const x = rowOfInput(d, step, place);
        const dx = d.dx ? rowOfGradient(d, step, place) : 0;
        for (let v = 0; v < vectors; v++) {
          const at = v << 4;
          const dw = tapsOf(d, d.dw, v) + (k << 6);
          const g = v128.load(dy + at);
          v128.store(dw, madd(x ? v128.load(x + at) : zero, g, v128.load(dw)));
          if (!dx) continue;
          const w = v128.load(tapsOf(d, d.w, v) + (k << 6));
          v128.store(dx + at, madd(g, w, v128.load(dx + at)));
        }
      }
      const summed = d.summed + rows - row;
      if (d.dwRest && endsBlock(summed))
        putAside(d.dw, d.dwRest, (((vectors + 3) >> 2) * d.taps) << 4);
    }
  }
}

/** The last `history` steps of every row; those before the first come from the state before. */
function keepState(d: Conv1d): void {
  for (let place = 0; place < d.batch; place++) {
    const first = validSteps(d.offsets, d.steps, place) - d.history;
    for (let j = 0; j < d.history; j++) {
      const to = d.stateAfter + (j * d.batch + place) * d.stateRow;
      copyTap(to, rowOfInput(d, first + j, place), d.inputs);
    }
  }
}

export function conv1dForward(descriptor: usize): void {
  const d = changetype<Conv1d>(descriptor);
  const rows = outputRows(d);
  if (isDepthwise(d)) {
    depthwiseForward(d);
  } else {
    for (let first = 0; first < rows; first += d.windowRows) {
      const block = min(rows - first, d.windowRows);
      for (let group = 0; group < d.groups; group++) groupForward(d, group, first, block);
    }
  }
  if (d.stateAfter) keepState(d);
}

export function conv1dBackward(descriptor: usize): void {
  const d = changetype<Conv1d>(descriptor);
  const rows = outputRows(d);
  if (d.dx) {
    beginGradients(
      d.offsets,
      d.steps,
      d.batch,
      d.history,
      d.dState,
      d.stateRow,
      d.dx,
      d.dxRow,
      ((d.inputs + 3) & ~3) << 2,
    );
  }
  if (d.dBias) columnSums(d.dBias, d.dy, d.dyRow, rows, (d.outputs + 3) >> 2);
  if (isDepthwise(d)) return depthwiseBackward(d);
  for (let end = rows; end > 0; end -= d.windowRows) {
    const first = max(0, end - d.windowRows);
    for (let group = 0; group < d.groups; group++) groupBackward(d, group, first, end - first);
  }
}

export function conv1dPrepare(descriptor: usize): void {
  const d = changetype<Conv1d>(descriptor);
  if (!d.wTransposed) return;
  const depth = d.taps * groupInputs(d);
  const columns = (groupOutputs(d) + 3) & ~3;
  for (let group = 0; group < d.groups; group++) {
    const out = d.wTransposed + group * transposedBytes(d);
    transposePanels(out, d.w + group * panelBytes(d), depth, columns, 4);
  }
}

/**
 * The transpose of a convolution: what a step of y gave is added to the steps of x that its window
 * sees. It reads dy, wTransposed and bias, [I], and writes dx: outputs of a layer whose inputs are
 * dy. There are no groups and no state.
 */
export function convTranspose1dForward(descriptor: usize): void {
  const d = changetype<Conv1d>(descriptor);
  const inputs = load<i32>(d.offsets + (d.steps << 2));
  for (let r = 0; r < inputs; r++) copyTap(d.dx + r * d.dxRow, d.bias, (d.inputs + 3) & ~3);
  const rows = outputRows(d);
  for (let end = rows; end > 0; end -= d.windowRows) {
    const first = max(0, end - d.windowRows);
    windowGradients(d, 0, first, end - first, d.dy + first * d.dyRow, d.dyRow);
  }
}

/**
 * Its way back is that convolution, without a bias: it reads x, the gradient of what the forward
 * pass wrote, dy and w; it writes y, the gradient of dy, which may be dy, or 0 where it is not
 * wanted; and it adds to dw and dBias.
 */
export function convTranspose1dBackward(descriptor: usize): void {
  const d = changetype<Conv1d>(descriptor);
  const inputs = load<i32>(d.offsets + (d.steps << 2));
  if (d.dBias) columnSums(d.dBias, d.x, d.xRow, inputs, (d.inputs + 3) >> 2);
  const vectors = (d.outputs + 3) >> 2;
  const depth = d.taps * d.inputs;
  const a = d.windows;
  const p = d.product;
  for (let end = outputRows(d); end > 0; end -= d.windowRows) {
    const first = max(0, end - d.windowRows);
    const rows = end - first;
    const dy = d.dy + first * d.dyRow;
    layWindows(d, 0, first, rows);
    const summed = d.summed + outputRows(d) - end;
    const dw = d.dw;
    const rest = d.dwRest;
    productOverRows(p, rows, a, d.windowRow, depth, dy, d.dyRow, vectors, 4, dw, rest, summed);
    if (!d.y) continue;
    const y = d.y + first * d.yRow;
    productOfPanels(p, rows, a, d.windowRow, depth, d.w, depth, vectors, 4, ZEROS, y, d.yRow);
  }
}
