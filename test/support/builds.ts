/**
 * One face for this build of the package and for older ones: the bench and `test/same-bits.mjs` run
 * the same cases on two of them. No module of Node is imported, because pages run this too.
 */
import type * as index from '../../src/hosts/default.ts';
import type * as threads from '../../src/threads/index.ts';
import type {
  Engine,
  Model,
  ModelDescription,
  ModelOptions,
  Trainer,
} from '../../src/hosts/default.ts';

/** What the modules `dist/index.js` and `dist/threads.js` of a build export. */
export type Entry = object;

/** What the functions below call by a name of the face. */
type Name =
  | 'trainOn'
  | 'evaluateWindow'
  | 'variant'
  | 'createThreadedEngine'
  | 'learningRate'
  | 'back'
  | 'maxBytes'
  | 'clip';
type Table = Readonly<Record<Name, readonly string[]>>;

/**
 * The names of the public face that differ between builds: on the left what this file calls them,
 * on the right what each face calls them, oldest first. Every row has one name for each face.
 */
export const NAMES: Table = {
  trainOn: ['step', 'trainOn'],
  evaluateWindow: ['evaluate', 'evaluateWindow'],
  variant: ['simd', 'variant'],
  createThreadedEngine: ['createThreadedEngine', 'ThreadedEngine'],
  learningRate: ['lr', 'learningRate'],
  back: ['steps', 'back'],
  maxBytes: ['memory', 'maxBytes'],
  clip: ['preactClip', 'clip'],
};

/** The column whose `trainOn` is a method of a trainer. */
export function namesOf(table: Table, methods: object): Readonly<Record<Name, string>> {
  const face = table.trainOn.findIndex((name) => name in methods);
  if (face < 0) {
    const known = table.trainOn.map((name) => `${name}()`).join(' or ');
    throw new Error(`the trainers of this build have no ${known}: give NAMES a column for it`);
  }
  const column = Object.entries(table).map(([key, names]) => [key, names[face]]);
  return Object.fromEntries(column) as Record<Name, string>;
}

type Options = Readonly<Record<string, unknown>>;

/** What makes engines of threads. */
interface Creator {
  (setup: EngineSetup): Promise<threads.ThreadedEngine>;
  create?(setup: EngineSetup): Promise<threads.ThreadedEngine>;
}

/** A layer in the words of the functions below. */
export type Layer = { readonly type: string } & Options;

/** The options of a trainer. Those that no build names otherwise are as in `TrainerOptions`. */
export interface TrainerSetup {
  readonly batch: number;
  readonly steps: number;
  readonly loss?: index.LossChoice;
  readonly optimizer?: { readonly type: string; readonly learningRate: number } & Options;
  readonly groups?: readonly ({
    readonly parameters: readonly string[];
    readonly learningRate?: number;
  } & Options)[];
  readonly gradClip?: index.GradClip;
  readonly bptt?: { readonly back: number; readonly every: number };
  readonly maxBytes?: number;
  readonly onNonFinite?: 'throw' | 'skip';
  readonly seed?: number;
}

export interface EngineSetup {
  readonly simd?: 'auto' | 'deterministic';
  readonly maxBytes?: number;
  /** Default 1: an engine without workers. */
  readonly threads?: number;
}

/** A trainer, and those of its methods that builds name differently. */
export interface BuiltTrainer {
  readonly trainer: Omit<Trainer, 'trainOn' | 'evaluateWindow'>;
  readonly trainOn: Trainer['trainOn'];
  readonly evaluateWindow: Trainer['evaluateWindow'];
}

/** Parameters as they go from build to build. */
export type PlainParameters = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
>;

export interface Build {
  createEngine(setup?: EngineSetup): Promise<Engine>;
  /** Which kernels an engine runs. */
  variantOf(engine: Engine): 'baseline' | 'relaxed';
  createModel(
    engine: Engine,
    description: { readonly layers: readonly Layer[]; readonly weights?: 'float32' | 'int8' },
    options?: ModelOptions,
  ): Model;
  parametersOf(model: Model): PlainParameters;
  loadParameters(model: Model, parameters: PlainParameters): void;
  createTrainer(model: Model, setup: TrainerSetup): BuiltTrainer;
}

/** The object with `key` under the name that a build has for it. */
function renamed<T extends object>(object: T, key: string, name: string): object {
  return Object.fromEntries(
    Object.entries(object).map(([own, value]) => [own === key ? name : own, value]),
  );
}

/** A build by what its modules export. */
export function buildOf(entry: Entry): Build {
  const face = entry as typeof index & typeof threads;
  const names = namesOf(NAMES, face.Trainer.prototype);
  // A function of older builds, a class with a static one of newer ones.
  const creator = (entry as Record<string, Creator>)[names.createThreadedEngine];
  const withRate = (options: object): object =>
    renamed(options, 'learningRate', names.learningRate);
  return {
    async createEngine({ threads = 1, ...options } = {}) {
      if (threads === 1) return face.Engine.create(options);
      const setup = { ...options, threads };
      const engine = await (creator!.create ? creator!.create(setup) : creator!(setup));
      if (engine.threads !== threads)
        throw new Error(`got ${engine.threads} of ${threads} threads`);
      return engine;
    },
    variantOf: (engine) => engine[names.variant as 'variant'],
    createModel(engine, { layers, ...others }, options) {
      const own = layers.map((layer) => renamed(layer, 'clip', names.clip));
      return face.Model.create(engine, { ...others, layers: own } as ModelDescription, options);
    },
    parametersOf: (model) =>
      Object.fromEntries(
        [...model.stateDict()].map(([name, { shape, data }]) => [name, { shape, data }]),
      ),
    loadParameters(model, parameters) {
      model.loadStateDict(new Map(Object.entries(parameters)));
    },
    createTrainer(model, { optimizer, groups, bptt, ...others }) {
      const trainer = face.Trainer.create(model, {
        ...renamed(others, 'maxBytes', names.maxBytes),
        ...(optimizer && { optimizer: withRate(optimizer) }),
        ...(groups && { groups: groups.map(withRate) }),
        ...(bptt && { bptt: renamed(bptt, 'back', names.back) }),
      } as index.TrainerOptions);
      return {
        trainer,
        trainOn: trainer[names.trainOn as 'trainOn'].bind(trainer),
        evaluateWindow: trainer[names.evaluateWindow as 'evaluateWindow'].bind(trainer),
      };
    },
  };
}

/** Why a build cannot do what it was asked for; other errors are faults, and thrown again. */
export function refusalOf(error: unknown): string {
  const { name, code, message } = error as { name?: string; code?: string; message?: string };
  const refuses = name === 'GatefoldError' && /^ERR_(ARGUMENT|UNSUPPORTED)$/.test(code ?? '');
  if (!refuses) throw error;
  return `${code}: ${message}`;
}
