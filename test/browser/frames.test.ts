/** A model over the blocks of an audio thread, against its own stream. */
import { expect, it } from 'vitest';
import { Frames } from '../../src/browser/frames.ts';
import { Model } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';

const engine = createEngine('baseline');
const BLOCK = 128;
const sound = Float32Array.from({ length: 30 * BLOCK }, (_, t) => Math.sin(t / 11));

const modelOf = (inputs: number, outputs: number, seed = 1): Model => {
  const layers = [
    { type: 'gru', inputSize: inputs, hiddenSize: 5 },
    { type: 'linear', outFeatures: outputs },
  ] as const;
  return Model.create(engine, { layers }, { seed });
};

/** What the blocks give, one after the other. */
function play(frames: Frames): Float32Array {
  const output = new Float32Array(sound.length);
  for (let at = 0; at < sound.length; at += BLOCK) {
    frames.run(sound.subarray(at, at + BLOCK), output.subarray(at, at + BLOCK));
  }
  return output;
}

const none = (): void => expect.unreachable();

it.each([1, 4, 128])('frames of %i samples that fill a block are not late', (frame) => {
  const model = modelOf(frame, frame);
  const frames = new Frames(model, 0, BLOCK, none);
  expect(frames).toMatchObject({ isSound: true, frame, latency: 0 });
  const { output } = model.forward(sound, { steps: sound.length / frame });
  expect(play(frames)).toEqual(output);
  frames.dispose();
});

it.each([
  [48, 0],
  [160, 0],
  [40, 24],
])('frames of %i samples after an overlap of %i are late by a frame', (frame, overlap) => {
  const model = modelOf(frame + overlap, frame);
  const frames = new Frames(model, overlap, BLOCK, none);
  expect(frames).toMatchObject({ isSound: true, frame, latency: frame });
  const padded = Float32Array.of(...new Float32Array(overlap), ...sound);
  const stream = model.stream();
  const expected = new Float32Array(sound.length + frame);
  for (let at = 0; at + frame <= sound.length; at += frame) {
    const out = expected.subarray(at + frame, at + 2 * frame);
    stream.step(padded.subarray(at, at + frame + overlap), out);
  }
  expect(play(frames)).toEqual(expected.subarray(0, sound.length));
  frames.reset();
  expect(play(frames)).toEqual(expected.subarray(0, sound.length));
  frames.dispose();
});

it('goes on from the states of another one of the same layers, and of no other', () => {
  const [a, b, c] = [modelOf(1, 1), modelOf(1, 1, 2), modelOf(1, 1, 3)];
  const other = modelOf(2, 2);
  const frames = [a, b, c].map((model) => new Frames(model, 0, BLOCK, none));
  const [first, second, third] = frames as [Frames, Frames, Frames];
  const foreign = new Frames(other, 0, BLOCK, none);
  play(first);
  play(foreign);
  second.follow(first);
  third.follow(foreign);
  const { state } = a.forward(sound, { steps: sound.length });
  const went = b.forward(sound, { steps: sound.length, state }).output;
  expect(play(second)).toEqual(went);
  expect(play(third)).toEqual(c.forward(sound, { steps: sound.length }).output);
});

it('refuses what is no model of samples', () => {
  const layers = [{ type: 'embedding', numEmbeddings: 3, embeddingDim: 2 }] as const;
  const tokens = Model.create(engine, { layers });
  const code = 'ERR_UNSUPPORTED';
  expect(() => new Frames(tokens, 0, BLOCK, none)).toThrow(expect.objectContaining({ code }));
  expect(() => new Frames(modelOf(4, 2), 4, BLOCK, none)).toThrow(/more than 4 samples/);
});
