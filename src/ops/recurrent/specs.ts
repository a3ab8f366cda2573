import type { Activation } from '../activations.ts';

export interface RecurrentSpec {
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
  /**
   * Both `bias_ih` and `bias_hh`; default true. `single`: `bias_ih` alone, the one bias of Keras
   * and TensorFlow 1.
   */
  readonly bias?: boolean | 'single';
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

/**
 * Minimal gated recurrent unit (Feng et al. 2024): z = s(W_z x + b_z), h = (1 - z) h' + z (W_n x +
 * b_n); gates `update, new`. No recurrent matrix, one bias; `recurrentDropout` is refused.
 */
export interface MinGruSpec extends RecurrentSpec {
  readonly type: 'mingru';
}

export type RecurrentLayerSpec = RnnSpec | IndrnnSpec | LstmSpec | GruSpec | MinGruSpec;

/** What a completed description keeps only where it is given. */
type OptionalKey =
  | 'activations'
  | 'clip'
  | 'dropout'
  | 'inputDropout'
  | 'recurrentDropout'
  | 'zoneout'
  | 'projSize'
  | 'projClip'
  | 'cellClip'
  | 'layerNorm'
  | 'peephole';

type Complete<T> = T extends { merge?: unknown }
  ? Required<Omit<T, OptionalKey | 'merge'>> &
      Pick<T, Extract<keyof T, OptionalKey>> & { readonly merge: 'concat' | 'sum' | 'mul' | 'mean' }
  : never;

/** A recurrent layer with every default filled in, but for options that are off. */
export type CompleteRecurrent = Complete<RecurrentLayerSpec>;
