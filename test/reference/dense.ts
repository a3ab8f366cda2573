/**
 * Layers without a state.
 *
 *     linear:     y = W x + b          dx = W^T dy    dW += dy x^T    db += dy
 *     embedding:  y = W[token]         dW[token] += dy
 */
import { add, addOuter, addProduct, addTo, addTransposedProduct, type Vec } from './math.ts';

export interface LinearWeights {
  /** W [O, I] */
  readonly weight: Vec;
  readonly bias?: Vec;
  /** As of `Factor`. */
  readonly round?: (x: Vec) => Vec;
}

/** x: [rows, I] */
export function linearForward(w: LinearWeights, x: Vec, rows: number, outFeatures: number): Vec {
  const inFeatures = x.length / rows;
  const y = new Float64Array(rows * outFeatures);
  for (let row = 0; row < rows; row++) {
    const out = y.subarray(row * outFeatures, (row + 1) * outFeatures);
    const from = x.subarray(row * inFeatures, (row + 1) * inFeatures);
    addProduct(out, w.weight, w.round ? w.round(from) : from);
    add(out, w.bias);
  }
  return y;
}

export function linearBackward(
  w: LinearWeights,
  dw: LinearWeights,
  x: Vec,
  dy: Vec,
  rows: number,
): Vec {
  const dx = new Float64Array(x.length);
  const [inFeatures, outFeatures] = [x.length / rows, dy.length / rows];
  for (let row = 0; row < rows; row++) {
    const d = dy.subarray(row * outFeatures, (row + 1) * outFeatures);
    addTransposedProduct(dx.subarray(row * inFeatures, (row + 1) * inFeatures), w.weight, d);
    addOuter(dw.weight, d, x.subarray(row * inFeatures, (row + 1) * inFeatures));
    addTo(dw.bias, d);
  }
  return dx;
}

export function embeddingForward(weight: Vec, tokens: ArrayLike<number>, dim: number): Vec {
  const y = new Float64Array(tokens.length * dim);
  for (let row = 0; row < tokens.length; row++) {
    const token = tokens[row]!;
    y.set(weight.subarray(token * dim, (token + 1) * dim), row * dim);
  }
  return y;
}

export function embeddingBackward(
  dweight: Vec,
  tokens: ArrayLike<number>,
  dy: Vec,
  dim: number,
): void {
  for (let row = 0; row < tokens.length; row++) {
    const token = tokens[row]!;
    add(dweight.subarray(token * dim, (token + 1) * dim), dy.subarray(row * dim, (row + 1) * dim));
  }
}
