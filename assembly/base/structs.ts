/**
 * What the facade hands to a kernel: one descriptor a call, every pointer with its shape and its
 * role.
 *
 *   T steps   B batch   I inputs   H hidden units   Hp = H rounded up to whole panels
 *   N = columns of the gates (G * Hp)
 *
 * Matrices that are multiplied from the right lie in panels of V vectors (V * 4 columns), all rows
 * of one panel together:
 *
 *   ╒═══════ panel 0 ═══════╕╒═══════ panel 1 ═══════╕
 *   │ row 0: 4 V columns    ││ row 0                 │ ...
 *   │ row 1                 ││ row 1                 │
 *   └ ... row K - 1 ────────┘└───────────────────────┘
 *
 *   LSTM, V = 4: i0..3 f0..3 g0..3 o0..3 | i4..7 f4..7 ...    GRU, V = 3: r0..3 z0..3 n0..3 | ...
 *   minimal GRU, V = 4: z0..7 n0..7 | ...    others, V = 4: 16 columns in their order
 *
 * Columns are in the same order in the gates' buffers, row after row, so that four registers hold
 * all gates of four units. Padding units have zero weights; their states and gradients stay exactly
 * zero.
 */

/**
 * C = I + A B: C and I [rows, columns], A [rows, depth], B [depth, columns]. Every element is one
 * sum in the order of the depth.
 */
@unmanaged
export class Product {
  rows: i32;
  depth: i32;
  /** Columns in vectors of four. */
  vectors: i32;
  /** V, vectors a panel: 3 or 4. */
  panelVectors: i32;
  /** in; element (r, k) is at a + r * aRow + k * aDepth (bytes, negative to walk backwards). */
  a: usize;
  aRow: i32;
  aDepth: i32;
  /** in; panel p, row k at b + p * bPanel + k * bDepth. */
  b: usize;
  bDepth: i32;
  bPanel: i32;
  /**
   * in; where the sums start; may be c. Row r, panel p at i + r * iRow + p * iPanel. Overwritten by
   * long products.
   */
  i: usize;
  iRow: i32;
  iPanel: i32;
  /** out; may not overlap a or b. */
  c: usize;
  cRow: i32;
  cPanel: i32;
}

/**
 * C = I + A W^T with weights of 8 bits (int8.ts): C and I [rows, N], A [rows, K] f32. W lies in
 * panels of 16 columns, four of K at a time, one column's four next to the other's.
 */
@unmanaged
export class Int8Product {
  /** K */
  depth: i32;
  /** Panels [K, N], padded with zeros to whole panels and to fours of K. */
  weights: usize;
  /** [N] f32 in: what the weights of a column are multiples of. */
  scales: usize;
  /** [N] i32 in: -64 times the sum of a column's weights. */
  corrections: usize;
  /** scratch: that many rows of activations as whole numbers. */
  operands: usize;
  operandRows: i32;
  /** Bytes from row to row. */
  operandRow: i32;
  iRow: i32;
  cRow: i32;
}

/**
 * The geometry of a matrix of 8 bits. It lies on a cache line of its own in front of the panels
 * [K, N], N scales and N corrections. It holds no address: parameters are the same bits wherever
 * they lie.
 */
@unmanaged
export class Int8Panels {
  /** Which gates are beside each other; see matrix/panels.ts. */
  cell: i32;
  /** Rows of a gate, and those rounded up to whole panels. */
  hidden: i32;
  padded: i32;
  /** K */
  depth: i32;
  /** N */
  columns: i32;
}

/** The activation of a gate; what alpha and beta mean depends on its kind. */
@unmanaged
export class Activation {
  kind: i32;
  alpha: f32;
  beta: f32;
}

/**
 * What a layer has beyond its usual cell. S: the width of h, P with a projection; rows of all
 * states are as far apart as those of c. [M, *] has a row for every row of every step.
 */
