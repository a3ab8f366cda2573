import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextBatches, UNKNOWN, Vocabulary, splitByPosition } from '../../src/data/text.ts';

describe('TextBatches', () => {
  it('walks every row once and in order, each target the next input', () => {
    const sizes = fc.record({
      length: fc.integer({ min: 10, max: 300 }),
      batch: fc.integer({ min: 1, max: 9 }),
      steps: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(sizes, ({ length, batch, steps }) => {
        const batches = new TextBatches(
          Int32Array.from({ length }, (_, i) => i),
          { batch, steps },
        );
        const rows: number[][] = Array.from({ length: batch }, () => []);
        for (let index = 0; index < batches.length; index++) {
          const window = batches.window(index);
          expect(window.inputs.length).toBe(window.steps * batch);
          window.inputs.forEach((token, at) => {
            rows[at % batch]!.push(token);
            expect(window.targets[at]).toBe(token + 1);
          });
        }
        const rowLength = Math.floor((length - 1) / batch);
        expect(rows.flat()).toEqual(Array.from({ length: rowLength * batch }, (_, i) => i));
        expect(batches.count).toBe(rowLength * batch);
      }),
    );
  });

  it('refuses a text that is too short for one step', () => {
    const make = (): TextBatches => new TextBatches(new Int32Array(4), { batch: 4, steps: 8 });
    expect(make).toThrow(/at least 5 tokens/);
  });
});

describe('splitByPosition', () => {
  it('cuts within each text, so that both parts hold something of all', () => {
    const split = splitByPosition([[...'abcdefghij'], [...'0123456789']], 0.9);
    expect(split.head.join('')).toBe('abcdefghi012345678');
    expect(split.tail.join('')).toBe('j9');
  });
});

describe('Vocabulary', () => {
  it('counts code points, not code units, in a fixed order', () => {
    const vocabulary = Vocabulary.of('b😀aab');
    expect(vocabulary.characters).toEqual(['', 'a', 'b', '😀']);
    expect([...vocabulary.encode('a😀z')]).toEqual([1, 3, UNKNOWN]);
    expect(new Vocabulary(vocabulary.toString()).characters).toEqual(vocabulary.characters);
  });

  it('refuses a text that names a character twice', () => {
    expect(() => new Vocabulary('aa')).toThrow(/every character once/);
  });
});
