import { checkChoice, checkInteger, checkKeys, checkNumber, frozenCopy } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import type { GradientFlow } from './gradient-flow.ts';
import { requireRowLoss } from './losses/index.ts';
import { allOptions } from './losses/losses.ts';
import type { LossChoices, TargetArrays } from './losses/losses.ts';
import type { ParameterGroup } from './optim/groups.ts';
import type { OptimizerOptions } from './optim/optimizer.ts';
import { MAX_SEED } from '../base/random.ts';
import type { Lengths, ModelState, SequenceOptions, StateDict } from '../base/tensor.ts';

/** What a trainer is created with. */
export interface TrainerOptions {
  /** B */
  readonly batch: number;
  /**
   * The most steps that one backward pass goes through; memory is taken for them once. By the name
   * of the input where some have steps of their own; not needed where the description says.
   */
  readonly steps?: SequenceOptions['steps'];
  /**
   * The mean over all targets, of several outputs by their names; only `trainOn`, `evaluateWindow`,
   * `fit` and `backward({ target })` need it. An output without one trains nothing.
   */
  readonly loss?: LossChoices;
  /** Factors of the losses of several outputs in their sum; default 1. */
  readonly lossWeights?: Readonly<Record<string, number>>;
  /** Default `{ type: 'adam', learningRate: 0.001 }`. */
  readonly optimizer?: OptimizerOptions;
  /** Parameters with a rate or a decay of their own, or frozen; a parameter may be in one group. */
  readonly groups?: readonly ParameterGroup[];
  /**
   * Bounds of the gradients before an update: the norm of all as one vector (PyTorch's
   * `clip_grad_norm_`), the norm of each parameter's (Keras' `clipnorm`), or each number's size.
   * `step` instead bounds each number of the gradients of every gate's sum, at every step, before
   * they go on to the step before: what explodes on the way back does not get there.
   */
  readonly gradClip?: GradClip;
  /**
   * Truncated backpropagation through time: an update `every` k1 steps whose errors flow back
   * through `back` k2 >= k1 steps. Default: both the steps of the trainer.
   */
  readonly bptt?: { readonly back: number; readonly every: number };
  /**
   * Most bytes of the engine's memory that the trainer may take. Where all steps do not fit,
   * `trainOn` and `evaluateWindow` run them in segments and each twice in training; losses and
   * gradients are the same bits. Only for models that read forward and do not pool.
   */
  readonly maxBytes?: number;
  /**
   * What a loss or gradient that is not finite does: an error (default), or no update. Parameters
   * stay as they were in both.
   */
  readonly onNonFinite?: 'throw' | 'skip';
  /** Of the masks of dropout and zoneout; default 0. */
  readonly seed?: number;
}

/** What bounds gradients before an update: one of four, see `TrainerOptions.gradClip`. */
export type GradClip =
  | {
      /** Bound of the norm of all gradients as one vector. */
      readonly norm: number;
    }
  | {
      /** Bound of the norm of each parameter's gradient. */
      readonly tensorNorm: number;
    }
  | {
      /** Bound of each number's size. */
      readonly value: number;
    }
  | {
      /** Bound of each number on its way back from step to step. */
      readonly step: number;
    };

/** What one update did. */
export interface UpdateReport {
  /** Norm of all gradients as one vector, before clipping. */
  readonly gradNorm: number;
  /** Whether all gradients were finite; if not, nothing was changed. */
  readonly finite: boolean;
}

/** What one update did, and the loss that it started from. */
export interface StepReport extends UpdateReport {
  /** Mean over the targets. */
  readonly loss: number;
  /**
   * Whether the window had nothing to learn from: no valid step, or no target that counts. Then
   * there was no update, the loss is 0, and the states go on.
   */
  readonly skipped: boolean;
  /** Of `ctc`: rows whose labels do not fit into their steps. They give no gradient. */
  readonly infiniteRows: number;
}

/** Prefix of the best parameters in the snapshot of a run that keeps them. */
export const BEST = 'best.';

/** What a trainer is, to go on with it elsewhere: see `Trainer.snapshot`. */
export interface Snapshot {
  /** Parameters, moments and states by name. */
  readonly tensors: StateDict;
  /** Counters and settings as texts. */
  readonly metadata: Record<string, string>;
}

