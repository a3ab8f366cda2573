/**
 * Seeded random numbers for tests: the same seed gives the same run everywhere, so that a seed
 * printed with a failure is all that is needed to see it again.
 */
export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Uniform in [-scale, scale). */
  around(scale: number): number;
  /** Uniform integer in [low, high]. */
  integer(low: number, high: number): number;
  /** Array of uniform numbers in [-scale, scale), float64. */
  vector(length: number, scale: number): Float64Array;
  pick<T>(values: readonly T[]): T;
}

/** splitmix32 (a Weyl sequence through a finaliser of MurmurHash3's kind). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const unit = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296;
  };
  const around = (scale: number): number => (2 * unit() - 1) * scale;
  const integer = (low: number, high: number): number =>
    low + Math.floor(unit() * (high - low + 1));
  return {
    unit,
    around,
    integer,
    vector: (length, scale) => new Float64Array(length).map(() => around(scale)),
    pick: (values) => values[integer(0, values.length - 1)]!,
  };
}
