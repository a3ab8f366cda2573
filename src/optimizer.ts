import {
  OPTIMIZER_ADAGRAD,
  OPTIMIZER_ADAM,
  OPTIMIZER_ADAMW,
  OPTIMIZER_RMSPROP,
  OPTIMIZER_SGD,
} from '../assembly/shared/codes.ts';
import { checkChoice, checkKeys, checkNumber } from './check.ts';
import { GatefoldError } from './errors.ts';
import { NONE } from './kernels.ts';
import type { Descriptor, Fields, Kernels, Slot } from './kernels.ts';

/** `torch.optim.SGD` */
export interface SgdOptions {
  readonly type: 'sgd';
  readonly lr: number;
  readonly momentum?: number;
  readonly dampening?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

/** `torch.optim.RMSprop`; `alpha` 0.99, `eps` 1e-8. */
export interface RmspropOptions {
  readonly type: 'rmsprop';
  readonly lr: number;
  readonly alpha?: number;
  readonly eps?: number;
  readonly weightDecay?: number;
}

/** `torch.optim.Adam` and `AdamW`; `betas` 0.9 and 0.999, `eps` 1e-8, `weightDecay` 0, of AdamW 0.01. */
export interface AdamOptions {
  readonly type: 'adam' | 'adamw';
  readonly lr: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
}

/** `torch.optim.Adagrad`; `eps` 1e-10. */
export interface AdagradOptions {
  readonly type: 'adagrad';
  readonly lr: number;
  readonly eps?: number;
  readonly weightDecay?: number;
}

export type OptimizerOptions = SgdOptions | RmspropOptions | AdamOptions | AdagradOptions;

const KEYS = {
  sgd: ['type', 'lr', 'momentum', 'dampening', 'nesterov', 'weightDecay'],
  rmsprop: ['type', 'lr', 'alpha', 'eps', 'weightDecay'],
  adagrad: ['type', 'lr', 'eps', 'weightDecay'],
  adam: ['type', 'lr', 'betas', 'eps', 'weightDecay'],
  adamw: ['type', 'lr', 'betas', 'eps', 'weightDecay'],
} as const;

/** The update of one step from the number of steps taken before it. */
type FieldsOfStep = (taken: number) => Fields<'Update'>;

/** An optimizer's checked options as the fields of the kernels' descriptor. */
export interface Optimizer {
  /** Vectors like the parameters that it keeps. */
  readonly hasFirst: boolean;
  readonly hasSecond: boolean;
  readonly fieldsOf: FieldsOfStep;
}

export function createOptimizer(options: OptimizerOptions): Optimizer {
  const type = checkChoice(
    'optimizer.type',
    options?.type,
    Object.keys(KEYS) as OptimizerOptions['type'][],
  );
  checkKeys('optimizer', options, KEYS[type]);
  checkNumber('optimizer.lr', options.lr, 0);
  const weightDecay = checkNumber(
    'optimizer.weightDecay',
    options.weightDecay ?? (type === 'adamw' ? 0.01 : 0),
    0,
  );
  if (options.type === 'sgd') return sgd(options, weightDecay);
  const usual = options.type === 'adagrad' ? 1e-10 : 1e-8;
  const epsilon = checkNumber('optimizer.eps', options.eps ?? usual, 0);
  if (options.type === 'adagrad') {
    const fields = { optimizer: OPTIMIZER_ADAGRAD, epsilon, weightDecay };
    return { hasFirst: false, hasSecond: true, fieldsOf: () => fields };
  }
  if (options.type === 'rmsprop') {
    const decaySecond = checkNumber('optimizer.alpha', options.alpha ?? 0.99, 0, 1);
    const fields = { optimizer: OPTIMIZER_RMSPROP, decaySecond, epsilon, weightDecay };
    return { hasFirst: false, hasSecond: true, fieldsOf: () => fields };
  }
  return adam(options, epsilon, weightDecay);
}

function sgd(options: SgdOptions, weightDecay: number): Optimizer {
  const decayFirst = checkNumber('optimizer.momentum', options.momentum ?? 0, 0, 1);
  const dampening = checkNumber('optimizer.dampening', options.dampening ?? 0, 0, 1);
  const nesterov = options.nesterov ? 1 : 0;
  if (nesterov && (decayFirst === 0 || dampening !== 0)) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      '"optimizer.nesterov" needs a momentum above 0 and no dampening',
    );
  }
  const fields = { optimizer: OPTIMIZER_SGD, decayFirst, nesterov, weightDecay };
  return {
    hasFirst: decayFirst > 0,
    hasSecond: false,
    fieldsOf: (taken) => ({ ...fields, weightFirst: taken === 0 ? 1 : 1 - dampening }),
  };
}

function adam(options: AdamOptions, epsilon: number, weightDecay: number): Optimizer {
  const [beta1, beta2] = options.betas ?? [0.9, 0.999];
  checkNumber('optimizer.betas[0]', beta1, 0, 0.9999999);
  checkNumber('optimizer.betas[1]', beta2, 0, 0.9999999);
  const fields = {
    optimizer: options.type === 'adam' ? OPTIMIZER_ADAM : OPTIMIZER_ADAMW,
    decayFirst: beta1,
    weightFirst: 1 - beta1,
    decaySecond: beta2,
    epsilon,
    weightDecay,
  };
  return {
    hasFirst: true,
    hasSecond: true,
    fieldsOf: (taken) => ({
      ...fields,
      correctionFirst: 1 / (1 - power(beta1, taken + 1)),
      correctionSecond: 1 / (1 - power(beta2, taken + 1)),
    }),
  };
}

/** x^n by squaring: products only, so that every host computes the same bits, which `Math.pow` does not promise. */
function power(x: number, n: number): number {
  let result = 1;
  for (let square = x, left = n; left > 0; left = Math.floor(left / 2), square *= square) {
    if (left % 2 === 1) result *= square;
  }
  return result;
}

/** One optimizer step over a vector of parameters. */
export function applyOptimizer(
  kernels: Kernels,
  descriptor: Descriptor<'Update'>,
  optimizer: Optimizer,
  vectors: { parameters: Slot; gradients: Slot; first: Slot; second: Slot },
  step: { taken: number; rate: number; scale: number },
): void {
  kernels.write(descriptor, {
    ...optimizer.fieldsOf(step.taken),
    parameters: vectors.parameters,
    gradients: vectors.gradients,
    first: optimizer.hasFirst ? vectors.first : NONE,
    second: optimizer.hasSecond ? vectors.second : NONE,
    count: vectors.parameters.length,
    rate: step.rate,
    scale: step.scale,
  });
  kernels.run.optimizer_update(descriptor.address);
}
