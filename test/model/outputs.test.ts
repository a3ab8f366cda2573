/** Functions of one row of outputs, against float64 formulas with `Math.exp`. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expNegative } from '../../src/base/exp.ts';
import { fillUniform } from '../../src/base/random.ts';
import {
  GatefoldError,
  argmax,
  sampleToken,
  seededRandom,
  softmax,
  topK,
} from '../../src/hosts/core.ts';
import { createRandom } from '../support/random.ts';

const floats = (length: number, size = 4, seed = 1): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, size));

/** Exp(logit / temperature) / sum in float64. */
function reference(logits: Iterable<number>, temperature = 1): number[] {
  const scaled = [...logits].map((logit) => logit / temperature);
  const most = Math.max(...scaled);
  const weights = scaled.map((value) => Math.exp(value - most));
  const total = weights.reduce((sum, weight) => sum + weight);
  return weights.map((weight) => weight / total);
}

function expectError(code: string, message: RegExp, f: () => unknown): void {
  let error: unknown;
  try {
    f();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(GatefoldError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
}

const row = fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true });

describe('expNegative', () => {
  it('is within 2 units in the last place of Math.exp', () => {
    const xs = [0, -0, -1, -Math.LN2, -0.5 * Math.LN2, -1e-300, -103.99, ...floats(5000, 52)];
    for (const x of xs.map((value) => -Math.abs(value))) {
      expect(Math.abs(expNegative(x) / Math.exp(x) - 1)).toBeLessThan(4.5e-16);
    }
  });

  it('is 0 where the smallest float32 is too large', () => {
    for (const x of [-104.1, -1e9, -Infinity]) expect(expNegative(x)).toBe(0);
    expect(Math.fround(Math.exp(-104))).toBe(0);
  });
});

describe('softmax', () => {
  it('is the formula in float64, rounded once', () => {
    for (const temperature of [1, 0.1, 0.7, 3, 1e-3]) {
      for (const [seed, length] of [1, 2, 7, 100, 5000].entries()) {
        const logits = floats(length, 9, seed);
        const wanted = reference(logits, temperature);
        const given = softmax(logits, { temperature });
        expect(given).toHaveLength(length);
        given.forEach((value, i) => {
          expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(
            2 ** -23 * wanted[i]! + 2 ** -149,
          );
        });
      }
    }
    expect([...softmax(Float32Array.of(0, Math.log(3)))]).toEqual([0.25, 0.75]);
  });

  it('sums to 1 and keeps the order, whatever the logits are', () => {
    fc.assert(
      fc.property(
        row,
        fc.double({ min: 1e-320, max: 1e300, noNaN: true }),
        (logits, temperature) => {
          fc.pre(logits.some((value) => value > -Infinity) && !logits.includes(Infinity));
          const given = softmax(logits, { temperature });
          const sum = given.reduce((before, value) => before + value, 0);
          expect(sum).toBeCloseTo(1, 5);
          expect(given[argmax(logits)]).toBe(Math.max(...given));
        },
      ),
    );
  });

  it('gives masked classes nothing, and the others what they have without them', () => {
    const masked = Float32Array.of(1, -Infinity, 3, -Infinity, 2);
    const given = [...softmax(masked)];
    expect([given[1], given[3]]).toEqual([0, 0]);
    expect([given[0], given[2], given[4]]).toEqual([...softmax(Float32Array.of(1, 3, 2))]);
    expect([...softmax(Float32Array.of(-Infinity, -1e30))]).toEqual([0, 1]);
  });

  it('writes to the front of an array, also to the logits', () => {
    const logits = floats(9);
    const wanted = softmax(logits);
    const out = new Float32Array(12).fill(7);
    const given = softmax(logits, { out });
    expect(given).toEqual(wanted);
    expect(given.buffer).toBe(out.buffer);
    expect([...out.subarray(9)]).toEqual([7, 7, 7]);
    expect(softmax(logits, { out: logits })).toEqual(wanted);
    expect(logits).toEqual(wanted);
  });

  it('is calculated before anything is written', () => {
    const buffer = new Float32Array(20);
    const logits = buffer.subarray(2, 11);
    logits.set(floats(9));
    const wanted = softmax(floats(9));
    expect(softmax(logits, { out: buffer.subarray(4, 13) })).toEqual(wanted);
  });

  it('refuses what has no softmax, and says what would be right', () => {
    const some = floats(3);
    expectError('ERR_ARGUMENT', /above 0.*argmax/, () => softmax(some, { temperature: 0 }));
    expectError('ERR_ARGUMENT', /"temperature"/, () => softmax(some, { temperature: NaN }));
    expectError('ERR_ARGUMENT', /"temperature"/, () => softmax(some, { temperature: -1 }));
    expectError('ERR_SHAPE', /"out" expected Float32Array of length at least 3/, () =>
      softmax(some, { out: new Float32Array(2) }),
    );
    const typo = { temprature: 1 } as object;
    expectError('ERR_ARGUMENT', /no option "temprature"/, () => softmax(some, typo));
  });
});

