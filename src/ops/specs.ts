/**
 * Shape letters used everywhere: T steps, B batch, I inputs, H hidden units, O outputs, L layers, G
 * gates, V vocabulary. All tensors are dense, row-major `Float32Array`s; the last letter is the one
 * that is contiguous.
 */

/**
 * A table look-up, `torch.nn.Embedding`. Only as the first layer: its input is tokens, `Int32Array`
 * [T, B].
 */
export interface EmbeddingSpec {
  readonly type: 'embedding';
  /** Prefix of the parameter names; the type by default. */
  readonly name?: string;
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
}

/**
 * An activation, with what `alpha` and `beta` are unless given: `affine` 1, 0 (alpha x + beta),
 * `leakyRelu` 0.01, `thresholdedRelu` 1 (x from there on, 0 below), `scaledTanh` 1, 1 (alpha
 * tanh(beta x)), `hardSigmoid` 0.2, 0.5, `elu` 1. All but the last four are those of ONNX's
 * recurrent operators; `gelu` is the exact form.
 */
export type ActivationName =
  | 'relu'
  | 'tanh'
  | 'sigmoid'
  | 'affine'
  | 'leakyRelu'
  | 'thresholdedRelu'
  | 'scaledTanh'
  | 'hardSigmoid'
  | 'elu'
  | 'softsign'
  | 'softplus'
  | 'identity'
  | 'gelu'
  | 'silu'
  | 'selu';

export interface ActivationSpec {
  readonly type: ActivationName;
  readonly alpha?: number;
  readonly beta?: number;
}

export type Activation = ActivationName | ActivationSpec;

interface RecurrentSpec {
  readonly name?: string;
  /** I; taken from the layer before when absent. */
  readonly inputSize?: number;
  /** H. */
  readonly hiddenSize: number;
  /**
   * L, stacked on one another and all alike; default 1. Sub-layers with options of their own are
   * layers of their own in the list.
   */
  readonly numLayers?: number;
  /** Both `bias_ih` and `bias_hh`; default true. */
  readonly bias?: boolean;
  /**
   * Which way the sequence is read; default `forward`. `backward` reads the valid prefix from its
   * end; outputs keep their places.
   */
  readonly direction?: 'forward' | 'backward';
  /** Reads both ways, every sub-layer; default false. */
  readonly bidirectional?: boolean;
  /**
   * What becomes of the outputs of both ways: 2H numbers (`concat`, the default) or H. `ave` is
   * Keras' name of `mean`.
   */
  readonly merge?: 'concat' | 'sum' | 'mul' | 'mean' | 'ave';
  /**
   * Activations instead of the usual ones: of gates, candidate and outgoing cell state (LSTM), of
   * gates and candidate (GRU), of the state (RNN). A bidirectional layer may give them twice,
   * forward first.
   */
  readonly activations?: readonly Activation[];
  /**
   * Bound of what the activations of gates and candidate see (ONNX `clip`, as onnxruntime applies
   * it).
   */
  readonly clip?: number;
  /**
   * Training only: the probability that an output between sub-layers becomes 0 (PyTorch); the
   * others grow by 1 / (1 - p).
   */
  readonly dropout?: number;
  /** The same for the inputs of every sub-layer, with one mask for all steps (Keras `dropout`). */
  readonly inputDropout?: number;
  /**
   * The same for the state on its way into the recurrent product, one mask for all steps and gates
   * (Keras `recurrent_dropout`).
   */
  readonly recurrentDropout?: number;
  /**
   * Probability that a unit's h stays as it was (Krueger et al. 2017); without training h = p h' +
   * (1 - p) h_new.
   */
  readonly zoneout?: number;
}

