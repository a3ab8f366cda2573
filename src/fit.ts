import { checkInteger, checkKeys } from './check.ts';
import type { Measures, Metric } from './metrics.ts';
import type { Schedule } from './schedules.ts';
import type { StepReport, Trainer } from './train.ts';
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
  /** Updates of these passes that are done already, when a run is resumed; default 0. */
  readonly from?: number;
  /** Ends the iteration after the window at hand, without an error. What has been learned stays. */
  readonly signal?: AbortSignal;
  /** Data whose mean loss is taken after every epoch. */
  readonly validation?: TrainingData;
  /** What to report of it beside the loss. */
  readonly metrics?: readonly Metric[];
  /** The learning rate of an update, counted from 0; default: that of the trainer stays. */
  readonly learningRate?: Schedule;
  /** Milliseconds of work after which the event loop gets a turn; default 50. */
  readonly yieldEvery?: number;
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
  /** Mean loss over the validation data, after the last window of an epoch. */
  readonly validationLoss?: number;
  /** With `metrics`, those, at the same time. */
  readonly metrics?: Measures;
}

const KEYS = ['epochs', 'from', 'signal', 'validation', 'metrics', 'learningRate', 'yieldEvery'];

/** Measures some data window by window. */
type Measuring = (data: TrainingData, metrics: readonly Metric[]) => Generator<void, Measures>;

/** See `Trainer.fit`. */
export async function* fit(
  trainer: Trainer,
  data: TrainingData,
  options: FitOptions,
  measuring: Measuring,
): AsyncGenerator<FitProgress, void, undefined> {
  checkKeys('options', options, KEYS);
  const epochs = checkInteger('epochs', options.epochs, 1);
  const updates = epochs * checkInteger('data.windows', data.windows, 1);
  const from = checkInteger('from', options.from ?? 0, 0, updates);
  const yieldEvery = checkInteger('yieldEvery', options.yieldEvery ?? 50, 0);
  const { signal, validation, learningRate, metrics = [] } = options;
  let turnEndsAt = Date.now() + yieldEvery;
  const breathe = async (): Promise<void> => {
    if (Date.now() < turnEndsAt) return;
    await eventLoop();
    turnEndsAt = Date.now() + yieldEvery;
  };
  const validate = async (of: TrainingData): Promise<Partial<FitProgress>> => {
    const windows = measuring(of, metrics);
    for (;;) {
      const { done, value } = windows.next();
      if (!done) await breathe();
      else return { validationLoss: value.loss, ...(metrics.length ? { metrics: value } : {}) };
    }
  };
  for (let update = from; update < updates && !signal?.aborted; update++) {
    const index = update % data.windows;
    const epoch = Math.floor(update / data.windows);
    if (learningRate) trainer.learningRate = learningRate(update, updates);
    const window = data.window(index, epoch);
    if (index === 0 || window.fresh) trainer.resetState();
    const { inputs, targets, steps, lengths, targetLengths } = window;
    const report = trainer.step(inputs, targets, { steps, lengths, targetLengths });
    const progress = {
      ...report,
      epoch: epoch + 1,
      epochs,
      update: update + 1,
      updates,
      targets: countOf(window, trainer),
    };
    const isLast = index === data.windows - 1;
    yield validation && isLast ? { ...progress, ...(await validate(validation)) } : progress;
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

/** Lets timers, input and painting in. An AudioWorklet has no timers, and nothing to let in. */
async function eventLoop(): Promise<void> {
  if (typeof setTimeout !== 'function') return;
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
}
