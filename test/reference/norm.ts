/**
 * Layer normalisation of one vector of n numbers, and products that go through one.
 *
 *     x^ = (x - mean(x)) / sqrt(var(x) + eps)      var biased, eps 1e-5        y = gamma (.) x^ + beta
 *
 *     dgamma += dy (.) x^    dbeta += dy    dx^ = dy (.) gamma
 *     dx = (dx^ - mean(dx^) - x^ mean(dx^ (.) x^)) / sqrt(var(x) + eps)
 *
 * RMS normalisation has 0 in place of mean(x) and mean(dx^), so that var(x) is mean(x^2). Batch
 * normalisation takes mean and var of every feature as given.
 */
import { addOuter, addProduct, addTransposedProduct, type Vec } from './math.ts';

const EPSILON = 1e-5;

export interface NormTape {
  /** x^ */
  readonly normal: Vec;
  /** sqrt(var(x) + eps) */
  readonly deviation: number;
  readonly isCentred: boolean;
}

function mean(x: Vec): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k]!;
  return sum / x.length;
}

/** The biased variance of x around its mean. */
function variance(x: Vec, centre: number): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += (x[k]! - centre) ** 2;
  return sum / x.length;
}

export function normForward(
  x: Vec,
  gamma: Vec,
  beta?: Vec,
  epsilon: number = EPSILON,
  isCentred = true,
): { y: Vec; tape: NormTape } {
  const centre = isCentred ? mean(x) : 0;
  const deviation = Math.sqrt(variance(x, centre) + epsilon);
  const normal = new Float64Array(x.length);
  const y = new Float64Array(x.length);
  for (let k = 0; k < x.length; k++) {
    normal[k] = (x[k]! - centre) / deviation;
    y[k] = gamma[k]! * normal[k]! + (beta?.[k] ?? 0);
  }
  return { y, tape: { normal, deviation, isCentred } };
}

export function normBackward(
  { normal, deviation, isCentred }: NormTape,
  gamma: Vec,
  dgamma: Vec,
  dbeta: Vec | undefined,
  dy: Vec,
): Vec {
  for (let k = 0; k < dy.length; k++) {
    dgamma[k]! += dy[k]! * normal[k]!;
    if (dbeta) dbeta[k]! += dy[k]!;
  }
  const d = dy.map((value, k) => value * gamma[k]!);
  const [centre, along] = [isCentred ? mean(d) : 0, mean(d.map((value, k) => value * normal[k]!))];
  return d.map((value, k) => (value - centre - normal[k]! * along) / deviation);
}

/**
 * A matrix, and the gamma of its product's normalisation where it has one; or the gradients of
 * both.
 */
export interface Factor {
  readonly matrix: Vec;
  readonly gamma?: Vec;
  /** What becomes of a vector on its way into the product, where that is not exact. */
  readonly round?: (x: Vec) => Vec;
}

export interface ProductTape {
  readonly x: Vec;
  readonly norm?: NormTape;
}

/** M x, perhaps normalised. */
export function productForward(
  { matrix, gamma, round = (v) => v }: Factor,
  rows: number,
  x: Vec,
): { y: Vec; tape: ProductTape } {
  const y = new Float64Array(rows);
  addProduct(y, matrix, round(x));
  if (!gamma) return { y, tape: { x } };
  const { y: normalised, tape: norm } = normForward(y, gamma);
  return { y: normalised, tape: { x, norm } };
}

/** Gives dx, adds to the gradients of the factor. */
export function productBackward(factor: Factor, gradient: Factor, tape: ProductTape, dy: Vec): Vec {
  const d = tape.norm ? normBackward(tape.norm, factor.gamma!, gradient.gamma!, undefined, dy) : dy;
  const dx = new Float64Array(tape.x.length);
  addTransposedProduct(dx, factor.matrix, d);
  addOuter(gradient.matrix, d, tape.x);
  return dx;
}

/** Gamma and beta [I] of a layer of its own, or their gradients; either may be absent. */
export interface LayerNormWeights {
  readonly gamma?: Vec;
  readonly beta?: Vec;
}

const ones = (n: number): Vec => new Float64Array(n).fill(1);

/** A normalisation of every row of x [rows, width]. */
export function layerNormForward(
  { gamma, beta }: LayerNormWeights,
  epsilon: number,
  isCentred: boolean,
  x: Vec,
  width: number,
): Vec {
  const y = new Float64Array(x.length);
  const scale = gamma ?? ones(width);
  for (let at = 0; at < x.length; at += width) {
    y.set(normForward(x.slice(at, at + width), scale, beta, epsilon, isCentred).y, at);
  }
  return y;
}

/** Gives dx, adds to the gradients of gamma and beta. */
export function layerNormBackward(
  { gamma }: LayerNormWeights,
  gradients: LayerNormWeights,
  epsilon: number,
  isCentred: boolean,
  x: Vec,
  dy: Vec,
  width: number,
): Vec {
  const scale = gamma ?? ones(width);
  const dScale = gradients.gamma ?? ones(width);
  const dx = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    const { tape } = normForward(x.slice(at, at + width), scale, undefined, epsilon, isCentred);
    dx.set(normBackward(tape, scale, dScale, gradients.beta, dy.slice(at, at + width)), at);
  }
  return dx;
}

/** Parameters [I] of a batch normalisation. */
export interface BatchNormWeights extends LayerNormWeights {
  readonly mean: Vec;
  readonly variance: Vec;
}

const slopeOf = ({ gamma, variance }: BatchNormWeights, epsilon: number, k: number): number =>
  (gamma?.[k] ?? 1) / Math.sqrt(variance[k]! + epsilon);

export function batchNormForward(weights: BatchNormWeights, epsilon: number, x: Vec): Vec {
  const { beta, mean: centre } = weights;
  const width = centre.length;
  return x.map((value, i) => {
    const k = i % width;
    return (value - centre[k]!) * slopeOf(weights, epsilon, k) + (beta?.[k] ?? 0);
  });
}

/** Gives dx. The parameters have no gradient. */
export function batchNormBackward(weights: BatchNormWeights, epsilon: number, dy: Vec): Vec {
  return dy.map((value, i) => value * slopeOf(weights, epsilon, i % weights.mean.length));
}

/** How far apart the numbers of a row are, in units of the largest; rounding errors grow by it. */
export function spreadOf(x: Vec): number {
  if (x.length === 1) return Infinity;
  const centre = mean(x);
  const deviation = Math.sqrt(variance(x, centre));
  return deviation / Math.max(...x.map(Math.abs));
}