@unmanaged
export class Options {
  /** Of the gates; of the candidate; of the cell state on its way out. */
  gate: Activation;
  candidate: Activation;
  output: Activation;
  /** Bounds of the inputs of gates, of c, of a projected h; infinity for none. */
  preactClip: f32;
  cellClip: f32;
  projClip: f32;
  /** Share of a new h that counts where there is no mask: 1 - zoneout. */
  renewed: f32;
  /**
   * [M, N], rows as far apart as those of the gates, out for the backward pass: the sums that the
   * activations saw, before their clip. 0: slopes follow from the gates.
   */
  sums: usize;
  /** [M, S] in: 1 where h is renewed, 0 where it stays. 0: no mask. */
  zoneMask: usize;
  /**
   * [B, S] in: what h (or c) is multiplied by on its way into the recurrent product. 0: no mask.
   */
  recurrentMask: usize;
  /** [B + M, S] out: h so multiplied; [B, S] scratch of the backward pass. */
  operands: usize;
  dOperand: usize;
  /**
   * P, or 0: h = W m with m = o h(c) [M, Hp]. Panels [H, P], and [P, H] derived; [B, Hp] scratch.
   */
  projected: i32;
  projection: usize;
  projectionTransposed: usize;
  dProjection: usize;
  unprojected: usize;
  dUnprojected: usize;
  /**
   * Layer normalisation of W x and R h: gammas [N], 0 for none, standardised products [M, N], 1 /
   * deviations [M].
   */
  gammaInput: usize;
  gammaHidden: usize;
  dGammaInput: usize;
  dGammaHidden: usize;
  hatInput: usize;
  hatHidden: usize;
  inverseInput: usize;
  inverseHidden: usize;
  /** The same of c: gamma and beta [2, Hp], [M, Hp], [M]. */
  gammaCell: usize;
  dGammaCell: usize;
  hatCell: usize;
  inverseCell: usize;
  /** [B, Hp] scratch: gradient of c as it goes out. */
  dCell: usize;
}

/**
 * One time step of one layer: where its rows are. The buffers of a sequence, moved along by its
 * loop.
 */
@unmanaged
export class Step {
  /** Which arithmetic it is. */
  cell: i32;
  /**
   * [B, N] inout: pre-activations W x + b, then the gates; in the backward pass the gates, then
   * their gradients.
   */
  gates: usize;
  /**
   * GRU, reset after: [B, N] R h + b; backward: gradient of the recurrent product. Before: [B, Hp]
   * r * h.
   */
  products: usize;
  /** [B, Hp] in */
  hPrevious: usize;
  /** [B, Hp] in: what the recurrent product reads; a state before the step, masked or as it is. */
  a: usize;
  /** [B, Hp] out: the new state, before a projection. */
  h: usize;
  /** [B, Hp] in, LSTM only */
  cPrevious: usize;
  /** [B, Hp] out, LSTM only */
  c: usize;
  /**
   * [B, Hp] in: gradient of h from above, or 0 for none. Its rows are as far apart as those of the
   * state.
   */
  dy: usize;
  /** Bytes from row to row. */
  gateRow: i32;
  stateRow: i32;
  /**
   * Hp * 4 bytes: from gate to gate of a peephole, half of the way to the `new` columns of a GRU
   * with reset before.
   */
  hiddenBytes: i32;
  /** [N] in: bias of the recurrent product, which that of the GRU with reset after starts from. */
  biasHidden: usize;
  /** [3, Hp] in: input, forget, output; [2, Hp] input, output with coupled gates. */
  peephole: usize;
  /** [B, Hp] inout: gradient that arrives from the step after; leaves for the step before. */
  dh: usize;
  /** [B, Hp] inout, LSTM; scratch of the GRU with reset before. */
  dc: usize;
  /** [B, Hp] inout: gradient of a; `dh` or `dc` themselves where a is not masked. */
  da: usize;
  /** Like `peephole`, inout: accumulates. */
  dPeephole: usize;
  /** Bound of the gradient of every gate's sum; infinity for none. */
  gradientLimit: f32;
  /** [B, Hp] out, or 0 where it is not wanted: the whole gradient of h, and of c, at this step. */
  dhSeen: usize;
  dcSeen: usize;
  /** The first row of the step among those of all steps. */
  row: i32;
  /** R: panels [H, N] (`depth` rows), or a vector [Hp] of independent units; its gradient. */
  r: usize;
  dr: usize;
  /** 0 where the layer has none. */
  options: Options;
  /** Bytes from a gate to where its sum is kept; 0 where it is not. */
  toSums: usize;
}

