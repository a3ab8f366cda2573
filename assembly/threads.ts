/**
 * Shares of a call for threads that run the same kernels on the same memory. What is split are rows
 * and columns, never a sum: every element is computed by one thread in the one order there is, so
 * that any number of threads makes the same bits.
 *
 *   forward    the products of the input by rows of all steps, then the steps by rows of the batch
 *   backward   the steps by rows of the batch, then weights by columns, then dx by rows of all
 *              steps: where a linear layer stands below, dx takes the place of x, which the
 *              weights read
 *
 * A phase begins when all shares of the one before have ended. A thread may run its share in
 * pieces, as parts of a finer cut.
 */

import { Dense, denseInputs, denseOutputs, densePanels, denseWeights } from './layers/dense';
import { Options, Product, Sequence } from './base/structs';
import { Rows, addRows, gatherRows } from './layers/rows';
import { Loss, lossRows } from './training/loss';
import { Update, update } from './training/optim';
import {
  hasUnits,
  inputGradients,
  inputProducts,
  panelsOf,
  rowAt,
  rowsOf,
  stepsBackward,
  stepsForward,
  unitsForward,
  weightGradients,
} from './recurrent/sequence';
import { hasMatrix } from './recurrent/products';
import * as codes from './shared/codes';

/**
 * Scratch of a thread: copies of the descriptors, which it may not write into where others read
 * them.
 */
const OPTIONS_AT: usize = offsetof<Sequence>();
const PRODUCT_AT: usize = OPTIONS_AT + offsetof<Options>();
export const PART_BYTES: i32 = <i32>((PRODUCT_AT + offsetof<Product>() + 63) & ~63);

/**
 * The scratch of this thread, and the rows of the batch that its steps go over. Every thread has an
 * instance of the module, and with it globals of its own.
 */
let seat: usize = 0;
let rowsFrom: i32 = 0;
let rowsUntil: i32 = 0;

/** Takes the scratch of one thread among that of all, for the calls to come. */
export function takeSeat(scratch: usize, thread: i32): void {
  seat = scratch + thread * PART_BYTES;
}

/** Takes rows `from` to `until` of the batch, for the steps to come. */
export function takeRows(from: i32, until: i32): void {
  rowsFrom = from;
  rowsUntil = until;
}

/**
 * Shares are whole blocks of rows, so that each fills its tiles: of a product, and of the steps.
 */
const TILE_ROWS: i32 = 6;
const STEP_ROWS: i32 = 2;

/** What an element of an update, of a loss or of a moved row costs, in multiply-adds. */
const ELEMENT_COST: f64 = 10;

/** Where share `part` of n things begins, which are shared out in blocks. */
function cut(n: i32, block: i32, part: i32, count: i32): i32 {
  const blocks = (n + block - 1) / block;
  return min(<i32>((<i64>blocks * part) / count) * block, n);
}

/**
 * A copy of a sequence with a product of its own, for steps over rows `from` to `until` of the
 * batch.
 */
function shareOf(q: Sequence, from: i32, until: i32): Sequence {
  const own = seat;
  memory.copy(own, changetype<usize>(q), offsetof<Sequence>());
  const mine = changetype<Sequence>(own);
  const rows = from * q.stateRow;
  mine.product = changetype<Product>(own + PRODUCT_AT);
  mine.from = from;
  mine.until = until;
  mine.dh += rows;
  mine.dc += rows;
  mine.kept += rows;
  mine.keptCell += rows;
  if (!changetype<usize>(q.options)) return mine;
  memory.copy(own + OPTIONS_AT, changetype<usize>(q.options), offsetof<Options>());
  const o = changetype<Options>(own + OPTIONS_AT);
  if (o.recurrentMask) o.recurrentMask += rows;
  o.dOperand += rows;
  o.dUnprojected += rows;
  o.dCell += rows;
  mine.options = o;
  return mine;
}

/** Whether steps back sum over all their rows: into gradients of parameters, or into norms. */
function sumsOverRows(q: Sequence): bool {
  if (q.peephole || q.dhSeen || (q.dr && !hasMatrix(q))) return true;
  return changetype<usize>(q.options) != 0 && q.options.gammaHidden != 0;
}

function sequencePart(phase: i32, q: Sequence, part: i32, count: i32): void {
  const mine = shareOf(q, 0, 0);
  if (phase != codes.PART_WEIGHTS) {
    const first = cut(rowsOf(q), TILE_ROWS, part, count);
    const rows = cut(rowsOf(q), TILE_ROWS, part + 1, count) - first;
    if (phase == codes.PART_INPUTS) inputProducts(mine, first, rows);
    else inputGradients(mine, first, rows);
    return;
  }
  // The normalisation of inputs goes back over all columns between the gradients of biases and of
  // weights.
  if (changetype<usize>(q.options) && q.options.gammaInput) {
    if (part) return;
    count = 1;
  }
  const panels = panelsOf(q);
  const panel = cut(panels, 1, part, count);
  const end = cut(panels, 1, part + 1, count);
  if (panel < end) weightGradients(mine, panel, end);
}

