import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_SEED, fillUniform, philox, philoxKey } from '../../src/base/random.ts';
import type { PhiloxCounter, PhiloxKey } from '../../src/base/random.ts';

/** From `kat_vectors` of the Random123 distribution, philox4x32 with 10 rounds. */
const KNOWN: { counter: PhiloxCounter; key: PhiloxKey; words: number[] }[] = [
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
];

describe('philox', () => {
  it.each(KNOWN)('gives the published words for counter $counter', ({ counter, key, words }) => {
    expect([...philox(key, counter)]).toEqual(words);
  });

  it('agrees with the definition in 64-bit integers', () => {
    const u32 = fc.nat({ max: 0xffffffff });
    fc.assert(
      fc.property(fc.tuple(u32, u32), fc.tuple(u32, u32, u32, u32), (key, counter) => {
        expect([...philox(key, counter)]).toEqual(philoxBig(key, counter));
      }),
    );
  });
});

describe('fillUniform', () => {
  it('draws the same numbers in any order and in any pieces', () => {
    const whole = new Float32Array(103);
    fillUniform(whole, 7, 3);
    fc.assert(
      fc.property(fc.nat({ max: 102 }), fc.nat({ max: 102 }), (a, b) => {
        const start = Math.min(a, b);
        const piece = new Float32Array(Math.max(a, b) - start);
        fillUniform(piece, 7, 3, start);
        expect(piece).toEqual(whole.subarray(start, start + piece.length));
      }),
    );
  });

  it('stays in [0, 1) with the mean and variance of a uniform', () => {
    const values = new Float32Array(40_000);
    fillUniform(values, 1, 0);
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
    expect(values.every((v) => v >= 0 && v < 1)).toBe(true);
    expect(mean).toBeCloseTo(0.5, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  it('differs by seed, beyond 32 bits of it too, and by stream', () => {
    const draw = (seed: number, stream: number): string => {
      const out = new Float32Array(4);
      fillUniform(out, seed, stream);
      return out.join();
    };
    const streams = [draw(0, 0), draw(1, 0), draw(2 ** 32, 0), draw(MAX_SEED, 0), draw(0, 1)];
    expect(new Set(streams).size).toBe(streams.length);
    expect(philoxKey(MAX_SEED)).toEqual([0xffffffff, 0x1fffff]);
  });
});

function philoxBig(key: PhiloxKey, counter: PhiloxCounter): number[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}
