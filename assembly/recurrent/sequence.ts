/**
 * The time loop that all cells share: the input product of all steps at once, then step after step
 * the recurrent product and the cell's update; backwards the cell's update and the product with
 * R^T, then the gradients of the weights as products over all steps.
 */

import { columnSums, productOfPanels, productOverRows } from '../matrix/gemm';
import { productInt8 } from '../matrix/int8';
import { Sequence } from '../base/structs';
import { addToRows, sumOfSquares } from '../base/vectors';
import {
  finishBack,
  finishSequence,
  finishState,
  isAround,
  isFinished,
  maskBack,
  maskState,
  moveOptions,
  normaliseInputs,
  normalisedBack,
  normalisedProduct,
  prepareProjection,
  startBack,
} from './around';
import { bringBack, keepStates, setAside } from './masked';
import { transposePanels } from '../matrix/panels';
import { pointwise } from '../cells/index';
import { hasMatrix, recurrentProduct, throughRecurrent } from './products';
import * as codes from '../shared/codes';
import { CHUNK_BYTES, CHUNK_STEPS } from '../shared/tuning';
import { ZEROS } from '../base/tables';

/** The first row of step t in the buffers of all steps. */
// @ts-ignore: decorator
@inline
function firstRow(q: Sequence, t: i32): i32 {
  return load<i32>(q.offsets + (t << 2));
}

/**
 * The row of the states before step t: those of every step follow those of the initial state.
 */
// @ts-ignore: decorator
@inline
function previousRow(q: Sequence, t: i32): i32 {
  return t ? q.batch + firstRow(q, t - 1) : 0;
}

/** Points the fields of a step at step t of the sequence. */
function moveTo(q: Sequence, t: i32): void {
  const all = firstRow(q, t + 1) - firstRow(q, t);
  const row = firstRow(q, t) + q.from;
  const previous = (previousRow(q, t) + q.from) * q.stateRow;
  const state = (q.batch + row) * q.stateRow;
  q.active = max(min(all, q.until) - q.from, 0);
  q.row = row;
  q.after = q.summed + rowsOf(q) - firstRow(q, t + 1);
  q.isOdd = t & 1;
  q.gates = q.gatesAll + row * q.gateRow;
  q.products = q.productsAll + row * q.productRow;
  q.hPrevious = q.hAll + previous;
  q.h = q.hAll + state;
  q.cPrevious = q.cAll + previous;
  q.c = q.cAll + state;
  q.dy = q.dyAll ? q.dyAll + row * q.stateRow : 0;
  q.a = q.operand == codes.OPERAND_CELL ? q.cPrevious : q.hPrevious;
  if (hasOptions(q)) moveOptions(q);
}

// @ts-ignore: decorator
@inline
function hasOptions(q: Sequence): bool {
  return changetype<usize>(q.options) != 0;
}

/** Whether a layer normalises its products. */
// @ts-ignore: decorator
@inline
function isNormalised(q: Sequence): bool {
  return hasOptions(q) && q.options.gammaHidden != 0;
}

/** One step forward of the units of panels `first` to `end`; of some cells over all. */
function step(q: Sequence, first: i32, end: i32): void {
  const isOptional = hasOptions(q);
  if (isOptional) maskState(q);
  const isBefore = q.cell == codes.CELL_GRU_BEFORE;
  const V = q.panelVectors << 2;
  const from = isBefore ? 0 : first * V;
  const columns = isBefore ? 2 * q.padded : (end - first) * V;
  const at = from << 2;
  const z = q.gates + at;
  if (isOptional && q.options.gammaHidden) {
    normalisedProduct(q);
  } else if (q.cell == codes.CELL_GRU_AFTER) {
    recurrentProduct(q, q.a, q.stateRow, from, columns, ZEROS, q.products + at);
    const bias = q.biasHidden ? q.biasHidden + at : 0;
    addToRows(q.products + at, q.gateRow, q.active, columns >> 2, bias);
  } else if (hasMatrix(q)) {
    recurrentProduct(q, q.a, q.stateRow, from, columns, z, z);
  }
  pointwise(q, first, end, /* candidate */ false, /* back */ false);
  if (isBefore) {
    const n = z + 2 * q.hiddenBytes;
    recurrentProduct(q, q.products, q.productRow, 2 * q.padded, q.padded, n, n);
    pointwise(q, first, end, /* candidate */ true, /* back */ false);
  }
  if (isOptional) finishState(q);
  if (q.masked) {
    const panels = panelsOf(q);
    const span = q.hiddenBytes / panels;
    keepStates(q, first * span, end == panels ? q.hiddenBytes : end * span);
  }
}