/**
 * One recurrent layer over a sequence. Where rows of a batch differ in length, they are sorted,
 * longest first, and only the valid rows of every step are there, one step after the other: step t
 * has `offsets[t + 1] - offsets[t]` rows, the first ones of the step before. [T, B, *] below stands
 * for these M = offsets[T] rows. T = 0 is not allowed.
 *
 *     lengths 3 2 1:   step 0: rows 0 1 2 │ step 1: rows 0 1 │ step 2: row 0        offsets 0 3 5 6
 */
@unmanaged
export class Sequence extends Step {
  /** Which activations and bounds the cell has; see cells/policy.ts. */
  policy: i32;
  operand: i32;
  steps: i32;
  /** Rows of the initial state. */
  batch: i32;
  /** Rows of the batch that the steps go over: a thread's share, otherwise 0 and B. */
  from: i32;
  until: i32;
  /** Rows of the current step among them. */
  active: i32;
  /** 1 at every other step. */
  isOdd: i32;
  inputs: i32;
  hidden: i32;
  /** Rows of R: H, or P where h is projected. */
  depth: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  /** Hp */
  padded: i32;
  /** N; rows may lie further apart, so that not all fall into the same sets of a cache. */
  columns: i32;
  /** Bytes from row to row of x and dx. */
  xRow: i32;
  dxRow: i32;
  /** [T, B, I] in */
  x: usize;
  /**
   * [T, B, N], [T, B, N or Hp]: all steps of `gates` and `products`, whose rows are `gateRow` and
   * `productRow` bytes apart.
   */
  gatesAll: usize;
  productsAll: usize;
  productRow: i32;
  /** [B + M, Hp]: the initial state, then that of every step. */
  hAll: usize;
  cAll: usize;
  /** [T, B, Hp] in: gradient of the outputs, or 0. */
  dyAll: usize;
  /** [T, B, I] out, or 0 where it is not wanted. */
  dx: usize;
  /**
   * [T, 2] f64 out where `dhSeen` is there: the norms of dL/dh and dL/dc of every step, over all
   * its rows.
   */
  norms: usize;
  /** Panels [I, N]; vectors [N]. Zero where there is no bias. */
  w: usize;
  biasInput: usize;
  /**
   * [N] what the input product starts from: derived, the sum of both biases, or `biasInput` where
   * they may not be summed.
   */
  bias: usize;
  /** Panels [N, I] and [N, H] derived: the transposes that the backward pass multiplies by. */
  wTransposed: usize;
  rTransposed: usize;
  /** inout, accumulate: like the parameters. */
  dw: usize;
  dBiasInput: usize;
  dBiasHidden: usize;
  /** What takes the place of w and r where the weights have 8 bits; 0 where they do not. */
  inputInt8: Int8Product;
  recurrentInt8: Int8Product;
  /** scratch */
  product: Product;
}

/** y = x W^T + b over M rows. */
@unmanaged
export class Dense {
  rows: i32;
  inputs: i32;
  /** Columns rounded up to a multiple of four. */
  outputs: i32;
  xRow: i32;
  yRow: i32;
  dxRow: i32;
  /** [M, I] in */
  x: usize;
  /** [M, O] out; in the backward pass in: its gradient. */
  y: usize;
  /** [M, I] out, or 0 where it is not wanted. */
  dx: usize;
  /** What takes the place of w where the weights have 8 bits; 0 where they do not. */
  int8: Int8Product;
  /** Panels [I, O], vector [O], panels [O, I] derived. */
  w: usize;
  bias: usize;
  wTransposed: usize;
  /** inout, accumulate. */
  dw: usize;
  dBias: usize;
  /** scratch */
  product: Product;
}

