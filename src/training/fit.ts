import { checkInteger, checkList, checkObject, readOptions, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import type { TrainerOptions } from './options.ts';
import { storeOf } from '../model/model.ts';
import { Course } from './fit-run.ts';
import type {
  FitOptions,
  FitProgress,
  FitRun,
  Learner,
  TrainingData,
  TrainingWindow,
} from './fit-options.ts';
import type { Measures, Metric } from './metrics.ts';

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

/** What a run works on. */
interface Subject {
  readonly trainer: Learner;
  readonly data: TrainingData;
  readonly measuring: Measuring;
  /** Refuses metrics that no loss gives. */
  checkMetrics(metrics: readonly Metric[]): void;
  /** Whose parameters the run has to itself: always but in its own calls. */
  readonly guard: { isHeld: boolean; checkFree(): void };
}

/** See `Trainer.fit`. */
export function fit(subject: Subject, given: FitOptions): FitRun {
  const { trainer, data } = subject;
  checkData('data', data, trainer.options);
  const named = readOptions('options', given, KEYS);
  const metrics = Array.from(checkList('metrics', named.metrics ?? []));
  const options = { ...named, metrics };
  if (options.validation !== undefined) {
    checkData('validation', options.validation, trainer.options);
  }
  const { length: windows } = data;
  const epochs = checkInteger('epochs', options.epochs, 1);
  const updates = epochs * checkInteger('data.length', windows, 1);
  const from = checkInteger('from', options.from ?? 0, 0, options.resume ? 0 : updates);
  const breathe = turns(checkInteger('yieldEvery', options.yieldEvery ?? 50, 0));
  const { checkpoint, resume } = options;
  if (checkpoint !== undefined && typeof checkpoint?.save !== 'function') {
    const message = `"checkpoint" expected an object with a function "save", got ${show(checkpoint)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  subject.checkMetrics(metrics);
  const every = checkInteger('checkpoint.every', checkpoint?.every ?? windows, 1);
  const course = new Course(trainer, options);
  const first = resume ? course.restore(resume, windows) : from;
  if (!resume && from === 0) course.begin();
  const plan = { windows, epochs, updates, first, every, course, breathe };
  const run = updatesOf(subject, options, plan);
  // A run is meant to be awaited.
  // oxlint-disable-next-line unicorn/no-thenable
  return Object.assign(run, { then: awaiting(run) });
}

/** Refuses what is no data, or was made for another batch or more steps. */
export function checkData(
  name: string,
  data: TrainingData,
  { batch, steps }: TrainerOptions,
): void {
  const own = checkObject(name, data) as TrainingData & { batch?: unknown; steps?: unknown };
  const { length, window } = own;
  if (typeof window !== 'function') {
    const message = `"${name}" expected an object with "length" and a function "window", got ${show(data)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  checkInteger(`${name}.length`, length, 1);
  if (typeof own.batch === 'number' && own.batch !== batch) {
    const message = `"${name}" has batches of ${own.batch} rows, and the trainer takes ${batch}: create one of them with the batch of the other`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  if (typeof own.steps === 'number' && typeof steps === 'number' && own.steps > steps) {
    const message = `"${name}" has windows of ${own.steps} steps, and the trainer takes up to ${steps}: create the trainer with steps: ${own.steps}, or cut the data into shorter windows`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
}

/** A window of some data, or an error that says which one is none. */
export function windowOf(
  name: string,
  data: TrainingData,
  index: number,
  epoch?: number,
): TrainingWindow {
  const window = data.window(index, epoch);
  checkObject(`${name}.window(${index})`, window);
  return window;
}

/** Goes to the end of a run; what `await` calls. */
function awaiting(run: AsyncGenerator<FitProgress, void, undefined>): FitRun['then'] {
  const last = async (): Promise<FitProgress | undefined> => {
    let report: FitProgress | undefined;
    for (;;) {
      const { done, value } = await run.next();
      if (done) return report;
      report = value;
    }
  };
  return (onDone, onFailed) => last().then(onDone, onFailed);
}

/** A checked run. */
interface Plan {
  readonly windows: number;
  readonly epochs: number;
  readonly updates: number;
  /** Updates that are done before it. */
  readonly first: number;
  /** Updates from checkpoint to checkpoint. */
  readonly every: number;
  readonly course: Course;
  readonly breathe: () => Promise<void>;
}

async function* updatesOf(
  { trainer, data, measuring, guard }: Subject,
  { signal, validation, learningRate, metrics = [], checkpoint, resume }: FitOptions,
  { windows, epochs, updates, first, every, course, breathe }: Plan,
): AsyncGenerator<FitProgress, void, undefined> {
  let update = first;
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
  guard.checkFree();
  guard.isHeld = true;
  try {
    while (update < updates && !signal?.aborted && !course.isOver) {
      const index = update % windows;
      const epoch = Math.floor(update / windows);
      if (learningRate) {
        trainer.learningRate =
          typeof learningRate === 'function' ? learningRate(update, updates) : learningRate.rate;
      }
      const rate = trainer.learningRate;
      const window = windowOf('data', data, index, epoch);
      if (index === 0 || window.fresh) trainer.resetState();
      const { inputs, targets, steps, lengths, targetLengths } = window;
      guard.isHeld = false;
      const report = trainer.trainOn(inputs, targets, { steps, lengths, targetLengths });
      guard.isHeld = true;
      update++;
      const isLast = index === windows - 1;
      const progress = {
        ...report,
        epoch: epoch + 1,
        epochs,
        update,
        updates,
        targetCount: countOf(window, trainer),
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
    try {
      if (isSound && saved < update) await save();
    } finally {
      guard.isHeld = false;
      course.finish();
    }
  }
}

async function drain<T>(steps: Generator<void, T>, breathe: () => Promise<void>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await breathe();
  }
}

function countOf(window: TrainingWindow, { model, options }: Learner): number {
  const { lengths, steps, count } = window;
  const { batch } = options;
  if (count !== undefined) return count;
  const { graph } = storeOf(model);
  const name = graph.sequences[graph.outputs[0]!.sequence]!;
  const total = typeof steps === 'number' ? steps : steps[name]!;
  const valid = lengths && 'length' in lengths ? (lengths as ArrayLike<number>) : lengths?.[name];
  const all = valid ? Array.from(valid) : Array.from({ length: batch }, () => total);
  return all.reduce((sum, length) => sum + (length && graph.stepsOf(length)), 0);
}

/**
 * What lets timers, input and painting in every so many milliseconds. An AudioWorklet has no
 * timers, and nothing to let in.
 */
function turns(every: number): () => Promise<void> {
  let endsAt = Date.now() + every;
  return async () => {
    if (Date.now() < endsAt) return;
    await nextTurn();
    endsAt = Date.now() + every;
  };
}

/** The next turn of the event loop; a timer would wait for 4 ms in a page. */
function nextTurn(): Promise<void> | undefined {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  if (typeof MessageChannel === 'function') {
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
  }
  if (typeof setTimeout !== 'function') return undefined;
  return new Promise((resolve) => setTimeout(resolve, 0));
}