/**
 * Whether a step may be taken by parts of its units: a part reads of this step nothing that another
 * one writes.
 */
export function hasUnits(q: Sequence): bool {
  return q.cell != codes.CELL_GRU_BEFORE && !isAround(q);
}

/** Step t forward of the units of panels `first` to `end` alone. */
// @ts-ignore: decorator
@inline
export function unitsForward(q: Sequence, t: i32, first: i32, end: i32): void {
  moveTo(q, t);
  step(q, first, end);
}

/**
 * W x + b of `rows` rows of the sequence, from row `first` on. An LSTM and an Elman network sum up
 * from b on, a GRU adds it at the end.
 */
export function inputProducts(q: Sequence, first: i32, rows: i32): void {
  const isGru = q.cell == codes.CELL_GRU_AFTER || q.cell == codes.CELL_GRU_BEFORE;
  const isLate = isGru || isNormalised(q);
  const initial = q.bias && !isLate ? q.bias : ZEROS;
  const x = q.x + first * q.xRow;
  const gates = q.gatesAll + first * q.gateRow;
  const vectors = q.columns >> 2;
  if (q.inputInt8) {
    productInt8(q.inputInt8, rows, x, q.xRow, 0, vectors, initial, 0, gates, q.gateRow, false);
  } else {
    productOfPanels(
      q.product,
      rows,
      x,
      q.xRow,
      q.inputs,
      q.w,
      q.inputs,
      vectors,
      q.panelVectors,
      initial,
      gates,
      q.gateRow,
    );
  }
  if (isNormalised(q)) normaliseInputs(q, first, rows);
  else if (isGru) addToRows(gates, q.gateRow, rows, vectors, q.bias);
}

/** Steps `first` to `end`, forward. */
export function stepsForward(q: Sequence, first: i32, end: i32): void {
  const panels = panelsOf(q);
  for (let t = first; t < end; t++) {
    unitsForward(q, t, 0, panels);
  }
}

/** The states of every step and the gates, from x and the initial state. */
export function sequenceForward(descriptor: usize): void {
  const q = changetype<Sequence>(descriptor);
  const chunk = max(CHUNK_STEPS, CHUNK_BYTES / (q.batch * q.gateRow));
  for (let first = 0; first < q.steps; first += chunk) {
    const end = min(first + chunk, q.steps);
    const row = firstRow(q, first);
    inputProducts(q, row, firstRow(q, end) - row);
    stepsForward(q, first, end);
  }
}

/**
 * The pointwise pass back, which leaves in dh and dc what does not pass through the last recurrent
 * product.
 */
function pointwiseBack(q: Sequence): void {
  const panels = panelsOf(q);
  if (q.cell == codes.CELL_GRU_BEFORE) {
    pointwise(q, 0, panels, /* candidate */ true, /* back */ true);
    throughRecurrent(q, q.gates, 2 * q.padded, q.padded, q.dc, false);
  }
  pointwise(q, 0, panels, /* candidate */ false, /* back */ true);
}

/** The same between zoneout, projection and masks: the cell sees dL/dm in the place of dL/dh. */
function pointwiseBackAround(q: Sequence): void {
  if (q.options.recurrentMask) {
    q.da = q.options.dOperand;
    memory.fill(q.da, 0, q.active * q.stateRow);
  }
  if (!isFinished(q)) return pointwiseBack(q);
  const dh = q.dh;
  const dhSeen = q.dhSeen;
  startBack(q);
  q.dh = q.options.dUnprojected;
  q.dy = 0;
  q.dhSeen = 0;
  pointwiseBack(q);
  q.dh = dh;
  q.dhSeen = dhSeen;
  finishBack(q);
}

/** Whether the gradients of recurrent sums are in the products rather than in the gates. */
function hasOwnGradients(q: Sequence): bool {
  return q.cell == codes.CELL_GRU_AFTER || isNormalised(q);
}