describe('argmax and topK', () => {
  it('are those of a sorted list, the first of equal ones first', () => {
    const few = fc.constantFrom(-Infinity, -1, -0, 0, 0.5, 2, Infinity);
    const rows = fc.oneof(
      row,
      fc.array(few, { minLength: 1 }).map((all) => Float32Array.from(all)),
    );
    fc.assert(
      fc.property(rows, fc.nat(), (values, pick) => {
        const k = 1 + (pick % values.length);
        const sorted = [...values].map((value, index) => ({ index, value }));
        sorted.sort((a, b) =>
          a.value === b.value ? a.index - b.index : a.value < b.value ? 1 : -1,
        );
        expect(topK(values, k)).toEqual(sorted.slice(0, k));
        expect(argmax(values)).toBe(sorted[0]!.index);
      }),
    );
  });

  it('leave the row as it was', () => {
    const values = Float32Array.of(1, 3, 2);
    topK(values, 2);
    expect([...values]).toEqual([1, 3, 2]);
  });

  it('name the counts that there are', () => {
    for (const k of [0, 4, 1.5, NaN, -1]) {
      expectError('ERR_ARGUMENT', /"k" expected a whole number from 1 to 3/, () =>
        topK(floats(3), k),
      );
    }
  });
});

describe('sampleToken', () => {
  /** The class where the sum of the probabilities passes a uniform number. */
  const drawn = (probabilities: number[], uniform: number): number => {
    let sum = 0;
    return probabilities.findIndex((probability) => (sum += probability) > uniform);
  };

  it('draws what the sums of the probabilities say', () => {
    const uniforms = new Float32Array(3000);
    fillUniform(uniforms, 11, 0);
    for (const temperature of [0.3, 1, 2.5]) {
      const logits = floats(30, 3, 2);
      const wanted = reference(logits, temperature);
      for (const uniform of uniforms) {
        const token = sampleToken(logits, { temperature, random: () => uniform });
        expect(token).toBe(drawn(wanted, uniform));
      }
    }
  });

  it('draws each class as often as its probability says', () => {
    const logits = Float32Array.of(1, -Infinity, 3, 2);
    const random = seededRandom(5);
    const counts = [0, 0, 0, 0];
    const draws = 20_000;
    for (let k = 0; k < draws; k++) counts[sampleToken(logits, { temperature: 2, random })]!++;
    for (const [token, probability] of reference(logits, 2).entries()) {
      // Four standard deviations of such a count.
      const most = 4 * Math.sqrt((probability * (1 - probability)) / draws);
      expect(Math.abs(counts[token]! / draws - probability)).toBeLessThanOrEqual(most);
    }
  });

  it('takes the likeliest at temperature 0, the first of equal ones', () => {
    const random = (): number => 0.99;
    expect(sampleToken(Float32Array.of(1, 5, 5), { temperature: 0, random })).toBe(1);
    expect(sampleToken(Float32Array.of(1, 5, 4), { temperature: 1e-320, random })).toBe(1);
  });

  it('draws among the likeliest classes alone, as likely as they are among themselves', () => {
    const logits = Float32Array.of(2, 7, 4, 7, -Infinity, 1);
    const wanted = reference([-Infinity, 7, 4, 7, -Infinity, -Infinity]);
    for (let k = 0; k < 1000; k++) {
      const uniform = k / 1000;
      const token = sampleToken(logits, { topK: 3, random: () => uniform });
      expect(token).toBe(drawn(wanted, uniform));
    }
    const first = sampleToken(logits, { topK: 1, random: () => 0.999 });
    expect(first).toBe(1);
    expect(sampleToken(logits, { topK: 6, random: () => 0 })).toBe(0);
  });

  it('never draws a masked class, at either end of the uniform numbers', () => {
    const logits = fc.array(fc.constantFrom(-Infinity, -200, -1, 0, 0.3, 60), { minLength: 1 });
    const ends = fc.constantFrom(0, Number.MIN_VALUE, 0.5, 1 - 2 ** -24, 1 - 2 ** -53);
    fc.assert(
      fc.property(logits, ends, (values, uniform) => {
        fc.pre(values.some((value) => value > -Infinity));
        const token = sampleToken(Float32Array.from(values), { random: () => uniform });
        expect(values[token]).toBeGreaterThan(-Infinity);
      }),
    );
  });

  it('asks for one number a draw, and draws the same for a seed', () => {
    const logits = floats(50, 3);
    const draw = (random: () => number): number[] =>
      Array.from({ length: 40 }, () => sampleToken(logits, { random }));
    const all = draw(seededRandom(7));
    expect(draw(seededRandom(7))).toEqual(all);
    expect(draw(seededRandom(7, 13)).slice(0, 27)).toEqual(all.slice(13));
    expect(draw(seededRandom(8))).not.toEqual(all);
  });

  it('refuses another kind of random, and what it gives', () => {
    const logits = floats(4);
    for (const random of [undefined, null, 7, 'seed', {}]) {
      const options = { random } as unknown as { random: () => number };
      expectError('ERR_ARGUMENT', /"random" expected a function/, () =>
        sampleToken(logits, options),
      );
    }
    for (const value of [1, -0.1, NaN, undefined, '0.5', 2]) {
      const random = (): number => value as number;
      expectError('ERR_ARGUMENT', /"random" expected to give numbers of \[0, 1\)/, () =>
        sampleToken(logits, { random }),
      );
    }
  });

  it.each([
    [{ temperature: -1 }, /"temperature"/],
    [{ temperature: Infinity }, /"temperature"/],
    [{ topK: 0 }, /"topK" expected a whole number from 1 to 4/],
    [{ topK: 5 }, /"topK" expected a whole number from 1 to 4/],
    [{ top_k: 2 }, /no option "top_k"/],
  ])('refuses %j', (options, message) => {
    const random = (): number => 0;
    expectError('ERR_ARGUMENT', message, () => sampleToken(floats(4), { random, ...options }));
  });
});

