import { checkInteger, readOptions } from './check.ts';
import { Course } from './course.ts';
import type { FitEvent } from './course.ts';
import { lossOptions } from './loss.ts';
import { checkMetrics } from './metrics.ts';
import type { Measures, Metric } from './metrics.ts';
import type { ReduceOnPlateau, Schedule } from './schedules.ts';
import type { Trainer } from './train.ts';
import type { Snapshot, StepReport } from './trainer-options.ts';
import type { Input } from './types.ts';

/** What one update learns from, as `Trainer.step` takes it. */
export interface TrainingWindow {
  readonly inputs: Input;
  readonly targets: Float32Array | Int32Array;
  readonly steps: number;
  /** Valid steps of every row; all of them where absent. */
  readonly lengths?: ArrayLike<number>;
  /** Of the loss `ctc`: how many labels of each row count. */
  readonly targetLengths?: ArrayLike<number>;
  /** Whether its rows start from zero states rather than from those that the window before left; default false. */
  readonly fresh?: boolean;
  /** The targets in it, for reports; default its valid steps, or where a model pools its rows that have some. */
  readonly count?: number;
}

/** Batches in a fixed number: the windows of long sequences, as `TextBatches` gives them, or sequences of their own. */
export interface TrainingData {
  /** Windows in one pass. */
  readonly windows: number;
  /**
   * Window `index` of pass `epoch`, which counts from 0 and may decide the order; absent outside of training. Its arrays may be used again
   * by the next call.
   */
  window(index: number, epoch?: number): TrainingWindow;
}

export interface FitOptions {
  /** Passes over the data. */
  readonly epochs: number;
  /** Updates of these passes that are done already, when a run is resumed by hand; default 0. */
  readonly from?: number;
  /** Ends the iteration after the window at hand, without an error. What has been learned stays. */
  readonly signal?: AbortSignal;
  /** Data whose mean loss is taken after every epoch. */
  readonly validation?: TrainingData;
  /** What to report of it beside the loss. */
  readonly metrics?: readonly Metric[];
  /** The learning rate of an update, counted from 0, or one that falls by the validation loss; default: that of the trainer stays. */
  readonly learningRate?: Schedule | ReduceOnPlateau;
  /** Ends after `patience` validations in a row whose loss was not lower than the best by more than `minDelta` (default 0). */
  readonly earlyStopping?: { readonly patience: number; readonly minDelta?: number };
  /**
   * Whether the model is left with the parameters of its lowest validation loss, however the iteration ends; default false. The trainer's
   * own state stays the last one: checkpoints go on from there.
   */
  readonly keepBest?: boolean;
  /** What is given everything that going on later takes: `gatefold/node` has files. */
  readonly checkpoint?: Checkpoint;
  /** Such a snapshot, to go on from bit for bit with the same data and options; absent to start anew. */
  readonly resume?: Snapshot;
  /** Milliseconds of work after which the event loop gets a turn; default 50. */
  readonly yieldEvery?: number;
}

/** Keeps the state of a run. */
export interface Checkpoint {
  /** Updates from one to the next; default an epoch. One more follows when the iteration ends without an error. */
  readonly every?: number;
  save(snapshot: Snapshot): void | Promise<void>;
}

/** What one update was. */
export interface FitProgress extends StepReport {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Updates done, of `updates` in all epochs. */
  readonly update: number;
  readonly updates: number;
  /** Targets of this update. */
  readonly targets: number;
  readonly learningRate: number;
  /** Mean loss over the validation data, after the last window of an epoch; the others below come with it. */
  readonly validationLoss?: number;
  /** The same, and the metrics that were asked for. */
  readonly metrics?: Measures;
  /** The update with the lowest finite validation loss; 0 before there is one. */
  readonly best?: number;
  /** What the validation has changed. */
  readonly events?: readonly FitEvent[];
}

const KEYS = [
  'epochs',
  'from',
  'signal',
  'validation',
  'metrics',
  'learningRate',
  'earlyStopping',
  'keepBest',
  'checkpoint',
  'resume',
  'yieldEvery',
] as const;

/** Measures some data window by window. */
type Measuring = (data: TrainingData, metrics: readonly Metric[]) => Generator<void, Measures>;

/** See `Trainer.fit`. */
export async function* fit(
  trainer: Trainer,
  data: TrainingData,
  given: FitOptions,
  measuring: Measuring,
): AsyncGenerator<FitProgress, void, undefined> {
  const options = readOptions('options', given, KEYS);
  const { windows } = data;
  const epochs = checkInteger('epochs', options.epochs, 1);
  const updates = epochs * checkInteger('data.windows', windows, 1);
  const from = checkInteger('from', options.from ?? 0, 0, options.resume ? 0 : updates);
  const yieldEvery = checkInteger('yieldEvery', options.yieldEvery ?? 50, 0);
  const { signal, validation, learningRate, metrics = [], checkpoint, resume } = options;
  const every = checkInteger('checkpoint.every', checkpoint?.every ?? windows, 1);
  if (metrics.length) checkMetrics(metrics, lossOptions(trainer.options.loss!));
  const course = new Course(trainer, options);
  const breathe = turns(yieldEvery);
  let update = resume ? course.restore(resume, windows) : from;
  let saved = resume ? update : -1;
  const save = async (): Promise<void> => {
    saved = update;
    await checkpoint?.save(course.snapshot(update, windows));
  };
  const validate = async (own: TrainingData): Promise<Partial<FitProgress>> => {
    const measures = await drain(measuring(own, metrics), breathe);
    const { loss } = measures;
    const events = course.hear(loss, update);
    return { validationLoss: loss, metrics: measures, best: course.best, events };
  };
  let isSound = false;
  try {
    while (update < updates && !signal?.aborted && !course.isOver) {
      const index = update % windows;
      const epoch = Math.floor(update / windows);
      if (learningRate) {
        trainer.learningRate =
          typeof learningRate === 'function' ? learningRate(update, updates) : learningRate.rate;
      }
      const rate = trainer.learningRate;
      const window = data.window(index, epoch);
      if (index === 0 || window.fresh) trainer.resetState();
      const { inputs, targets, steps, lengths, targetLengths } = window;
      const report = trainer.step(inputs, targets, { steps, lengths, targetLengths });
      update++;
      const isLast = index === windows - 1;
      const progress = {
        ...report,
        epoch: epoch + 1,
        epochs,
        update,
        updates,
        targets: countOf(window, trainer),
        learningRate: rate,
        ...(validation && isLast ? await validate(validation) : {}),
      };
      // Whoever leaves the loop here leaves a run that can go on.
      isSound = true;
      yield progress;
      isSound = false;
      if (update % every === 0) await save();
      await breathe();
    }
    isSound = true;
  } finally {
    if (isSound && saved < update) await save();
    course.finish();
  }
}

async function drain<T>(steps: Generator<void, T>, breathe: () => Promise<void>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await breathe();
  }
}

function countOf(window: TrainingWindow, { model, options }: Trainer): number {
  const { lengths, steps, count } = window;
  const { batch } = options;
  if (count !== undefined) return count;
  const all = lengths ? Array.from(lengths) : Array.from({ length: batch }, () => steps);
  return all.reduce((sum, length) => sum + (model.pooled ? Math.min(length, 1) : length), 0);
}

/** What lets timers, input and painting in every so many milliseconds. An AudioWorklet has no timers, and nothing to let in. */
function turns(every: number): () => Promise<void> {
  let endsAt = Date.now() + every;
  return async () => {
    if (Date.now() < endsAt || typeof setTimeout !== 'function') return;
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    endsAt = Date.now() + every;
  };
}
