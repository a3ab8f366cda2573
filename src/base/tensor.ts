/**
 * Shape letters used everywhere: T steps, B batch, I inputs, H hidden units, O outputs, L layers, G
 * gates, V vocabulary. All tensors are dense, row-major `Float32Array`s; the last letter is the one
 * that is contiguous.
 */

/**
 * A named array outside of any engine. `shape` has the meaning of PyTorch's tensor of the same
 * name.
 */
export interface Tensor {
  /** Sizes of its axes, the last one contiguous. */
  readonly shape: readonly number[];
  /** Its numbers, row-major. */
  readonly data: Float32Array;
}

/**
 * A matrix of whole numbers from -127 to 127: rows of multiples of the scales that a file keeps
 * beside it.
 */
export interface Int8Tensor {
  /** Sizes of its axes, the last one contiguous. */
  readonly shape: readonly number[];
  /** Its numbers, row-major. */
  readonly data: Int8Array;
}

/** Parameters (or gradients, or moments) by name, in the order of the layers. */
export type StateDict = Map<string, Tensor>;

/**
 * State of one recurrent layer (all of its `numLayers`): each array is [L, B, H], of a
 * bidirectional layer [2L, B, H] with forward before backward; a projected h is [L, B, P]. `c` only
 * for an LSTM.
 */
export interface LayerState {
  /** [L, B, H]; of a bidirectional layer [2L, B, H]. */
  readonly h: Float32Array;
  /** The same of the cell state, of an LSTM. */
  readonly c?: Float32Array;
}

/** States by layer name. */
export type ModelState = Readonly<Record<string, LayerState>>;

/** Inputs of a model: features for most, tokens when the first layer is an embedding. */
export type Input = Float32Array | Int32Array;

/**
 * Inputs as callers give them. `Float32Array` and `Int32Array` are read as they are; of other lists
 * and typed arrays a copy is made at every call, numbers rounded to float32, tokens whole.
 */
export type Numbers = ArrayLike<number>;

/** The same by name, where a model has several inputs; may have one too. */
export type Inputs = Numbers | Readonly<Record<string, Numbers>>;

/** The sequences of one call. */
export interface SequenceOptions {
  /**
   * T; by the name of the input where some have steps of their own. Not needed where the
   * description says.
   */
  readonly steps?: number | Readonly<Record<string, number>>;
  /** B; default 1. */
  readonly batch?: number;
  /** Whether `x` and the result are [B, T, ...] rather than [T, B, ...]; default false. */
  readonly batchFirst?: boolean;
  /** Initial states; zero where absent. */
  readonly state?: ModelState;
  /**
   * Valid steps of every row, 0 to T; all T where absent. What follows them is not read; the
   * last state of a row is that of its last valid step, of a row of length 0 its initial state.
   */
  readonly lengths?: Lengths;
  /**
   * What outputs after the valid steps are: zero (the default), or the last valid output again.
   */
  readonly padding?: 'zero' | 'repeat';
}

/** Valid steps of every row; by the name of the input where some have steps of their own. */
export type Lengths = ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>>;

/** What a pass over sequences gives. */
export interface SequenceResult {
  /**
   * [T, B, O], or [B, T, O] with `batchFirst`; [B, O] of a model with a `pool` layer. Of several
   * outputs the first.
   */
  readonly output: Float32Array;
  /** All outputs by the names of their layers. */
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /** States after the last step. */
  readonly state: ModelState;
}