describe('a row', () => {
  const random = (): number => 0.5;
  const uses: [string, (given: Float32Array) => unknown][] = [
    ['softmax', (given) => softmax(given)],
    ['argmax', (given) => argmax(given)],
    ['topK', (given) => topK(given, 1)],
    ['sampleToken', (given) => sampleToken(given, { random })],
    ['sampleToken at 0', (given) => sampleToken(given, { temperature: 0, random })],
  ];

  it.each(uses)('of NaN, no class or another kind is refused: %s', (_, use) => {
    expectError('ERR_NON_FINITE', /NaN at index 2.*-Infinity/, () =>
      use(Float32Array.of(1, 2, NaN)),
    );
    expectError('ERR_SHAPE', /at least 1/, () => use(new Float32Array()));
    for (const wrong of [null, undefined, 'text', 3, {}]) {
      expectError('ERR_ARGUMENT', /expected Float32Array/, () => use(wrong as Float32Array));
    }
  });

  it.each(uses.filter(([name]) => !/^(argmax|topK)/.test(name)))(
    'of Infinity, or masked altogether, has no probabilities: %s',
    (_, use) => {
      expectError('ERR_NON_FINITE', /Infinity at index 1/, () => use(Float32Array.of(1, Infinity)));
      const masked = new Float32Array(3).fill(-Infinity);
      expectError('ERR_ARGUMENT', /all are -Infinity; leave one/, () => use(masked));
    },
  );

  it.each(uses)('may lie in memory that threads share: %s', (_, use) => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 4, 2, 3]);
    expect(use(shared)).toEqual(use(Float32Array.of(1, 4, 2, 3)));
  });
});

describe('seededRandom', () => {
  it('gives uniform numbers of [0, 1) with 24 bits', () => {
    const random = seededRandom(2 ** 53 - 1);
    const values = Array.from({ length: 10_000 }, random);
    const isUniform = (value: number): boolean =>
      value >= 0 && value < 1 && Number.isInteger(value * 2 ** 24);
    expect(values.every(isUniform)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value) / values.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / values.length));
    expect(new Set(values).size).toBeGreaterThan(9900);
  });

  it('refuses seeds that are none', () => {
    for (const wrong of [-1, 1.5, NaN, 2 ** 53, '7', null]) {
      expectError('ERR_ARGUMENT', /"seed"/, () => seededRandom(wrong as number));
      expectError('ERR_ARGUMENT', /"drawn"/, () => seededRandom(1, wrong as number));
    }
  });
});
