import {
  OPTIMIZER_ADAM,
  OPTIMIZER_RMSPROP,
  OPTIMIZER_SGD,
} from '../../../assembly/shared/codes.ts';
import { checkChoice, checkFlag, checkKeys, checkNumber } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { NONE, part } from '../../engine/plan.ts';
import type { Fields, Kernels } from '../../engine/kernels.ts';
import type { Descriptor, Slot } from '../../engine/plan.ts';

interface CommonOptions {
  /** The rate of the first update: this or `lr` is needed. */
  readonly learningRate?: number;
  /** PyTorch's name for `learningRate`. */
  readonly lr?: number;
  /**
   * Whose definition: PyTorch's (the default) or that of Keras, which takes the rate into the
   * momentum, adds `eps` under the root (of Adam before the correction), starts Adagrad's squares
   * at 0.1, and lets parameters decay by themselves rather than through their gradients.
   */
  readonly form?: 'pytorch' | 'keras';
  /** Share that each update takes of a parameter; default 0, of AdamW 0.01, of Keras' 0.004. */
  readonly weightDecay?: number;
}

/** `torch.optim.SGD`, `keras.optimizers.SGD`; `dampening` is PyTorch's alone. */
export interface SgdOptions extends CommonOptions {
  readonly type: 'sgd';
  /** Share of the step before; default 0. */
  readonly momentum?: number;
  /** Share of a gradient that does not enter the momentum; default 0. */
  readonly dampening?: number;
  /** Whether the gradient is taken ahead of the momentum; default false. */
  readonly nesterov?: boolean;
}

/** `torch.optim.RMSprop`, `keras.optimizers.RMSprop`. */
export interface RmspropOptions extends CommonOptions {
  readonly type: 'rmsprop';
  /** Decay of the mean of squares, Keras' `rho`; default 0.99, of Keras 0.9. */
  readonly alpha?: number;
  /** Added to the root of the squares; default 1e-8, of Keras 1e-7. */
  readonly eps?: number;
  /** Share of the step before; default 0. */
  readonly momentum?: number;
}

/** `torch.optim.Adam` and `AdamW`, and Keras' `Adam` and `AdamW`. */
export interface AdamOptions extends CommonOptions {
  readonly type: 'adam' | 'adamw';
  /** Decay of the mean of gradients and of their squares; default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the squares; default 1e-8, of Keras 1e-7. */
  readonly eps?: number;
}

/** `torch.optim.Adagrad`, `keras.optimizers.Adagrad`. */
export interface AdagradOptions extends CommonOptions {
  readonly type: 'adagrad';
  /** Added to the root of the squares; default 1e-10, of Keras 1e-7. */
  readonly eps?: number;
}

/** An optimizer with its options. */
export type OptimizerOptions = SgdOptions | RmspropOptions | AdamOptions | AdagradOptions;

/** The optimizer of a trainer that names none. */
export const DEFAULT_OPTIMIZER: OptimizerOptions = { type: 'adam', learningRate: 0.001 };

const KEYS = {
  sgd: ['momentum', 'dampening', 'nesterov'],
  rmsprop: ['alpha', 'eps', 'momentum'],
  adagrad: ['eps'],
  adam: ['betas', 'eps'],
  adamw: ['betas', 'eps'],
} as const;

/** What one update needs to know. */
interface Step {
  /** Updates before it. */
  readonly taken: number;
  readonly rate: number;
}

/** An optimizer's checked options as the fields of the kernels' descriptor. */
export interface Optimizer {
  /** Vectors like the parameters that it keeps. */
  readonly hasFirst: boolean;
  readonly hasSecond: boolean;
  /** What the second one starts from. */
  readonly initialSecond: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Whether parameters decay by themselves. */
  readonly isDecoupled: boolean;
  readonly fieldsOf: (step: Step) => Fields<'Update'>;
}

type Rule = Pick<Optimizer, 'hasFirst' | 'hasSecond' | 'fieldsOf'> & {
  readonly initialSecond?: number;
};

