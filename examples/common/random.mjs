/**
 * Random numbers by seed: mulberry32, for made-up data. What the library itself draws is seeded by
 * options of its own.
 */
export function createRandom(seed) {
  let state = seed >>> 0;
  /** Uniform in [0, 1). */
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    /** A whole number from 0 to `count` - 1. */
    below: (count) => Math.floor(count * uniform()),
    pick: (items) => items[Math.floor(items.length * uniform())],
    /** Of mean 0 and deviation 1 (Box and Muller). */
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}
