/**
 * Whether the product agrees with the reference on one configuration, forward and backward, and by
 * how much.
 */
import { Model, Trainer, type Engine } from '../../src/hosts/default.ts';
import type { ModelState, SequenceResult } from '../../src/base/tensor.ts';
import { norm, type Vec } from '../reference/math.ts';
import { isWithinAt, layersOf, parameterShapes, type Layer } from '../reference/layers.ts';
import { backward, forward, type Parameters, type State } from '../reference/network.ts';
import { problemOf, trainingOf, type Configuration } from './configuration.ts';
import { solve, type Problem } from './problem.ts';
import {
  largestError,
  largestMagnitude,
  swapTimeAndBatch,
  joinInputs,
  toInput,
  toInputs,
  toModelState,
  toStateDict,
} from './product.ts';
import { createRandom } from './random.ts';

const FORWARD_TOLERANCE = 2e-6;
/**
 * With options: a layer norm also makes the roundings of the gates larger, of which `isSensitive`
 * knows nothing.
 */
const OPTIONS_FORWARD_TOLERANCE = 5e-6;
const GRADIENT_TOLERANCE = 1e-4;
/**
 * With options: dropout multiplies what a unit reads by up to 1 / (1 - p) and saturates it. Its
 * derivative is 1 - y^2, and a y that is within 6 ULP leaves of that 7e-7 / (1 - y^2): 1e-4 where y
 * is 0.996. With most rows dropped, such a unit may be all that a gradient has.
 */
const OPTIONS_GRADIENT_TOLERANCE = 1e-3;
/**
 * A float32 sum is exact to a fraction of its terms, not of itself: where terms of size 0.1 cancel
 * to nothing, no implementation is within 2e-6 of that nothing. Values below this count as this.
 */
const FORWARD_FLOOR = 0.1;
/**
 * Likewise a gradient that is below this part of all gradients together (among them those that are
 * exactly 0).
 */
const GRADIENT_FLOOR = 1e-2;
/** Some activations have no bound, and cell states then grow without one. */
const LARGEST = 1e3;
/** A layer norm makes rounding errors larger by one over this. */
const SPREAD = 0.05;
/** Rounding errors move the input of a relu by less than this. */
const KINK = 1e-5;
/**
 * Some random networks are chaotic, and a layer norm of c divides the roundings of nearly equal
 * cells by what they differ in. Where rounding parameters and states moves the exact result by a
 * fifth of what is allowed, the roundings within every step may use up the rest.
 */
const SENSITIVE = FORWARD_TOLERANCE / 5;

export interface Worst {
  error: number;
  where: string;
}

/** What a campaign has seen. */
export interface Campaign {
  readonly forwardTolerance: number;
  readonly gradientTolerance: number;
  configurations: number;
  /** Numbers that the product disagreed on, of which the exact result says that float32 may. */
  excused: number;
  /** Configurations left out: no numbers were found that float32 can follow, whoever computes. */
  skipped: number;
  readonly forward: Worst;
  readonly gradient: Worst;
}

export function createCampaign(withOptions = false): Campaign {
  return {
    forwardTolerance: withOptions ? OPTIONS_FORWARD_TOLERANCE : FORWARD_TOLERANCE,
    gradientTolerance: withOptions ? OPTIONS_GRADIENT_TOLERANCE : GRADIENT_TOLERANCE,
    configurations: 0,
    excused: 0,
    skipped: 0,
    forward: { error: 0, where: 'nowhere' },
    gradient: { error: 0, where: 'nowhere' },
  };
}

/** Numbers that are further apart than allowed. */
class Disagreement extends Error {}

function note(worst: Worst, error: number, limit: number, where: string): void {
  if (!(error <= limit)) throw new Disagreement(`${where}: error ${error}, allowed ${limit}`);
  if (error > worst.error) Object.assign(worst, { error, where });
}

