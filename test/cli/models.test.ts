/** Commands for model files: what they print and write is what the model gives when it is asked. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAudio } from '../../src/formats/audio.ts';
import { readNpz, writeNpy, writeNpz } from '../../src/formats/npz.ts';
import { loadModel, saveModel, writeSafetensors } from '../../src/formats/safetensors.ts';
import { Model } from '../../src/hosts/default.ts';
import type { ModelDescription } from '../../src/hosts/default.ts';
import { root } from '../support/consumer.ts';
import { COMMAND, runCommand } from '../support/command.ts';
import { createEngine } from '../support/engines.ts';
import { writeHdf5 } from '../support/hdf5.mjs';

const DESCRIPTION: ModelDescription = {
  layers: [
    { type: 'gru', name: 'cell', inputSize: 2, hiddenSize: 5 },
    { type: 'linear', name: 'out', outFeatures: 1, activation: 'tanh' },
  ],
};
const LSTM: ModelDescription = { layers: [{ type: 'lstm', inputSize: 1, hiddenSize: 3 }] };
const [BATCH, STEPS] = [2, 6];
/** The command takes relaxed SIMD where the host has it: the last bits differ. */
const CLOSE = 1e-5;
const x = Float32Array.from({ length: BATCH * STEPS * 2 }, (_, k) => Math.sin(k));

const engine = createEngine('baseline');
let folder: string;
let model: Model;

