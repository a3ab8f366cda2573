/**
 * What JavaScript can call, by its name there. It gives numbers only: descriptors and other
 * pointers are addresses in bytes, counts are elements. Nothing here allocates, throws or logs.
 */

import './base/abort';

/** First byte that the host may use. */
export const heap_base: usize = __heap_base;
/** 1 in the relaxed SIMD build, 0 in the baseline build. */
export const relaxed: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 0;

export {
  clampValues as values_clamp,
  takeRest as rest_take,
  takeSums as sums_take,
  scaleValues as values_scale,
  sumOfSquares as gradient_squares,
} from './base/vectors';
export { product as product_f32 } from './matrix/gemm';
export {
  byDigits as int8_by_digits,
  packRow as int8_pack,
  unpackRow as int8_unpack,
} from './matrix/int8';
export { rearrange as panels_rearrange, transposeTable as panels_of_table } from './matrix/panels';
export {
  activationBackward as activation_backward,
  activationForward as activation_forward,
} from './layers/activation';
export {
  attentionBackward as attention_backward,
  attentionForward as attention_forward,
} from './layers/attention';
export {
  batchNormBackward as batch_norm_backward,
  batchNormForward as batch_norm_forward,
} from './layers/batch-norm';
export {
  conv1dBackward as conv1d_backward,
  conv1dForward as conv1d_forward,
  conv1dPrepare as conv1d_prepare,
  convTranspose1dBackward as conv_transpose1d_backward,
  convTranspose1dForward as conv_transpose1d_forward,
} from './layers/conv1d';
export {
  denseBackward as dense_backward,
  denseForward as dense_forward,
  densePrepare as dense_prepare,
} from './layers/dense';
export {
  embeddingBackward as embedding_backward,
  embeddingForward as embedding_forward,
} from './layers/embedding';
export { fillMask as mask_fill, maskRows as rows_mask } from './layers/masks';
export {
  maskingBackward as masking_backward,
  maskingForward as masking_forward,
} from './layers/masking';
export { joinBackward as join_backward, joinForward as join_forward } from './layers/join';
export {
  layerNormBackward as layer_norm_backward,
  layerNormForward as layer_norm_forward,
} from './layers/norm';
export { poolBackward as pool_backward, poolForward as pool_forward } from './layers/pool';
export {
  reduceBackward as reduce_backward,
  reduceForward as reduce_forward,
} from './layers/reduce';
export {
  addAllRows as rows_add,
  fold as rows_fold,
  gatherAllRows as rows_gather,
  sortRows as rows_sort,
} from './layers/rows';
export {
  windowPoolBackward as window_pool_backward,
  windowPoolForward as window_pool_forward,
} from './layers/window-pool';
export {
  cellBackward as cell_backward,
  cellForward as cell_forward,
  sequenceBackward as sequence_backward,
  sequenceForward as sequence_forward,
  sequencePrepare as sequence_prepare,
} from './recurrent/sequence';
export { walk as tensor_walk } from './tensors/walk';
export { ctc as loss_ctc, ctcScratch as loss_ctc_scratch } from './training/ctc';
export {
  count as loss_count,
  lossOfAllRows as loss_rows,
  score as loss_score,
  total as loss_total,
  weight as loss_weight,
} from './training/loss';
export { update as optimizer_update } from './training/optim';
export {
  PART_BYTES as part_bytes,
  areTogether as part_together,
  rowOfPart as part_row,
  runPart as part_run,
  runSteps as part_steps,
  runUnits as part_units,
  stepCount as part_step_count,
  takeRows as part_rows,
  takeSeat as part_seat,
  workOf as part_work,
  workOfStep as part_step_work,
} from './threads';