interface Expected {
  readonly output: Float64Array;
  readonly state: State;
}

interface Halves {
  readonly h: ArrayLike<number>;
  readonly c?: ArrayLike<number>;
}

/**
 * Largest error of an output and of each final state, in units of the largest magnitude of each. A
 * final h counts in units of the outputs where those are larger: without a bound (relu), the last h
 * may be what is left of larger ones.
 */
function forwardErrors(
  actual: { readonly output: ArrayLike<number>; readonly state: Record<string, Halves> },
  expected: Expected,
): [name: string, error: number][] {
  const error = (got: ArrayLike<number>, wanted: Float64Array, floor = FORWARD_FLOOR): number =>
    largestError(got, wanted) / Math.max(largestMagnitude(wanted), floor);
  const errors: [string, number][] = [['output', error(actual.output, expected.output)]];
  const largestOutput = Math.max(largestMagnitude(expected.output), FORWARD_FLOOR);
  for (const [name, { h, c }] of Object.entries(expected.state)) {
    errors.push([`${name}: final h`, error(actual.state[name]!.h, h, largestOutput)]);
    if (c.length) errors.push([`${name}: final c`, error(actual.state[name]!.c!, c)]);
  }
  return errors;
}

function checkForward(
  campaign: Campaign,
  what: string,
  actual: SequenceResult,
  expected: Expected,
): void {
  for (const [name, error] of forwardErrors(actual, expected)) {
    note(campaign.forward, error, campaign.forwardTolerance, `${what}, ${name}`);
  }
}

/** Roundings that are tried: a direction that blows errors up is missed by some of them. */
const ROUNDINGS = 4;

/**
 * Whether the exact result moves when each parameter, and each state of every step, is rounded up
 * or down by half a unit in the last place of float32. Parameters alone are not enough: a layer
 * norm of cells that nearly cancel divides by little what the states before them were rounded by.
 */
function isSensitive({ problem, expected }: Solved): boolean {
  const { unit } = createRandom(1);
  const round = (x: Vec): Vec => x.map((value) => value * (1 + (unit() < 0.5 ? -1 : 1) * 2 ** -24));
  for (let n = 0; n < ROUNDINGS; n++) {
    const parameters: Parameters = new Map(
      [...problem.parameters].map(([name, { shape, data }]) => [
        name,
        { shape, data: round(data) },
      ]),
    );
    const initial = Object.fromEntries(
      Object.entries(problem.initial).map(([name, { h, c }]) => [
        name,
        { h: round(h), c: round(c) },
      ]),
    );
    const moved = solve({ ...problem, parameters, initial }, round);
    if (forwardErrors(moved, expected).some(([, error]) => !(error <= SENSITIVE))) return true;
  }
  return false;
}

type GradientPair = readonly [name: string, actual: Float32Array, expected: Float64Array];

/** Errors of gradients by norm, tensor by tensor. */
function checkGradients(campaign: Campaign, pairs: readonly GradientPair[]): void {
  const all = norm(pairs.map(([, , expected]) => norm(expected)));
  for (const [name, actual, expected] of pairs) {
    if (actual.length !== expected.length) throw new Error(`gradient of ${name}: wrong length`);
    const difference = norm(expected.map((value, k) => value - actual[k]!));
    // A model of x - x alone has gradients of rounding errors: they count as they are.
    const unit = all < 1e-12 ? 1 : Math.max(norm(expected), GRADIENT_FLOOR * all);
    const error = difference / unit;
    note(campaign.gradient, error, campaign.gradientTolerance, `gradient of ${name}`);
  }
}

function statePairs(what: string, actual: ModelState, expected: State): GradientPair[] {
  return Object.entries(expected).flatMap(([name, { h, c }]): GradientPair[] => [
    [`${name}: ${what} h`, actual[name]!.h, h],
    ...(c.length ? [[`${name}: ${what} c`, actual[name]!.c!, c] as const] : []),
  ]);
}

