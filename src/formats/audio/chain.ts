import { GatefoldError } from '../../base/errors.ts';
import type { StateDict, Tensor } from '../../base/tensor.ts';
import type { Metadata } from '../../model/model.ts';
import type { LayerSpec, ModelDescription } from '../../ops/index.ts';
import { checkImported } from '../shared/check-imported.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { isMap, isNumbers } from '../shared/json.ts';
import type { Json, Numbers } from '../shared/json.ts';

/** The object that an audio file is. */
export type AudioFile = ReadonlyMap<string, Json>;

export function refuse(problem: string): never {
  throw new GatefoldError('ERR_FORMAT', `not an audio model to trust: ${problem}`);
}

export function unsupported(what: string): never {
  throw new GatefoldError('ERR_UNSUPPORTED', what);
}

/** Runs what reads a part of a file; errors say which part, and that the file is at fault. */
export function within<T>(part: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const isOurs = error instanceof GatefoldError;
    if (!isOurs || (error.code !== 'ERR_SHAPE' && error.code !== 'ERR_ARGUMENT')) throw error;
    return refuse(`${part}: ${error.message}`);
  }
}

/** Numbers of a file as a tensor; `what` they are, for errors. */
export function tensorOf(what: string, value: Json | undefined): Tensor {
  if (!isNumbers(value)) return refuse(`${what} is no list of numbers`);
  const data = Float32Array.from(value.numbers);
  // The difference of a number with itself is 0, that of NaN or an infinity is none.
  if (data.some((number) => number - number !== 0)) {
    return refuse(`${what} has numbers that are not finite`);
  }
  return { shape: value.shape, data };
}

/** A whole number of at least `least`, or an error that names the key. */
export function countOf(what: string, value: Json | undefined, least = 1): number {
  const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
  return isCount ? value : refuse(`${what} expected a whole number of at least ${least}`);
}

/** A sample rate, which may be a text. */
export function sampleRateOf(...values: readonly (Json | undefined)[]): number | undefined {
  const rates = values.map((value) => (typeof value === 'string' ? Number(value) : value));
  return rates.find((rate): rate is number => typeof rate === 'number' && rate > 0 && rate < 1e9);
}

export function mapOf(value: Json | undefined): AudioFile {
  return isMap(value) ? value : new Map<string, Json>();
}

export function numbersOf(value: Json | undefined): Numbers | undefined {
  return isNumbers(value) ? value : undefined;
}

/** Layers one after the other, with their parameters. */
export class Chain {
  readonly #layers: LayerSpec[] = [];
  readonly #tensors: StateDict = new Map();
  readonly #counts = new Map<string, number>();
  /** Features of a step so far. */
  width: number;

  /** @param width features of the inputs. */
  constructor(width: number) {
    this.width = width;
  }

  /** The name of the last layer, or of the inputs. */
  get last(): string {
    return this.#layers.at(-1)?.name ?? 'input';
  }

  /** Adds a layer; `name` is its type, and a number where there are several. */
  add(spec: LayerSpec, inputs: number, outputs: number, parameters: object = {}): void {
    if (inputs !== this.width) {
      const message = `it has weights for ${inputs} inputs where there are ${this.width}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const count = (this.#counts.get(spec.type) ?? 0) + 1;
    this.#counts.set(spec.type, count);
    const name = spec.name ?? (count === 1 ? spec.type : spec.type + count);
    this.#layers.push({ ...spec, name } as LayerSpec);
    for (const [role, tensor] of Object.entries(parameters)) {
      if (tensor) this.#tensors.set(`${name}.${role}`, tensor as Tensor);
    }
    this.width = outputs;
  }

  /** Adds a layer with as many outputs as inputs. */
  same(spec: LayerSpec, parameters: object = {}): void {
    this.add(spec, this.width, this.width, parameters);
  }

  /** Adds the first inputs to the outputs, as many as there are of these. */
  skip(from: string, inputs: number): void {
    const { last, width } = this;
    if (width > inputs) refuse(`it skips ${inputs} inputs over to ${width} outputs`);
    const isAll = width === inputs;
    if (!isAll) this.same({ type: 'slice', name: 'dry', inputs: [from], from: 0, to: width });
    this.same({ type: 'add', name: 'skip', inputs: [last, isAll ? from : 'dry'] });
  }

  imported(format: string, sampleRate: number | undefined, told: unknown): ImportedModel {
    if (this.#layers.length === 0) refuse('it has no layers');
    const description: ModelDescription = { layers: this.#layers };
    const metadata: Record<string, unknown> = { format, latency: 0 };
    if (sampleRate !== undefined) metadata.sampleRate = sampleRate;
    if (told !== undefined) metadata.file = told;
    const imported = { description, tensors: this.#tensors, metadata: metadata as Metadata };
    within('its layers', () => checkImported(imported));
    return imported;
  }
}