function densePart(phase: i32, d: Dense, part: i32, count: i32): void {
  const own = seat;
  memory.copy(own, changetype<usize>(d), offsetof<Dense>());
  const mine = changetype<Dense>(own);
  mine.product = changetype<Product>(own + PRODUCT_AT);
  if (phase == codes.PART_DENSE_WEIGHTS) {
    const panels = densePanels(d);
    return denseWeights(mine, cut(panels, 1, part, count), cut(panels, 1, part + 1, count));
  }
  const first = cut(d.rows, TILE_ROWS, part, count);
  const rows = cut(d.rows, TILE_ROWS, part + 1, count) - first;
  if (phase == codes.PART_DENSE) denseOutputs(mine, first, rows);
  else denseInputs(mine, first, rows);
}

function rowsPart(phase: i32, d: Rows, part: i32, count: i32): void {
  const first = cut(d.rows, 1, part, count);
  const end = cut(d.rows, 1, part + 1, count);
  if (phase == codes.PART_GATHER) gatherRows(d, first, end);
  else addRows(d, first, end);
}

function updatePart(u: Update, part: i32, count: i32): void {
  const own = seat;
  memory.copy(own, changetype<usize>(u), offsetof<Update>());
  const mine = changetype<Update>(own);
  const first = cut(u.count, 16, part, count);
  mine.count = cut(u.count, 16, part + 1, count) - first;
  const at = first << 2;
  mine.parameters += at;
  mine.gradients += at;
  if (u.first) mine.first += at;
  if (u.second) mine.second += at;
  update(own);
}

function lossPart(l: Loss, part: i32, count: i32): void {
  lossRows(l, cut(l.rows, 1, part, count), cut(l.rows, 1, part + 1, count));
}

/** The row of the batch where part `part` of `count` of the steps begins. */
export function rowOfPart(descriptor: usize, back: bool, part: i32, count: i32): i32 {
  const q = changetype<Sequence>(descriptor);
  if (back && sumsOverRows(q)) return part ? q.batch : 0;
  return rowAt(q, cut(rowsOf(q), 1, part, count), STEP_ROWS);
}

/** Steps `first` to `end`, or from `end` back to `first`, over the rows that have been taken. */
export function runSteps(descriptor: usize, back: bool, first: i32, end: i32): void {
  const q = changetype<Sequence>(descriptor);
  const mine = shareOf(q, rowsFrom, rowsUntil);
  if (back) stepsBackward(mine, first, end);
  else stepsForward(mine, first, end);
}

export function stepCount(descriptor: usize): i32 {
  return changetype<Sequence>(descriptor).steps;
}

/** Products of the recurrence in the longest step. */
export function workOfStep(descriptor: usize): f64 {
  const q = changetype<Sequence>(descriptor);
  return <f64>q.batch * q.columns * max(q.depth, 1);
}

/**
 * Whether threads take every step together, each its share of the units. It does not pay where
 * there are enough rows to share out, or where a step is done before threads have met.
 */
export function areTogether(descriptor: usize, count: i32, least: f64): bool {
  const q = changetype<Sequence>(descriptor);
  return q.batch < STEP_ROWS * count && hasUnits(q) && workOfStep(descriptor) >= least;
}

/** The units of step t that are the share of a thread. */
export function runUnits(descriptor: usize, t: i32, thread: i32, count: i32): void {
  const q = changetype<Sequence>(descriptor);
  const panels = panelsOf(q);
  const first = cut(panels, 1, thread, count);
  const end = cut(panels, 1, thread + 1, count);
  if (first == end) return;
  unitsForward(shareOf(q, 0, q.batch), t, first, end);
}

/** Part `part` of `count` of a phase over a descriptor. */
export function runPart(phase: i32, descriptor: usize, part: i32, count: i32): void {
  if (phase < codes.PART_DENSE) sequencePart(phase, changetype<Sequence>(descriptor), part, count);
  else if (phase < codes.PART_UPDATE) densePart(phase, changetype<Dense>(descriptor), part, count);
  else if (phase == codes.PART_UPDATE) updatePart(changetype<Update>(descriptor), part, count);
  else if (phase == codes.PART_LOSS) lossPart(changetype<Loss>(descriptor), part, count);
  else rowsPart(phase, changetype<Rows>(descriptor), part, count);
}

/**
 * The multiply-adds that a phase and those that follow it are worth. Less than any where the
 * weights have 8 bits: threads have no operands of their own.
 */
export function workOf(phase: i32, descriptor: usize): f64 {
  if (phase < codes.PART_DENSE) {
    const q = changetype<Sequence>(descriptor);
    if (changetype<usize>(q.inputInt8) | changetype<usize>(q.recurrentInt8)) return -1;
    return <f64>rowsOf(q) * q.columns * (q.inputs + q.depth);
  }
  if (phase == codes.PART_UPDATE) return <f64>changetype<Update>(descriptor).count * ELEMENT_COST;
  if (phase == codes.PART_LOSS) {
    const l = changetype<Loss>(descriptor);
    return <f64>l.rows * l.width * ELEMENT_COST;
  }
  if (phase > codes.PART_UPDATE) {
    const rows = changetype<Rows>(descriptor);
    return <f64>rows.rows * (rows.width >> 2) * ELEMENT_COST;
  }
  const d = changetype<Dense>(descriptor);
  if (d.int8) return -1;
  return <f64>d.rows * d.inputs * d.outputs;
}
