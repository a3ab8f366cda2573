/** What one build computes for a configuration, kind by kind. */
import type { Engine, Input, Model, ModelState, Stream } from '../../src/hosts/default.ts';
import { createRandom, type Random } from '../support/random.ts';
import type { Build, BuiltTrainer, PlainParameters } from '../support/builds.ts';
import type { Answers } from './compare.ts';
import type { Configuration } from './configuration.ts';

/** A build, and its engine of the variant and threads that the configuration names. */
export interface Subject {
  readonly build: Build;
  readonly engine: Engine;
}

/** The numbers of a question. Every build gets the same from the same seed. */
class Numbers {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = createRandom(seed);
  }

  floats(length: number, low = -1, high = 1): Float32Array {
    return Float32Array.from({ length }, () => low + (high - low) * this.#random.unit());
  }

  integers(length: number, high: number): Int32Array {
    return Int32Array.from({ length }, () => this.#random.integer(0, high));
  }

  inputs({ description, takesTokens, inputSize }: Model, rows: number): Input {
    const [table] = description.layers;
    if (!takesTokens) return this.floats(rows * inputSize);
    return this.integers(rows, (table as { numEmbeddings: number }).numEmbeddings - 1);
  }

  /** States of the same shape. */
  states(shape: ModelState): ModelState {
    const like = ({ length }: Float32Array): Float32Array => this.floats(length);
    return Object.fromEntries(
      Object.entries(shape).map(([name, { h, c }]) => [
        name,
        { h: like(h), ...(c && { c: like(c) }) },
      ]),
    );
  }
}

const prefixed = (prefix: string, arrays: Answers): Answers =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${prefix} ${name}`, array]));

function stateArrays(prefix: string, state: ModelState): Answers {
  const arrays: Record<string, Float32Array> = {};
  for (const [name, { h, c }] of Object.entries(state)) {
    arrays[`${prefix} ${name}.h`] = h;
    if (c) arrays[`${prefix} ${name}.c`] = c;
  }
  return arrays;
}

const parameterArrays = (parameters: PlainParameters): Answers =>
  Object.fromEntries(Object.entries(parameters).map(([name, { data }]) => [name, data]));

/** Runs `use` on a fresh model that has these parameters. */
function withModel<T>(
  { build, engine }: Subject,
  { layers }: Configuration,
  parameters: PlainParameters,
  use: (model: Model) => T,
): T {
  const model = build.createModel(engine, { layers }, { init: 'zeros' });
  try {
    build.loadParameters(model, parameters);
    return use(model);
  } finally {
    model.dispose();
  }
}

/** What presets and seed make of the parameters. */
export function freshParameters(
  { build, engine }: Subject,
  { layers, init, seed }: Configuration,
): PlainParameters {
  const model = build.createModel(engine, { layers }, { init, seed });
  const parameters = build.parametersOf(model);
  model.dispose();
  return parameters;
}

/** Moved a little, so that no bias is 0 and no scale is 1. */
export function startingParameters(fresh: PlainParameters, seed: number): PlainParameters {
  const random = createRandom(seed);
  return Object.fromEntries(
    Object.entries(fresh).map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value + random.around(0.1)) },
    ]),
  );
}

function forward(model: Model, configuration: Configuration): Answers {
  const { seed, steps, batch, lengths, batchFirst, padding } = configuration;
  const numbers = new Numbers(seed);
  const x = numbers.inputs(model, steps * batch);
  const options = { steps, batch, lengths, batchFirst };
  const first = model.forward(x, { ...options, padding });
  const state = numbers.states(first.state);
  const second = model.forward(x, { ...options, padding, state });
  return {
    'output from zero states': first.output,
    ...stateArrays('last state after zero states', first.state),
    output: second.output,
    ...stateArrays('last state', second.state),
  };
}

function gates(model: Model, { seed, steps, batch, lengths, batchFirst }: Configuration): Answers {
  const x = new Numbers(seed).inputs(model, steps * batch);
  const layers = model.gates(x, { steps, batch, lengths, batchFirst });
  return Object.fromEntries(
    Object.entries(layers).flatMap(([layer, own]) =>
      Object.entries(own).map(([gate, array]) => [`${gate} gate of ${layer}`, array]),
    ),
  );
}

/** More than one block of the kernels, and steps beyond it. */
const FRAMES = 19;

function stream(model: Model, { seed, batch }: Configuration): Answers {
  const numbers = new Numbers(seed);
  const run = (one: Stream, steps: number): Float32Array => {
    const out = new Float32Array(steps * batch * model.outputSize);
    const x = numbers.inputs(model, steps * batch);
    if (steps === 1) one.step(x, out);
    else one.run(x, out, steps);
    return out;
  };
  const first = model.stream({ batch });
  const step = run(first, 1);
  const block = run(first, FRAMES);
  const saved = first.save();
  const second = first.clone();
  const copy = run(second, 1);
  first.restore(numbers.states(saved));
  const restored = run(first, FRAMES);
  const answers = {
    step,
    block,
    ...stateArrays('state', saved),
    'step of a copy': copy,
    'block from another state': restored,
  };
  first.dispose();
  second.dispose();
  return answers;
}

/** The same model with weights of 8 bits. */
function int8(model: Model, configuration: Configuration): Answers {
  const small = model.quantize();
  const answers = {
    ...forward(small, configuration),
    ...(configuration.streams ? prefixed('stream:', stream(small, configuration)) : {}),
  };
  small.dispose();
  return answers;
}

/** Shares of what a trainer would take, tried in turn as budgets. */
const SHARES = [0.5, 0.7, 0.8, 0.9];

/** A trainer of the configuration; under a budget, one that has to cut its windows. */
function createTrainer(
  { build }: Subject,
  model: Model,
  { trainer: setup, budget }: Configuration,
): BuiltTrainer {
  const whole = build.createTrainer(model, setup);
  if (!budget) return whole;
  const { bytes } = whole.trainer;
  whole.trainer.dispose();
  for (const share of SHARES) {
    try {
      return build.createTrainer(model, { ...setup, maxBytes: Math.floor(share * bytes) });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_MEMORY') throw error;
    }
  }
  throw new Error(`no budget below ${bytes} bytes is enough`);
}

interface Targets {
  readonly target: Float32Array | Int32Array;
  readonly targetLengths?: readonly number[];
}

/** Targets of `rows` outputs; of CTC the labels of every row of the batch. */
function drawTargets(
  numbers: Numbers,
  { outputSize }: Model,
  { trainer, batch }: Configuration,
  rows: number,
): Targets {
  const { type } = trainer.loss;
  if (type === 'cross-entropy') return { target: numbers.integers(rows, outputSize - 1) };
  if (type === 'bce') return { target: numbers.floats(rows * outputSize, 0, 1) };
  if (type !== 'ctc') return { target: numbers.floats(rows * outputSize) };
  const most = 2;
  const labels = numbers.integers(batch * most, outputSize - 2).map((label) => label + 1);
  return { target: labels, targetLengths: [...numbers.integers(batch, most)] };
}

function gradients(subject: Subject, model: Model, configuration: Configuration): Answers {
  const { seed, steps, batch, lengths, batchFirst, padding } = configuration;
  const numbers = new Numbers(seed);
  const { trainer } = subject.build.createTrainer(model, configuration.trainer);
  const x = numbers.inputs(model, steps * batch);
  const { state: shape } = trainer.forward(x, { lengths });
  const state = numbers.states(shape);
  const { output, state: last } = trainer.forward(x, { lengths, batchFirst, padding, state });
  trainer.zeroGradients();
  const back = trainer.backward({
    output: numbers.floats(output.length),
    state: numbers.states(shape),
    flow: true,
  });
  const flow = Object.entries(back.flow!).flatMap(([layer, { h, c }]) => [
    [`flow through ${layer}.h`, h],
    ...(c ? [[`flow through ${layer}.c`, c]] : []),
  ]);
  const answers: Answers = {
    output,
    ...stateArrays('last state', last),
    ...prefixed('gradient of', parameterArrays(Object.fromEntries(trainer.gradients()))),
    ...stateArrays('gradient of initial state', back.state),
    ...(back.input ? { 'gradient of x': back.input } : {}),
    ...Object.fromEntries(flow),
  };
  trainer.dispose();
  return answers;
}

const UPDATES = 5;

function updates(subject: Subject, model: Model, configuration: Configuration): Answers {
  const { seed, steps: whole, batch, pooled, trainer: setup } = configuration;
  const numbers = new Numbers(seed);
  const { trainer, trainOn, evaluateWindow } = createTrainer(subject, model, configuration);
  const steps = setup.bptt?.every ?? whole;
  // Windows that replay steps are as long as each other.
  const lengths = setup.bptt ? undefined : configuration.lengths;
  const window = (): readonly [Input, Targets['target'], object] => {
    const x = numbers.inputs(model, steps * batch);
    const rows = (pooled ? 1 : steps) * batch;
    const { target, targetLengths } = drawTargets(numbers, model, configuration, rows);
    return [x, target, { steps, lengths, targetLengths }];
  };
  const reports: number[] = [];
  for (let update = 0; update < UPDATES; update++) {
    const { loss, gradNorm } = trainOn(...window());
    reports.push(loss, gradNorm, evaluateWindow(...window()));
  }
  trainer.dispose();
  return {
    'loss, norm, evaluated loss of every update': Float64Array.from(reports),
    ...prefixed('updated', parameterArrays(subject.build.parametersOf(model))),
    ...prefixed('after updates:', forward(model, configuration)),
  };
}

/** A kind of question. */
export interface Question {
  readonly kind: string;
  /** Whether it can be asked of a configuration; of all where absent. */
  readonly fits?: (configuration: Configuration) => boolean;
  ask(subject: Subject, configuration: Configuration, parameters: PlainParameters): Answers;
}

const ofModel = (
  use: (model: Model, configuration: Configuration, subject: Subject) => Answers,
): Question['ask'] => {
  return (subject, configuration, parameters) =>
    withModel(subject, configuration, parameters, (model) => use(model, configuration, subject));
};

export const QUESTIONS: readonly Question[] = [
  {
    kind: 'fresh parameters',
    ask: (subject, configuration) => parameterArrays(freshParameters(subject, configuration)),
  },
  { kind: 'outputs and states', ask: ofModel(forward) },
  { kind: 'gates', ask: ofModel(gates) },
  { kind: 'streams', fits: ({ streams }) => streams, ask: ofModel(stream) },
  { kind: 'weights of 8 bits', ask: ofModel(int8) },
  { kind: 'gradients', ask: ofModel((model, own, subject) => gradients(subject, model, own)) },
  { kind: 'five updates', ask: ofModel((model, own, subject) => updates(subject, model, own)) },
];