/** One step back: gates and products become gradients, dh and dc those of the step before. */
function stepBack(q: Sequence): void {
  q.da = q.operand == codes.OPERAND_CELL ? q.dc : q.dh;
  if (q.masked) setAside(q);
  if (hasOptions(q)) pointwiseBackAround(q);
  else pointwiseBack(q);
  if (isNormalised(q)) normalisedBack(q);
  if (hasMatrix(q)) {
    const columns = q.cell == codes.CELL_GRU_BEFORE ? 2 * q.padded : q.columns;
    throughRecurrent(q, hasOwnGradients(q) ? q.products : q.gates, 0, columns, q.da, true);
  }
  if (hasOptions(q)) maskBack(q);
  if (q.masked) bringBack(q);
}

/**
 * dR += (states before every step)^T (gradients of its gates), the last step first, for `vectors`
 * vectors of columns from panel `panel` on. A stretch of steps whose rows and whose states before
 * them follow each other is one product: the whole sequence, unless lengths differ.
 */
function recurrentWeights(q: Sequence, gradients: usize, panel: i32, vectors: i32): void {
  // Panels of a candidate have a product of their own.
  if (vectors <= 0) return;
  const isMasked = hasOptions(q) && q.options.recurrentMask != 0;
  const states = q.operand == codes.OPERAND_CELL ? q.cAll : q.hAll;
  const operand = isMasked ? q.options.operands : states;
  const panelVector = q.panelVectors;
  const z = panel * (panelVector << 4);
  for (let end = q.steps; end > 0;) {
    let first = end - 1;
    const rows = firstRow(q, end) - firstRow(q, first);
    while (
      first > 0 &&
      firstRow(q, first) - firstRow(q, first - 1) == rows &&
      previousRow(q, first) - previousRow(q, first - 1) == rows
    ) {
      first--;
    }
    const row = firstRow(q, first);
    productOverRows(
      q.product,
      firstRow(q, end) - row,
      operand + previousRow(q, first) * q.stateRow,
      q.stateRow,
      q.depth,
      gradients + row * q.gateRow + z,
      q.gateRow,
      vectors,
      panelVector,
      q.dr + q.depth * z,
      q.drRest ? q.drRest + q.depth * z : 0,
      q.summed + rowsOf(q) - firstRow(q, end),
    );
    end = first;
  }
}

/** The norms of the gradients that step t has seen. */
function measure(q: Sequence, t: i32): void {
  const n = <i32>((<u32>q.active * q.stateRow) >> 2);
  const to = q.norms + (t << 4);
  store<f64>(to, Math.sqrt(sumOfSquares(q.dhSeen, n)));
  store<f64>(to, q.dcSeen ? Math.sqrt(sumOfSquares(q.dcSeen, n)) : 0, 8);
}

/** From step `end` back to step `first`: gates become the gradients of their sums. */
export function stepsBackward(q: Sequence, first: i32, end: i32): void {
  for (let t = end - 1; t >= first; t--) {
    moveTo(q, t);
    stepBack(q);
    if (q.dhSeen) measure(q, t);
  }
}

/** The gradients of the parameters in the columns of panels `panel` to `end`, after all steps. */
export function weightGradients(q: Sequence, panel: i32, end: i32): void {
  const rows = rowsOf(q);
  const V = q.panelVectors;
  const first = panel * V;
  const vectors = min(end * V, q.columns >> 2) - first;
  const at = first << 4;
  const recurrent = hasOwnGradients(q) ? q.productsAll : q.gatesAll;
  const z = q.gatesAll + at;
  const zRow = q.gateRow;
  if (q.bias) columnSums(q.dBiasInput + 2 * at, z, zRow, rows, vectors);
  if (q.dBiasHidden) {
    const dBiasHidden = q.dBiasHidden + 2 * at;
    // A bias that follows a normalisation has the gradient of the gates, as the other has; that of
    // a GRU is added up by the steps.
    if (q.cell != codes.CELL_GRU_AFTER) {
      memory.copy(dBiasHidden, q.dBiasInput + 2 * at, vectors << 5);
    } else if (!isNormalised(q)) {
      columnSums(dBiasHidden, recurrent + at, zRow, rows, vectors);
    }
  }
  if (hasOptions(q) && !panel) finishSequence(q, rows);
  productOverRows(
    q.product,
    rows,
    q.x,
    q.xRow,
    q.inputs,
    z,
    zRow,
    vectors,
    V,
    q.dw + q.inputs * at,
    q.dwRest ? q.dwRest + q.inputs * at : 0,
    q.summed,
  );
  if (!hasMatrix(q)) return;
  const isBefore = q.cell == codes.CELL_GRU_BEFORE;
  const gates = isBefore ? (2 * q.padded) >> 2 : q.columns >> 2;
  recurrentWeights(q, recurrent, panel, min(first + vectors, gates) - first);
  // The candidate's columns follow those of both gates; what they multiply is r * h.
  const candidate = max(first, gates);
  const left = first + vectors - candidate;
  if (left > 0) {
    const c = candidate << 4;
    productOverRows(
      q.product,
      rows,
      q.productsAll,
      q.productRow,
      q.hidden,
      q.gatesAll + c,
      zRow,
      left,
      4,
      q.dr + q.hidden * c,
      q.drRest ? q.drRest + q.hidden * c : 0,
      q.summed,
    );
  }
}

