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
 *
 * Columns are in the same order in the gates' buffers, row after row, so that a few registers hold
 * all gates of some units. Padding units have zero weights; their states and gradients stay exactly
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
  /** [K] f32 in: what the numbers of a row of activations are multiplied by first. */
  factors: usize;
  /** [N] i32 in: in bytes, where in a row of activations the outlier of a column goes; [N] f32. */
  outliers: usize;
  /** scratch: that many rows of activations as whole numbers. */
  operands: usize;
  operandRows: i32;
  /** Bytes from row to row. */
  operandRow: i32;
  iRow: i32;
  cRow: i32;
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
  dProjectionRest: usize;
  unprojected: usize;
  dUnprojected: usize;
  /**
   * Layer normalisation of W x and R h: gammas [N], 0 for none, their gradients in f64;
   * standardised products [M, N], 1 / deviations [M].
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
  /** [N] in: bias of the recurrent product of the GRU with reset after; 0 for none. */
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
  /** Where a gradient that steps add up is put aside, like `dPeephole` or `dr`; 0 for nowhere. */
  stepRest: usize;
  /** Rows of the window after this step. */
  after: i32;
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
  /** Rows of R: H, or P where h is projected; 0 where R is no matrix. */
  depth: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  /** Hp */
  padded: i32;
  /** N; rows may lie further apart, so that not all fall into the same sets of a cache. */
  columns: i32;
  /** V, vectors of a panel of gates. */
  panelVectors: i32;
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
  /** [M] f32 in: other than 0 where a row keeps its states at a step. 0: no row does. */
  masked: usize;
  /** [B, Hp] scratch of the backward pass: dh and dc of such rows. */
  kept: usize;
  keptCell: usize;
  /** Panels [I, N]; vectors [N]. Zero where there is no bias. */
  w: usize;
  biasInput: usize;
  /**
   * [N] what is added to the products: derived, the sum of both biases, or `biasInput` where they
   * may not be summed.
   */
  bias: usize;
  /** Panels [N, I] and [N, H] derived: the transposes that the backward pass multiplies by. */
  wTransposed: usize;
  rTransposed: usize;
  /** inout, accumulate: like the parameters. */
  dw: usize;
  /** [N] f64 */
  dBiasInput: usize;
  dBiasHidden: usize;
  /** Where they are put aside, like dw and dr, or 0; rows of the window after these. */
  dwRest: usize;
  drRest: usize;
  summed: i32;
  /** What takes the place of w and r where the weights have 8 bits; 0 where they do not. */
  inputInt8: Int8Product;
  recurrentInt8: Int8Product;
  /** scratch */
  product: Product;
}
