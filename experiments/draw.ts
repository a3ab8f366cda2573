import { fillUniform } from '../src/base/random.ts';

/**
 * Philox numbers in order. Streams from here on belong to data; those below to a model's fresh
 * parameters.
 */
export const FIRST_STREAM: number = 2 ** 16;
const BLOCK = 4096;

/** Random numbers of one stream of a seed: the same sequences on every machine. */
export class Draw {
  readonly #seed: number;
  readonly #stream: number;
  readonly #numbers = new Float32Array(BLOCK);
  #drawn = 0;

  constructor(seed: number, stream: number) {
    this.#seed = seed;
    this.#stream = FIRST_STREAM + stream;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    const at = this.#drawn % BLOCK;
    if (at === 0) fillUniform(this.#numbers, this.#seed, this.#stream, this.#drawn);
    this.#drawn++;
    return this.#numbers[at]!;
  }

  /** Uniform integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }
}
