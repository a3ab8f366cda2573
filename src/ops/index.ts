/** All kinds of layers: a new one has its file, and a line in each list here. */

import { activation } from './activation.ts';
import type { ActivationLayerSpec, CompleteActivation } from './activation.ts';
import { attention } from './attention.ts';
import type { AttentionSpec, CompleteAttention } from './attention.ts';
import { conv1d } from './conv1d.ts';
import type { CompleteConv1d, Conv1dSpec } from './conv1d.ts';
import { convTranspose1d } from './conv-transpose1d.ts';
import type { CompleteConvTranspose1d, ConvTranspose1dSpec } from './conv-transpose1d.ts';
import { delay } from './delay.ts';
import type { CompleteDelay, DelaySpec } from './delay.ts';
import { dropout } from './dropout.ts';
import type { CompleteDropout, DropoutSpec } from './dropout.ts';
import { embedding } from './embedding.ts';
import type { CompleteEmbedding, EmbeddingSpec } from './embedding.ts';
import { flatten, repeat, reshape, unfold } from './fold.ts';
import type {
  CompleteFlatten,
  CompleteRepeat,
  CompleteReshape,
  CompleteUnfold,
  FlattenSpec,
  RepeatSpec,
  ReshapeSpec,
  UnfoldSpec,
} from './fold.ts';
import { linear } from './linear.ts';
import type { CompleteLinear, LinearSpec, TiedLinearSpec } from './linear.ts';
import { joins } from './join.ts';
import type { CompleteJoin, JoinSpec } from './join.ts';
import { masking } from './masking.ts';
import type { CompleteMasking, MaskingSpec } from './masking.ts';
import { norms } from './norm.ts';
import type { BatchNormSpec, CompleteNorm, LayerNormSpec, RmsNormSpec } from './norm.ts';
import type { Op } from './op.ts';
import { pool } from './pool.ts';
import type { CompletePool, PoolSpec } from './pool.ts';
import { prelu } from './prelu.ts';
import type { CompletePrelu, PreluSpec } from './prelu.ts';
import type { CompleteProgram, ProgramSpec } from './program/spec.ts';
import { reductions } from './reduce.ts';
import type { CompleteReduce, ReduceSpec } from './reduce.ts';
import { gru } from './recurrent/gru.ts';
import type { GruSpec } from './recurrent/gru.ts';
import { lstm } from './recurrent/lstm.ts';
import type { LstmSpec } from './recurrent/lstm.ts';
import { mingru } from './recurrent/mingru.ts';
import type { MinGruSpec } from './recurrent/mingru.ts';
import { recurrent } from './recurrent/recurrent.ts';
import { indrnn, rnn } from './recurrent/rnn.ts';
import type { IndrnnSpec, RnnSpec } from './recurrent/rnn.ts';
import type { CompleteRecurrent } from './recurrent/specs.ts';
import { scale } from './scale.ts';
import type { CompleteScale, ScaleSpec } from './scale.ts';
import { concat, reverse, slice, split } from './shape.ts';
import type {
  CompleteConcat,
  CompleteReverse,
  CompleteSlice,
  CompleteSplit,
  ConcatSpec,
  ReverseSpec,
  SliceSpec,
  SplitSpec,
} from './shape.ts';
import { averagePool1d, maxPool1d, upsample1d } from './window-pool.ts';
import type {
  AveragePool1dSpec,
  CompleteAveragePool1d,
  CompleteMaxPool1d,
  CompleteUpsample1d,
  MaxPool1dSpec,
  Upsample1dSpec,
} from './window-pool.ts';

const CELLS = [rnn, indrnn, lstm, gru, mingru];

const LAYERS = [
  embedding,
  ...CELLS.map(recurrent),
  linear,
  pool,
  activation,
  ...norms,
  conv1d,
  convTranspose1d,
  ...reductions,
  dropout,
  concat,
  slice,
  split,
  reverse,
  unfold,
  flatten,
  reshape,
  repeat,
  ...joins,
  maxPool1d,
  averagePool1d,
  upsample1d,
  attention,
  prelu,
  scale,
  delay,
  masking,
];

export type {
  ActivationLayerSpec,
  AttentionSpec,
  BatchNormSpec,
  ConcatSpec,
  Conv1dSpec,
  ConvTranspose1dSpec,
  DropoutSpec,
  EmbeddingSpec,
  FlattenSpec,
  GruSpec,
  IndrnnSpec,
  JoinSpec,
  LayerNormSpec,
  LinearSpec,
  LstmSpec,
  MaskingSpec,
  MinGruSpec,
  PoolSpec,
  ReduceSpec,
  RepeatSpec,
  ReshapeSpec,
  ReverseSpec,
  RmsNormSpec,
  RnnSpec,
  SliceSpec,
  SplitSpec,
  TiedLinearSpec,
  UnfoldSpec,
  MaxPool1dSpec,
  AveragePool1dSpec,
  Upsample1dSpec,
  PreluSpec,
  ProgramSpec,
  ScaleSpec,
  DelaySpec,
};

