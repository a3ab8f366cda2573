import type { Activation } from '../activations.ts';
import type { InitialState } from './initial.ts';

export interface RecurrentSpec {
  /** Prefix of its parameters, and what other layers call it; default its type. */
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
  /** What h and c are before the first step, unless a call gives them; default `zero`. */
  readonly initialState?: InitialState;
}

/** A layer of any cell, as the files that all cells share read it: with options of some cells. */
export interface CellSpec extends RecurrentSpec {
  readonly type: string;
  readonly projSize?: number;
  readonly projClip?: number;
  readonly cellClip?: number;
  readonly layerNorm?: boolean;
}

/** What a completed description keeps only where it is given. */
type OptionalKey =
  | 'activations'
  | 'clip'
  | 'dropout'
  | 'inputDropout'
  | 'recurrentDropout'
  | 'zoneout'
  | 'initialState'
  | 'projSize'
  | 'projClip'
  | 'cellClip'
  | 'layerNorm'
  | 'peephole';

/** A recurrent layer with every default filled in, but for options that are off. */
export type CompleteRecurrent<T> = T extends { merge?: unknown }
  ? Required<Omit<T, OptionalKey | 'merge'>> &
      Pick<T, Extract<keyof T, OptionalKey>> & { readonly merge: 'concat' | 'sum' | 'mul' | 'mean' }
  : never;
