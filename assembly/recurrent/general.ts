/**
 * The step of a layer with options (`Options` in base/structs.ts): around the pointwise passes of
 * the cell what they need of matrix products, masks, normalisation, projection and zoneout. Speed
 * is secondary here: every option is a test at run time.
 *
 *   a = mask h' (recurrent dropout)         sums = W x + b + a R,  or LN(W x) + b + LN(a R)
 *   h_new = m, or clip(m W_hr^T)            h = h' + k (h_new - h')
 *   k = 0 or 1 by the mask of zoneout, 1 - p without one
 */

import { productOfPanels, productOverRows } from '../matrix/gemm';
import { gruCandidate, gruCandidateBackward, gruGates, gruResetBackward } from '../cells/gru';
import { Options, Sequence } from '../base/structs';
import { lstmBackward, lstmForward } from '../cells/lstm';
import { normBackward, standardise, stretch } from '../layers/norm';
import { transposePanels } from '../matrix/panels';
import { incoming } from '../cells/cell';
import { recurrentProduct, throughRecurrent } from './products';
import { rnnBackward, rnnForward } from '../cells/rnn';
import * as codes from '../shared/codes';
import { clamp, flush, madd } from '../base/simd';
import { ZEROS } from '../base/tables';

/** Whether the recurrent product stands apart from that of the input until the cell's update. */
function isApart(o: Options): bool {
  return o.kind == codes.CELL_GRU_AFTER;
}

// @ts-ignore: decorator
@inline
function isGru(o: Options): bool {
  return o.kind == codes.CELL_GRU_AFTER || o.kind == codes.CELL_GRU_BEFORE;
}

/** What the recurrent product reads: the state before the step, masked or as it is. */
function operandOf(q: Sequence, o: Options): usize {
  const ofCell = q.operand == codes.OPERAND_CELL;
  const from = ofCell ? q.cPrevious : q.hPrevious;
  return o.recurrentMask ? o.operands + (from - (ofCell ? q.cAll : q.hAll)) : from;
}

/** The products of the input, all rows of a chunk: normalised before the bias. */
export function normaliseInputs(q: Sequence, row: i32, rows: i32): void {
  const o = q.options;
  const z = q.gatesAll + row * q.gateRow;
  const hat = o.hatInput + row * q.gateRow;
  const blocks = q.columns / q.padded;
  standardise(
    hat,
    o.inverseInput + (row << 2),
    z,
    q.gateRow,
    rows,
    blocks,
    q.hiddenBytes,
    q.hidden,
  );
  stretch(z, hat, q.gateRow, rows, q.columns << 2, o.gammaInput, q.bias);
}

/**
 * The whole sums in the gates; of a GRU with reset after those of the input there, the others in
 * the products.
 */
function sums(q: Sequence, o: Options, a: usize): void {
  if (o.kind == codes.CELL_INDEPENDENT) return;
  if (o.kind == codes.CELL_GRU_BEFORE) {
    return recurrentProduct(q, a, q.stateRow, 0, 2 * q.padded, q.gates, q.gates);
  }
  const columns = q.columns;
  if (!o.gammaHidden) {
    if (!isApart(o)) return recurrentProduct(q, a, q.stateRow, 0, columns, q.gates, q.gates);
    return recurrentProduct(q, a, q.stateRow, 0, columns, q.biasHidden, q.products);
  }
  recurrentProduct(q, a, q.stateRow, 0, columns, ZEROS, q.products);
  const hat = o.hatHidden + q.row * q.gateRow;
  const inverse = o.inverseHidden + (q.row << 2);
  const blocks = columns / q.padded;
  const wide = q.hiddenBytes;
  standardise(hat, inverse, q.products, q.gateRow, q.active, blocks, wide, q.hidden);
  const beta = isApart(o) ? q.biasHidden : 0;
  stretch(q.products, hat, q.gateRow, q.active, columns << 2, o.gammaHidden, beta);
  if (isApart(o)) return;
  for (let k = 0; k < q.active * q.gateRow; k += 16) {
    v128.store(q.gates + k, f32x4.add(v128.load(q.gates + k), v128.load(q.products + k)));
  }
}