type RecurrentLayerSpec = RnnSpec | IndrnnSpec | LstmSpec | GruSpec | MinGruSpec;

/** How a layer names the inputs of the model among its own. */
export const INPUT = 'input';

/** A layer of any kind. */
export type LayerSpec = Reads & AnySpec;

/** What a layer reads. */
export interface Reads {
  /**
   * Names of the layers whose outputs it reads, each before it, or `input` for the inputs of the
   * model. Default: the layer before it.
   */
  readonly inputs?: readonly string[];
}

type AnySpec =
  | EmbeddingSpec
  | RecurrentLayerSpec
  | LinearSpec
  | TiedLinearSpec
  | PoolSpec
  | ReduceSpec
  | DropoutSpec
  | ActivationLayerSpec
  | LayerNormSpec
  | RmsNormSpec
  | BatchNormSpec
  | Conv1dSpec
  | ConvTranspose1dSpec
  | ConcatSpec
  | SliceSpec
  | SplitSpec
  | ReverseSpec
  | UnfoldSpec
  | FlattenSpec
  | ReshapeSpec
  | RepeatSpec
  | JoinSpec
  | MaxPool1dSpec
  | AveragePool1dSpec
  | Upsample1dSpec
  | AttentionSpec
  | PreluSpec
  | ScaleSpec
  | DelaySpec
  | MaskingSpec
  | ProgramSpec;

/** A layer with every default filled in, but for options that are off. */
export type CompleteLayer = Reads & AnyComplete;

type AnyComplete =
  | CompleteEmbedding
  | CompleteRecurrent<RecurrentLayerSpec>
  | CompleteLinear
  | CompletePool
  | CompleteReduce
  | CompleteDropout
  | CompleteActivation
  | CompleteNorm
  | CompleteConv1d
  | CompleteConvTranspose1d
  | CompleteConcat
  | CompleteSlice
  | CompleteSplit
  | CompleteReverse
  | CompleteUnfold
  | CompleteFlatten
  | CompleteReshape
  | CompleteRepeat
  | CompleteJoin
  | CompleteMaxPool1d
  | CompleteAveragePool1d
  | CompleteUpsample1d
  | CompleteAttention
  | CompletePrelu
  | CompleteScale
  | CompleteDelay
  | CompleteMasking
  | CompleteProgram;

/** One of several inputs of a model. */
export interface InputSpec {
  /** What layers and calls name it by. */
  readonly name: string;
  /** Features of a row; taken from the layers that read it when absent. */
  readonly size?: number;
  /** Whether there is a row for each step (the default) or one for each sequence. */
  readonly each?: 'step' | 'sequence';
  /**
   * The input whose steps and lengths it shares; default the first one. Its own name: it has steps
   * and lengths of its own.
   */
  readonly stepsOf?: string;
  /** Steps that its sequences always have. */
  readonly steps?: number;
}

/** What a model is, as plain JSON. */
export interface ModelDescription {
  /** The layers, each after those that it reads. */
  readonly layers: readonly LayerSpec[];
  /** Names of its inputs, or what is special of each; default one, `input`. */
  readonly inputs?: readonly (string | InputSpec)[];
  /** Names of the layers whose outputs are those of the model; default the last layer. */
  readonly outputs?: readonly string[];
  /** Steps that all sequences have: `flatten` and `reshape` need to know. */
  readonly steps?: number;
  /** `int8`: matrices in 8 bits, for inference alone; see `Model.quantize`. Default `float32`. */
  readonly weights?: 'float32' | 'int8';
  /**
   * The same of the weights that multiply the model's inputs, also where layers without parameters
   * come between; default that of `weights`.
   */
  readonly inputWeights?: 'float32' | 'int8';
}

/**
 * Kinds of layers by the type that a description names.
 *
 * @internal
 */
export const OPS: ReadonlyMap<string, Op<LayerSpec, CompleteLayer>> = new Map(
  // A description's type says which op takes it.
  LAYERS.map((op) => [op.type, op as unknown as Op<LayerSpec, CompleteLayer>]),
);

/**
 * Adds a kind of layer that only files of some format have: users of others do without it.
 *
 * @internal
 */
export function register<Spec, Complete>(op: Op<Spec, Complete>): void {
  (OPS as Map<string, unknown>).set(op.type, op);
}

/**
 * Kinds that are not there unless something is imported, and what.
 *
 * @internal
 */
export const IMPORTS: Readonly<Record<string, string>> = { program: 'gatefold/formats/onnx' };

/**
 * The kind of a completed layer.
 *
 * @internal
 */
export function opOf({ type }: CompleteLayer): Op<LayerSpec, CompleteLayer> {
  return OPS.get(type)!;
}
