/** Arguments of another kind: a `GatefoldError` from every function of these entries, or an answer. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as audio from '../../src/formats/audio.ts';
import { layouts } from '../../src/formats/layouts.ts';
import * as npz from '../../src/formats/npz.ts';
import * as tf1 from '../../src/formats/tf1.ts';
import { Engine, GatefoldError } from '../../src/hosts/default.ts';
import type { Tensor } from '../../src/hosts/default.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ simd: 'deterministic' });
});
afterAll(() => engine.dispose());

const of = (...shape: number[]): Tensor => {
  return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
};
const FILE = {
  in_shape: [null, null, 1],
  layers: [{ type: 'dense', activation: '', shape: [null, null, 1], weights: [[[1]], [0]] }],
};

type Call = readonly [call: (...args: never[]) => unknown, ...args: unknown[]];

/** Every function with arguments that it takes. */
function calls(): Record<string, Call> {
  const { keras, keras1, onnx, tf1: old, nam, toStateDict, fromStateDict } = layouts;
  const lstm = keras.lstm(of(2, 8), of(2, 8), of(8));
  const gru = keras.gru(of(2, 6), of(2, 6), of(2, 6));
  const rnn = keras.rnn(of(2, 2), of(2, 2), of(2));
  const gates = { kernel: of(4, 4), bias: of(4) };
  const candidate = { kernel: of(4, 2), bias: of(2) };
  const archive = npz.writeNpz(new Map([['a', of(2)]]));
  return {
    'keras.lstm': [keras.lstm, of(2, 8), of(2, 8), of(8)],
    'keras.toLstm': [keras.toLstm, lstm],
    'keras.gru': [keras.gru, of(2, 6), of(2, 6), of(2, 6), {}],
    'keras.toGru': [keras.toGru, gru, {}],
    'keras.rnn': [keras.rnn, of(2, 2), of(2, 2), of(2)],
    'keras.toRnn': [keras.toRnn, rnn],
    'keras.dense': [keras.dense, of(2, 3)],
    'keras.conv1d': [keras.conv1d, of(2, 3, 4)],
    'keras1.lstm': [keras1.lstm, keras1.toLstm(lstm)],
    'keras1.toLstm': [keras1.toLstm, lstm],
    'keras1.gru': [keras1.gru, keras1.toGru(gru)],
    'keras1.toGru': [keras1.toGru, gru],
    'keras1.rnn': [keras1.rnn, keras1.toRnn(rnn)],
    'keras1.toRnn': [keras1.toRnn, rnn],
    'onnx.lstm': [onnx.lstm, of(1, 8, 2), of(1, 8, 2), of(1, 16), of(1, 6), {}],
    'onnx.toLstm': [onnx.toLstm, lstm, lstm],
    'onnx.gru': [onnx.gru, of(1, 6, 2), of(1, 6, 2), of(1, 12), {}],
    'onnx.toGru': [onnx.toGru, gru],
    'onnx.rnn': [onnx.rnn, of(1, 2, 2), of(1, 2, 2), of(1, 4), {}],
    'onnx.toRnn': [onnx.toRnn, rnn],
    'tf1.lstm': [old.lstm, of(4, 8), of(8), {}],
    'tf1.toLstm': [old.toLstm, lstm, {}],
    'tf1.gru': [old.gru, gates, candidate],
    'tf1.toGru': [old.toGru, gru],
    'tf1.rnn': [old.rnn, of(4, 2), of(2)],
    'tf1.toRnn': [old.toRnn, rnn],
    'nam.lstm': [nam.lstm, of(8, 4), of(8), of(2), of(2)],
    'nam.toLstm': [nam.toLstm, lstm],
    toStateDict: [toStateDict, 'a', lstm, {}],
    fromStateDict: [fromStateDict, toStateDict('a', lstm), 'a', {}],
    readAudio: [audio.readAudio, FILE, {}],
    loadAudio: [audio.loadAudio, engine, FILE, {}],
    writeRtneural: [audio.writeRtneural, audio.loadAudio(engine, FILE)],
    readNpy: [npz.readNpy, npz.writeNpy(of(2))],
    writeNpy: [npz.writeNpy, of(2)],
    readNpz: [npz.readNpz, archive, {}],
    writeNpz: [npz.writeNpz, new Map([['a', of(2)]])],
    readTf1: [tf1.readTf1, archive, {}],
    loadTf1: [tf1.loadTf1, engine, archive, {}],
  };
}

const WRONG: readonly unknown[] = [
  undefined,
  null,
  0,
  5,
  10n,
  'x',
  '',
  {},
  [],
  () => 1,
  Symbol('s'),
  true,
  new Map([[1, 2]]),
  new Map([['a', null]]),
  new Float32Array(3),
  { shape: null },
  { shape: [1, 2] },
  { shape: [2, 'x'], data: new Float32Array(2) },
  { shape: ['8', 2], data: new Float32Array(16) },
  { weight_ih: null, weight_hh: null },
  { kernel: null },
  { description: 5 },
  { description: { layers: [null] } },
  { direction: 5 },
  { forgetBias: 'x' },
  { maxBytes: -1 },
];

it('of every function: arguments of other kinds are refused by a GatefoldError', () => {
  const untyped: string[] = [];
  for (const [name, [call, ...args]] of Object.entries(calls())) {
    expect(() => call(...(args as never[]))).not.toThrow(TypeError);
    for (const [place] of args.entries()) {
      for (const wrong of WRONG) {
        const own = args.map((arg, k) => (k === place ? wrong : arg));
        try {
          call(...(own as never[]));
        } catch (error) {
          if (error instanceof GatefoldError) continue;
          untyped.push(`${name}, argument ${place}: ${String(error)}`);
        }
      }
    }
  }
  expect(untyped).toEqual([]);
});

it('the calls are of all functions that the entries export', () => {
  const functions = (entry: object, prefix = ''): string[] =>
    Object.entries(entry).flatMap(([name, value]) =>
      typeof value === 'object' ? functions(value, `${name}.`) : [prefix + name],
    );
  const { layouts: own } = { layouts };
  const all = [own, audio, npz, tf1].flatMap((entry) => functions(entry));
  expect(all.sort()).toEqual(Object.keys(calls()).sort());
});
