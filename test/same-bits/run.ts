/** Asks two builds the same, and counts. */
import { refusalOf, type Build, type PlainParameters } from '../support/builds.ts';
import type { Engine } from '../../src/hosts/default.ts';
import {
  QUESTIONS,
  freshParameters,
  startingParameters,
  type Question,
  type Subject,
} from './answers.ts';
import { firstDifference, type Answers, type Difference } from './compare.ts';
import { drawConfiguration, type Configuration } from './configuration.ts';

/** One row of the table. */
export interface Row {
  readonly kind: string;
  compared: number;
  equal: number;
  /** What the other build refuses, and what both do: this host cannot, whichever build asks. */
  refusedThere: number;
  refusedByBoth: number;
}

export interface Outcome {
  readonly rows: readonly Row[];
  /** Configurations by what engine they ran on. */
  readonly engines: ReadonlyMap<string, number>;
  /** Numbers that were compared. */
  numbers: number;
  /** Of them, those that are not finite: they say less. */
  notFinite: number;
  /** Why builds refuse, with how often. */
  readonly refusals: Map<string, number>;
  /** Why the other build makes no model of a configuration, with how often: it is left out. */
  readonly skipped: Map<string, number>;
  /** Of the configurations that both make a model of: whether any of their bits differ. */
  readonly asked: Map<Configuration, boolean>;
  first?: Difference & { readonly kind: string; readonly configuration: Configuration };
}

type Answered = { readonly answers: Answers } | { readonly refusal: string };
const refuses = (answered: Answered): answered is { readonly refusal: string } =>
  'refusal' in answered;

/** Engines of one build by variant and threads, made when they are first asked for. */
class Engines {
  readonly #build: Build;
  readonly #made = new Map<string, Engine>();

  constructor(build: Build) {
    this.#build = build;
  }

  async engineFor({ simd, threads }: Configuration): Promise<Engine> {
    const key = `${simd} ${threads}`;
    const engine = this.#made.get(key) ?? (await this.#build.createEngine({ simd, threads }));
    this.#made.set(key, engine);
    return engine;
  }

  dispose(): void {
    for (const engine of this.#made.values()) engine.dispose();
  }
}

const increment = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};

/** What a build answers, or why it will not. */
function answerOf(ask: () => Answers): Answered {
  try {
    return { answers: ask() };
  } catch (error) {
    return { refusal: refusalOf(error) };
  }
}

/** What a build lacks that a configuration has, without its place; undefined where nothing. */
function lackOf(subject: Subject, configuration: Configuration): string | undefined {
  try {
    freshParameters(subject, configuration);
    return undefined;
  } catch (error) {
    return refusalOf(error)
      .replace(/\[\d+\]/g, '[]')
      .replace(/ expected .*, got /, ' got ');
  }
}

/** Compares two builds over `count` configurations from seed `from` on. */
export async function compareBuilds(
  here: Build,
  there: Build,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<Outcome> {
  const rows = QUESTIONS.map(({ kind }) => ({
    kind,
    compared: 0,
    equal: 0,
    refusedThere: 0,
    refusedByBoth: 0,
  }));
  const engines = new Map<string, number>();
  const outcome: Outcome = {
    rows,
    engines,
    numbers: 0,
    notFinite: 0,
    refusals: new Map(),
    skipped: new Map(),
    asked: new Map(),
  };
  const [ours, theirs] = [new Engines(here), new Engines(there)];
  try {
    for (let seed = from; seed < from + count; seed++) {
      const configuration = drawConfiguration(seed);
      const subject = { build: here, engine: await ours.engineFor(configuration) };
      const peer = { build: there, engine: await theirs.engineFor(configuration) };
      const { threads } = configuration;
      const variants = [subject, peer].map(({ build, engine }) => build.variantOf(engine));
      if (variants[0] !== variants[1]) throw new Error(`the builds run ${variants.join(' and ')}`);
      const lacking = lackOf(peer, configuration);
      if (lacking) {
        increment(outcome.skipped, lacking);
        continue;
      }
      outcome.asked.set(configuration, false);
      increment(engines, `${variants[0]} SIMD on ${threads === 1 ? '1 thread' : '2 threads'}`);
      const ask = (question: Question, parameters: PlainParameters): Outcome['first'] => {
        const [answered, other] = [subject, peer].map((one) =>
          answerOf(() => question.ask(one, configuration, parameters)),
        ) as [Answered, Answered];
        const row = rows.find(({ kind }) => kind === question.kind)!;
        if (refuses(other)) {
          if (refuses(answered)) row.refusedByBoth++;
          else row.refusedThere++;
          increment(outcome.refusals, other.refusal);
          return undefined;
        }
        if (refuses(answered)) throw new Error(`only this build refuses: ${answered.refusal}`);
        const { answers } = answered;
        row.compared++;
        for (const array of Object.values(answers)) {
          outcome.numbers += array.length;
          for (const value of array) if (!Number.isFinite(value)) outcome.notFinite++;
        }
        const difference = firstDifference(answers, other.answers);
        if (difference) outcome.asked.set(configuration, true);
        else row.equal++;
        return difference && { ...difference, kind: question.kind, configuration };
      };
      const parameters = startingParameters(freshParameters(subject, configuration), seed);
      for (const question of QUESTIONS) {
        if (question.fits && !question.fits(configuration)) continue;
        try {
          const difference = ask(question, parameters);
          outcome.first ??= difference;
        } catch (cause) {
          const what = `${question.kind} of ${JSON.stringify(configuration)}`;
          throw new Error(`${what}: ${String(cause)}`, { cause });
        }
      }
    }
  } finally {
    ours.dispose();
    theirs.dispose();
  }
  return outcome;
}