function gatefold(...args: string[]): string {
  const { status, stdout, stderr } = runCommand(folder, ...args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

function refused(...args: string[]): string {
  const { status, stderr } = runCommand(folder, ...args);
  expect(status).toBe(2);
  return stderr;
}

const path = (name: string): string => join(folder, name);

/** The largest difference between arrays of the same length. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, k) => Math.abs(value - b[k]!)));
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-models-'));
  const metadata = { sampleRate: 44100 };
  model = Model.create(engine, DESCRIPTION, { seed: 3, metadata });
  writeFileSync(path('model.safetensors'), saveModel(model));
  writeFileSync(path('bare.safetensors'), writeSafetensors(model.stateDict(), {}));
  writeFileSync(path('x.npz'), writeNpz(new Map([['x', { shape: [BATCH, STEPS, 2], data: x }]])));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  engine.dispose();
});

describe('gatefold run', () => {
  const expected = (options: object = {}): Float32Array =>
    model.forward(x, { steps: STEPS, batch: BATCH, batchFirst: true, ...options }).output;
  const written = (): ArrayLike<number> => {
    const { shape, data } = readNpz(readFileSync(path('y.npz'))).get('y')!;
    expect(shape).toEqual([BATCH, STEPS, 1]);
    return data as Float32Array;
  };
  const run = (inputs: string): string =>
    gatefold('run', 'model.safetensors', '--inputs', inputs, '--outputs', 'y.npz');

  it('reads arrays of NumPy and JSON, by the names of inputs or "x"', () => {
    run('x.npz');
    expect(distance(written(), expected())).toBeLessThan(CLOSE);
    writeFileSync(path('x.npy'), writeNpy({ shape: [BATCH, STEPS, 2], data: x }));
    run('x.npy');
    expect(distance(written(), expected())).toBeLessThan(CLOSE);
    const rows = Array.from({ length: BATCH }, (_, b) =>
      Array.from({ length: STEPS }, (_unused, t) => [0, 1].map((k) => x[(b * STEPS + t) * 2 + k])),
    );
    writeFileSync(path('x.json'), JSON.stringify({ input: rows }));
    run('x.json');
    expect(distance(written(), expected())).toBeLessThan(CLOSE);
  });

  it('takes lengths and initial states', () => {
    const h = Float32Array.from({ length: BATCH * 5 }, (_, k) => Math.cos(k));
    const lengths = Int32Array.of(4, 6);
    const arrays = new Map<string, { shape: number[]; data: Float32Array | Int32Array }>([
      ['x', { shape: [BATCH, STEPS, 2], data: x }],
      ['lengths', { shape: [BATCH], data: lengths }],
      ['h0', { shape: [1, BATCH, 5], data: h }],
    ]);
    writeFileSync(path('state.npz'), writeNpz(arrays));
    run('state.npz');
    expect(distance(written(), expected({ lengths, state: { cell: { h } } }))).toBeLessThan(CLOSE);
  });

  it('reads and writes tables of numbers, and shows what goes nowhere', () => {
    const lines = Array.from({ length: STEPS }, (_, t) => `${x[2 * t]},${x[2 * t + 1]}`);
    writeFileSync(path('x.csv'), `left,right\n${lines.join('\n')}\n`);
    gatefold('run', 'model.safetensors', '--inputs', 'x.csv', '--outputs', 'y.csv');
    const got = readFileSync(path('y.csv'), 'utf8').trim().split('\n').map(Number);
    const { output } = model.forward(x.subarray(0, 2 * STEPS), { steps: STEPS });
    expect(distance(got, output)).toBeLessThan(CLOSE);
    const shown = gatefold('run', 'model.safetensors', '--inputs', 'x.csv');
    expect(shown).toMatch(/^y \[1, 6, 1\]: -?\d/);
  });

  it('runs sound', () => {
    const { wav, samples } = sound();
    writeFileSync(path('x.wav'), wav);
    const mono: ModelDescription = { layers: [{ type: 'lstm', inputSize: 1, hiddenSize: 1 }] };
    const filter = Model.create(engine, mono, { seed: 4 });
    writeFileSync(path('filter.safetensors'), saveModel(filter));
    gatefold('run', 'filter.safetensors', '--inputs', 'x.wav', '--outputs', 'y.wav');
    const bytes = readFileSync(path('y.wav'));
    expect(bytes.readUInt32LE(24)).toBe(8000);
    const at = bytes.indexOf('data') + 8;
    const got = Array.from(samples, (_, k) => bytes.readFloatLE(at + 4 * k));
    const { output } = filter.forward(samples, { steps: samples.length });
    expect(distance(got, output)).toBeLessThan(CLOSE);
    filter.dispose();
  });

  it('streams raw frames', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [COMMAND, 'run', 'model.safetensors', '--stream'],
      { cwd: folder, input: new Uint8Array(x.buffer.slice(0, 8 * STEPS)) },
    );
    expect(status).toBe(0);
    const got = Array.from({ length: STEPS }, (_, k) => stdout.readFloatLE(4 * k));
    const { output } = model.forward(x.subarray(0, 2 * STEPS), { steps: STEPS });
    expect(stdout.length).toBe(4 * STEPS);
    expect(distance(got, output)).toBeLessThan(CLOSE);
    const cut = spawnSync(process.execPath, [COMMAND, 'run', 'model.safetensors', '--stream'], {
      cwd: folder,
      input: new Uint8Array(9),
    });
    expect(cut.status).toBe(2);
    expect(String(cut.stderr)).toMatch(/ends within a frame/);
  });

  it('refuses what does not fit, by name', () => {
    writeFileSync(path('wide.json'), '[[1, 2, 3]]');
    expect(refused('run', 'model.safetensors', '--inputs', 'wide.json')).toMatch(
      /"x" has the shape \[1, 3\]; the model takes x \(or input\) \[B, T, 2\]/,
    );
    writeFileSync(path('other.json'), '{ "x": [[1, 2]], "z": [1] }');
    expect(refused('run', 'model.safetensors', '--inputs', 'other.json')).toMatch(/no "z"/);
    expect(refused('run', 'model.safetensors')).toMatch(/--inputs FILE/);
    expect(refused('run', 'none.h5', '--inputs', 'x.npz')).toMatch(/none\.h5: no such file/);
    writeFileSync(path('noise.bin'), 'no model');
    expect(refused('inspect', 'noise.bin')).toMatch(/no model file that gatefold knows/);
    for (const text of ['[1, [2]]', '["a"]', '{ "x": 3 }']) {
      writeFileSync(path('broken.json'), text);
      expect(refused('run', 'model.safetensors', '--inputs', 'broken.json')).toMatch(/numbers/);
    }
  });
});

/** A second of 16 bits at 8 kHz, and what it holds. */
function sound(): { wav: Buffer; samples: Float32Array } {
  const count = 200;
  const wav = Buffer.alloc(44 + 2 * count);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + 2 * count, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(8000, 24);
  wav.writeUInt32LE(16000, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(2 * count, 40);
  const samples = new Float32Array(count);
  for (let k = 0; k < count; k++) {
    const value = Math.round(20000 * Math.sin(k / 5));
    wav.writeInt16LE(value, 44 + 2 * k);
    samples[k] = value / 32768;
  }
  return { wav, samples };
}

describe('gatefold inspect', () => {
  it('shows layers, costs and metadata, or the description', () => {
    const shown = gatefold('inspect', 'model.safetensors');
    expect(shown).toMatch(/model\.safetensors: gatefold, /);
    expect(shown).toMatch(/cell +gru +\[T, B, 5\] +135/);
    expect(shown).toMatch(/a step: 110 multiply-adds, 564 B of weights/);
    expect(shown).toMatch(/sampleRate: 44100/);
    const told = JSON.parse(gatefold('inspect', 'model.safetensors', '--json')) as {
      description: ModelDescription;
    };
    expect(told.description).toEqual(JSON.parse(JSON.stringify(model.description)));
    expect(gatefold('inspect', 'model.safetensors', '--svg')).toMatch(/^<svg /);
  });

  it('takes what Keras says of the wiring, and says what it is by itself', () => {
    const numbers = (...shape: number[]) => ({
      shape,
      data: new Float32Array(shape[0]! * (shape[1] ?? 1)),
    });
    const dense = { kernel: numbers(3, 2), bias: numbers(2) };
    const layers = [{ class_name: 'Dense', config: { name: 'dense', units: 2 } }];
    const layer = { members: dense, attributes: { weight_names: Object.keys(dense) } };
    const group = { members: { dense_4: layer }, attributes: { layer_names: ['dense_4'] } };
    writeFileSync(path('weights.h5'), writeHdf5(group));
    const json = { class_name: 'Sequential', config: { name: 's', layers }, backend: 'tensorflow' };
    writeFileSync(path('keras.json'), JSON.stringify(JSON.stringify(json)));
    const shown = gatefold('inspect', 'weights.h5', '--description', 'keras.json');
    expect(shown).toMatch(/dense +linear +\[B, 2\] +8/);
    expect(refused('inspect', 'weights.h5')).toMatch(/"dense_4".*to_json.*--description/);
    writeFileSync(path('keras.json'), JSON.stringify(json));
    expect(refused('inspect', 'keras.json')).toMatch(/architecture of a Keras model.*weights/);
  });

  it('proposes the wiring of tensors, which no command takes unconfirmed', () => {
    const shown = gatefold('inspect', 'bare.safetensors');
    const proposal = shown.slice(shown.indexOf('{\n'), shown.lastIndexOf('}\n') + 1);
    expect(refused('run', 'bare.safetensors', '--inputs', 'x.npz')).toMatch(/--description/);
    const wiring = JSON.parse(proposal) as { layers: { type: string }[] };
    expect(wiring.layers.map(({ type }) => type)).toEqual(['gru', 'pool', 'linear']);
    writeFileSync(path('wiring.json'), JSON.stringify(DESCRIPTION));
    const args = ['--inputs', 'x.npz', '--outputs', 'y.npz', '--description', 'wiring.json'];
    gatefold('run', 'bare.safetensors', ...args);
    const { output } = model.forward(x, { steps: STEPS, batch: BATCH, batchFirst: true });
    const got = readNpz(readFileSync(path('y.npz'))).get('y')!.data as Float32Array;
    expect(distance(got, output)).toBeLessThan(CLOSE);
  });
});

describe('gatefold convert', () => {
  it('writes other formats, and weights of 8 bits', () => {
    gatefold('convert', 'model.safetensors', 'model.json');
    const audio = loadAudio(engine, readFileSync(path('model.json')));
    const given = { steps: STEPS, batch: BATCH, batchFirst: true };
    expect(distance(audio.forward(x, given).output, model.forward(x, given).output)).toBeLessThan(
      CLOSE,
    );
    gatefold('convert', 'model.json', 'small.safetensors', '--quantize', 'int8');
    const small = loadModel(engine, readFileSync(path('small.safetensors')));
    expect(small.description.weights).toBe('int8');
    [audio, small].forEach((own) => own.dispose());
    writeFileSync(path('lstm.safetensors'), saveModel(Model.create(engine, LSTM, { seed: 2 })));
    gatefold('convert', 'lstm.safetensors', 'pages');
    expect(readdirSync(path('pages')).sort()).toEqual(['model.json', 'weights.bin']);
    mkdirSync(path('torn'));
    copyFileSync(path('pages/model.json'), path('torn/model.json'));
    expect(refused('inspect', 'torn')).toMatch(/"weights.bin", which model.json names, is missing/);
    expect(refused('inspect', 'torn')).not.toMatch(/--description/);
    writeFileSync(path('lstm.json'), JSON.stringify([[0.1], [0.4], [0.2]]));
    const run = (name: string): string => gatefold('run', name, '--inputs', 'lstm.json');
    expect(run('pages')).toBe(run('lstm.safetensors'));
    expect(refused('convert', 'model.safetensors', 'model.onnx')).toMatch(/--to gatefold/);
  });
});

describe('gatefold check', () => {
  it('compares outputs with those that are expected', () => {
    gatefold('run', 'model.safetensors', '--inputs', 'x.npz', '--outputs', 'y.npz');
    const args = ['check', 'model.safetensors', '--against', 'x.npz', 'y.npz'];
    expect(gatefold(...args)).toMatch(/y +0\.00e\+0 +0\.00e\+0 +yes/);
    const { shape, data } = readNpz(readFileSync(path('y.npz'))).get('y')!;
    const other = Float32Array.from(
      data as Float32Array,
      (value, k) => value + (k === 3 ? 1e-3 : 0),
    );
    writeFileSync(path('other.npz'), writeNpz(new Map([['y', { shape, data: other }]])));
    const { status, stdout } = runCommand(folder, ...args.slice(0, -1), 'other.npz');
    expect(status).toBe(1);
    expect(stdout).toMatch(/y +1\.00e-3 .*NO/);
    const wide = [...args.slice(0, -1), 'other.npz', '--tolerance', '0.01'];
    expect(runCommand(folder, ...wide).status).toBe(0);
  });

  it('gives models of Keras the shapes that they had there', () => {
    const fixtures = join(root, 'test/fixtures/keras');
    mkdirSync(path('keras'));
    const models = readdirSync(fixtures).filter((name) => /\.(h5|keras)$/.test(name));
    for (const name of models) {
      const golden = name.replace(/\.\w+$/, '.json');
      copyFileSync(join(fixtures, name), join(path('keras'), name));
      copyFileSync(join(fixtures, golden), join(path('keras'), `${name}.golden.json`));
    }
    expect(gatefold('check', 'keras')).toContain(`${models.length} models: ${models.length} right`);
  });

  it('checks all models of a folder', () => {
    const models = path('models');
    mkdirSync(join(models, 'more'), { recursive: true });
    const outputs = model.forward(x, { steps: STEPS, batch: BATCH, batchFirst: true }).output;
    const golden = (shift: number): string =>
      JSON.stringify({
        inputs: [{ shape: [BATCH, STEPS, 2], data: [...x] }],
        outputs: { y: { shape: [BATCH, STEPS, 1], data: Array.from(outputs, (v) => v + shift) } },
      });
    const names = ['right', 'wrong', 'alone'];
    for (const name of names) writeFileSync(join(models, `${name}.bin`), saveModel(model));
    writeFileSync(join(models, 'right.bin.golden.json'), golden(0));
    writeFileSync(join(models, 'wrong.bin.golden.json'), golden(1e-3));
    writeFileSync(join(models, 'more', 'broken.h5'), 'none');
    expect(readdirSync(models)).toHaveLength(6);
    const { status, stdout } = runCommand(folder, 'check', 'models');
    expect(status).toBe(1);
    expect(stdout).toMatch(/right\.bin +gatefold +right/);
    expect(stdout).toMatch(/wrong\.bin +gatefold +wrong +1\.0e-3|wrong\.bin +gatefold +wrong/);
    expect(stdout).toMatch(/alone\.bin +gatefold +no reference/);
    expect(stdout).toMatch(/more\/broken\.h5 +refused/);
    expect(stdout).toMatch(/4 models: 1 right, 1 wrong, 1 refused, 1 without reference\n$/);
  });
});

describe('gatefold bench', () => {
  it('times a step and sequences', () => {
    const shown = gatefold('bench', 'model.safetensors', '--steps', '10', '--batch', '4');
    expect(shown).toMatch(/a step +[\d.]+ us +[\d.]+ us +\d+ %/);
    expect(shown).toMatch(/4 x 10 steps/);
    expect(shown).toMatch(/110 multiply-adds a step; peak [\d.]+ GFLOP\/s/);
  });
});