/** One step forward. */
export function optionsStep(q: Sequence): void {
  const o = q.options;
  const a = operandOf(q, o);
  if (o.recurrentMask) {
    const from = q.operand == codes.OPERAND_CELL ? q.cPrevious : q.hPrevious;
    for (let k = 0; k < q.active * q.stateRow; k += 16) {
      v128.store(a + k, f32x4.mul(v128.load(o.recurrentMask + k), v128.load(from + k)));
    }
  }
  sums(q, o, a);
  const m = o.projected ? o.unprojected + q.row * q.stateRow : q.h;
  for (let row = 0; row < q.active; row++) {
    const state = row * q.stateRow;
    if (o.kind == codes.CELL_LSTM) lstmForward(q, o, row, m + state);
    else if (isGru(o)) {
      gruGates(q, o, row, a + state);
      if (isApart(o)) gruCandidate(q, o, row, m + state);
    } else rnnForward(q, o, row, a + state, m + state);
  }
  if (o.kind == codes.CELL_GRU_BEFORE) {
    const n = q.gates + 2 * q.hiddenBytes;
    recurrentProduct(q, q.products, q.productRow, 2 * q.padded, q.padded, n, n);
    for (let row = 0; row < q.active; row++) gruCandidate(q, o, row, m + row * q.stateRow);
  }
  if (o.projected) project(q, o, m);
  if (o.zoneMask || o.renewed != 1) zoneout(q, o);
}

/** h = clip(m W_hr^T) */
function project(q: Sequence, o: Options, m: usize): void {
  const row = q.stateRow;
  const wide = (o.projected + 3) >> 2;
  const w = o.projection;
  productOfPanels(q.product, q.active, m, row, q.hidden, w, q.hidden, wide, 4, ZEROS, q.h, row);
  for (let r = 0; r < q.active; r++) {
    const h = q.h + r * row;
    for (let k = 0; k < wide << 4; k += 16) {
      v128.store(h + k, flush(clamp(v128.load(h + k), o.projClip)));
    }
  }
}

/** How much of the new state counts, for the four units at byte k of the rows of the step. */
// @ts-ignore: decorator
@inline
function renewed(q: Sequence, o: Options, k: i32): v128 {
  return o.zoneMask ? v128.load(o.zoneMask + q.row * q.stateRow + k) : f32x4.splat(o.renewed);
}

function zoneout(q: Sequence, o: Options): void {
  for (let k = 0; k < q.active * q.stateRow; k += 16) {
    const before = v128.load(q.hPrevious + k);
    const change = f32x4.sub(v128.load(q.h + k), before);
    const share = renewed(q, o, k);
    const mixed = flush(madd(share, change, before));
    // What is renewed whole stays the same bits: the backward pass knows a clipped h by its value.
    const isWhole = f32x4.eq(share, f32x4.splat(1));
    v128.store(q.h + k, v128.bitselect(v128.load(q.h + k), mixed, isWhole));
  }
}

/**
 * Where the projection was clipped. Inference mixes h with the old one, so that the new one is
 * known up to rounding only: within 1e-5 of its bound it counts as clipped.
 */
function wasClipped(q: Sequence, o: Options, k: i32): v128 {
  const h = v128.load(q.h + k);
  if (o.zoneMask || o.renewed == 1) return f32x4.ge(f32x4.abs(h), f32x4.splat(o.projClip));
  const before = v128.load(q.hPrevious + k);
  const change = f32x4.mul(f32x4.sub(h, before), f32x4.splat(1 / o.renewed));
  const limit = f32x4.splat(o.projClip * <f32>(1 - 1e-5));
  return f32x4.ge(f32x4.abs(f32x4.add(before, change)), limit);
}

/**
 * dL/dh of the step, split: what the new state gets to `dUnprojected` (of a projection, through
 * it), what the old one keeps to dh. The gradient of a projected h stays in the place of dL/dy, for
 * the gradient of the projection.
 */
function arriving(q: Sequence, o: Options): usize {
  const zones = o.zoneMask != 0 || o.renewed != 1;
  const target = o.projected ? q.dy : o.dUnprojected;
  for (let k = 0; k < q.active * q.stateRow; k += 16) {
    let d = incoming(q, k);
    let kept = v128.load(ZEROS);
    if (zones) {
      const share = renewed(q, o, k);
      const passed = f32x4.mul(share, d);
      kept = f32x4.sub(d, passed);
      d = passed;
    }
    if (o.projected) d = v128.andnot(d, wasClipped(q, o, k));
    v128.store(q.dh + k, kept);
    v128.store(target + k, d);
  }
  if (!o.projected) return target;
  const row = q.stateRow;
  const w = o.projectionTransposed;
  const p = o.projected;
  const rows = (p + 3) & ~3;
  const to = o.dUnprojected;
  productOfPanels(q.product, q.active, target, row, p, w, rows, q.padded >> 2, 4, ZEROS, to, row);
  return o.dUnprojected;
}

