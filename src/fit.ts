import { checkInteger, checkKeys } from './check.ts';
import type { Schedule } from './schedules.ts';
import type { StepReport, Trainer } from './train.ts';
import type { Input } from './types.ts';

/** Consecutive windows of long sequences, as `TextBatches` gives them: the state after one is the state before the next. */
export interface TrainingData {
  /** Windows in one pass. */
  readonly windows: number;
  /** Window `index`: inputs and targets as `Trainer.step` takes them. Its arrays may be used again by the next call. */
  window(index: number): {
    readonly inputs: Input;
    readonly targets: Float32Array | Int32Array;
    readonly steps: number;
  };
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
}

const KEYS = ['epochs', 'from', 'signal', 'validation', 'learningRate', 'yieldEvery'];

/** See `Trainer.fit`. */
export async function* fit(
  trainer: Trainer,
  data: TrainingData,
  options: FitOptions,
): AsyncGenerator<FitProgress, void, undefined> {
  checkKeys('options', options, KEYS);
  const epochs = checkInteger('epochs', options.epochs, 1);
  const updates = epochs * checkInteger('data.windows', data.windows, 1);
  const from = checkInteger('from', options.from ?? 0, 0, updates);
  const yieldEvery = checkInteger('yieldEvery', options.yieldEvery ?? 50, 0);
  const { signal, validation, learningRate } = options;
  let turnEndsAt = Date.now() + yieldEvery;
  for (let update = from; update < updates && !signal?.aborted; update++) {
    const index = update % data.windows;
    if (index === 0) trainer.resetState();
    if (learningRate) trainer.learningRate = learningRate(update, updates);
    const { inputs, targets, steps } = data.window(index);
    const report = trainer.step(inputs, targets, { steps });
    const isLast = index === data.windows - 1;
    yield {
      ...report,
      epoch: Math.floor(update / data.windows) + 1,
      epochs,
      update: update + 1,
      updates,
      targets: steps * trainer.options.batch,
      ...(validation && isLast ? { validationLoss: meanLoss(trainer, validation) } : {}),
    };
    if (Date.now() < turnEndsAt) continue;
    await eventLoop();
    turnEndsAt = Date.now() + yieldEvery;
  }
}

/** Mean loss over all windows of some data, from zero states. */
export function meanLoss(trainer: Trainer, data: TrainingData): number {
  trainer.resetEvaluation();
  let sum = 0;
  let count = 0;
  for (let index = 0; index < data.windows; index++) {
    const { inputs, targets, steps } = data.window(index);
    sum += trainer.evaluate(inputs, targets, { steps }) * steps;
    count += steps;
  }
  return sum / count;
}

/** Lets timers, input and painting in. An AudioWorklet has no timers, and nothing to let in. */
async function eventLoop(): Promise<void> {
  if (typeof setTimeout !== 'function') return;
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
}
