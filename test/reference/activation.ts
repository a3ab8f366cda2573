/**
 * The activations of the gates as functions of their input, with derivatives and with the places
 * where those jump.
 *
 *     relu             max(0, x)                    affine      alpha x + beta
 *     leakyRelu        x >= 0 ? x : alpha x         scaledTanh  alpha tanh(beta x)
 *     thresholdedRelu  x >= alpha ? x : 0           softsign    x / (1 + |x|)
 *     hardSigmoid      max(0, min(1, alpha x + beta))
 *     elu              x >= 0 ? x : alpha (e^x - 1)
 *     softplus         log(1 + e^x)                 silu        x / (1 + e^-x)
 *     gelu             x (1 + erf(x / sqrt 2)) / 2  identity    x
 *     selu             scale (x >= 0 ? x : alpha (e^x - 1)), with the constants of its paper
 *
 * and, for layers alone, abs, neg, sqrt, log, pow (x^alpha) and clip (x held to [alpha, beta]).
 *
 * A clip t replaces f(x) by f(max(-t, min(t, x))), whose derivative outside of [-t, t] is 0.
 */
import type {
  Activation,
  ActivationName,
  Mathematics,
  MathematicsSpec,
} from '../../src/ops/activations.ts';
import type { RecurrentSpec } from './cell.ts';
import { sigmoid } from './math.ts';

export interface Curve {
  value(x: number): number;
  slope(x: number): number;
  readonly kinks: readonly number[];
}

const smooth = (value: Curve['value'], slope: Curve['slope']): Curve => ({
  value,
  slope,
  kinks: [],
});

/** `above` from `kink` on, `below` before it. */
const broken = (kink: number, below: Curve, above: Curve): Curve => ({
  value: (x) => (x >= kink ? above : below).value(x),
  slope: (x) => (x >= kink ? above : below).slope(x),
  kinks: [...below.kinks, kink, ...above.kinks],
});

const constant = (y: number): Curve =>
  smooth(
    () => y,
    () => 0,
  );
const line = (alpha: number, beta = 0): Curve =>
  smooth(
    (x) => alpha * x + beta,
    () => alpha,
  );
const scaledTanh = (alpha: number, beta: number): Curve =>
  smooth(
    (x) => alpha * Math.tanh(beta * x),
    (x) => alpha * beta * (1 - Math.tanh(beta * x) ** 2),
  );

function hardSigmoid(alpha: number, beta: number): Curve {
  const [low, high] = [-beta / alpha, (1 - beta) / alpha];
  return {
    value: (x) => Math.max(0, Math.min(1, alpha * x + beta)),
    slope: (x) => (alpha * x + beta > 0 && alpha * x + beta < 1 ? alpha : 0),
    kinks: [low, high],
  };
}

function elu(alpha: number, scale: number = 1): Curve {
  const below = smooth(
    (x) => scale * alpha * Math.expm1(x),
    (x) => scale * alpha * Math.exp(x),
  );
  return broken(0, below, line(scale));
}

const softplus = (x: number): number => Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * 1 - erf(z) for z >= 0: from the series of erf where that converges fast, by its continued
 * fraction beyond (Abramowitz, Stegun 7.1). Terms of the series reach 1e3, so 1e-13 of them remain.
 */
export function erfc(z: number): number {
  if (z >= 3) {
    let fraction = 0;
    for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
    return Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction));
  }
  let sum = 0;
  let term = z;
  for (let n = 1; Math.abs(term) > 1e-20; n++) {
    sum += term / (2 * n - 1);
    term *= (-z * z) / n;
  }
  return 1 - (2 / Math.sqrt(Math.PI)) * sum;
}

function normal(x: number): number {
  const tail = erfc(Math.abs(x) / Math.SQRT2) / 2;
  return x < 0 ? tail : 1 - tail;
}

const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };

