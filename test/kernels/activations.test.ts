/**
 * tanh and sigmoid over the whole range of float32, through `gatefold/kernels`, in both SIMD
 * variants.
 */
import { afterAll, describe, expect, it } from 'vitest';
import {
  aboveHalf,
  activationsOf,
  randomRuns,
  requireMonotone,
  SIGMOID_ERROR,
  slopeRatio,
  TANH_ULP,
  worstSigmoid,
  worstTanh,
} from '../support/activations.ts';
import { createEngine, variants } from '../support/engines.ts';
import { fromBits, neighbours, wholeRange } from '../support/floats.ts';
import { createRandom } from '../support/random.ts';

/**
 * More than 2 million numbers over every exponent of both signs, and a million where the functions
 * bend.
 */
const everywhere = wholeRange(4200, 1234567);
const bend = createRandom(1).vector(1_000_000, 20);
const inBend = Float32Array.from(bend).sort();

describe.each(variants)('activations, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const { tanh, sigmoid } = activationsOf(engine);
  afterAll(() => engine.dispose());

  it('sample the whole range', () => {
    expect(everywhere.length).toBeGreaterThan(2_000_000);
    expect(everywhere.some((x) => x !== 0 && Math.abs(x) < 2 ** -126)).toBe(true);
  });

  it(`tanh is within ${TANH_ULP} ULP`, () => {
    for (const x of [everywhere, inBend]) {
      const { error, at } = worstTanh(tanh, x);
      expect(error, `tanh(${at}), ${error} ULP`).toBeLessThanOrEqual(TANH_ULP);
    }
  });

  it('tanh is odd to the bit and within [-1, 1]', () => {
    const y = tanh(everywhere);
    const mirrored = tanh(everywhere.map((x) => -x));
    for (let k = 0; k < y.length; k++) {
      if (!(Math.abs(y[k]!) <= 1) || !Object.is(mirrored[k], -y[k]!)) {
        expect.fail(`tanh(${everywhere[k]}) = ${y[k]}, tanh(${-everywhere[k]!}) = ${mirrored[k]}`);
      }
    }
  });

  it('tanh is 1 from 9.011 on and not before; slopes near 1 are those of the rounded tanh', () => {
    const one = Math.fround(9.0109134);
    expect(tanh(neighbours(Math.fround(9.0108), 50)).every((y) => y < 1)).toBe(true);
    expect(tanh(neighbours(one, 1000)).every((y) => y === 1)).toBe(true);
    expect(tanh(everywhere.filter((x) => x > one)).every((y) => y === 1)).toBe(true);
    for (let low = 3; low < 9; low++) {
      const x = Float32Array.from({ length: 40_000 }, (_, k) => low + k / 40_000);
      expect(slopeRatio(tanh, x), `from ${low} on`).toBeLessThan(1.2);
    }
  });

  it('tanh is monotone above 1/2, over sorted samples and over neighbours', () => {
    for (const x of [everywhere, inBend, ...randomRuns(600, 4096, 10, 3)]) {
      requireMonotone('tanh', tanh, aboveHalf(x));
    }
  });

  it(`sigmoid is within ${SIGMOID_ERROR} and within [0, 1]`, () => {
    for (const x of [everywhere, inBend]) {
      const { error, at } = worstSigmoid(sigmoid, x);
      expect(error, `sigmoid(${at})`).toBeLessThanOrEqual(SIGMOID_ERROR);
    }
  });

  it('sigmoid is monotone, over sorted samples and over neighbours', () => {
    requireMonotone('sigmoid', sigmoid, everywhere);
    requireMonotone('sigmoid', sigmoid, inBend);
    for (const run of randomRuns(300, 4096, 20, 2)) requireMonotone('sigmoid', sigmoid, run);
  });

  it('infinities are exact, NaN gives NaN, in every lane', () => {
    const nans = [0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff].map(fromBits);
    for (let lane = 0; lane < 9; lane++) {
      for (const [f, low, high] of [
        [tanh, -1, 1],
        [sigmoid, 0, 1],
      ] as const) {
        for (const [value, wanted] of [
          [-Infinity, low],
          [Infinity, high],
          ...nans.map((nan) => [nan, NaN] as const),
        ] as const) {
          const x = new Float32Array(9).fill(0.5);
          x[lane] = value;
          const y = f(x);
          expect(y[lane]).toBe(wanted);
          const others = y.filter((_, k) => k !== lane);
          expect(others.every((other) => other === f(Float32Array.of(0.5))[0])).toBe(true);
        }
      }
    }
    expect(tanh(Float32Array.of(0, -0))).toEqual(Float32Array.of(0, -0));
    expect(sigmoid(Float32Array.of(0, -0))).toEqual(Float32Array.of(0.5, 0.5));
  });

  it('a value does not depend on its place or on the length of the array', () => {
    const x = inBend.filter((_, k) => k % 25013 === 0);
    for (const f of [tanh, sigmoid]) {
      const whole = f(x);
      for (let length = 1; length <= 17; length++) {
        expect(f(x.subarray(3, 3 + length))).toEqual(whole.subarray(3, 3 + length));
      }
    }
  });
});