/**
 * Rows on their way between buffers: `to` [M, W] = rows of `from`, or += them; in their order, or
 * those that `index` names.
 */
@unmanaged
export class Rows {
  rows: i32;
  /** Bytes of a row that count; whole vectors where rows are added. */
  width: i32;
  /** Bytes from row to row. */
  toRow: i32;
  fromRow: i32;
  to: usize;
  from: usize;
  /** [M] i32, or 0 for all rows in their order. */
  index: usize;
}

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
  /** [M, W] in: gradient of the outputs. */
  dOut: usize;
  /** inout, accumulates: like the table. */
  dTable: usize;
}

/** Two directions as one. */
@unmanaged
export class Merge {
  mode: i32;
  rows: i32;
  /** Bytes of a row of each direction that count. */
  width: i32;
  outRow: i32;
  /** Bytes from row to row of both directions and of their gradients. */
  row: i32;
  /** [M, *] in */
  a: usize;
  b: usize;
  out: usize;
  /** in: gradient of the outputs; out: of both directions. */
  dOut: usize;
  da: usize;
  db: usize;
}

/** The valid steps of every row of the batch as one row. */
@unmanaged
export class Pool {
  mode: i32;
  steps: i32;
  batch: i32;
  /** Bytes of a row that count, whole vectors. */
  width: i32;
  yRow: i32;
  xRow: i32;
  dxRow: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  /** [M, W] in */
  x: usize;
  /** [B, W] out */
  y: usize;
  /** [B, W] in: gradient of y, which a maximum uses up. */
  dy: usize;
  /** [M, W] out */
  dx: usize;
}

/** y = x times a mask, row by row of all steps. */
@unmanaged
export class Masked {
  steps: i32;
  /** 1 where all steps of a row of the batch share a row of the mask. */
  fixed: i32;
  /** Bytes of a row that count, whole vectors. */
  width: i32;
  yRow: i32;
  xRow: i32;
  maskRow: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  x: usize;
  mask: usize;
  y: usize;
}

/** A mask that is drawn from the counters (block, pass, stream, 1) of a key. */
@unmanaged
export class Draw {
  /** Elements of a row, and bytes from row to row. */
  width: i32;
  row: i32;
  mask: usize;
  key0: i32;
  key1: i32;
  pass: i32;
  stream: i32;
  /** 2^24 times the probability of 0. */
  threshold: i32;
  /** What the other elements are. */
  value: f32;
}

/** A matrix in panels (matrix/panels.ts) and in its plain order. */
@unmanaged
export class Panels {
  cell: i32;
  gates: i32;
  hidden: i32;
  padded: i32;
  depth: i32;
  vectors: i32;
  panels: usize;
  /** [gates * hidden, depth] */
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

/**
 * An activation as a layer: y = a(x) of every element, or over the W features of each of M rows.
 * The forward pass reads x and writes y. The backward pass reads x and dy and writes dx.
 *
 *     softmax      e^(beta x) / sum of e^(beta x)          logSoftmax   its logarithm
 *
 * `kind` is any `ACTIVATION_` code; alpha and beta mean what they mean for a gate. For softmax and
 * logSoftmax beta is one over the temperature. Rows are W elements and zeros up to a multiple of
 * four, in y and dx too.
 */
@unmanaged
export class ActivationLayer extends Activation {
  /** M, and W: features of a row, without the padding. */
  rows: i32;
  width: i32;
  /** Bytes from row to row. */
  xRow: i32;
  yRow: i32;
  dyRow: i32;
  dxRow: i32;
  /** [M, W] in, for both passes. */
  x: usize;
  /** [M, W] out; may be x where no backward pass follows. */
  y: usize;
  /** [M, W] in, backward: gradient of y. */
  dy: usize;
  /** [M, W] out, backward; may be dy or x. */
  dx: usize;
  /** [W] scratch of softmax and logSoftmax; 0 for the others. */
  scratch: usize;
}

/**
 * Layer normalisation over the features of each of M rows: y = (x - mean) / sqrt(var + epsilon)
 * gamma + beta. The forward pass reads x, gamma and beta, and writes y. The backward pass reads x,
 * dy and gamma; it writes dx and adds to dGamma and dBeta.
 *
 * All vectors and rows are W elements and zeros up to a multiple of four.
 */
@unmanaged
export class LayerNorm {
  /** M, and W: features of a row, without the padding. */
  rows: i32;
  width: i32;
  epsilon: f32;
  /** Bytes from row to row. */
  xRow: i32;
  yRow: i32;
  dyRow: i32;
  dxRow: i32;
  /** [M, W] in, for both passes. */
  x: usize;
  /** [M, W] out; may be x where no backward pass follows. */
  y: usize;
  /** [M, W] in, backward: gradient of y. */
  dy: usize;
  /** [M, W] out, backward, or 0 where it is not wanted; may be dy or x. */
  dx: usize;
  /** [W] each in, or 0 for none. */
  gamma: usize;
  beta: usize;
  /** [W] each inout, accumulate, or 0 where the parameter is not there. */
  dGamma: usize;
  dBeta: usize;
  /** [2, W] scratch of the backward pass. */
  scratch: usize;
}

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
  dBias: usize;
  /** [CONV_ROWS, windowRow] scratch: what some outputs of a group see. Depthwise: [K] i32. */
  windows: usize;
  /** Bytes from row to row: K I / G elements rounded up to whole vectors, at least. */
  windowRow: i32;
  /** [CONV_ROWS, O / G rounded up to a multiple of four] scratch; 0 where G = 1 or depthwise. */
  slice: usize;
  /** scratch */
  product: Product;
}

