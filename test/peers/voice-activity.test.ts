/** The voice-activity files of `@ricky0123/vad-web` as they are, against onnxruntime-web. */
import { existsSync, readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadOnnx, readOnnx } from '../../src/formats/onnx.ts';
import type { GatefoldError } from '../../src/base/errors.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createEngine } from '../support/engines.ts';

/** The voices of the example. */
interface Sound {
  say(phrases: readonly string[], rate: number): Float32Array | undefined;
  babble(options: { seconds: number; rate: number; seed: number }): Float32Array;
}
const SOUND = new URL('../../examples/voice-activity/sound.mjs', import.meta.url).href;

const RATE = 16_000;
const HALF_RATE = 8000;
const folder = new URL('../../node_modules/@ricky0123/vad-web/dist/', import.meta.url);
const fileOf = (name: string): URL => new URL(`silero_vad_${name}.onnx`, folder);

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

interface File {
  readonly name: string;
  readonly rate: number;
  /** Samples of a call: some of the frame before, and a frame. */
  readonly context: number;
  readonly frame: number;
  readonly tolerance: number;
  readonly dims: (samples: number) => Record<string, number>;
  readonly carry: Record<string, string>;
  /** Shapes of the states. */
  readonly states: Record<string, number[]>;
}

const latest = {
  rate: RATE,
  dims: (samples: number) => ({ 'input.0': 1, 'input.1': samples, 'state.1': 1 }),
  carry: { stateN: 'state' },
  states: { state: [2, 1, 128] },
  tolerance: 1e-5,
};
// Large terms cancel in its second convolution: the runtime is 8.5e-6 from float64 itself.
const sixth = { ...latest, name: 'v6' };
const legacy = {
  name: 'legacy',
  rate: RATE,
  context: 0,
  dims: (samples: number) => ({ batch: 1, sequence: samples }),
  carry: { hn: 'h', cn: 'c' },
  states: { h: [2, 1, 64], c: [2, 1, 64] },
  tolerance: 5e-5,
};

const files: readonly File[] = [
  { name: 'v5', context: 0, frame: 512, ...latest },
  { name: 'v5', context: 64, frame: 512, ...latest },
  { context: 0, frame: 512, ...sixth },
  { context: 64, frame: 512, ...sixth },
  { ...legacy, frame: 512 },
  // Three steps of the LSTM a frame: a program.
  { ...legacy, frame: 1536 },
  { ...latest, name: 'v5', context: 32, frame: 256, rate: HALF_RATE },
  { ...sixth, context: 32, frame: 256, rate: HALF_RATE },
  { ...legacy, frame: 256, rate: HALF_RATE },
  { ...legacy, frame: 768, rate: HALF_RATE },
];

const optionsOf = (file: File): object => ({
  dims: file.dims(file.context + file.frame),
  set: { sr: file.rate },
  carry: file.carry,
});

/** What each call reads, one after the other. */
function framesOf(samples: Float32Array, { context, frame }: File): Float32Array[] {
  return Array.from({ length: Math.floor(samples.length / frame) }, (_, k) =>
    Float32Array.from(
      { length: context + frame },
      (__, j) => samples[k * frame + j - context] ?? 0,
    ),
  );
}

async function runtimeOver(frames: readonly Float32Array[], file: File): Promise<number[]> {
  const bytes = readFileSync(fileOf(file.name));
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const states = new Map(
    Object.entries(file.states).map(([name, shape]) => [
      name,
      new ort.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b)), shape),
    ]),
  );
  const sr = new ort.Tensor('int64', BigInt64Array.of(BigInt(file.rate)), []);
  const given: number[] = [];
  for (const frame of frames) {
    const input = new ort.Tensor('float32', frame, [1, frame.length]);
    const results = await session.run({ input, sr, ...Object.fromEntries(states) });
    given.push((results['output']!.data as Float32Array)[0]!);
    for (const [output, name] of Object.entries(file.carry)) {
      states.set(name, results[output] as ort.TypedTensor<'float32'>);
    }
  }
  await session.release();
  return given;
}

/** The code and the message of an error. */
function textOf(act: () => unknown): string {
  try {
    act();
    return 'no error';
  } catch (error) {
    return `${(error as GatefoldError).code}: ${(error as GatefoldError).message}`;
  }
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, k) => Math.max(most, Math.abs(x - b[k]!)), 0);

describe.runIf(existsSync(fileOf('v5')))('voice activity', () => {
  let engine: Engine;
  const recordings = new Map<number, Float32Array>();
  beforeAll(async () => {
    engine = createEngine('relaxed');
    const { babble, say } = (await import(SOUND)) as Sound;
    const phrases = ['The quick brown fox jumps over the lazy dog.', 'Is anybody there?'];
    for (const rate of [RATE, HALF_RATE]) {
      recordings.set(rate, say(phrases, rate) ?? babble({ seconds: 8, rate, seed: 1 }));
    }
  });
  afterAll(() => engine.dispose());

  it.each(files)('$name, $context and $frame samples at $rate Hz', async (file) => {
    const frames = framesOf(recordings.get(file.rate)!, file);
    const expected = await runtimeOver(frames, file);
    const isHeard = file.name !== 'v6' || file.context > 0;
    if (isHeard) expect(Math.max(...expected)).toBeGreaterThan(0.5);
    expect(Math.min(...expected)).toBeLessThan(0.1);
    const model = loadOnnx(engine, readFileSync(fileOf(file.name)), optionsOf(file));
    const check = (own: ArrayLike<number>): void =>
      expect(worst(own, expected)).toBeLessThanOrEqual(file.tolerance);
    const stream = model.stream();
    const output = new Float32Array(1);
    check(frames.map((frame) => (stream.step(frame, output), output[0]!)));
    stream.dispose();
    const all = frames.flatMap((frame) => [...frame]);
    check(model.forward(all, { steps: frames.length }).output as Float32Array);
    model.dispose();
  });

  it('says what may be carried, and carries nothing that is not asked for', () => {
    const bytes = readFileSync(fileOf('v5'));
    const { carry: _, ...options } = optionsOf(files[0]!) as { carry?: object };
    const { metadata, description } = readOnnx(bytes, options);
    expect(metadata['proposedCarry']).toEqual({ stateN: 'state' });
    expect(description.outputs).toEqual(['output', 'stateN']);
  });

  it.each([
    [{ state: 'stateN' }, /ERR_ARGUMENT.*"carry" names "state", and the file has "output"/],
    [{ stateN: 'none' }, /ERR_ARGUMENT.*"carry" names "none", and the file has "input", "state"/],
    [{ stateN: 1 }, /ERR_ARGUMENT.*"carry.stateN" expected the name of an input/],
    [{ stateN: 'state', output: 'state' }, /ERR_ARGUMENT.*another input for each output/],
    [{ stateN: 'input' }, /ERR_UNSUPPORTED.*"input" is not the initial state/],
    [{ output: 'state' }, /ERR_UNSUPPORTED.*"output" is not the last state of the layers/],
  ])('refuses to carry %j', (carry, expected) => {
    const options = { ...optionsOf(files[0]!), carry } as object;
    const read = (): unknown => readOnnx(readFileSync(fileOf('v5')), options);
    expect(textOf(read)).toMatch(expected);
  });
});
