/**
 * Calls that write into arrays of the caller: the bits of those that return fresh ones, nothing
 * outside of their part of the array, and nothing at all where they are refused.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model } from '../../src/hosts/default.ts';
import type {
  ForwardOptions,
  Input,
  ModelDescription,
  ModelState,
  Stream,
} from '../../src/hosts/default.ts';
import { sameBits } from '../support/agreement.ts';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const engine = createEngine('baseline');
afterAll(() => engine.dispose());

const [T, B, I, O] = [37, 3, 4, 4];
const linear = { type: 'linear', outFeatures: O } as const;
const gru = { type: 'gru', inputSize: I, hiddenSize: 6 } as const;
const floats = (length: number, seed = 1): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));
const model = Model.create(engine, { layers: [gru, linear] });

function expectCode(code: string, f: () => unknown): void {
  let error: unknown;
  try {
    f();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(GatefoldError);
  expect((error as GatefoldError).code).toBe(code);
}

/** What no call may take for `length` numbers to write to, and the error's code. */
const wrongPlaces = (length: number): [string, unknown, string][] => [
  ['too short', new Float32Array(length - 1), 'ERR_SHAPE'],
  ['transferred away', gone(new Float32Array(length)), 'ERR_SHAPE'],
  ['of float64', new Float64Array(length), 'ERR_ARGUMENT'],
  ['of int32', new Int32Array(length), 'ERR_ARGUMENT'],
  ['a list', Array.from({ length }, () => 0), 'ERR_ARGUMENT'],
  ['a proxy', new Proxy(new Float32Array(length), {}), 'ERR_ARGUMENT'],
  ['null', null, 'ERR_ARGUMENT'],
  ['a number', length, 'ERR_ARGUMENT'],
];