/** dx of `rows` rows of the sequence, from row `first` on. */
export function inputGradients(q: Sequence, first: i32, rows: i32): void {
  if (!q.dx) return;
  productOfPanels(
    q.product,
    rows,
    q.gatesAll + first * q.gateRow,
    q.gateRow,
    q.columns,
    q.wTransposed,
    q.columns,
    (q.inputs + 3) >> 2,
    4,
    ZEROS,
    q.dx + first * q.dxRow,
    q.dxRow,
  );
}

/** Rows of all steps. */
// @ts-ignore: decorator
@inline
export function rowsOf(q: Sequence): i32 {
  return firstRow(q, q.steps);
}

/**
 * Where the rows of the batch end before which lie `share` of the rows of all steps, counted in
 * blocks of `block`.
 */
export function rowAt(q: Sequence, share: i32, block: i32): i32 {
  let row = 0;
  for (let rows = 0; rows < share && row < q.batch;) {
    row = min(row + block, q.batch);
    rows = 0;
    for (let t = 0; t < q.steps; t++) rows += min(firstRow(q, t + 1) - firstRow(q, t), row);
  }
  return row;
}

/** Panels of the gates. */
// @ts-ignore: decorator
@inline
export function panelsOf(q: Sequence): i32 {
  const V = q.panelVectors;
  return ((q.columns >> 2) + V - 1) / V;
}

/**
 * From dL/dy and dL/d(last h, c) in dh, dc: the gradients of parameters (added), inputs and initial
 * state (left in dh, dc). Uses up the gates that the forward pass left.
 */
export function sequenceBackward(descriptor: usize): void {
  const q = changetype<Sequence>(descriptor);
  stepsBackward(q, 0, q.steps);
  weightGradients(q, 0, panelsOf(q));
  inputGradients(q, 0, rowsOf(q));
}

/**
 * Derives the sum of the biases and, where there is room for them, the transposes, from the
 * parameters.
 */
export function sequencePrepare(descriptor: usize): void {
  const q = changetype<Sequence>(descriptor);
  const vectors = q.panelVectors;
  const columnVectors = q.columns >> 2;
  if (q.bias != q.biasInput) {
    memory.copy(q.bias, q.biasInput, columnVectors << 4);
    addToRows(q.bias, 0, 1, columnVectors, q.biasHidden);
  }
  if (q.rTransposed) transposePanels(q.rTransposed, q.r, q.depth, q.columns, vectors);
  if (!q.wTransposed) return;
  transposePanels(q.wTransposed, q.w, q.inputs, q.columns, vectors);
  if (hasOptions(q)) prepareProjection(q.options, q.hidden);
}

/**
 * The update of one step alone: LSTM from sums in gates; GRU with reset after from the input's in
 * gates, the other's in products.
 */
export function cellForward(descriptor: usize): void {
  const q = changetype<Sequence>(descriptor);
  pointwise(q, 0, q.padded >> 2, /* candidate */ false, /* back */ false);
}

/** The backward pass of the same. */
export function cellBackward(descriptor: usize): void {
  const q = changetype<Sequence>(descriptor);
  pointwise(q, 0, q.padded >> 2, /* candidate */ false, /* back */ true);
}
