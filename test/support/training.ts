/**
 * Training in the product and in the reference side by side: same parameters, data, order and
 * hyper-parameters.
 */
import {
  Model,
  Trainer,
  type Engine,
  type OptimizerOptions,
  type TrainerOptions,
} from '../../src/hosts/default.ts';
import type { StateDict } from '../../src/base/tensor.ts';
import type { Optimizer } from '../reference/optim.ts';
import type { ModelDescription } from '../../src/ops/index.ts';
import { norm } from '../reference/math.ts';
import { inputSizeOf, layersOf, parameterShapes } from '../reference/layers.ts';
import { type Parameters } from '../reference/network.ts';
import { createTraining, type TrainingResult } from '../reference/training.ts';
import { masksOfTrainer } from './masks.ts';
import { toStateDict } from './product.ts';
import { createRandom } from './random.ts';

/** How far the losses may be apart: absolute below a loss of 1, relative above. */
export const LOSS_TOLERANCE = 1e-4;

export interface Course {
  readonly description: ModelDescription;
  readonly batch: number;
  /** Steps of each call: k1. */
  readonly steps: number;
  readonly updates: number;
  readonly options: Pick<TrainerOptions, 'bptt'> & {
    readonly optimizer: Optimizer & OptimizerOptions;
    readonly loss: 'cross-entropy' | 'mse';
    readonly gradClip?: { readonly norm: number };
  };
  readonly seed: number;
}

export interface Pair {
  readonly actual: TrainingResult;
  readonly expected: TrainingResult;
}

/** One window of a course. */
interface Data {
  readonly input: Float32Array | Int32Array;
  readonly target: Float32Array | Int32Array;
}

/**
 * A task that can be learned: one long sequence of tokens or waves, and what follows a few steps
 * later.
 */
function createData(course: Course): (update: number) => Data {
  const random = createRandom(course.seed + 1);
  const { batch, steps, description, options } = course;
  const layers = layersOf(description);
  const first = layers[0]!;
  const last = layers[layers.length - 1]!;
  const outputs = last.outputSize;
  const phases = Array.from({ length: batch }, () => random.around(3));
  const wave = (t: number, b: number, k: number): number =>
    Math.fround(0.8 * Math.sin(phases[b]! + 0.7 * t * (1 + 0.3 * k)));
  const token = (t: number, b: number, count: number): number =>
    Math.floor(((wave(t, b, 0) + 1) / 2) * count);
  return (update) => {
    const x: number[] = [];
    const target: number[] = [];
    for (let t = update * steps; t < (update + 1) * steps; t++) {
      for (let b = 0; b < batch; b++) {
        if (first.kind === 'embedding') x.push(token(t, b, first.count));
        else for (let k = 0; k < inputSizeOf(layers); k++) x.push(wave(t, b, k));
        if (options.loss === 'mse') {
          for (let k = 0; k < outputs; k++) target.push(wave(t - 2, b, k + 1));
        } else {
          target.push(token(t - 2, b, outputs));
        }
      }
    }
    return {
      input: first.kind === 'embedding' ? Int32Array.from(x) : Float32Array.from(x),
      target: options.loss === 'mse' ? Float32Array.from(target) : Int32Array.from(target),
    };
  };
}

export function createParameters(course: Course): Parameters {
  const random = createRandom(course.seed);
  return new Map(
    [...parameterShapes(course.description)].map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return [
        name,
        {
          shape,
          data: Float64Array.from(random.vector(length, 0.5), (value) => Math.fround(value)),
        },
      ];
    }),
  );
}

export interface Outcome {
  /** Losses and norms of update k (before it) at index k. */
  readonly pairs: readonly Pair[];
  /** How far the parameters have come, in units of where they started. */
  readonly moved: number;
  /** How far apart the two ended, in units of the way they went. */
  readonly apart: number;
}

/** What the reference makes of a course: the same on every engine. */
interface Exact {
  readonly results: readonly TrainingResult[];
  readonly initial: readonly number[];
  readonly trained: readonly number[];
}

const exact = new Map<string, Exact>();

const flat = (parameters: StateDict | Parameters): number[] =>
  [...parameters.values()].flatMap(({ data }) => [...data]);

/** Runs the reference over a course once, for all engines. */
function trainExactly(course: Course): Exact {
  const key = JSON.stringify(course);
  const known = exact.get(key);
  if (known) return known;
  const { description, batch, steps, updates, options } = course;
  const parameters = createParameters(course);
  const initial = flat(parameters);
  const train = createTraining(description, parameters, batch, {
    loss: options.loss,
    optimizer: options.optimizer,
    maxNorm: options.gradClip?.norm,
    window: options.bptt?.back,
    masksOf: (update) => masksOfTrainer(description, { steps, batch }, 0, update),
  });
  const windowOf = createData(course);
  const results = Array.from({ length: updates }, (_, k) => {
    const { input, target } = windowOf(k);
    return train(input, target, steps);
  });
  const made = { results, initial, trained: flat(parameters) };
  exact.set(key, made);
  return made;
}

export function trainBoth(engine: Engine, course: Course): Outcome {
  const { description, batch, steps, updates, options } = course;
  const { results, initial, trained } = trainExactly(course);
  const model = Model.create(engine, description);
  model.loadStateDict(toStateDict(createParameters(course)));
  const trainer = Trainer.create(model, {
    batch,
    steps: options.bptt?.back ?? steps,
    ...options,
  });
  const windowOf = createData(course);
  const pairs = Array.from({ length: updates }, (_, k) => {
    const { input, target } = windowOf(k);
    return { actual: trainer.trainOn(input, target, { steps }), expected: results[k]! };
  });
  const ended = flat(model.stateDict());
  const way = norm(trained.map((value, k) => value - initial[k]!));
  const gap = norm(trained.map((value, k) => value - ended[k]!));
  model.dispose();
  return { pairs, moved: way / norm(initial), apart: gap / way };
}

/** The error of a loss in units in which `LOSS_TOLERANCE` is the limit. */
export function lossError({ actual, expected }: Pair): number {
  return Math.abs(actual.loss - expected.loss) / Math.max(1, Math.abs(expected.loss));
}
