import {
  ACTIVATIONS,
  binary,
  errorFunction,
  exponential,
  folded,
  hardSwish,
  softmax,
  unary,
} from './arithmetic.ts';
import { pass } from './call.ts';
import type { Operator } from './call.ts';
import {
  convolution,
  globalPool,
  transposedConvolution,
  upsample,
  windowPool,
} from './convolution.ts';
import { cast, constantOfShape, not, quantized, range, where } from './known.ts';
import { matMul } from './attention.ts';
import { batchNorm, gemm, layerNorm, prelu, reduce } from './layers.ts';
import { recurrent } from './recurrent.ts';
import {
  expand,
  flatten,
  reshape,
  shape,
  size,
  squeeze,
  tile,
  transpose,
  unsqueeze,
} from './shapes.ts';
import { concat, gather, pad, reverseSequence, slice, split } from './slices.ts';

/** An operator of what is known when a file is read. */
const known: Operator = (call) =>
  folded(call, ({ node }) => node.refuse('it is supported for constants alone'));

/** Every operator that is read, by its name. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  ...Object.fromEntries(Object.keys(ACTIVATIONS).map((type) => [type, unary])),
  ...Object.fromEntries(
    [
      'Add',
      'Sub',
      'Mul',
      'Div',
      'Pow',
      'Min',
      'Max',
      'Mod',
      'Sum',
      'Mean',
      'And',
      'Or',
      'Xor',
      'Equal',
      'Greater',
      'GreaterOrEqual',
      'Less',
      'LessOrEqual',
    ].map((type) => [type, binary]),
  ),
  ...Object.fromEntries(
    [
      'ReduceMean',
      'ReduceSum',
      'ReduceMax',
      'ReduceL2',
      'ReduceSumSquare',
      'ReduceProd',
      'ReduceMin',
    ].map((type) => [type, reduce]),
  ),
  ...Object.fromEntries(['Ceil', 'Cos', 'Floor', 'Sin'].map((type) => [type, known])),
  AveragePool: windowPool,
  BatchNormalization: batchNorm,
  Cast: cast,
  Concat: concat,
  ConstantOfShape: constantOfShape,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  DequantizeLinear: quantized,
  Dropout: pass,
  Erf: errorFunction,
  Exp: exponential,
  Expand: expand,
  Flatten: flatten,
  GRU: recurrent,
  Gather: gather,
  Gemm: gemm,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  HardSwish: hardSwish,
  Identity: pass,
  LSTM: recurrent,
  LayerNormalization: layerNorm,
  LogSoftmax: softmax,
  MatMul: matMul,
  MaxPool: windowPool,
  Not: not,
  PRelu: prelu,
  Pad: pad,
  QuantizeLinear: quantized,
  RNN: recurrent,
  Range: range,
  Reshape: reshape,
  Resize: upsample,
  ReverseSequence: reverseSequence,
  Shape: shape,
  Size: size,
  Slice: slice,
  Softmax: softmax,
  Split: split,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Upsample: upsample,
  Where: where,
};

const TWO =
  'Add Sub Mul Div Pow Mod And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual MatMul Gemm ' +
  'Reshape Gather GatherElements GatherND CumSum Conv ConvTranspose Expand Tile PRelu DequantizeLinear QuantizeLinear ReverseSequence LayerNormalization';

const THREE =
  'Range Where RNN LSTM GRU ScatterND ScatterElements InstanceNormalization GroupNormalization';

/** Inputs that an operator cannot do without; of those that are not here the first one. */
export const LEAST: ReadonlyMap<string, number> = new Map([
  ...TWO.split(' ').map((type) => [type, 2] as const),
  ...THREE.split(' ').map((type) => [type, 3] as const),
  ['BatchNormalization', 5],
]);

/** Operators of any number of inputs, none of which may be left out. */
export const VARIADIC: ReadonlySet<string> = new Set(['Concat', 'Sum', 'Mean', 'Min', 'Max']);

/** Operators that read what is a part of Gelu or of attention, each by itself. */
export const PARTS: ReadonlySet<string> = new Set(
  'Add Cast Div Dropout Identity MatMul Mul Shape Size Softmax Sum'.split(' '),
);