/** The rate of an optimizer or a group under either of its names. */
export function rateOf(
  name: string,
  { learningRate, lr }: { readonly learningRate?: number; readonly lr?: number },
): number | undefined {
  if (learningRate === undefined || lr === undefined) return learningRate ?? lr;
  const message = `"${name}" has "learningRate" and "lr", which are the same: leave one of them out`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

export function createOptimizer(options: OptimizerOptions): Optimizer {
  const types = Object.keys(KEYS) as OptimizerOptions['type'][];
  const type = checkChoice('optimizer.type', options?.type, types);
  checkKeys('optimizer', options, [
    'type',
    'learningRate',
    'lr',
    'form',
    'weightDecay',
    ...KEYS[type],
  ]);
  const learningRate = checkNumber('optimizer.learningRate', rateOf('optimizer', options), 0);
  const form = checkChoice('optimizer.form', options.form ?? 'pytorch', ['pytorch', 'keras']);
  const isKeras = form === 'keras';
  const usual = type === 'adamw' ? (isKeras ? 0.004 : 0.01) : 0;
  const weightDecay = checkNumber('optimizer.weightDecay', options.weightDecay ?? usual, 0);
  const isDecoupled = isKeras || type === 'adamw';
  return { initialSecond: 0, ...ruleOf(options, isKeras), learningRate, weightDecay, isDecoupled };
}

function ruleOf(options: OptimizerOptions, isKeras: boolean): Rule {
  if (options.type === 'sgd') return sgd(options, isKeras);
  const usual = options.type === 'adagrad' ? 1e-10 : 1e-8;
  const eps = checkNumber('optimizer.eps', options.eps ?? (isKeras ? 1e-7 : usual), 0);
  if (options.type === 'adam' || options.type === 'adamw') return adam(options, eps, isKeras);
  const epsilons = isKeras
    ? { epsilonInside: eps, epsilon: 0 }
    : { epsilonInside: 0, epsilon: eps };
  if (options.type === 'rmsprop') return rmsprop(options, epsilons, isKeras);
  const fields = { optimizer: OPTIMIZER_RMSPROP, decaySecond: 1, weightSecond: 1, ...epsilons };
  const initialSecond = isKeras ? 0.1 : 0;
  return { hasFirst: false, hasSecond: true, initialSecond, fieldsOf: () => fields };
}

function sgd(options: SgdOptions, isKeras: boolean): Rule {
  const decayFirst = checkNumber('optimizer.momentum', options.momentum ?? 0, 0, 1);
  const dampening = checkNumber('optimizer.dampening', options.dampening ?? 0, 0, isKeras ? 0 : 1);
  const nesterov = checkFlag('optimizer.nesterov', options.nesterov) ? 1 : 0;
  if (nesterov && (decayFirst === 0 || dampening !== 0)) {
    const message = '"optimizer.nesterov" needs a momentum above 0 and no dampening';
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const fields = { optimizer: OPTIMIZER_SGD, decayFirst, nesterov };
  return {
    hasFirst: decayFirst > 0,
    hasSecond: false,
    fieldsOf: ({ taken, rate }) =>
      isKeras
        ? { ...fields, weightFirst: 1, scale: rate, rate: 1 }
        : { ...fields, weightFirst: taken === 0 ? 1 : 1 - dampening },
  };
}

function rmsprop(options: RmspropOptions, epsilons: Fields<'Update'>, isKeras: boolean): Rule {
  const usual = isKeras ? 0.9 : 0.99;
  const decaySecond = checkNumber('optimizer.alpha', options.alpha ?? usual, 0, 1);
  const decayFirst = checkNumber('optimizer.momentum', options.momentum ?? 0, 0, 1);
  const weightSecond = 1 - decaySecond;
  const fields = {
    optimizer: OPTIMIZER_RMSPROP,
    decayFirst,
    decaySecond,
    weightSecond,
    ...epsilons,
  };
  const hasFirst = decayFirst > 0;
  return {
    hasFirst,
    hasSecond: true,
    fieldsOf: ({ rate }) =>
      isKeras && hasFirst
        ? { ...fields, weightFirst: rate, rate: 1 }
        : { ...fields, weightFirst: 1 },
  };
}

function adam(options: AdamOptions, epsilon: number, isKeras: boolean): Rule {
  const [beta1, beta2] = options.betas ?? [0.9, 0.999];
  checkNumber('optimizer.betas[0]', beta1, 0, 0.9999999);
  checkNumber('optimizer.betas[1]', beta2, 0, 0.9999999);
  const fields = {
    optimizer: OPTIMIZER_ADAM,
    decayFirst: beta1,
    weightFirst: 1 - beta1,
    decaySecond: beta2,
    weightSecond: 1 - beta2,
    epsilon,
  };
  return {
    hasFirst: true,
    hasSecond: true,
    fieldsOf: ({ taken }) => {
      const correctionFirst = 1 / (1 - power(beta1, taken + 1));
      const correctionSecond = 1 / (1 - power(beta2, taken + 1));
      if (!isKeras) return { ...fields, correctionFirst, correctionSecond };
      const both = correctionFirst / Math.sqrt(correctionSecond);
      return { ...fields, correctionFirst: both, correctionSecond: 1 };
    },
  };
}

/**
 * x^n by squaring: products only, so that every host computes the same bits, which `Math.pow` does
 * not promise.
 */
function power(x: number, n: number): number {
  let result = 1;
  for (let square = x, left = n; left > 0; left = Math.floor(left / 2), square *= square) {
    if (left % 2 === 1) result *= square;
  }
  return result;
}

/** Parameters with a rate and a decay of their own. */
export interface Range {
  readonly offset: number;
  readonly length: number;
  /** Of the learning rate; 0 leaves parameters and moments as they are. */
  readonly share: number;
  readonly weightDecay: number;
}

/** The fields of one update of every range that moves, but for its places. */
export function rangeFields(
  optimizer: Optimizer,
  ranges: readonly Range[],
  step: Step,
): RangeFields[] {
  return ranges
    .filter(({ share }) => share > 0)
    .map(({ offset, length, share, weightDecay }) => {
      const rate = step.rate * share;
      return {
        offset,
        count: length,
        optimizer: OPTIMIZER_SGD,
        rate,
        scale: 1,
        decayFirst: 0,
        weightFirst: 0,
        decaySecond: 0,
        weightSecond: 0,
        nesterov: 0,
        weightDecay: optimizer.isDecoupled ? 0 : weightDecay,
        keep: optimizer.isDecoupled ? 1 - rate * weightDecay : 1,
        correctionFirst: 1,
        ...optimizer.fieldsOf({ ...step, rate }),
      } as RangeFields;
    });
}

/** See `Update` in assembly/training/optim.ts. */
interface RangeFields extends Fields<'Update'> {
  readonly offset: number;
  readonly count: number;
  readonly optimizer: number;
  readonly rate: number;
  readonly scale: number;
  readonly decayFirst: number;
  readonly weightFirst: number;
  readonly decaySecond: number;
  readonly weightSecond: number;
  readonly nesterov: number;
  readonly weightDecay: number;
  readonly keep: number;
  readonly correctionFirst: number;
}

/** Bounds of the magnitudes in parameters and moments. */
export interface Bounds {
  readonly values: number;
  readonly first: number;
  readonly second: number;
}

/** The least root of second moments that the kernels divide by: those below 1e-30 become zero. */
const LEAST_ROOT = 1e-15;
/** Bounds below it leave room for every intermediate number in float32. */
const SAFE = 1e37;

/**
 * Bounds after an update by gradients of at most some size, or `undefined` where they say nothing
 * about whether all is finite then.
 */
export function boundsAfter(
  updates: readonly RangeFields[],
  { values, first, second }: Bounds,
  gradient: number,
): Bounds | undefined {
  const after = { values, first, second };
  for (const u of updates) {
    const g = Math.abs(u.scale) * gradient + u.weightDecay * values;
    const square = u.decaySecond * second + u.weightSecond * g * g;
    let moment = u.decayFirst * first + u.weightFirst * g;
    let step = moment / LEAST_ROOT;
    if (u.optimizer === OPTIMIZER_SGD) {
      step = u.nesterov ? u.decayFirst * moment + g : Math.max(moment, g);
    } else if (u.optimizer === OPTIMIZER_ADAM) step *= u.correctionFirst;
    else {
      step = g / LEAST_ROOT;
      moment = u.decayFirst * first + u.weightFirst * step;
      step = Math.max(step, moment);
    }
    const moved = Math.abs(u.keep) * values + u.rate * step;
    if (!(Math.max(square, moment, step, moved, g * g) < SAFE)) return undefined;
    after.values = Math.max(after.values, moved);
    after.first = Math.max(after.first, moment);
    after.second = Math.max(after.second, square);
  }
  return after;
}

/** One optimizer step over vectors of parameters, range by range. */
export function applyOptimizer(
  kernels: Kernels,
  descriptor: Descriptor<'Update'>,
  { hasFirst, hasSecond }: Optimizer,
  updates: readonly RangeFields[],
  vectors: { parameters: Slot; gradients: Slot; first: Slot; second: Slot },
): void {
  for (const { offset, ...fields } of updates) {
    kernels.write(descriptor, {
      parameters: part(vectors.parameters, offset),
      gradients: part(vectors.gradients, offset),
      first: hasFirst ? part(vectors.first, offset) : NONE,
      second: hasSecond ? part(vectors.second, offset) : NONE,
      ...fields,
    });
    kernels.run.optimizer_update(descriptor.address);
  }
}