/** The gradients of the recurrent sums, back through their normalisation where there is one. */
function recurrentGradients(q: Sequence, o: Options): usize {
  if (!o.gammaHidden) return isApart(o) ? q.products : q.gates;
  if (!isApart(o)) memory.copy(q.products, q.gates, q.active * q.gateRow);
  normBackward(
    q.products,
    o.hatHidden + q.row * q.gateRow,
    o.inverseHidden + (q.row << 2),
    q.gateRow,
    q.active,
    q.columns / q.padded,
    q.hiddenBytes,
    q.hidden,
    o.gammaHidden,
    o.dGammaHidden,
    isApart(o) ? q.dBiasHidden : 0,
  );
  return q.products;
}

/** e = dL/da of a GRU with reset before. */
function throughReset(q: Sequence, o: Options, a: usize, e: usize): void {
  const gates = 2 * q.padded;
  throughRecurrent(q, q.gates, gates, q.padded, e, false);
  for (let row = 0; row < q.active; row++) {
    const state = row * q.stateRow;
    gruResetBackward(q, o, row, a + state, e + state);
  }
  throughRecurrent(q, q.gates, 0, gates, e, true);
}

/** One step back. */
export function optionsStepBack(q: Sequence): void {
  const o = q.options;
  const a = operandOf(q, o);
  const dm = arriving(q, o);
  const da = o.dOperand;
  for (let row = 0; row < q.active; row++) {
    const state = row * q.stateRow;
    if (o.kind == codes.CELL_LSTM) lstmBackward(q, o, row, dm + state);
    else if (isGru(o)) gruCandidateBackward(q, o, row, dm + state);
    else rnnBackward(q, o, row, a + state, dm + state, da + state);
  }
  const target = q.operand == codes.OPERAND_CELL ? q.dc : q.dh;
  if (o.kind == codes.CELL_GRU_BEFORE) {
    throughReset(q, o, a, da);
  } else if (o.kind != codes.CELL_INDEPENDENT) {
    const isPlain = !o.recurrentMask;
    throughRecurrent(q, recurrentGradients(q, o), 0, q.columns, isPlain ? target : da, isPlain);
    if (isPlain) return;
  }
  const bytes = q.active * q.stateRow;
  for (let k = 0; k < bytes; k += 16) {
    let d = v128.load(da + k);
    if (o.recurrentMask) d = f32x4.mul(v128.load(o.recurrentMask + k), d);
    v128.store(target + k, f32x4.add(v128.load(target + k), d));
  }
}

/**
 * What is left once all steps have been gone back over: the input's normalisation, after the
 * biases, and the projection.
 */
export function optionsFinish(q: Sequence, rows: i32): void {
  const o = q.options;
  if (o.gammaInput) {
    const blocks = q.columns / q.padded;
    const n = q.hidden;
    const gamma = o.gammaInput;
    const dGamma = o.dGammaInput;
    const wide = q.hiddenBytes;
    const z = q.gatesAll;
    normBackward(z, o.hatInput, o.inverseInput, q.gateRow, rows, blocks, wide, n, gamma, dGamma, 0);
  }
  if (o.projected) {
    const wide = (o.projected + 3) >> 2;
    const m = o.unprojected;
    const row = q.stateRow;
    productOverRows(q.product, rows, m, row, q.hidden, q.dyAll, row, wide, 4, o.dProjection);
  }
}

/** Whether the gradients of recurrent sums are in the products rather than in the gates. */
export function hasOwnGradients(q: Sequence): bool {
  if (q.cell == codes.CELL_GRU_AFTER) return true;
  return q.cell == codes.CELL_OPTIONS && (isApart(q.options) || q.options.gammaHidden != 0);
}

/** Derives the transpose of the projection. */
export function optionsPrepare(q: Sequence): void {
  const o = q.options;
  const p = o.projected;
  if (p && o.projectionTransposed) {
    transposePanels(o.projectionTransposed, o.projection, q.hidden, (p + 3) & ~3, 4);
  }
}
