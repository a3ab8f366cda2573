import type { Measures, Metric } from './metrics.ts';
import type { Model } from '../model/model.ts';
import type { ReduceOnPlateau, Schedule } from './optim/schedules.ts';
import type { Snapshot, StepReport, TrainerOptions, WindowOptions } from './options.ts';
import type { Inputs, Lengths } from '../base/tensor.ts';
import type { TargetArrays } from './losses/losses.ts';

/**
 * What a validation has changed: the lowest loss so far, a lower learning rate from here on, the
 * end of the run.
 */
export type FitEvent = 'best' | 'rate-reduced' | 'early-stop';

/** What a run of `fit` asks of its trainer. */
export interface Learner {
  readonly model: Model;
  readonly options: TrainerOptions;
  learningRate: number;
  trainOn(x: Inputs, target: TargetArrays, options: WindowOptions): StepReport;
  resetState(): void;
  snapshot(): Snapshot;
  restore(snapshot: Snapshot): void;
}

/** What one update learns from, as `Trainer.trainOn` takes it. */
export interface TrainingWindow {
  /** [T, B, I], or tokens [T, B]; of several inputs by name. */
  readonly inputs: Inputs;
  /** What the loss compares with, see `Trainer.trainOn`; of several outputs by name. */
  readonly targets: TargetArrays;
  /** T */
  readonly steps: Exclude<WindowOptions['steps'], undefined>;
  /** Valid steps of every row; all of them where absent. */
  readonly lengths?: Lengths;
  /** Of the loss `ctc`: how many labels of each row count. */
  readonly targetLengths?: ArrayLike<number>;
  /**
   * Whether its rows start from zero states rather than from those that the window before left;
   * default false.
   */
  readonly fresh?: boolean;
  /**
   * The targets in it, for reports; default the outputs of its valid steps, of which a row has
   * fewer after a strided convolution, and one after a pool.
   */
  readonly count?: number;
}

/**
 * Batches in a fixed number: the windows of long sequences, as `TextBatches` gives them, or
 * sequences of their own.
 */
export interface TrainingData {
  /** Windows in one pass. */
  readonly length: number;
  /**
   * Window `index` of pass `epoch`, which counts from 0 and may decide the order; absent outside of
   * training. Its arrays may be used again by the next call.
   */
  window(index: number, epoch?: number): TrainingWindow;
}

/** How `Trainer.fit` goes over the data. */
export interface FitOptions<Asked extends readonly Metric[] = readonly Metric[]> {
  /** Passes over the data. */
  readonly epochs: number;
  /** Updates of these passes that are done already, when a run is resumed by hand; default 0. */
  readonly from?: number;
  /**
   * An `AbortSignal`: ends the iteration after the current window, without an error. What has been
   * learned stays.
   */
  readonly signal?: { readonly aborted: boolean };
  /** Data whose mean loss is taken after every epoch. */
  readonly validation?: TrainingData;
  /** What to report of it beside the loss. */
  readonly metrics?: Asked;
  /**
   * The learning rate of an update, counted from 0, or one that falls by the validation loss;
   * default: that of the trainer stays.
   */
  readonly learningRate?: Schedule | ReduceOnPlateau;
  /**
   * Ends after `patience` validations in a row whose loss was not lower than the best by more than
   * `minDelta` (default 0).
   */
  readonly earlyStopping?: { readonly patience: number; readonly minDelta?: number };
  /**
   * Whether the model is left with the parameters of its lowest validation loss, however the
   * iteration ends; default false. The trainer's own state stays the last one: checkpoints go on
   * from there.
   */
  readonly keepBest?: boolean;
  /** What is given everything that going on later takes: `gatefold/node` has files. */
  readonly checkpoint?: Checkpoint;
  /**
   * Such a snapshot, to go on from bit for bit with the same data and options; absent to start
   * anew.
   */
  readonly resume?: Snapshot;
  /** Milliseconds of work after which the event loop gets a turn; default 50. */
  readonly yieldEvery?: number;
}

/** Keeps the state of a run. */
export interface Checkpoint {
  /**
   * Updates from one to the next; default an epoch. One more follows when the iteration ends
   * without an error.
   */
  readonly every?: number;
  /** Keeps the snapshot; the run waits for its promise. */
  save(snapshot: Snapshot): void | Promise<void>;
}

/** What one update was. */
export interface FitProgress<
  Asked extends readonly Metric[] = readonly Metric[],
> extends StepReport {
  /** From 1. */
  readonly epoch: number;
  /** Epochs of the run. */
  readonly epochs: number;
  /** Updates done, of `updates` in all epochs. */
  readonly update: number;
  /** Updates of all epochs. */
  readonly updates: number;
  /** Targets of this update. */
  readonly targetCount: number;
  /** The rate that this update had. */
  readonly learningRate: number;
  /**
   * Mean loss over the validation data, after the last window of an epoch; the others below come
   * with it.
   */
  readonly validationLoss?: number;
  /** The same, and the metrics that were asked for. */
  readonly metrics?: Measures<Asked>;
  /** The update with the lowest finite validation loss; 0 before there is one. */
  readonly best?: number;
  /** What the validation has changed. */
  readonly events?: readonly FitEvent[];
}

/**
 * A run: awaited, it goes to its end and gives the last report, if there was an update; iterated,
 * it tells of every update.
 */
export interface FitRun<Asked extends readonly Metric[] = readonly Metric[]>
  extends
    AsyncGenerator<FitProgress<Asked>, void, undefined>,
    PromiseLike<FitProgress<Asked> | undefined> {}