function gone(array: Float32Array): Float32Array {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

describe('forward', () => {
  const pooled: ModelDescription = { layers: [gru, { type: 'pool', mode: 'mean' }, linear] };
  const tokens: ModelDescription = {
    layers: [{ type: 'embedding', numEmbeddings: 5, embeddingDim: 4 }, { ...gru }, linear],
  };
  const both: ModelDescription = { layers: [{ ...gru, bidirectional: true }, linear] };
  const lengths = [T - 4, 0, T];
  const calls: [string, ModelDescription, Omit<ForwardOptions, 'steps' | 'out'>][] = [
    ['plain', model.description, {}],
    ['batch first', model.description, { batchFirst: true }],
    ['of lengths', model.description, { lengths }],
    ['of lengths, batch first', model.description, { lengths, batchFirst: true }],
    ['of lengths, repeating', model.description, { lengths, padding: 'repeat' }],
    ['pooled', pooled, { lengths }],
    ['both ways', both, { batchFirst: true }],
    ['tokens', tokens, {}],
  ];

  it.each(calls)('writes the outputs to the front of an array: %s', (_, description, rest) => {
    const own = Model.create(engine, description);
    const x: Input = own.takesTokens
      ? Int32Array.from({ length: T * B }, (_, k) => k % 5)
      : floats(T * B * I);
    const options = { steps: T, batch: B, ...rest };
    const wanted = own.forward(x, options);
    const longer = new Float32Array(wanted.output.length + 11).fill(7);
    for (const out of [new Float32Array(wanted.output.length).fill(7), longer.subarray(4)]) {
      const { output, state } = own.forward(x, { ...options, out });
      expect(sameBits(output, wanted.output)).toBe(true);
      expect(state).toEqual(wanted.state);
      expect(output.buffer).toBe(out.buffer);
      expect(output.byteOffset).toBe(out.byteOffset);
    }
    const others = [...longer.subarray(0, 4), ...longer.subarray(4 + wanted.output.length)];
    expect(others).toEqual(Array.from({ length: 11 }, () => 7));
    own.dispose();
  });

  it.each([0, 4, 64, -4, -64, 4 * T * I, 8000])(
    'may overlap: outputs %i bytes after x',
    (bytes) => {
      for (const batchFirst of [false, true]) {
        // Some chunks of the kernels' steps.
        const steps = 1000;
        const options = { steps, batch: 2, batchFirst };
        const length = steps * 2 * I;
        const wanted = model.forward(floats(length), options);
        const buffer = new ArrayBuffer(4 * length + 16_000);
        const x = new Float32Array(buffer, 8000, length);
        x.set(floats(length));
        const out = new Float32Array(buffer, 8000 + bytes, length);
        const { output } = model.forward(x, { ...options, out });
        expect(sameBits(output, wanted.output)).toBe(true);
      }
    },
  );

  it('writes to memory that threads share, and does not believe a subclass', () => {
    class Liar extends Float32Array {
      override get length(): number {
        return 1e6;
      }
      override subarray(): Float32Array<ArrayBuffer> {
        return new Float32Array(1e6);
      }
    }
    const x = floats(T * I);
    const { output: wanted } = model.forward(x, { steps: T });
    const shared = new Float32Array(new SharedArrayBuffer(4 * T * O));
    model.forward(x, { steps: T, out: shared });
    expect(sameBits(shared, wanted)).toBe(true);
    const { output } = model.forward(x, { steps: T, out: new Liar(T * O) });
    expect(sameBits(output, wanted)).toBe(true);
    expectCode('ERR_SHAPE', () => model.forward(x, { steps: T, out: new Liar(T * O - 1) }));
  });

  it.each(wrongPlaces(T * O))('refuses a place that is %s', (_, out, code) => {
    const given = out as Float32Array;
    expectCode(code, () => model.forward(floats(T * I), { steps: T, out: given }));
    expect(() => model.forward(floats(T * I), { steps: T, out: given })).toThrow(/"out"/);
  });

  it('leaves the place as it was where another argument is wrong', () => {
    const out = new Float32Array(T * O).fill(7);
    expectCode('ERR_SHAPE', () => model.forward(floats(T * I - 1), { steps: T, out }));
    const state = { gru: { h: floats(5) } };
    expectCode('ERR_SHAPE', () => model.forward(floats(T * I), { steps: T, out, state }));
    expect(out.every((value) => value === 7)).toBe(true);
  });

  it('takes no place for gates, which have many arrays', () => {
    const options = { steps: T, out: new Float32Array(T * O) };
    expectCode('ERR_ARGUMENT', () => model.gates(floats(T * I), options));
  });
});

describe('a stream', () => {
  it('runs the front of longer arrays, and leaves the rest of the outputs', () => {
    const x = floats(T * B * I);
    const { output: wanted } = model.forward(x, { steps: T, batch: B });
    const longer = new Float32Array(x.length + 40).fill(NaN);
    longer.set(x);
    const out = new Float32Array(wanted.length + 40).fill(7);
    model.stream({ batch: B }).run(longer, out, T);
    expect(sameBits(out.subarray(0, wanted.length), wanted)).toBe(true);
    expect(out.subarray(wanted.length).every((value) => value === 7)).toBe(true);
  });

  it('reads no token after the last step', () => {
    const layers = [{ type: 'embedding', numEmbeddings: 5, embeddingDim: 4 } as const, gru];
    const stream = Model.create(engine, { layers }).stream();
    const x = Int32Array.of(1, 2, 3, 99, -1);
    expect(() => stream.run(x, new Float32Array(50), 3)).not.toThrow();
    expectCode('ERR_ARGUMENT', () => stream.run(x, new Float32Array(50), 4));
  });

  it.each([0, 4, 40, 4 * T * I, 5000])('may overlap where arrays are longer: %i bytes', (bytes) => {
    const x = floats(T * I);
    const { output: wanted } = model.forward(x, { steps: T });
    const buffer = new ArrayBuffer(20_000);
    const input = new Float32Array(buffer, 1000);
    input.set(x);
    const out = new Float32Array(buffer, 1000 + bytes);
    model.stream().run(input, out, T);
    expect(sameBits(out.subarray(0, T * O), wanted)).toBe(true);
  });

  it('takes exactly one step of inputs and outputs in step()', () => {
    const stream = model.stream();
    expectCode('ERR_SHAPE', () => stream.step(floats(I + 1), new Float32Array(O)));
    expectCode('ERR_SHAPE', () => stream.step(floats(I), new Float32Array(O + 1)));
    expectCode('ERR_SHAPE', () => stream.step(floats(0), new Float32Array(O)));
  });

  it.each(wrongPlaces(T * O))('refuses outputs that are %s', (_, out, code) => {
    const stream = model.stream();
    stream.step(floats(I), new Float32Array(O));
    const before = stream.save();
    expectCode(code, () => stream.run(floats(T * I), out as Float32Array, T));
    expect(stream.save()).toEqual(before);
  });

  it('names what would be right', () => {
    const stream = model.stream({ batch: B });
    const out = new Float32Array(2 * B * O);
    expect(() => stream.run(floats(2 * B * I - 1), out, 2)).toThrow(
      `"x" expected Float32Array of length at least ${2 * B * I} (steps x batch x features), got length ${2 * B * I - 1}`,
    );
    expect(() => stream.run(floats(2 * B * I), out, 3)).toThrow(/"x" expected/);
    expect(() => stream.run(floats(I), out, 0)).toThrow(/"steps" expected a whole number from 1/);
  });
});

describe('save', () => {
  const runs = (stream: Stream): void =>
    stream.run(floats(5 * B * I, 3), new Float32Array(5 * B * 99), 5);

  it.each(Object.entries(cellForms))('writes into what it returned: %s', (_, form) => {
    const layer = recurrentLayer(form, { inputSize: I, hiddenSize: 9, numLayers: 2 });
    const own = Model.create(engine, { layers: [layer, { ...layer, name: 'top', inputSize: 9 }] });
    const stream = own.stream({ batch: B });
    runs(stream);
    const kept = stream.save();
    const arrays = Object.values(kept).flatMap(({ h, c }) => (c ? [h, c] : [h]));
    runs(stream);
    const wanted = stream.save();
    expect(kept).not.toEqual(wanted);
    expect(stream.save(kept)).toBe(kept);
    expect(kept).toEqual(wanted);
    const now = Object.values(kept).flatMap(({ h, c }) => (c ? [h, c] : [h]));
    now.forEach((array, k) => expect(array).toBe(arrays[k]));
    // The states are those that the sequence has at the same place.
    const x = floats(5 * B * I, 3);
    const whole = own.forward(Float32Array.of(...x, ...x), { steps: 10, batch: B });
    expect(kept).toEqual(whole.state);
    own.dispose();
  });

  const lstm = Model.create(engine, {
    layers: [
      { ...gru, type: 'lstm' },
      { ...gru, inputSize: 6 },
    ],
  });

  it.each(wrongPlaces(B * 6))('refuses an array that is %s, and writes none', (_, wrong, code) => {
    const stream = lstm.stream({ batch: B });
    runs(stream);
    const into = stream.save();
    for (const array of [into['lstm']!.h, into['lstm']!.c!]) array.fill(7);
    const broken = { ...into, gru: { h: wrong as Float32Array } };
    expectCode(code, () => stream.save(broken));
    expect(() => stream.save(broken)).toThrow(/"into\.gru\.h" expected Float32Array/);
    for (const array of [into['lstm']!.h, into['lstm']!.c!]) {
      expect(array.every((value) => value === 7)).toBe(true);
    }
  });

  it('refuses what is too long, has no such layer, or is no state', () => {
    const stream = lstm.stream({ batch: B });
    const into = stream.save();
    const longer = { ...into, gru: { h: new Float32Array(B * 6 + 1) } };
    expectCode('ERR_ARGUMENT', () => stream.save({ ...into, other: into['gru']! }));
    expectCode('ERR_SHAPE', () => stream.save(longer));
    expectCode('ERR_ARGUMENT', () => stream.save({ lstm: into['lstm']! }));
    expectCode('ERR_ARGUMENT', () => stream.save({ ...into, lstm: { h: into['lstm']!.h } }));
    for (const wrong of [null, 'text', 3, [], {}, { lstm: null, gru: 3 }]) {
      expectCode('ERR_ARGUMENT', () => stream.save(wrong as unknown as ModelState));
    }
  });

  it('refuses arrays that overlap, whatever has been saved before, and writes none', () => {
    const stream = lstm.stream({ batch: B });
    runs(stream);
    const { lstm: top, gru: below } = stream.save() as Record<string, { h: Float32Array }>;
    const [n, block] = [B * 6, new Float32Array(3 * B * 6).fill(7)];
    const at = (first: number): Float32Array => block.subarray(first, first + n);
    const into = (h: Float32Array, c: Float32Array, of: Float32Array): ModelState => ({
      lstm: { h, c },
      gru: { h: of },
    });
    const [h, c, own] = [at(0), at(n), at(2 * n)];
    const said = '"into.lstm.c" expected an array of its own, got one that overlaps "into.lstm.h"';
    const wrong = [into(h, h, own), into(h, at(n - 1), own), into(c, at(1), own)];
    const later = [into(h, c, h), into(h, own, at(2 * n - 1)), into(h, c, at(n + 1))];
    for (const apart of [() => undefined, () => stream.save(into(h, c, own))]) {
      apart();
      block.fill(7);
      for (const one of wrong) {
        expectCode('ERR_ARGUMENT', () => stream.save(one));
        expect(() => stream.save(one)).toThrow(said);
      }
      for (const one of later) {
        expect(() => stream.save(one)).toThrow(/"into\.gru\.h" .* overlaps "into\.lstm\.[hc]"$/);
      }
      expect(block.every((value) => value === 7)).toBe(true);
    }
    // Neighbours are apart, in any order.
    stream.save(into(own, h, c));
    expect(sameBits(own, top!.h)).toBe(true);
    expect(sameBits(c, below!.h)).toBe(true);
  });

  it('writes to memory that threads share', () => {
    const stream = lstm.stream({ batch: B });
    runs(stream);
    const wanted = stream.save();
    const h = new Float32Array(new SharedArrayBuffer(4 * B * 6));
    stream.save({ ...wanted, gru: { h } });
    expect(sameBits(h, wanted['gru']!.h)).toBe(true);
  });

  it('is refused where a getter disposes the stream, before anything is written', () => {
    const stream = lstm.stream({ batch: B });
    runs(stream);
    const h = new Float32Array(B * 6).fill(7);
    const into = {
      ...stream.save(),
      get gru(): { h: Float32Array } {
        stream.dispose();
        return { h };
      },
    };
    expectCode('ERR_DISPOSED', () => stream.save(into));
    expect(h.every((value) => value === 7)).toBe(true);
  });
});
