/**
 * What the options of a layer (`Options` in base/structs.ts) do around its cell: masks,
 * normalisation of its sums, projection and zoneout. The cell's own pass is the same without them.
 *
 *   a = mask h' (recurrent dropout)         sums = W x + b + a R,  or LN(W x) + b + LN(a R)
 *   h_new = m, or clip(m W_hr^T)            h = h' + k (h_new - h')
 *   m: what the cell makes                  k = 0 or 1 by the mask of zoneout, 1 - p without one
 */

import { productOfPanels, productOverRows } from '../matrix/gemm';
import { Options, Sequence } from '../base/structs';
import { normBackward, standardise, stretch } from '../layers/norm';
import { transposePanels } from '../matrix/panels';
import { incoming } from '../cells/cell';
import { recurrentProduct } from './products';
import * as codes from '../shared/codes';
import { clamp, flush, madd } from '../base/simd';
import { ZEROS } from '../base/tables';
import { addToRows } from '../base/vectors';

// @ts-ignore: decorator
@inline
function gateCount(q: Sequence): i32 {
  return q.columns / q.padded;
}

/** Whether some of a new h stays as it was. */
// @ts-ignore: decorator
@inline
function hasZones(o: Options): bool {
  return o.zoneMask != 0 || o.renewed != 1;
}

/** Whether a step does anything around its cell that needs all of its units. */
export function isAround(q: Sequence): bool {
  const o = q.options;
  if (!changetype<usize>(o)) return false;
  return o.recurrentMask != 0 || o.gammaHidden != 0 || o.projected != 0 || hasZones(o);
}

/** Points the fields of a step at the buffers of the options, once those of the layer are set. */
export function moveOptions(q: Sequence): void {
  const o = q.options;
  q.toSums = o.sums ? o.sums - q.gatesAll : 0;
  if (o.projected) q.h = o.unprojected + q.row * q.stateRow;
  if (o.recurrentMask)
    q.a = o.operands + (q.a - (q.operand == codes.OPERAND_CELL ? q.cAll : q.hAll));
}

/** The products of the input, all rows of a chunk: normalised before the bias. */
export function normaliseInputs(q: Sequence, row: i32, rows: i32): void {
  const o = q.options;
  const z = q.gatesAll + row * q.gateRow;
  const hat = o.hatInput + row * q.gateRow;
  standardise(hat, o.inverseInput + (row << 2), z, q.gateRow, rows, gateCount(q), q.hidden);
  stretch(z, hat, q.gateRow, rows, q.columns << 2, o.gammaInput, q.bias);
}

/** The mask of the state on its way into the product. */
export function maskState(q: Sequence): void {
  const mask = q.options.recurrentMask;
  if (!mask) return;
  const from = q.operand == codes.OPERAND_CELL ? q.cPrevious : q.hPrevious;
  for (let k = 0; k < q.active * q.stateRow; k += 16) {
    v128.store(q.a + k, f32x4.mul(v128.load(mask + k), v128.load(from + k)));
  }
}

/**
 * The recurrent product, normalised: in the products of a GRU with reset after, added to the gates
 * of other cells.
 */
export function normalisedProduct(q: Sequence): void {
  const o = q.options;
  const isApart = q.cell == codes.CELL_GRU_AFTER;
  recurrentProduct(q, q.a, q.stateRow, 0, q.columns, ZEROS, q.products);
  const hat = o.hatHidden + q.row * q.gateRow;
  const inverse = o.inverseHidden + (q.row << 2);
  standardise(hat, inverse, q.products, q.gateRow, q.active, gateCount(q), q.hidden);
  const beta = isApart ? q.biasHidden : 0;
  stretch(q.products, hat, q.gateRow, q.active, q.columns << 2, o.gammaHidden, beta);
  if (isApart) return;
  addToRows(q.gates, 0, 1, (q.active * q.gateRow) >> 4, q.products);
}

/** The states of the step, which a projection and zoneout leave. */
// @ts-ignore: decorator
@inline
export function stateOf(q: Sequence): usize {
  return q.hAll + (q.batch + q.row) * q.stateRow;
}

/** From what the cell made to the new state. */
export function finishState(q: Sequence): void {
  const o = q.options;
  if (o.projected) project(q, o);
  if (hasZones(o)) zoneout(q, o);
}

