/**
 * A net whose every step is a frame of audio with convolutions within: streamed it equals the whole
 * pass to the bit and float64 closely, and takes no memory.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Model } from '../../src/hosts/default.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { allocatedPerCall } from '../support/heap.ts';
import { createRandom } from '../support/random.ts';
import { SAMPLES, voiceActivity } from '../support/voice-activity.ts';
import { zeroState } from '../reference/layers.ts';
import { forward, type Parameters } from '../reference/network.ts';

const random = createRandom(16_000);
const frames = (count: number): Float32Array =>
  Float32Array.from(random.vector(count * SAMPLES, 1));

describe.each(variants)('voice activity, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const model = Model.create(engine, { layers: voiceActivity }, { seed: 7 });
  afterAll(() => engine.dispose());

  it.each([
    { batch: 1, steps: 37 },
    { batch: 3, steps: 21 },
  ])('streams $steps frames of batch $batch as they are computed whole', ({ batch, steps }) => {
    const x = frames(batch * steps);
    const whole = model.forward(x, { batch, steps });
    const stream = model.stream({ batch });
    const out = new Float32Array(whole.output.length);
    for (let t = 0; t < steps; t++) {
      const frame = x.subarray(t * batch * SAMPLES, (t + 1) * batch * SAMPLES);
      stream.step(frame, out.subarray(t * batch, (t + 1) * batch));
    }
    expect(sameBits(out, whole.output)).toBe(true);
    expect(stream.save()).toEqual(whole.state);
    stream.reset();
    stream.run(x, out.fill(0), steps);
    expect(sameBits(out, whole.output)).toBe(true);
    // What a longer array has after the steps is not read.
    stream.reset();
    stream.run(x, out.fill(0), 1);
    expect(sameBits(out.subarray(0, batch), whole.output.subarray(0, batch))).toBe(true);
    stream.dispose();
  });

  it('equals float64', () => {
    const [batch, steps] = [2, 12];
    const x = frames(batch * steps);
    const parameters: Parameters = new Map(
      [...model.stateDict()].map(([name, { shape, data }]) => {
        return [name, { shape, data: Float64Array.from(data) }];
      }),
    );
    const { description } = model;
    const expected = forward(
      description,
      parameters,
      x,
      { batch, steps },
      zeroState(description, batch),
    );
    const got = model.forward(x, { batch, steps });
    const pairs = [
      [got.output, expected.output],
      [got.state['lstm']!.h, expected.state['lstm']!.h],
      [got.state['lstm']!.c!, expected.state['lstm']!.c],
    ] as const;
    for (const [own, other] of pairs) {
      expect(own.length).toBe(other.length);
      const worst = own.reduce((most, value, k) => Math.max(most, Math.abs(value - other[k]!)), 0);
      expect(worst).toBeLessThan(2e-6);
    }
    // Frames and sequences differ, or the above says little.
    expect(new Set(got.output).size).toBe(batch * steps);
  });

  it('takes no memory for a frame', { timeout: 120_000 }, () => {
    const stream = model.stream();
    const x = frames(1);
    const out = new Float32Array(1);
    const before = engine.bytes;
    expect(allocatedPerCall(() => stream.step(x, out), 10, 10_000)).toBeLessThan(8);
    expect(engine.bytes).toBe(before);
    stream.dispose();
  });
});
