/**
 * What JavaScript can call. Numbers only; pointers are bytes, counts are elements. Nothing here
 * allocates, throws or logs.
 */

import './base/abort';
import * as activation from './layers/activation';
import * as conv1d from './layers/conv1d';
import * as dense from './layers/dense';
import * as embedding from './layers/embedding';
import * as masks from './layers/masks';
import * as merge from './layers/merge';
import * as panels from './matrix/panels';
import * as pool from './layers/pool';
import * as rows from './layers/rows';
import * as gemm from './matrix/gemm';
import * as norm from './layers/norm';
import {
  ActivationLayer,
  Conv1d,
  Ctc,
  Dense,
  Draw,
  Int8Panels,
  LayerNorm,
  Lookup,
  Loss,
  Masked,
  Merge,
  Panels,
  Pool,
  Product,
  Rows,
  Sequence,
  Tied,
  Update,
} from './base/structs';
import { packRow, unpackRow } from './matrix/int8';
import { ctc } from './training/ctc';
import * as loss from './training/loss';
import * as optim from './training/optim';
import * as parts from './threads';
import * as sequence from './recurrent/sequence';

export { ctcScratch as loss_ctc_scratch } from './training/ctc';
export {
  clampValues as values_clamp,
  scaleValues as values_scale,
  sumOfSquares as gradient_squares,
} from './base/vectors';
export { total as loss_total } from './training/loss';
export { addsExactly as int8_exact } from './matrix/int8';

/** First byte that the host may use. */
export const heap_base: usize = __heap_base;
/** 1 in the relaxed SIMD build, 0 in the baseline build. */
export const relaxed: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 0;

export function sequence_forward(q: usize): void {
  sequence.sequenceForward(changetype<Sequence>(q));
}

export function sequence_backward(q: usize): void {
  sequence.sequenceBackward(changetype<Sequence>(q));
}

export function sequence_prepare(q: usize): void {
  sequence.sequencePrepare(changetype<Sequence>(q));
}

export function cell_forward(q: usize): void {
  sequence.cellForward(changetype<Sequence>(q));
}

export function cell_backward(q: usize): void {
  sequence.cellBackward(changetype<Sequence>(q));
}

export function dense_forward(d: usize): void {
  dense.denseForward(changetype<Dense>(d));
}

export function dense_backward(d: usize): void {
  dense.denseBackward(changetype<Dense>(d));
}

export function dense_prepare(d: usize): void {
  dense.densePrepare(changetype<Dense>(d));
}

export function embedding_forward(d: usize): void {
  embedding.embeddingForward(changetype<Lookup>(d));
}

export function embedding_backward(d: usize): void {
  embedding.embeddingBackward(changetype<Lookup>(d));
}

export function merge_forward(d: usize): void {
  merge.mergeForward(changetype<Merge>(d));
}

export function merge_backward(d: usize): void {
  merge.mergeBackward(changetype<Merge>(d));
}

export function pool_forward(d: usize): void {
  pool.poolForward(changetype<Pool>(d));
}

export function pool_backward(d: usize): void {
  pool.poolBackward(changetype<Pool>(d));
}

export function mask_fill(d: usize, at: i32, block: u32): void {
  masks.fillMask(changetype<Draw>(d), at, block);
}

export function rows_mask(d: usize): void {
  masks.maskRows(changetype<Masked>(d));
}

export function rows_gather(d: usize): void {
  const all = changetype<Rows>(d);
  rows.gatherRows(all, 0, all.rows);
}

export function rows_add(d: usize): void {
  const all = changetype<Rows>(d);
  rows.addRows(all, 0, all.rows);
}

export function panels_rearrange(d: usize, pack: bool): void {
  panels.rearrange(changetype<Panels>(d), pack);
}

export function panels_of_table(d: usize, back: bool): void {
  panels.transposeTable(changetype<Tied>(d), back);
}

export function activation_forward(d: usize): void {
  activation.activationForward(changetype<ActivationLayer>(d));
}

export function activation_backward(d: usize): void {
  activation.activationBackward(changetype<ActivationLayer>(d));
}

export function layer_norm_forward(d: usize): void {
  norm.layerNormForward(changetype<LayerNorm>(d));
}

export function layer_norm_backward(d: usize): void {
  norm.layerNormBackward(changetype<LayerNorm>(d));
}

export function conv1d_forward(d: usize): void {
  conv1d.conv1dForward(changetype<Conv1d>(d));
}

export function conv1d_backward(d: usize): void {
  conv1d.conv1dBackward(changetype<Conv1d>(d));
}

export function conv1d_prepare(d: usize): void {
  conv1d.conv1dPrepare(changetype<Conv1d>(d));
}

export function product_f32(g: usize): void {
  gemm.product(changetype<Product>(g));
}

export function int8_pack(m: usize, row: i32, plain: usize, scale: f32): f32 {
  return packRow(changetype<Int8Panels>(m), row, plain, scale);
}

export function int8_unpack(m: usize, row: i32, plain: usize, scaled: bool): f32 {
  return unpackRow(changetype<Int8Panels>(m), row, plain, scaled);
}

export function loss_rows(l: usize): void {
  const all = changetype<Loss>(l);
  loss.lossRows(all, 0, all.rows);
}

export function loss_count(l: usize, x: f64): f64 {
  return loss.count(changetype<Loss>(l), x);
}

export function loss_weight(l: usize, x: f64): f64 {
  return loss.weight(changetype<Loss>(l), x);
}

export function loss_score(l: usize, x: f64): f64 {
  return loss.score(changetype<Loss>(l), x);
}

export function loss_ctc(c: usize): f64 {
  return ctc(changetype<Ctc>(c));
}

export function optimizer_update(u: usize): void {
  optim.update(changetype<Update>(u));
}

/** Scratch of one thread. */
export const part_bytes: i32 = parts.PART_BYTES;

export function part_seat(scratch: usize, thread: i32): void {
  parts.takeSeat(scratch, thread);
}

export function part_rows(from: i32, until: i32): void {
  parts.takeRows(from, until);
}

export function part_run(phase: i32, descriptor: usize, part: i32, count: i32): void {
  parts.runPart(phase, descriptor, part, count);
}

export function part_row(q: usize, back: bool, part: i32, count: i32): i32 {
  return parts.rowOfPart(changetype<Sequence>(q), back, part, count);
}

export function part_steps(q: usize, back: bool, first: i32, end: i32): void {
  parts.runSteps(changetype<Sequence>(q), back, first, end);
}

export function part_step_count(q: usize): i32 {
  return changetype<Sequence>(q).steps;
}

export function part_step_work(q: usize): f64 {
  return parts.workOfStep(changetype<Sequence>(q));
}

export function part_together(q: usize, count: i32, least: f64): bool {
  return parts.areTogether(changetype<Sequence>(q), count, least);
}

export function part_units(q: usize, t: i32, thread: i32, count: i32): void {
  parts.runUnits(changetype<Sequence>(q), t, thread, count);
}

export function part_work(phase: i32, descriptor: usize): f64 {
  return parts.workOf(phase, descriptor);
}