const CURVES: Readonly<Record<ActivationName, (alpha?: number, beta?: number) => Curve>> = {
  relu: () => broken(0, constant(0), line(1)),
  tanh: () => scaledTanh(1, 1),
  sigmoid: () => smooth(sigmoid, (x) => sigmoid(x) * sigmoid(-x)),
  affine: (alpha = 1, beta = 0) => line(alpha, beta),
  leakyRelu: (alpha = 0.01) => broken(0, line(alpha), line(1)),
  thresholdedRelu: (alpha = 1) => broken(alpha, constant(0), line(1)),
  scaledTanh: (alpha = 1, beta = 1) => scaledTanh(alpha, beta),
  hardSigmoid: (alpha = 0.2, beta = 0.5) => hardSigmoid(alpha, beta),
  elu: (alpha = 1) => elu(alpha),
  softsign: () =>
    smooth(
      (x) => x / (1 + Math.abs(x)),
      (x) => 1 / (1 + Math.abs(x)) ** 2,
    ),
  softplus: () => smooth(softplus, sigmoid),
  identity: () => line(1),
  gelu: () =>
    smooth(
      (x) => x * normal(x),
      (x) => normal(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
    ),
  silu: () =>
    smooth(
      (x) => x * sigmoid(x),
      (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
    ),
  selu: () => elu(SELU.alpha, SELU.scale),
};

const MATHEMATICS: Readonly<Record<Mathematics, (alpha?: number, beta?: number) => Curve>> = {
  abs: () => broken(0, line(-1), line(1)),
  neg: () => line(-1),
  sqrt: () => smooth(Math.sqrt, (x) => 0.5 / Math.sqrt(x)),
  log: () => smooth(Math.log, (x) => 1 / x),
  pow: (alpha = 2) =>
    smooth(
      (x) => x ** alpha,
      (x) => alpha * x ** (alpha - 1),
    ),
  clip: (alpha = -1, beta = 1) =>
    broken(alpha, constant(alpha), broken(beta, line(1), constant(beta))),
};

export function curveOf(
  activation: Activation | Mathematics | MathematicsSpec,
  clip: number = Infinity,
): Curve {
  const { type, ...given } = typeof activation === 'string' ? { type: activation } : activation;
  const { alpha, beta } = given as { alpha?: number; beta?: number };
  const curve = { ...CURVES, ...MATHEMATICS }[type](alpha, beta);
  if (clip === Infinity) return curve;
  return {
    value: (x) => curve.value(clamp(x, clip)),
    slope: (x) => (Math.abs(x) > clip ? 0 : curve.slope(x)),
    kinks: [...curve.kinks.filter((kink) => Math.abs(kink) < clip), -clip, clip],
  };
}

export function clamp(x: number, bound: number): number {
  return Math.max(-bound, Math.min(bound, x));
}

/** How near any of the values from index `from` to `to` comes to any of the kinks. */
export function nearest(
  kinks: readonly number[],
  values: ArrayLike<number>,
  from: number = 0,
  to: number = values.length,
): number {
  let distance = Infinity;
  for (const kink of kinks) {
    for (let k = from; k < to; k++) distance = Math.min(distance, Math.abs(values[k]! - kink));
  }
  return distance;
}

const usual = (spec: RecurrentSpec): readonly Activation[] => {
  if (spec.type === 'lstm') return ['sigmoid', 'tanh', 'tanh'];
  if (spec.type === 'mingru') return ['sigmoid', 'identity'];
  return spec.type === 'gru' ? ['sigmoid', 'tanh'] : [spec.nonlinearity ?? 'tanh'];
};

/** The curves of the slots of one direction; those of the gates clipped, the `h` of an LSTM not. */
export function curvesOf(spec: RecurrentSpec, reverse: boolean): Curve[] {
  const slots = usual(spec).length;
  const given = spec.activations ?? usual(spec);
  const own = reverse && given.length > slots ? given.slice(slots) : given.slice(0, slots);
  return own.map((activation, slot) => curveOf(activation, slot < 2 ? spec.clip : Infinity));
}
