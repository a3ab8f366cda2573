/**
 * `gatefold/kernels`: the package's own primitives on typed arrays, for those who build something
 * else on them.
 */

export { Kernels } from './primitives.ts';
export type { HostDisposable } from '../base/disposable.ts';
export type { Activation, ActivationName, ActivationSpec } from '../ops/activations.ts';
export type { GruCellResult, LstmCellResult } from './cells.ts';
export type { Convolution, ConvolutionInput, ConvolutionOptions } from './conv1d.ts';
export type { LayerNormOptions } from './layers.ts';
export type { Matrix } from './matmul.ts';
