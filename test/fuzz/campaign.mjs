// What a campaign does with one input. An input is a number: the same number makes the same bytes
// everywhere, so that a number printed with a failure is all that is needed to see it again.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const MIB = 2 ** 20;
/** Milliseconds that a reader may take up to 1 MB, and for each MB of more. */
export const LIMIT = 200;
/** Steps of the sequence that an accepted model is used on. */
const STEPS = 3;
/** Larger models are read, and not used: a campaign is of readers. */
const MAX_USED = 2 ** 20;

export const limitOf = (bytes) => LIMIT * Math.max(1, bytes.length / 1e6);

/** Names of all readers that have a module here. */
export const readers = () =>
  readdirSync(at('readers'))
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => file.slice(0, -4))
    .sort();

export async function moduleOf(reader) {
  if (readers().includes(reader)) return import(`./readers/${reader}.mjs`);
  throw new Error(`no reader "${reader}": there are ${readers().join(', ')}`);
}

/**
 * What the built package exports: all entries of formats in one object, and each by its name. Where
 * two export the same name, that of the entry `reader` counts.
 */
export async function loadGatefold(reader, dist = at('../../dist/')) {
  const main = await import(`${dist}index.js`);
  const names = readdirSync(`${dist}formats`).filter((file) => file.endsWith('.js'));
  const entries = await Promise.all(
    names.map(async (file) => [file.slice(0, -3), await import(`${dist}formats/${file}`)]),
  );
  const all = entries.map(([, exported]) => exported);
  const formats = Object.fromEntries(entries);
  return Object.assign({}, main, ...all, formats[reader], { formats });
}

/** Numbers in [0, 1) that follow from one number (splitmix32). */
export function randomOf(seed) {
  // Neighbours begin far apart.
  let state = Math.imul(seed ^ (seed >>> 15) ^ 0x5bd1e995, 0x2c1b3c6d) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** The bytes of input `number`. */
export function inputOf(module, seeds, number) {
  const random = randomOf(number);
  const seed = seeds[Math.floor(random() * seeds.length)];
  return module.mutate(seed.slice(), random);
}

/** The files of a reader's corpus: what once failed, and what reaches rare lines. */
export function corpusOf(reader) {
  const folder = at(`corpus/${reader}`);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).sort();
  return names.map((name) => [name, new Uint8Array(readFileSync(`${folder}/${name}`))]);
}

const isTyped = (error) => error?.name === 'GatefoldError' && typeof error.code === 'string';

/** One forward pass and one step of training; a typed error of either is an answer too. */
function use({ Trainer }, model, random) {
  const steps = model.description.steps ?? STEPS;
  const work = model.parameterCount * (typeof steps === 'number' ? steps : STEPS);
  if (work > MAX_USED) return;
  const rows = { step: typeof steps === 'number' ? steps : STEPS, sequence: 1 };
  const inputs = model.inputs.map(({ name, size, takesTokens, each }) => {
    const length = rows[each] * size;
    const one = () => (takesTokens ? 0 : 2 * random() - 1);
    const Kind = takesTokens ? Int32Array : Float32Array;
    return [name, Kind.from({ length }, one)];
  });
  const x = inputs.length === 1 ? inputs[0][1] : Object.fromEntries(inputs);
  const { outputs } = model.forward(x, { steps: rows.step });
  const targets = Object.entries(outputs).map(([name, { length }]) => [
    name,
    new Float32Array(length),
  ]);
  const isOne = targets.length === 1;
  const loss = isOne ? 'mse' : Object.fromEntries(targets.map(([name]) => [name, 'mse']));
  const trainer = Trainer.create(model, { batch: 1, steps: rows.step, loss });
  try {
    trainer.trainOn(x, isOne ? targets[0][1] : Object.fromEntries(targets), {});
  } finally {
    trainer.dispose();
  }
}

/** Reads inputs one after the other, in one engine as long as that is small. */
export class Inputs {
  #gatefold;
  #module;
  #engine;
  #accepted = 0;

  static async create(reader) {
    const inputs = new Inputs();
    inputs.#gatefold = await loadGatefold(reader);
    inputs.#module = await moduleOf(reader);
    inputs.seeds = inputs.#module.seeds(inputs.#gatefold);
    await inputs.#renew();
    return inputs;
  }

  bytes(number) {
    return inputOf(this.#module, this.seeds, number);
  }

  async #renew() {
    this.#engine?.dispose();
    const options = { simd: 'deterministic', maxBytes: 256 * MIB };
    this.#engine = await this.#gatefold.Engine.create(options);
  }

  /**
   * What becomes of an input: `code` is `accepted` or an error's, `failure` what must not be.
   * `random` draws the inputs of an accepted model.
   */
  async read(bytes, random) {
    const kept = bytes.slice();
    let result = this.#once(kept, random);
    // A busy machine is no hang: the fastest of three counts.
    for (let again = 0; result.failure === 'slow' && again < 2; again++) {
      const next = this.#once(bytes.slice(), random);
      if (next.ms < result.ms) result = next;
    }
    if (!result.failure && kept.some((byte, k) => byte !== bytes[k])) result.failure = 'changed';
    if (result.code === 'accepted' && ++this.#accepted % 500 === 0) await this.#renew();
    return result;
  }

  #once(bytes, random) {
    let model;
    const before = performance.now();
    let [code, failure, error] = ['nothing', undefined, undefined];
    try {
      model = this.#module.read(this.#gatefold, this.#engine, bytes);
      if (model) code = 'accepted';
    } catch (thrown) {
      error = thrown;
    }
    const ms = performance.now() - before;
    if (error !== undefined) {
      code = isTyped(error) ? error.code : 'untyped';
      if (!isTyped(error)) failure = 'untyped';
    }
    if (ms > limitOf(bytes)) failure ??= 'slow';
    if (model) {
      try {
        use(this.#gatefold, model, random);
      } catch (thrown) {
        if (!isTyped(thrown)) [failure, error] = ['use', thrown];
      }
      model.dispose();
    }
    return { code, failure, ms, message: failure ? String(error?.stack ?? error ?? '') : '' };
  }
}

/** Sums over a campaign. */
export class Tally {
  inputs = 0;
  accepted = 0;
  codes = {};
  slowest = { ms: 0, number: undefined };
  failures = [];

  add(number, { code, failure, ms, message }) {
    this.inputs++;
    if (code === 'accepted') this.accepted++;
    this.codes[code] = (this.codes[code] ?? 0) + 1;
    if (ms > this.slowest.ms) this.slowest = { ms: Math.round(ms * 10) / 10, number };
    if (failure) this.failures.push({ number, failure, ms, message });
  }
}
