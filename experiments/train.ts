import { Trainer } from '../src/hosts/default.ts';
import type { Engine, LayerFlow, Model } from '../src/hosts/default.ts';
import { createModel, hiddenOf } from './cells.ts';
import type { Cell } from './cells.ts';
import { Draw } from './draw.ts';
import type { Batch, Task } from './tasks/task.ts';

/**
 * Streams of a seed: training draws from one, every test from another of its own, so that its
 * sequences are fresh.
 */
const TRAINING = 0;
const FLOW = 1;
const FIRST_TEST = 2;
/** Points of a curve, and chances to be tested. */
const REPORTS = 200;
/** A small test comes before the whole one. */
const SAMPLE = 500;

/** Norms of the gradients of the states, by distance from the loss: entry 0 is the last step. */
export interface FlowByLag {
  readonly h: readonly number[];
  readonly c?: readonly number[];
}

/** One finished run, as it is kept in a file. */
export interface Result {
  readonly task: string;
  readonly cell: Cell;
  readonly seed: number;
  /** What it was run with; another makes the result stale. */
  readonly settings: string;
  readonly hidden: number;
  readonly parameters: number;
  readonly solved: boolean;
  /** Sequences seen until it was solved, or until the cap. */
  readonly sequences: number;
  /** Of the last whole test. */
  readonly wrong: number;
  /** Mean loss of training at the sequences seen so far. */
  readonly curve: readonly (readonly [sequences: number, loss: number])[];
  /** Before and after training, of tasks that answer once. */
  readonly flow?: { readonly fresh: FlowByLag; readonly trained: FlowByLag };
  readonly seconds: number;
}

/** Everything that a result depends on but the code. */
export function settingsOf(task: Task, cell: Cell): string {
  const { settings, steps, test } = task;
  return JSON.stringify({ ...settings, steps, units: hiddenOf(cell, task), below: test.below });
}

/** Mean of what is wrong over `count` sequences of a stream. */
function measure(model: Model, task: Task, draw: Draw, count: number): number {
  const { batch, generate = task.generate, wrong } = task.test;
  let sum = 0;
  let total = 0;
  for (let done = 0; done < count; done += batch) {
    const given = generate(draw, batch);
    const { steps, lengths, x } = given;
    const { output } = model.forward(x, { steps, batch, ...(lengths && { lengths }) });
    const part = wrong(output, given);
    sum += part.sum;
    total += part.count;
  }
  return sum / total;
}

/**
 * How strong the gradient of the last step's loss is on its way back, over one batch of sequences
 * of equal length.
 */
function measureFlow(trainer: Trainer, given: Batch): FlowByLag {
  const { steps, x, target, lengths } = given;
  trainer.forward(x, { steps, ...(lengths && { lengths }) });
  const { flow } = trainer.backward({ target, flow: true });
  trainer.zeroGradients();
  const { h, c } = flow!.cell as LayerFlow;
  const back = (norms: Float64Array): number[] =>
    [...norms].reverse().map((norm) => Number(norm.toPrecision(5)));
  return { h: back(h), ...(c && { c: back(c) }) };
}

/** Trains one net on one task until it is solved or has seen its share. */
export function train(
  engine: Engine,
  task: Task,
  cell: Cell,
  seed: number,
  onReport: (sequences: number, loss: number) => void = () => {},
): Result {
  const begun = Date.now();
  const { batch, rate, clip, cap } = task.settings;
  const { test } = task;
  const model = createModel(engine, task, cell, seed);
  const trainer = Trainer.create(model, {
    batch,
    steps: task.steps,
    loss: task.loss,
    optimizer: { type: 'adam', lr: rate },
    gradClip: { norm: clip },
  });
  const flowBatch = task.once ? sameLength(task.generate(new Draw(seed, FLOW), batch)) : undefined;
  const fresh = flowBatch && measureFlow(trainer, flowBatch);
  const draw = new Draw(seed, TRAINING);
  const updates = Math.ceil(cap / batch);
  const every = Math.max(1, Math.floor(updates / REPORTS));
  const curve: [number, number][] = [];
  let tests = 0;
  const wrongOf = (count: number): number =>
    measure(model, task, new Draw(seed, FIRST_TEST + tests++), count);
  let solved = false;
  let wrong = NaN;
  let sum = 0;
  for (let update = 1; update <= updates && !solved; update++) {
    const { x, target, steps, lengths } = task.generate(draw, batch);
    trainer.resetState();
    sum += trainer.trainOn(x, target, { steps, ...(lengths && { lengths }) }).loss;
    if (update % every !== 0) continue;
    const loss = sum / every;
    sum = 0;
    curve.push([update * batch, Number(loss.toPrecision(5))]);
    onReport(update * batch, loss);
    if (loss > (test.fromLoss ?? Infinity)) continue;
    if (test.count > SAMPLE && wrongOf(SAMPLE) >= 2 * test.below) continue;
    wrong = wrongOf(test.count);
    solved = wrong < test.below;
  }
  if (!solved) wrong = wrongOf(test.count);
  const trained = flowBatch && measureFlow(trainer, flowBatch);
  const result = {
    task: task.id,
    cell,
    seed,
    settings: settingsOf(task, cell),
    hidden: hiddenOf(cell, task),
    parameters: model.parameterCount,
    solved,
    sequences: curve.at(-1)![0],
    wrong,
    curve,
    ...(fresh && trained && { flow: { fresh, trained } }),
    seconds: (Date.now() - begun) / 1000,
  };
  model.dispose();
  return result;
}

/**
 * The shorter sequences of a batch lengthened to the longest, by steps of zeros before their first:
 * the loss is at the same step for all.
 */
function sameLength(given: Batch): Batch {
  const { steps, x, lengths } = given;
  if (!lengths) return given;
  const batch = lengths.length;
  const width = x.length / (steps * batch);
  const aligned = new Float32Array(x.length);
  lengths.forEach((length, row) => {
    for (let t = 0; t < length; t++) {
      const from = (t * batch + row) * width;
      aligned.set(x.subarray(from, from + width), ((t + steps - length) * batch + row) * width);
    }
  });
  return { ...given, x: aligned, lengths: undefined };
}
