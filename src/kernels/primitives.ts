import type { Engine } from '../engine/engine.ts';
import type { Activation } from '../ops/activations.ts';
import { gruCell, gruCellBackward, lstmCell, lstmCellBackward } from './cells.ts';
import type { GruCellResult, LstmCellResult } from './cells.ts';
import { Convolution, conv1d } from './conv1d.ts';
import type { ConvolutionInput, ConvolutionOptions } from './conv1d.ts';
import { activation, layerNorm, softmax } from './layers.ts';
import type { LayerNormOptions } from './layers.ts';
import { Matrix, matmul, matmulPacked } from './matmul.ts';

/**
 * The package's own primitives on typed arrays. Each call copies its arrays into the engine and the
 * result out.
 */
export class Kernels {
  readonly #engine: Engine;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The primitives over the kernels of an engine. */
  static create(engine: Engine): Kernels {
    return new Kernels(engine);
  }

  /** [m, k] x [k, n] = [m, n]. */
  matmul(
    a: Float32Array,
    b: Float32Array,
    m: number,
    k: number,
    n: number,
    out?: Float32Array,
  ): Float32Array;
  /**
   * [m, rows] x [rows, columns] = [m, columns], with the right factor packed before: `matrix`.
   *
   * ERR_DISPOSED after `matrix.dispose()`, ERR_ARGUMENT for a matrix of another engine.
   */
  matmul(a: Float32Array, matrix: Matrix, m: number, out?: Float32Array): Float32Array;
  matmul(
    a: Float32Array,
    b: Float32Array | Matrix,
    m: number,
    k?: number | Float32Array,
    n?: number,
    out?: Float32Array,
  ): Float32Array {
    return b instanceof Matrix
      ? matmulPacked(this.#engine, a, b, m, k as Float32Array | undefined)
      : matmul(this.#engine, a, b, m, k as number, n as number, out);
  }

  /**
   * Packs w [rows, columns] in the engine's memory, until `dispose()` or until nobody uses it.
   *
   *     const matrix = kernels.matrix(w, 64, 256);
   *     const y = kernels.matmul(x, matrix, 1); // [1, 64] x [64, 256]
   *
   * ERR_SHAPE where w has another length, ERR_MEMORY where it does not fit.
   */
  matrix(w: Float32Array, rows: number, columns: number): Matrix {
    return Matrix.pack(this.#engine, w, rows, columns);
  }

  /**
   * An activation of every element. `out` may be `x`.
   *
   *     kernels.activation('gelu', x);
   *     kernels.activation({ type: 'leakyRelu', alpha: 0.2 }, x, x);
   *
   * ERR_ARGUMENT for a name that is none, ERR_SHAPE where `out` is not as long as `x`.
   */
  activation(type: Activation, x: Float32Array, out?: Float32Array): Float32Array {
    return activation(this.#engine, type, x, out);
  }

  /**
   * Of every element; within 4e-7 of the exact value, in [0, 1], never falling. `out` may be `x`.
   */
  sigmoid(x: Float32Array, out?: Float32Array): Float32Array {
    return activation(this.#engine, 'sigmoid', x, out);
  }

  /** Of every element; within 3 units in the last place. `out` may be `x`. */
  tanh(x: Float32Array, out?: Float32Array): Float32Array {
    return activation(this.#engine, 'tanh', x, out);
  }

  /**
   * e^(x / temperature) / sum, over the `features` of each row of x [rows, features], by default
   * over all of x. `out` may be `x`.
   *
   * ERR_SHAPE where x has no whole rows, or `out` another length.
   */
  softmax(x: Float32Array, temperature = 1, out?: Float32Array, features?: number): Float32Array {
    return softmax(this.#engine, 'softmax', x, temperature, out, features);
  }

  /** The logarithm of the same; finite where a probability vanishes. */
  logSoftmax(
    x: Float32Array,
    temperature = 1,
    out?: Float32Array,
    features?: number,
  ): Float32Array {
    return softmax(this.#engine, 'logSoftmax', x, temperature, out, features);
  }

  /**
   * (x - mean) / sqrt(var + epsilon) gamma + beta over each row of x [rows, features]. `out` may be
   * `x`.
   *
   *     kernels.layerNorm(x, 64, { gamma, beta });
   *
   * ERR_SHAPE where x has no whole rows, or gamma, beta or `out` another length.
   */
  layerNorm(
    x: Float32Array,
    features: number,
    options: LayerNormOptions = {},
    out?: Float32Array,
  ): Float32Array {
    return layerNorm(this.#engine, x, features, options, out);
  }

  /**
   * Packs the weights [O, I / groups, K] of a convolution over time (as `torch.nn.Conv1d`) in the
   * engine's memory, until `dispose()` or until nobody uses it.
   *
   * ERR_ARGUMENT for sizes that do not go together, ERR_SHAPE where w or the bias has another
   * length, ERR_MEMORY where it does not fit.
   */
  convolution(w: Float32Array, options: ConvolutionOptions): Convolution {
    return Convolution.pack(this.#engine, w, options);
  }

  /**
   * Convolves x [T, B, I] over its steps: [T', B, O], with T' = `convolution.outputSteps(T)`. With
   * `state` a sequence may come in pieces, to the bits of the whole.
   *
   *     const sizes = { inChannels: 64, outChannels: 64, kernelSize: 3 };
   *     const convolution = kernels.convolution(w, { ...sizes, padding: 'causal' });
   *     const state = new Float32Array(2 * 64);
   *     const y = kernels.conv1d(x, convolution, { steps: 16, state });
   *
   * ERR_SHAPE where x, `out` or the state has another length, ERR_ARGUMENT for a state without
   * padding 'causal', ERR_DISPOSED after `convolution.dispose()`.
   */
  conv1d(
    x: Float32Array,
    convolution: Convolution,
    input: ConvolutionInput,
    out?: Float32Array,
  ): Float32Array {
    return conv1d(this.#engine, x, convolution, input, out);
  }

  /**
   * c' = f c + i g, h = o tanh(c'): the cell update of an LSTM from pre-activations.
   *
   * @param gates [B, 4H] pre-activations input, forget, cell, output. @param c [B, H] before the
   *   step. @param hidden H.
   */
  lstmCell(gates: Float32Array, c: Float32Array, hidden: number): LstmCellResult {
    return lstmCell(this.#engine, gates, c, hidden);
  }

  /**
   * The gradients of `lstmCell`: of the pre-activations [B, 4H] and of the cell state before the
   * step [B, H].
   *
   * @param result what `lstmCell` returned. @param c what it was given. @param dh dL/dh [B, H].
   * @param dc dL/dc' [B, H].
   */
  lstmCellBackward(
    result: LstmCellResult,
    c: Float32Array,
    dh: Float32Array,
    dc: Float32Array,
    hidden: number,
  ): { readonly gates: Float32Array; readonly c: Float32Array } {
    return lstmCellBackward(this.#engine, result, c, dh, dc, hidden);
  }

  /**
   * h' = n + z (h - n): the cell update of a GRU whose reset gate acts after the recurrent product.
   *
   * @param x [B, 3H] W x + b of reset, update, new. @param product [B, 3H] R h + b of the same.
   * @param h [B, H] before the step.
   */
  gruCell(x: Float32Array, product: Float32Array, h: Float32Array, hidden: number): GruCellResult {
    return gruCell(this.#engine, x, product, h, hidden);
  }

  /**
   * The gradients of `gruCell`: of x and product [B, 3H], and of h [B, H] but for what reaches it
   * through the product.
   *
   * @param result what `gruCell` returned. @param product, h what it was given. @param dh dL/dh'
   *   [B, H].
   */
  gruCellBackward(
    result: GruCellResult,
    product: Float32Array,
    h: Float32Array,
    dh: Float32Array,
    hidden: number,
  ): { readonly x: Float32Array; readonly product: Float32Array; readonly h: Float32Array } {
    return gruCellBackward(this.#engine, result, product, h, dh, hidden);
  }
}
