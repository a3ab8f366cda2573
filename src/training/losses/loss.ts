import {
  LOSS_ABSOLUTE,
  LOSS_BINARY,
  LOSS_CLASSES,
  LOSS_HUBER,
  LOSS_SQUARED,
} from '../../../assembly/shared/codes.ts';
import {
  checkChoice,
  checkInteger,
  checkKeys,
  checkNumber,
  ownFloats,
  ownTokens,
} from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { NONE } from '../../engine/plan.ts';
import type { Kernels } from '../../engine/kernels.ts';
import type { Slot } from '../../engine/plan.ts';

/** `torch.nn.CrossEntropyLoss` on logits, in nats. */
export interface CrossEntropyOptions {
  readonly type: 'cross-entropy';
  /**
   * A weight of at least 0 for each class; the mean is over the weights of the targets. Default 1.
   */
  readonly classWeights?: ArrayLike<number>;
  /** A target that counts for nothing, e.g. -100; default none. */
  readonly ignoreIndex?: number;
}

/**
 * Means over all elements: squared (`mse`) or absolute difference (`mae`), Huber's of both
 * (`huber`, `delta` 1), binary cross-entropy of targets in [0, 1] with logits (`bce`).
 */
export interface ElementLossOptions {
  readonly type: 'mse' | 'mae' | 'huber' | 'bce';
  /** Where Huber's loss becomes straight; default 1. */
  readonly delta?: number;
}

/**
 * Connectionist temporal classification of logits [T, B, O], as `torch.nn.CTCLoss` with the
 * reduction `mean`: each row's loss by the number of its labels (at least 1), and the mean over the
 * rows that have steps or labels.
 */
export interface CtcOptions {
  readonly type: 'ctc';
  /** The class that says nothing; default 0. */
  readonly blank?: number;
  /**
   * Whether a row whose labels do not fit into its steps counts as 0 rather than as infinity;
   * default false.
   */
  readonly zeroInfinity?: boolean;
  /**
   * Most labels of a row whose labels fit into its steps; the trainer takes memory for their
   * alignments, 16 (steps + 1) (2 maxLabels + 1) bytes. Default: as many as fit into 16 MiB, at
   * most one a step.
   */
  readonly maxLabels?: number;
}

/** Losses of single rows of the output. */
export type RowLossOptions = CrossEntropyOptions | ElementLossOptions;
export type LossOptions = RowLossOptions | CtcOptions;
/** A loss by its name, or with its options. */
export type LossChoice = LossOptions['type'] | LossOptions;

/** Most negative i32: a target that no data has. */
const NOTHING_IGNORED = -(2 ** 31);
const ELEMENTS = {
  mse: LOSS_SQUARED,
  mae: LOSS_ABSOLUTE,
  huber: LOSS_HUBER,
  bce: LOSS_BINARY,
} as const;
const TYPES: readonly LossOptions['type'][] = [
  'cross-entropy',
  'mse',
  'mae',
  'huber',
  'bce',
  'ctc',
];

/** Where the rows of a pass lie for a loss. */
export interface LossPlaces {
  /** [M, outputs], `row` numbers apart: outputs, whose place their gradients take. */
  readonly outputs: Slot;
  readonly row: number;
  readonly targets: Slot;
  /** [M] */
  readonly losses: Slot;
  readonly rows: number;
}

/** A loss over rows of `outputs` numbers. */
export interface Loss {
  /** Numbers of a row of targets. */
  readonly targetWidth: number;
  /** Class weights that it wants in the engine. */
  readonly constants: Float32Array;
  /** The targets where nobody can change them; refuses those of the wrong kind, length or value. */
  check(target: unknown, rows: number): Float32Array | Int32Array;
  /**
   * What the mean is over: `sum` and the share of these rows; without `constants`, how many targets
   * that is.
   */
  weigh(kernels: Kernels, targets: Slot, rows: number, constants: Slot, sum: number): number;
  /** `sum` and what rows of outputs score: targets found, or absolute errors. */
  score(kernels: Kernels, places: LossPlaces, sum: number): number;
  /** The losses of rows; `scale` times the gradient of their sum takes the place of the outputs. */
  run(kernels: Kernels, places: LossPlaces, constants: Slot, scale: number): void;
}

/** A checked loss for models of so many outputs. */
export function createLoss(options: RowLossOptions, outputs: number): Loss {
  return options.type === 'cross-entropy'
    ? crossEntropy(options, outputs)
    : elementLoss(options, outputs);
}

/** The choice with its options, of a known type. */
export function lossOptions(choice: LossChoice): LossOptions {
  const options = typeof choice === 'string' ? ({ type: choice } as LossOptions) : choice;
  checkChoice('loss', (options as LossOptions | null)?.type, TYPES);
  return options;
}

function crossEntropy(options: CrossEntropyOptions, outputs: number): Loss {
  checkKeys('loss', options, ['type', 'classWeights', 'ignoreIndex']);
  const { classWeights, ignoreIndex } = options;
  const ignored =
    ignoreIndex === undefined
      ? NOTHING_IGNORED
      : checkInteger('loss.ignoreIndex', ignoreIndex, 1 - 2 ** 31);
  if (classWeights && classWeights.length !== outputs) {
    throw new GatefoldError(
      'ERR_SHAPE',
      `"loss.classWeights" expected ${outputs} numbers, one a class, got length ${classWeights.length}`,
    );
  }
  const constants = Float32Array.from(classWeights ?? [], (weight, k) =>
    checkNumber(`loss.classWeights[${k}]`, weight, 0),
  );
  const own = (weights: Slot): number => (constants.length ? weights : NONE).address;
  return {
    targetWidth: 1,
    constants,
    check(target, rows) {
      return ownTokens('target', target, rows, 'one a row of the output', outputs, ignoreIndex);
    },
    weigh({ run }, targets, rows, weights, sum) {
      return run.loss_weight(targets.address, rows, own(weights), outputs, ignored, sum);
    },
    score: scoreOf(LOSS_CLASSES, ignored, outputs),
    run({ run }, { outputs: y, row, targets, losses, rows }, weights, scale) {
      const at = [y.address, row * 4, targets.address, own(weights)] as const;
      run.loss_cross_entropy(...at, ignored, losses.address, rows, outputs, scale);
    },
  };
}

function elementLoss(options: ElementLossOptions, outputs: number): Loss {
  checkKeys('loss', options, options.type === 'huber' ? ['type', 'delta'] : ['type']);
  const delta = checkNumber('loss.delta', options.delta ?? 1, 1e-30);
  const kind = ELEMENTS[options.type];
  return {
    targetWidth: outputs,
    constants: new Float32Array(0),
    check(target, rows) {
      return ownFloats('target', target, rows * outputs, 'shaped like the output');
    },
    weigh: (_, __, rows, ___, sum) => sum + rows * outputs,
    score: scoreOf(kind === LOSS_BINARY ? kind : LOSS_ABSOLUTE, NOTHING_IGNORED, outputs),
    run({ run }, { outputs: y, row, targets, losses, rows }, _, scale) {
      const at = [y.address, row * 4, targets.address, losses.address] as const;
      run.loss_elements(kind, ...at, rows, outputs, delta, scale);
    },
  };
}

function scoreOf(kind: number, ignored: number, width: number): Loss['score'] {
  return ({ run }, { outputs, row, targets, rows }, sum) =>
    run.loss_score(kind, outputs.address, row * 4, targets.address, ignored, rows, width, sum);
}