/** h = clip(m W_hr^T) */
function project(q: Sequence, o: Options): void {
  const row = q.stateRow;
  const wide = (o.projected + 3) >> 2;
  const w = o.projection;
  const to = stateOf(q);
  productOfPanels(q.product, q.active, q.h, row, q.hidden, w, q.hidden, wide, 4, ZEROS, to, row);
  for (let r = 0; r < q.active; r++) {
    const h = to + r * row;
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
  const to = stateOf(q);
  for (let k = 0; k < q.active * q.stateRow; k += 16) {
    const before = v128.load(q.hPrevious + k);
    const h = v128.load(to + k);
    const share = renewed(q, o, k);
    const mixed = flush(madd(share, f32x4.sub(h, before), before));
    // What is renewed whole stays the same bits: the backward pass knows a clipped h by its value.
    v128.store(to + k, v128.bitselect(h, mixed, f32x4.eq(share, f32x4.splat(1))));
  }
}

/**
 * Where the projection was clipped. Inference mixes h with the old one, so that the new one is
 * known up to rounding only: within 1e-5 of its bound it counts as clipped.
 */
function wasClipped(q: Sequence, o: Options, k: i32): v128 {
  const h = v128.load(stateOf(q) + k);
  if (o.zoneMask || o.renewed == 1) return f32x4.ge(f32x4.abs(h), f32x4.splat(o.projClip));
  const before = v128.load(q.hPrevious + k);
  const change = f32x4.mul(f32x4.sub(h, before), f32x4.splat(1 / o.renewed));
  const limit = f32x4.splat(o.projClip * <f32>(1 - 1e-5));
  return f32x4.ge(f32x4.abs(f32x4.add(before, change)), limit);
}

/** Whether dL/dh passes through zoneout or a projection before it reaches the cell. */
export function isFinished(q: Sequence): bool {
  const o = q.options;
  return changetype<usize>(o) && (o.projected != 0 || hasZones(o));
}

/**
 * dL/dh of the step, split: what the cell made gets its share at `dUnprojected`, what the old state
 * keeps stays in dh. The gradient of a projected h stays in the place of dL/dy, for the gradient of
 * the projection.
 */
export function startBack(q: Sequence): void {
  const o = q.options;
  const zones = hasZones(o);
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
  if (!o.projected) return;
  const row = q.stateRow;
  const w = o.projectionTransposed;
  const p = o.projected;
  const rows = (p + 3) & ~3;
  const to = o.dUnprojected;
  productOfPanels(q.product, q.active, target, row, p, w, rows, q.padded >> 2, 4, ZEROS, to, row);
}

/** dh += what the cell's pass has left of its share. */
export function finishBack(q: Sequence): void {
  addToRows(q.dh, 0, 1, (q.active * q.stateRow) >> 4, q.options.dUnprojected);
}

/** The gradients of the recurrent sums, back through their normalisation, to the products. */
export function normalisedBack(q: Sequence): void {
  const o = q.options;
  const isApart = q.cell == codes.CELL_GRU_AFTER;
  if (!isApart) memory.copy(q.products, q.gates, q.active * q.gateRow);
  normBackward(
    q.products,
    o.hatHidden + q.row * q.gateRow,
    o.inverseHidden + (q.row << 2),
    q.gateRow,
    q.active,
    gateCount(q),
    q.hidden,
    o.gammaHidden,
    o.dGammaHidden,
    isApart ? q.dBiasHidden : 0,
  );
}

/** The gradient of the state from that of its masked form. */
export function maskBack(q: Sequence): void {
  const mask = q.options.recurrentMask;
  if (!mask) return;
  const to = q.operand == codes.OPERAND_CELL ? q.dc : q.dh;
  for (let k = 0; k < q.active * q.stateRow; k += 16) {
    const d = f32x4.mul(v128.load(mask + k), v128.load(q.da + k));
    v128.store(to + k, f32x4.add(v128.load(to + k), d));
  }
}

/**
 * What is left once all steps have been gone back over: the input's normalisation, after the
 * biases, and the projection.
 */
export function finishSequence(q: Sequence, rows: i32): void {
  const o = q.options;
  if (o.gammaInput) {
    const n = q.hidden;
    const gamma = o.gammaInput;
    const inverse = o.inverseInput;
    const z = q.gatesAll;
    const count = gateCount(q);
    normBackward(z, o.hatInput, inverse, q.gateRow, rows, count, n, gamma, o.dGammaInput, 0);
  }
  if (o.projected) {
    const wide = (o.projected + 3) >> 2;
    const m = o.unprojected;
    const row = q.stateRow;
    const dw = o.dProjection;
    const rest = o.dProjectionRest;
    const dy = q.dyAll;
    productOverRows(q.product, rows, m, row, q.hidden, dy, row, wide, 4, dw, rest, q.summed);
  }
}

/** Derives the transpose of the projection. */
export function prepareProjection(o: Options, hidden: i32): void {
  const p = o.projected;
  if (p && o.projectionTransposed) {
    transposePanels(o.projectionTransposed, o.projection, hidden, (p + 3) & ~3, 4);
  }
}