/** Same bits, so that NaN equals NaN and 0 is not -0. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [a, b].map((v) => new Uint32Array(v.buffer, v.byteOffset, v.length)) as [
    Uint32Array,
    Uint32Array,
  ];
  return x.length === y.length && x.every((value, k) => value === y[k]);
}

function requireSameBits(what: string, a: Float32Array, b: Float32Array): void {
  if (!sameBits(a, b)) throw new Error(`${what}: not the same bits`);
}

/** Whether a layer has an output of every step before it sees the next. */
function streams(layer: Layer, isWithin: boolean): boolean {
  if (isWithin) return true;
  if (layer.kind === 'recurrent') return layer.ways.every(({ reverse }) => !reverse);
  if (layer.kind === 'conv1d') return layer.padding === 'causal' && layer.convolution.stride === 1;
  if (layer.kind === 'windowPool') return layer.padding === 'causal' && layer.stride === 1;
  const whole = ['pool', 'reverse', 'repeat', 'flatten', 'spread', 'attention'];
  return ![...whole, 'convTranspose1d'].includes(layer.kind);
}

/**
 * A stream over time-major `x` where it can have one: the first half of the steps one by one, the
 * rest as one block.
 */
function checkStream(model: Model, problem: Problem, x: Float32Array | Int32Array): void {
  const { dims, description } = problem;
  const layers = layersOf(description);
  const canStream = layers.every((layer) => streams(layer, isWithinAt(layers, layer.reads[0]!)));
  if (dims.lengths || !canStream) return;
  const { steps, batch } = dims;
  const given = toInputs(description, x);
  const whole = model.forward(given, { steps, batch, state: toModelState(problem.initial) });
  const stream = model.stream({ batch, state: toModelState(problem.initial) });
  const output = new Float32Array(whole.output.length);
  const [inputs, outputs] = [x.length / steps, output.length / steps];
  const single = Math.ceil(steps / 2);
  for (let t = 0; t < single; t++) {
    const into = output.subarray(t * outputs, (t + 1) * outputs);
    stream.step(toInputs(description, x.subarray(t * inputs, (t + 1) * inputs)), into);
  }
  if (single < steps) {
    const rest = toInputs(description, x.subarray(single * inputs));
    stream.run(rest, output.subarray(single * outputs), steps - single);
  }
  requireSameBits('stream and forward, output', output, whole.output);
  const state = stream.save();
  for (const name of Object.keys(whole.state)) {
    const { h, c } = whole.state[name]!;
    requireSameBits(`stream and forward, ${name} h`, state[name]!.h, h);
    if (c) requireSameBits(`stream and forward, ${name} c`, state[name]!.c!, c);
  }
  stream.dispose();
}

function checkTrainer(
  campaign: Campaign,
  model: Model,
  { batchFirst, spare, gradientLimit, seed }: Configuration,
  { problem, expected }: Solved,
): void {
  const { steps, batch, ...rest } = problem.dims;
  const swapped = <A extends Float32Array | Int32Array>(x: A, t: number, b: number): A =>
    batchFirst ? swapTimeAndBatch(x, t, b) : x;
  const gradClip = gradientLimit === Infinity ? undefined : { step: gradientLimit };
  const most = problem.description.steps ? steps : steps + spare;
  const trainer = Trainer.create(model, { batch, steps: most, seed, gradClip });
  const given = toInputs(problem.description, swapped(toInput(problem), steps, batch));
  const result = trainer.forward(given, {
    steps,
    batchFirst,
    ...rest,
    state: toModelState(problem.initial),
  });
  const outputSteps = result.output.length / (batch * model.outputSize);
  const output = swapped(result.output, batch, outputSteps);
  checkForward(campaign, 'trainer forward', { ...result, output }, expected);

  trainer.zeroGradients();
  const { inputs, state } = trainer.backward({
    output: swapped(Float32Array.from(problem.doutput), outputSteps, batch),
    state: toModelState(problem.dstate),
  });
  const wanted = backward(
    problem.description,
    problem.parameters,
    expected.tape,
    problem.doutput,
    problem.dstate,
    gradientLimit,
  );
  const gradients = trainer.gradients();
  checkGradients(campaign, [
    ...[...wanted.gradients].map(([name, { data }]): GradientPair => [
      name,
      gradients.get(name)!.data,
      data,
    ]),
    ...(wanted.input
      ? [
          [
            'input',
            swapped(joinInputs(problem.description, inputs), batch, steps),
            wanted.input,
          ] as const,
        ]
      : []),
    ...statePairs('initial', state, wanted.state),
  ]);
  trainer.dispose();
}

