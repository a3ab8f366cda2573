import * as codes from '../../assembly/shared/codes.ts';
import { checkChoice, checkKeys, checkNumber } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';

/**
 * An activation, with what `alpha` and `beta` are unless given: `affine` 1, 0 (alpha x + beta),
 * `leakyRelu` 0.01, `thresholdedRelu` 1 (x from there on, 0 below), `scaledTanh` 1, 1 (alpha
 * tanh(beta x)), `hardSigmoid` 0.2, 0.5, `elu` 1. All but the last four are those of ONNX's
 * recurrent operators; `gelu` is the exact form.
 */
export type ActivationName =
  | 'relu'
  | 'tanh'
  | 'sigmoid'
  | 'affine'
  | 'leakyRelu'
  | 'thresholdedRelu'
  | 'scaledTanh'
  | 'hardSigmoid'
  | 'elu'
  | 'softsign'
  | 'softplus'
  | 'identity'
  | 'gelu'
  | 'silu'
  | 'selu';

/**
 * An activation with numbers other than its usual ones (ONNX `alpha` and `beta`), e.g. the slope
 * of `leakyRelu`.
 */
export interface ActivationSpec {
  /** Its name. */
  readonly type: ActivationName;
  /** ONNX' `alpha`: a slope, a bound or a factor; default that of ONNX. */
  readonly alpha?: number;
  /** ONNX' `beta`: an offset or a factor, of those that have two numbers. */
  readonly beta?: number;
}

/** An activation by its name, or with numbers of its own. */
export type Activation = ActivationName | ActivationSpec;

/**
 * Mathematics of every feature, for layers alone: `pow` is x to the power of alpha (default 2),
 * `clip` holds x to [alpha, beta] (default -1, 1). `sqrt` and `log` of a negative number are NaN.
 */
export type Mathematics = 'abs' | 'neg' | 'sqrt' | 'log' | 'pow' | 'clip';

/** A function with numbers of its own. */
export interface MathematicsSpec {
  /** Its name. */
  readonly type: 'pow' | 'clip';
  /** The exponent of `pow` (default 2), the lower bound of `clip` (default -1). */
  readonly alpha?: number;
  /** The upper bound of `clip` (default 1). */
  readonly beta?: number;
}

/** An activation of a layer: `softmax` and `logSoftmax` run over the features of a row. */
export type RowActivation = Activation | Mathematics | MathematicsSpec | 'softmax' | 'logSoftmax';

/** An activation as the kernels take it. */
export interface ActivationCode {
  readonly kind: number;
  readonly alpha: number;
  readonly beta: number;
}

/** Number, and the defaults of alpha and beta where the activation has them. */
const ACTIVATIONS: Readonly<Record<ActivationName, readonly [number, number?, number?]>> = {
  sigmoid: [codes.ACTIVATION_SIGMOID],
  tanh: [codes.ACTIVATION_TANH],
  relu: [codes.ACTIVATION_RELU],
  affine: [codes.ACTIVATION_AFFINE, 1, 0],
  leakyRelu: [codes.ACTIVATION_LEAKY_RELU, 0.01],
  thresholdedRelu: [codes.ACTIVATION_THRESHOLDED_RELU, 1],
  scaledTanh: [codes.ACTIVATION_SCALED_TANH, 1, 1],
  hardSigmoid: [codes.ACTIVATION_HARD_SIGMOID, 0.2, 0.5],
  elu: [codes.ACTIVATION_ELU, 1],
  softsign: [codes.ACTIVATION_SOFTSIGN],
  softplus: [codes.ACTIVATION_SOFTPLUS],
  identity: [codes.ACTIVATION_IDENTITY],
  gelu: [codes.ACTIVATION_GELU],
  silu: [codes.ACTIVATION_SILU],
  selu: [codes.ACTIVATION_SELU],
};

/** Those that a layer may have beside them. */
const ROW_ACTIVATIONS = {
  softmax: [codes.ACTIVATION_SOFTMAX],
  logSoftmax: [codes.ACTIVATION_LOG_SOFTMAX],
  abs: [codes.ACTIVATION_ABS],
  neg: [codes.ACTIVATION_NEG],
  sqrt: [codes.ACTIVATION_SQRT],
  log: [codes.ACTIVATION_LOG],
  pow: [codes.ACTIVATION_POW, 2],
  clip: [codes.ACTIVATION_CLIP, -1, 1],
} as const;

type Table = Readonly<Record<string, readonly [number, number?, number?]>>;

const ROWS: Table = { ...ACTIVATIONS, ...ROW_ACTIVATIONS };

/** An activation, as it is given, or an error that names it. */
function check(name: string, given: unknown, table: Table): void {
  const values: object = typeof given === 'string' ? { type: given } : (given as object);
  checkKeys(name, values, ['type', 'alpha', 'beta']);
  const { type, ...numbers } = values as Exclude<Activation, string>;
  const takes = table[checkChoice(name, type as string, Object.keys(table))]!;
  for (const [key, value] of Object.entries(numbers)) {
    if (takes[key === 'alpha' ? 1 : 2] === undefined) {
      throw new GatefoldError('ERR_ARGUMENT', `"${name}.${key}": ${type} takes none`);
    }
    checkNumber(`${name}.${key}`, value, -Infinity);
  }
}

/** The activation of a gate, as it is given. */
export function checkCellActivation(name: string, given: unknown): void {
  check(name, given, ACTIVATIONS);
}

/** The activation of a layer, as it is given. */
export function checkActivation(name: string, given: unknown): unknown {
  check(name, given, ROWS);
  return given;
}

export function activationCode(given: RowActivation): ActivationCode {
  const { type, ...values } = typeof given === 'string' ? { type: given } : given;
  // Of those that take no beta only a softmax reads it: e^(beta x).
  const [kind, alpha = 0, beta = 1] = ROWS[type]!;
  return { alpha, beta, ...values, kind };
}
