import { describe, expect, it } from 'vitest';
import { trigramBits } from '../src/cli/ngram.ts';
import { Progress } from '../src/cli/progress.ts';
import { drawToken } from '../src/cli/sampling.ts';
import { Engine } from '../src/hosts/default.ts';
import { Kernels } from '../src/kernels/index.ts';
import { fillUniform } from '../src/base/random.ts';

describe('drawToken', () => {
  const kernels = Kernels.create(Engine.createSync({ simd: 'deterministic' }));
  const draw = (logits: Float32Array, temperature: number, uniform: number): number =>
    drawToken(kernels, logits, temperature, uniform);
  const logits = Float32Array.of(9, 1, 3, 2);

  it('takes the likeliest at temperature 0, and never the unknown', () => {
    expect(draw(logits, 0, 0.99)).toBe(2);
    expect(draw(logits, 1e-7, 0.99)).toBe(2);
  });

  it('draws as often as the softmax says', () => {
    const counts = [0, 0, 0, 0];
    const uniform = new Float32Array(20_000);
    fillUniform(uniform, 5, 0);
    for (const u of uniform) counts[draw(logits, 2, u)]!++;
    const weights = [0, Math.exp(0.5), Math.exp(1.5), Math.exp(1)];
    const total = weights.reduce((sum, weight) => sum + weight);
    weights.forEach((weight, token) => {
      expect(counts[token]! / uniform.length).toBeCloseTo(weight / total, 1.9);
    });
  });

  it('is sound at the edges', () => {
    expect(draw(logits, 1, 0)).toBe(1);
    expect(draw(logits, 1, 1 - 2 ** -24)).toBe(3);
    expect(draw(Float32Array.of(0, -1e30, 1e30), 1e-3, 0.5)).toBe(2);
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