/** How often other numbers are tried for a configuration whose own have no float32 result. */
const TRIES = 8;

/** A problem and its exact result. */
export interface Solved {
  readonly problem: Problem;
  readonly expected: ReturnType<typeof forward>;
}

/** Undefined where float32 cannot follow: at kinks, and where numbers grow without a bound. */
function followed(problem: Problem): Solved | undefined {
  const expected = solve(problem);
  const { kink, spread } = expected.tape;
  const states = Object.values(expected.state).flatMap(({ h, c }) => [h, c]);
  const isBounded = [expected.output, ...states].every((x) => largestMagnitude(x) <= LARGEST);
  return kink < KINK || spread < SPREAD || !isBounded ? undefined : { problem, expected };
}

/** The same, and undefined where roundings alone move the result. */
export function solved(problem: Problem): Solved | undefined {
  const result = followed(problem);
  return result && !isSensitive(result) ? result : undefined;
}

/**
 * The numbers of a configuration in inference and in training, drawn for the nth time; undefined
 * where float32 cannot follow.
 */
function drawn(
  configuration: Configuration,
  n: number,
): { inference: Solved; training: Solved } | undefined {
  const problem = problemOf({ ...configuration, seed: configuration.seed + n });
  const inference = followed(problem);
  if (!inference) return undefined;
  const masked = trainingOf(problem, configuration.seed);
  const training = masked === problem ? inference : followed(masked);
  return training && { inference, training };
}

/**
 * Throws where the product disagrees with the reference. Where it does, other numbers are tried if
 * roundings alone move the exact result: nothing else excuses it.
 */
export function checkConfiguration(
  campaign: Campaign,
  engine: Engine,
  configuration: Configuration,
): void {
  for (let n = 0; n < TRIES; n++) {
    const both = drawn(configuration, n);
    if (!both) continue;
    try {
      compare(campaign, engine, configuration, both);
    } catch (error) {
      const isExcused =
        error instanceof Disagreement && [both.inference, both.training].some(isSensitive);
      if (!isExcused) throw error;
      campaign.excused++;
      continue;
    }
    campaign.configurations++;
    return;
  }
  campaign.skipped++;
}

function compare(
  campaign: Campaign,
  engine: Engine,
  configuration: Configuration,
  { inference: { problem, expected }, training }: { inference: Solved; training: Solved },
): void {
  const { description, parameters, dims, initial } = problem;
  const model = Model.create(engine, description, { seed: 1 });
  try {
    const shapes = [...model.stateDict()].map(([name, { shape }]) => `${name} [${shape}]`);
    const wanted = [...parameterShapes(description)].map(([name, shape]) => `${name} [${shape}]`);
    if (shapes.join() !== wanted.join()) throw new Error(`parameters ${shapes}, not ${wanted}`);
    model.loadStateDict(toStateDict(parameters));
    const x = toInput(problem);
    const result = model.forward(toInputs(description, x), {
      ...dims,
      state: toModelState(initial),
    });
    checkForward(campaign, 'forward', result, expected);
    checkStream(model, problem, x);
    checkTrainer(campaign, model, configuration, training);
  } finally {
    model.dispose();
  }
}