/** The sequences of one `forward` of a trainer. */
export interface TrainingSequenceOptions {
  /** T; default the steps of the trainer. */
  readonly steps?: SequenceOptions['steps'];
  /** Whether `x` and the outputs are [B, T, ...] rather than [T, B, ...]; default false. */
  readonly batchFirst?: boolean;
  /** Initial states; zero where absent. */
  readonly state?: ModelState;
  /** Valid steps of every row, 0 to T, at least one of them above 0; all T where absent. */
  readonly lengths?: Lengths;
  /**
   * What outputs after the valid steps are: zero (the default), or the last valid output again.
   */
  readonly padding?: 'zero' | 'repeat';
}

/** What a backward pass starts from. */
export interface OutputGradients {
  /** Of `ctc`: how many labels of each row of `target` count. */
  readonly targetLengths?: ArrayLike<number>;
  /** Targets of the trainer's own loss. */
  readonly target?: TargetArrays;
  /** dL/d(output), shaped like the output, of several by name; zero where absent. */
  readonly output?: Float32Array | Readonly<Record<string, Float32Array>>;
  /** dL/d(last states); zero where absent. */
  readonly state?: ModelState;
  /** Whether to measure the gradients of the states at every step; default false. */
  readonly flow?: boolean;
}

/** What a backward pass ends in. */
export interface InputGradients {
  /** dL/d(x), shaped like x; absent for tokens. Of several inputs the first. */
  readonly input?: Float32Array;
  /** The same of every input that is features, by name. */
  readonly inputs: Readonly<Record<string, Float32Array>>;
  /** dL/d(initial states). */
  readonly state: ModelState;
  /** With `target`, the mean loss. */
  readonly loss?: number;
  /** With `target`, for `ctc`: rows of infinite loss, which give no gradient. */
  readonly infiniteRows?: number;
  /** With `flow`, how strong the gradient was at every step. */
  readonly flow?: GradientFlow;
}

/** The window of one update. */
export interface WindowOptions {
  /** T; default the steps of the trainer, with `bptt` its `every`. */
  readonly steps?: SequenceOptions['steps'];
  /** Valid steps of every row; all T where absent. The loss is the mean over valid steps. */
  readonly lengths?: Lengths;
  /** Of `ctc`: how many labels of each row count. */
  readonly targetLengths?: ArrayLike<number>;
}

const KEYS = [
  'batch',
  'steps',
  'loss',
  'lossWeights',
  'optimizer',
  'groups',
  'gradClip',
  'bptt',
  'maxBytes',
  'onNonFinite',
  'seed',
];

/**
 * A copy of the options that nobody can change, checked, or an error that names the one that is
 * wrong.
 */
export function checkTrainerOptions(given: TrainerOptions): TrainerOptions {
  checkKeys('options', given, KEYS);
  const options = frozenCopy('options', given);
  const { batch, steps, onNonFinite, gradClip, bptt, maxBytes } = options;
  checkInteger('batch', batch, 1);
  if (options.seed !== undefined) checkInteger('seed', options.seed, 0, MAX_SEED);
  if (options.loss !== undefined) {
    const chosen = allOptions(options.loss);
    for (const which of ['bptt', 'maxBytes'] as const) {
      if (!options[which]) continue;
      const why = (type: string): string =>
        `"${which}" cuts sequences that the loss '${type}' needs whole: leave it out`;
      for (const own of chosen) requireRowLoss(own, 'ERR_ARGUMENT', why);
    }
  }
  if (onNonFinite !== undefined) checkChoice('onNonFinite', onNonFinite, ['throw', 'skip']);
  if (gradClip !== undefined) {
    checkKeys('gradClip', gradClip, ['norm', 'tensorNorm', 'value', 'step']);
    const [[mode, bound] = [], ...others] = Object.entries(gradClip);
    if (mode === undefined || others.length) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        '"gradClip" expected one of "norm", "tensorNorm", "value" and "step"',
      );
    }
    checkNumber(`gradClip.${mode}`, bound, 0);
  }
  if (bptt !== undefined) {
    checkKeys('bptt', bptt, ['back', 'every']);
    checkInteger('bptt.back', bptt.back, 1, typeof steps === 'number' ? steps : undefined);
    checkInteger('bptt.every', bptt.every, 1, bptt.back);
  }
  if (maxBytes !== undefined) {
    checkInteger('maxBytes', maxBytes, 1, 2 ** 32);
    if (bptt) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        '"maxBytes" cannot be combined with "bptt", which bounds the memory by its own steps: leave one of them out',
      );
    }
  }
  return options;
}
