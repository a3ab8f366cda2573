import { describe, expect, it } from 'vitest';
import { trigramBits } from '../../src/cli/ngram.ts';
import { Progress } from '../../src/cli/progress.ts';
import { write } from '../../src/cli/sample.ts';
import { UNKNOWN, Vocabulary } from '../../src/data/text.ts';
import { Engine, Model } from '../../src/hosts/default.ts';
import type { LayerSpec } from '../../src/hosts/default.ts';

describe('write', () => {
  it('writes characters of the vocabulary, where the unknown is the likeliest', () => {
    const engine = Engine.createSync({ simd: 'deterministic' });
    const vocabulary = new Vocabulary('ab\n');
    const { size } = vocabulary;
    const layers: LayerSpec[] = [
      { type: 'embedding', numEmbeddings: size, embeddingDim: 2 },
      { type: 'linear', outFeatures: size },
    ];
    const model = Model.create(engine, { layers }, { init: 'zeros' });
    const parameters = model.stateDict();
    parameters.get('linear.bias')!.data[UNKNOWN] = 50;
    model.loadStateDict(parameters);
    const options = { prime: '', length: 60, seed: 3 };
    const text = [...write(model, vocabulary, { ...options, temperature: 1 })].join('');
    expect(text).toMatch(/^[ab\n]{60}$/);
    // Equal logits at temperature 0: the first character.
    const likeliest = [...write(model, vocabulary, { ...options, temperature: 0 })];
    expect(new Set(likeliest)).toEqual(new Set([vocabulary.characters[UNKNOWN + 1]]));
    engine.dispose();
  });
});

describe('trigramBits', () => {
  it('is the add-one estimate worked out by hand', () => {
    // After "12": one 3 and one 1 in training; 4 tokens. After "31": never seen.
    const training = Int32Array.of(1, 2, 3, 1, 2, 1);
    const bits = trigramBits(training, Int32Array.of(1, 2, 3, 1, 0), 4);
    const expected = -(Math.log2(2 / 6) + Math.log2(2 / 5) + Math.log2(1 / 5)) / 3;
    expect(bits).toBeCloseTo(expected, 12);
  });
});

describe('Progress', () => {
  const standing = {
    epoch: 2,
    epochs: 3,
    updates: 400,
    bits: 1.2345,
    gradNorm: 0.5,
    tokensPerSecond: 12345.6,
    secondsLeft: 61.2,
  };
  const line = 'bits/char  gradient 0.50  12,346 tokens/s  1:02 left';

  function record(isTTY: boolean, columns: number): { output: NodeJS.WriteStream; text: string[] } {
    const text: string[] = [];
    const output = { isTTY, columns, write: (part: string) => text.push(part) };
    return { output: output as unknown as NodeJS.WriteStream, text };
  }

  it('keeps one line of a terminal alive, and never wider than it', () => {
    const { output, text } = record(true, 40);
    const progress = new Progress(output);
    for (let update = 1; update <= 400; update++) progress.show({ ...standing, update });
    progress.end();
    expect(text.length).toBeGreaterThanOrEqual(3);
    expect(text.at(-1)).toBe('\n');
    for (const part of text.slice(0, -1)) {
      expect(part.startsWith('\r\x1b[K')).toBe(true);
      expect(part.length - 4).toBeLessThan(40);
    }
  });

  it('writes twenty plain lines elsewhere', () => {
    const { output, text } = record(false, 40);
    const progress = new Progress(output);
    for (let update = 1; update <= 400; update++) progress.show({ ...standing, update });
    progress.end();
    expect(text).toHaveLength(20);
    expect(text[1]).toBe(`epoch 2/3  10 %  1.234 ${line}\n`);
  });
});
