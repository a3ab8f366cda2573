/**
 * Layer normalisation of one vector of n numbers, and products that go through one.
 *
 *     x^ = (x - mean(x)) / sqrt(var(x) + eps)      var biased, eps 1e-5        y = gamma (.) x^ + beta
 *
 *     dgamma += dy (.) x^    dbeta += dy    dx^ = dy (.) gamma
 *     dx = (dx^ - mean(dx^) - x^ mean(dx^ (.) x^)) / sqrt(var(x) + eps)
 *
 * RMS normalisation has 0 in place of mean(x) and mean(dx^), so that var(x) is mean(x^2). Batch
 * normalisation does the same to every feature over rows, or takes its mean and var as given.
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

/** Which rows [T B] are there, and which of these count in the statistics. */
export interface BatchRows {
  readonly valid: readonly number[];
  readonly counted: readonly number[];
}

/** Of every feature: the given statistics, or those of some rows; and 1 / sqrt(var + eps). */
export interface BatchNormTape {
  readonly rows: BatchRows;
  readonly isTraining: boolean;
  readonly moments: readonly { readonly mean: number; readonly variance: number }[];
  readonly x: Vec;
  readonly epsilon: number;
}

/** The numbers of feature k in some rows of x [rows, width]. */
export function featureOf(x: Vec, width: number, k: number, rows: readonly number[]): Vec {
  return Float64Array.from(rows, (row) => x[row * width + k]!);
}

export function batchNormForward(
  weights: BatchNormWeights,
  epsilon: number,
  x: Vec,
  rows: BatchRows,
  isTraining: boolean,
): { y: Vec; tape: BatchNormTape } {
  const { gamma, beta, mean: running } = weights;
  const width = running.length;
  const isEmpty = rows.counted.length === 0;
  const moments = Array.from(running, (given, k) => {
    if (!isTraining) return { mean: given, variance: weights.variance[k]! };
    const column = featureOf(x, width, k, rows.counted);
    const centre = isEmpty ? 0 : mean(column);
    return { mean: centre, variance: isEmpty ? 0 : variance(column, centre) };
  });
  const y = x.map((value, i) => {
    const k = i % width;
    const { mean: centre, variance: spread } = moments[k]!;
    const normal = (value - centre) / Math.sqrt(spread + epsilon);
    return normal * (gamma?.[k] ?? 1) + (beta?.[k] ?? 0);
  });
  return { y, tape: { rows, isTraining, moments, x, epsilon } };
}

/** Gives dx of the rows that are there, adds to the gradients of gamma and beta. */
export function batchNormBackward(
  { gamma }: LayerNormWeights,
  gradients: LayerNormWeights,
  { rows, isTraining, moments, x, epsilon }: BatchNormTape,
  dy: Vec,
): Vec {
  const dx = new Float64Array(x.length);
  const width = moments.length;
  const counted = new Set(isTraining ? rows.counted : []);
  for (const [k, { mean: centre, variance: spread }] of moments.entries()) {
    const scale = 1 / Math.sqrt(spread + epsilon);
    let [sum, along] = [0, 0];
    for (const row of rows.valid) {
      const at = row * width + k;
      sum += dy[at]!;
      along += dy[at]! * (x[at]! - centre) * scale;
    }
    if (gradients.gamma) gradients.gamma[k]! += along;
    if (gradients.beta) gradients.beta[k]! += sum;
    for (const row of rows.valid) {
      const at = row * width + k;
      const normal = (x[at]! - centre) * scale;
      const through = counted.has(row) ? (sum + normal * along) / counted.size : 0;
      dx[at] = (dy[at]! - through) * scale * (gamma?.[k] ?? 1);
    }
  }
  return dx;
}

/** How far apart the numbers of a row are, in units of the largest; rounding errors grow by it. */
export function spreadOf(x: Vec): number {
  if (x.length === 1) return Infinity;
  const centre = mean(x);
  const deviation = Math.sqrt(variance(x, centre));
  return deviation / Math.max(...x.map(Math.abs));
}