/** Elman network, `torch.nn.RNN`. */
export interface RnnSpec extends RecurrentSpec {
  readonly type: 'rnn';
  /** Default `tanh`. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

/** Independent units (Li et al. 2018): h = a(W x + b + u h'), `weight_hh` is the vector u [H]. */
export interface IndrnnSpec extends RecurrentSpec {
  readonly type: 'indrnn';
  /** Default `tanh`. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

/** Long short-term memory, `torch.nn.LSTM`; gates `input, forget, cell, output`. */
export interface LstmSpec extends RecurrentSpec {
  readonly type: 'lstm';
  /**
   * `diagonal`: the gates also see the cell state through a vector each (ONNX `P`, Gers et al.
   * 2002). `cell`: the cell state takes the place of the hidden state in every recurrent product.
   */
  readonly peephole?: 'diagonal' | 'cell';
  /**
   * Coupled gates, forget = 1 - input (ONNX `input_forget`); the gates are then `input, cell,
   * output`.
   */
  readonly inputForget?: boolean;
  /**
   * P below H: h = W_hr (o tanh(c)), `weight_hr` [P, H], and every h is P wide (PyTorch
   * `proj_size`).
   */
  readonly projSize?: number;
  /** Bound of a projected h, and of the cell state. */
  readonly projClip?: number;
  readonly cellClip?: number;
  /**
   * LN(W x) + LN(R h) + b, h = o tanh(LN(c)); `layer_norm_ih`, `layer_norm_hh` [G H],
   * `layer_norm_c` [2, H] (Haste).
   */
  readonly layerNorm?: boolean;
}

/** Gated recurrent unit, `torch.nn.GRU`; gates `reset, update, new`. */
export interface GruSpec extends RecurrentSpec {
  readonly type: 'gru';
  /**
   * Whether the reset gate acts after the recurrent product (PyTorch, Keras; the default) or before
   * it.
   */
  readonly resetAfter?: boolean;
  /**
   * LN(W x) + b_ih and LN(R h) + b_hh, with reset after only; `layer_norm_ih`, `layer_norm_hh` [G
   * H] (Haste).
   */
  readonly layerNorm?: boolean;
}

/** Affine map at every step, `torch.nn.Linear`. */
export interface LinearSpec {
  readonly type: 'linear';
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inFeatures?: number;
  readonly outFeatures: number;
  readonly bias?: boolean;
}

/** A linear layer that shares the table of an embedding as its weight; only the bias is its own. */
export interface TiedLinearSpec extends Omit<LinearSpec, 'outFeatures'> {
  /**
   * Name of the embedding, whose `embeddingDim` must be the inputs; its `numEmbeddings` are the
   * outputs.
   */
  readonly tied: string;
  readonly outFeatures?: number;
}

/**
 * Many to one: the valid steps of every row become one. Only `linear` layers may follow; the output
 * is [B, O], and every sequence given to a trainer is whole. A row of length 0 becomes zero.
 */
export interface PoolSpec {
  readonly type: 'pool';
  readonly name?: string;
  /**
   * `last`: the final output of the layer before, for one that reads backwards that of its first
   * step, for one that reads both ways the final output of each way, merged. `mean` and `max` over
   * the steps, element by element.
   */
  readonly mode: 'last' | 'mean' | 'max';
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type LayerSpec =
  | EmbeddingSpec
  | RnnSpec
  | IndrnnSpec
  | LstmSpec
  | GruSpec
  | LinearSpec
  | TiedLinearSpec
  | PoolSpec;

/** What a model is, as plain JSON. */
export interface ModelDescription {
  readonly layers: readonly LayerSpec[];
  /** `int8`: matrices in 8 bits, for inference alone; see `Model.quantize`. Default `float32`. */
  readonly weights?: 'float32' | 'int8';
}

/**
 * A named array outside of any engine. `shape` has the meaning of PyTorch's tensor of the same
 * name.
 */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * A matrix of whole numbers from -127 to 127: rows of multiples of the scales that a file keeps
 * beside it.
 */
export interface Int8Tensor {
  readonly shape: readonly number[];
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
  readonly h: Float32Array;
  readonly c?: Float32Array;
}

/** States by layer name. */
export type ModelState = Readonly<Record<string, LayerState>>;

/** Inputs of a model: features for most, tokens when the first layer is an embedding. */
export type Input = Float32Array | Int32Array;

export interface SequenceOptions {
  /** T. */
  readonly steps: number;
  /** B; default 1. */
  readonly batch?: number;
  /** Whether `x` and the result are [B, T, ...] rather than [T, B, ...]; default false. */
  readonly batchFirst?: boolean;
  /** Initial states; zero where absent. */
  readonly state?: ModelState;
  /**
   * Valid steps of every row, 0 to T; all T where absent. What stands behind them is not read; the
   * last state of a row is that of its last valid step, of a row of length 0 its initial state.
   */
  readonly lengths?: ArrayLike<number>;
  /**
   * What outputs behind the valid steps are: zero (the default), or the last valid output again.
   */
  readonly padding?: 'zero' | 'repeat';
}

export interface SequenceResult {
  /** [T, B, O], or [B, T, O] with `batchFirst`; [B, O] of a model with a `pool` layer. */
  readonly output: Float32Array;
  /** States after the last step. */
  readonly state: ModelState;
}