/**
 * A loss of every row of outputs [M, n]. Rows are padded to whole vectors; the gradient of the
 * padding is 0.
 */
@unmanaged
export class Loss {
  /** `LOSS_CLASSES`, or a loss of single elements. */
  kind: i32;
  /** M */
  rows: i32;
  /** n */
  width: i32;
  /** [M, n] inout: outputs, then their gradients. */
  outputs: usize;
  /** Bytes from row to row. */
  outputRow: i32;
  /** in: classes [M] i32, otherwise values [M, n] f32. */
  targets: usize;
  /** [M] out */
  losses: usize;
  /** Factor of the gradients. */
  scale: f32;
  /** [n] in: the weights of the classes, or 0 for none. */
  weights: usize;
  /** The class that counts for nothing. */
  ignored: i32;
  /** Where Huber's loss becomes straight. */
  delta: f32;
}

/** Connectionist temporal classification of one row of a batch: of all its steps together. */
@unmanaged
export class Ctc {
  /** [M, n] inout: logits, then their gradients. */
  outputs: usize;
  /** Bytes from row to row. */
  outputRow: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  /** n, classes. */
  width: i32;
  /** The class that separates labels. */
  blank: i32;
  /** The row among those of each step. */
  row: i32;
  /** Its steps, at least 1. */
  steps: i32;
  /** [count] i32 in */
  labels: usize;
  count: i32;
  /** `ctcScratch(steps, count)` f64. */
  scratch: usize;
  /** Factor of the gradients. */
  scale: f32;
}

/** One pass of an optimizer over n numbers (a multiple of four). */
@unmanaged
export class Update {
  optimizer: i32;
  count: i32;
  /** inout */
  parameters: usize;
  /** in; multiplied by `scale` first. */
  gradients: usize;
  /** inout: momentum or first moment; 0 where the optimizer has none. */
  first: usize;
  /** inout: second moment; 0 where the optimizer has none. */
  second: usize;
  scale: f32;
  rate: f32;
  /** Momentum, or the decay of the first moment, and the weight of what is new in it. */
  decayFirst: f32;
  weightFirst: f32;
  decaySecond: f32;
  weightSecond: f32;
  /** Added to the root, and under it. */
  epsilon: f32;
  epsilonInside: f32;
  /** Share of the parameters that is added to their gradients. */
  weightDecay: f32;
  /** Share of the parameters that stays before they move. */
  keep: f32;
  /** Adam's factors of both moments. */
  correctionFirst: f32;
  correctionSecond: f32;
  nesterov: i32;
}
