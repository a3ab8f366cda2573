/** All kinds of layers: a new one has its file, and a line in each list here. */

import { activation } from './activation.ts';
import type { ActivationLayerSpec, CompleteActivation } from './activation.ts';
import { conv1d } from './conv1d.ts';
import type { CompleteConv1d, Conv1dSpec } from './conv1d.ts';
import { delay } from './delay.ts';
import type { CompleteDelay, DelaySpec } from './delay.ts';
import { dropout } from './dropout.ts';
import type { CompleteDropout, DropoutSpec } from './dropout.ts';
import { embedding } from './embedding.ts';
import type { CompleteEmbedding, EmbeddingSpec } from './embedding.ts';
import { linear } from './linear.ts';
import type { CompleteLinear, LinearSpec, TiedLinearSpec } from './linear.ts';
import { joins } from './join.ts';
import type { CompleteJoin, JoinSpec } from './join.ts';
import { norms } from './norm.ts';
import type { BatchNormSpec, CompleteNorm, LayerNormSpec, RmsNormSpec } from './norm.ts';
import type { Op } from './op.ts';
import { pool } from './pool.ts';
import type { CompletePool, PoolSpec } from './pool.ts';
import { prelu } from './prelu.ts';
import type { CompletePrelu, PreluSpec } from './prelu.ts';
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
import { concat, reverse, slice } from './shape.ts';
import type {
  CompleteConcat,
  CompleteReverse,
  CompleteSlice,
  ConcatSpec,
  ReverseSpec,
  SliceSpec,
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
  ...reductions,
  dropout,
  concat,
  slice,
  reverse,
  ...joins,
  maxPool1d,
  averagePool1d,
  upsample1d,
  prelu,
  scale,
  delay,
];

export type {
  ActivationLayerSpec,
  BatchNormSpec,
  ConcatSpec,
  Conv1dSpec,
  DropoutSpec,
  EmbeddingSpec,
  GruSpec,
  IndrnnSpec,
  JoinSpec,
  LayerNormSpec,
  LinearSpec,
  LstmSpec,
  MinGruSpec,
  PoolSpec,
  ReduceSpec,
  ReverseSpec,
  RmsNormSpec,
  RnnSpec,
  SliceSpec,
  TiedLinearSpec,
  MaxPool1dSpec,
  AveragePool1dSpec,
  Upsample1dSpec,
  PreluSpec,
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
  | ConcatSpec
  | SliceSpec
  | ReverseSpec
  | JoinSpec
  | MaxPool1dSpec
  | AveragePool1dSpec
  | Upsample1dSpec
  | PreluSpec
  | ScaleSpec
  | DelaySpec;

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
  | CompleteConcat
  | CompleteSlice
  | CompleteReverse
  | CompleteJoin
  | CompleteMaxPool1d
  | CompleteAveragePool1d
  | CompleteUpsample1d
  | CompletePrelu
  | CompleteScale
  | CompleteDelay;

/** What a model is, as plain JSON. */
export interface ModelDescription {
  readonly layers: readonly LayerSpec[];
  /** `int8`: matrices in 8 bits, for inference alone; see `Model.quantize`. Default `float32`. */
  readonly weights?: 'float32' | 'int8';
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
 * The kind of a completed layer.
 *
 * @internal
 */
export function opOf({ type }: CompleteLayer): Op<LayerSpec, CompleteLayer> {
  return OPS.get(type)!;
}
