/** Each format that `gatefold score` reads to each that it writes, whole, in parts, killed. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../src/formats/npz.ts';
import type { NpySource } from '../../src/formats/npz.ts';
import { saveModel } from '../../src/formats/safetensors.ts';
import { Model } from '../../src/hosts/default.ts';
import type { ModelDescription } from '../../src/hosts/default.ts';
import { COMMAND, runCommand } from '../support/command.ts';
import { createEngine } from '../support/engines.ts';
import { waveFile } from '../support/wave.ts';

const MODELS: Record<'pooled' | 'steps' | 'two', ModelDescription> = {
  pooled: {
    layers: [
      { type: 'lstm', inputSize: 2, hiddenSize: 6 },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: 3 },
    ],
  },
  steps: { layers: [{ type: 'gru', inputSize: 2, hiddenSize: 3 }] },
  two: {
    layers: [
      { type: 'gru', name: 'each', inputSize: 2, hiddenSize: 3 },
      { type: 'pool', name: 'last', mode: 'last' },
    ],
    outputs: ['each', 'last'],
  },
};
const COUNT = 30;
/** Those of the Parquet files of test/golden, which pyarrow wrote. */
const sequences = Array.from({ length: COUNT }, (_, k) =>
  Float32Array.from({ length: 2 * (1 + ((7 * k) % 20)) }, (_unused, i) => {
    return ((37 * k + 11 * i) % 64) / 16 - 2;
  }),
);
const steps = sequences.map((x) => x.length / 2);
const longest = Math.max(...steps);
const rowsOf = (x: Float32Array): number[][] =>
  Array.from({ length: x.length / 2 }, (_, t) => [x[2 * t]!, x[2 * t + 1]!]);
const golden = (name: string): string =>
  fileURLToPath(new URL(`../golden/${name}`, import.meta.url));

const engine = createEngine('baseline');
let folder: string;
const path = (name: string): string => join(folder, name);
const padded = new Float32Array(COUNT * longest * 2);
sequences.forEach((x, k) => padded.set(x, k * longest * 2));
const joined = Float32Array.from(sequences.flatMap((x) => [...x]));

/** Each input: its arguments, and the ids of its records. */
const INPUTS: Record<string, { args: string[]; id: (k: number) => unknown }> = {
  ndjson: { args: ['x.ndjson'], id: (k) => `r${k}` },
  lists: { args: ['lists.ndjson'], id: () => undefined },
  'csv of sequences': { args: ['wide.csv'], id: (k) => `r${k}` },
  'csv of steps': { args: ['long.csv'], id: (k) => k },
  'padded .npz': { args: ['padded.npz'], id: (k) => k },
  'joined .npz': { args: ['joined.npz'], id: (k) => k },
  parquet: { args: [golden('parquet.parquet'), '--id', 'key'], id: (k) => `r${k}` },
  sound: { args: ['sounds'], id: (k) => `sounds/${String(k).padStart(2, '0')}.wav` },
};
const OUTS = ['ndjson', 'csv', 'npy', 'npz'] as const;

/** What a run gives: ids, and numbers of each record where the format says whose they are. */
interface Got {
  readonly ids?: readonly unknown[];
  readonly each?: readonly number[][];
  readonly all: readonly number[];
}

function cells(line: string): string[] {
  return line.split(',').map((cell) => cell.replace(/^"|"$/g, ''));
}

function read(format: (typeof OUTS)[number], file: string, isPooled: boolean): Got {
  const bytes = readFileSync(path(file));
  if (format === 'npy') return { all: [...(readNpy(bytes).data as Float32Array)] };
  if (format === 'ndjson') {
    const lines = String(bytes).trim().split('\n');
    const records = lines.map((line) => JSON.parse(line) as { id?: unknown; y: number[][] });
    const each = records.map(({ y }) => y.flat().map(Math.fround));
    return { ids: records.map(({ id }) => id), each, all: each.flat() };
  }
  if (format === 'csv') {
    const [head, ...lines] = String(bytes).trim().split('\n');
    const names = cells(head!);
    const first = names.indexOf('y0');
    const rows = lines.map((line) => cells(line).slice(first).map(Number).map(Math.fround));
    expect(names.includes('step')).toBe(!isPooled);
    return { all: rows.flat() };
  }
  // As NumPy reads it: `id` of texts is none of gatefold's kinds.
  const script = `import json, sys, numpy
z = numpy.load(sys.argv[1])
print(json.dumps({k: [str(z[k].dtype), list(z[k].shape), z[k].ravel().tolist()] for k in z}))`;
  const { stdout, stderr } = spawnSync('python3', ['-c', script, path(file)], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const arrays = JSON.parse(stdout) as Record<string, [string, number[], unknown[]]>;
  const all = arrays.y![2] as number[];
  const ids = arrays.id?.[2];
  if (isPooled) {
    expect(arrays.y!.slice(0, 2)).toEqual(['float32', [COUNT, 3]]);
    expect(arrays.lengths).toBe(undefined);
    return { ids, all };
  }
  expect(arrays.lengths!.slice(0, 2)).toEqual(['int32', [COUNT]]);
  let at = 0;
  const each = (arrays.lengths![2] as number[]).map((rows) => all.slice(at, (at += 3 * rows)));
  return { ids, each, all };
}

const alone = (model: Model, x: Float32Array): number[] => [
  ...model.forward(x, { steps: x.length / 2 }).output,
];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-formats-'));
  for (const [name, description] of Object.entries(MODELS)) {
    const model = Model.create(engine, description, { seed: 3 });
    writeFileSync(path(`${name}.safetensors`), saveModel(model));
  }
  const text = (name: string, lines: readonly string[]): void =>
    writeFileSync(path(name), `${lines.join('\n')}\n`);
  text(
    'x.ndjson',
    sequences.map((x, k) => JSON.stringify({ id: `r${k}`, x: rowsOf(x) })),
  );
  text(
    'lists.ndjson',
    sequences.map((x) => JSON.stringify([...x])),
  );
  text(
    'wide.csv',
    sequences.map((x, k) => [`r${k}`, ...x, ...Array(2 * longest - x.length).fill('')].join()),
  );
  const each = sequences.flatMap((x, k) => rowsOf(x).map((row) => [k, ...row].join()));
  text('long.csv', ['id,a,b', ...each]);
  const lengths = { shape: [COUNT], data: Int32Array.from(steps) };
  const arrays = (shape: number[], data: Float32Array): Uint8Array =>
    writeNpz(
      new Map<string, NpySource>([
        ['x', { shape, data }],
        ['lengths', lengths],
      ]),
    );
  writeFileSync(path('padded.npz'), arrays([COUNT, longest, 2], padded));
  writeFileSync(path('joined.npz'), arrays([joined.length / 2, 2], joined));
  writeFileSync(
    path('even.npy'),
    writeNpy({
      shape: [COUNT, 1, 2],
      data: Float32Array.from(sequences.flatMap((x) => [...x.subarray(0, 2)])),
    }),
  );
  mkdirSync(path('sounds'));
  sequences.forEach((x, k) =>
    writeFileSync(path(`sounds/${String(k).padStart(2, '0')}.wav`), waveFile(x, 2)),
  );
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  engine.dispose();
});

const END = ['--simd', 'deterministic', '--workers', '1', '--chunk', '900'];

function scored(name: string, ...args: string[]): void {
  const { status, stderr } = runCommand(folder, 'score', `${name}.safetensors`, ...args, ...END);
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

describe.each(['pooled', 'steps'] as const)('results of %s', (name) => {
  const isPooled = name === 'pooled';
  it.each(Object.keys(INPUTS))('of %s, in every format, in parts, by the pipe', (kind) => {
    const { args, id } = INPUTS[kind]!;
    const model = Model.create(engine, MODELS[name], { seed: 3 });
    const expected = sequences.map((x) => alone(model, x));
    for (const format of OUTS) {
      scored(name, ...args, '--out', `y.${format}`);
      const got = read(format, `y.${format}`, isPooled);
      expect(got.all).toEqual(expected.flat());
      if (got.each) expect(got.each).toEqual(expected);
      if (got.ids) expect(got.ids).toEqual(sequences.map((_, k) => id(k)));
      const parts = [0, 1, 2].map((part) => {
        scored(name, ...args, '--out', `p${part}.${format}`, '--shard', `${part}/3`);
        return part;
      });
      if (format === 'ndjson') {
        const texts = parts.map((part) => String(readFileSync(path(`p${part}.ndjson`))));
        expect(texts.join('')).toBe(String(readFileSync(path('y.ndjson'))));
      }
      if (format === 'npy') {
        const all = parts.map((part) => readNpy(readFileSync(path(`p${part}.npy`))));
        expect(all.flatMap(({ data }) => [...(data as Float32Array)])).toEqual(expected.flat());
      }
    }
    if (!/^x|lists|csv/.test(args[0]!)) return;
    const whole = String(readFileSync(path('y.ndjson')));
    const piped = spawnSync(
      process.execPath,
      [COMMAND, 'score', `${name}.safetensors`, '-', '--out', '-', ...END],
      { cwd: folder, input: readFileSync(path(args[0]!)), encoding: 'utf8' },
    );
    expect([piped.stderr, piped.stdout]).toEqual(['', whole]);
  });

  it.each(OUTS)('go on after kill -9 to the same bytes of .%s', async (format) => {
    const many = String(readFileSync(path('x.ndjson'))).repeat(40);
    writeFileSync(path('many.ndjson'), many);
    scored(name, 'many.ndjson', '--out', `calm.${format}`);
    const args = ['score', `${name}.safetensors`, 'many.ndjson', '--out', `killed.${format}`];
    const more = [...END, '--keep', '0'];
    const journal = path(`killed.${format}.part.json`);
    const kept = (): string => (existsSync(journal) ? String(readFileSync(journal)) : '');
    for (let kill = 0; kill < 2; kill++) {
      const child = spawn(process.execPath, [COMMAND, ...args, ...more], { cwd: folder });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      const before = kept();
      while (kept() === before) await new Promise((resolve) => setTimeout(resolve, 2));
      child.kill('SIGKILL');
      await ended;
      expect(existsSync(path(`killed.${format}`))).toBe(false);
    }
    const { status, stderr } = runCommand(folder, ...args, ...more);
    expect(status).toBe(0);
    expect(stderr).toMatch(/going on after [\d,]+ records/);
    const both = [`killed.${format}`, `calm.${format}`].map((file) => readFileSync(path(file)));
    expect(both[0]!.equals(both[1]!)).toBe(true);
    for (const end of ['.part', '.part.json', '.part.whole']) {
      expect(existsSync(path(`killed.${format}${end}`))).toBe(false);
    }
    rmSync(path(`killed.${format}`));
  });
});

describe('arrays', () => {
  it('of all lengths alike, as .npy', () => {
    const model = Model.create(engine, MODELS.pooled, { seed: 3 });
    scored('pooled', 'even.npy', '--out', 'even.npy.csv', '--to', 'csv');
    const rows = String(readFileSync(path('even.npy.csv')))
      .trim()
      .split('\n')
      .slice(1);
    const got = rows.flatMap((row) => row.split(',').slice(1).map(Number).map(Math.fround));
    expect(got).toEqual(sequences.flatMap((x) => alone(model, x.slice(0, 2))));
  });

  it('of several outputs have their names', () => {
    const model = Model.create(engine, MODELS.two, { seed: 3 });
    scored('two', 'long.csv', '--out', 'two.npz');
    const arrays = readNpz(readFileSync(path('two.npz')));
    expect([...arrays.keys()]).toEqual(['each', 'each_lengths', 'last', 'id']);
    const outputs = sequences.map((x) => model.forward(x, { steps: x.length / 2 }).outputs);
    for (const name of ['each', 'last']) {
      const own = outputs.flatMap((all) => [...(all[name] as Float32Array)]);
      expect([...(arrays.get(name)!.data as Float32Array)]).toEqual(own);
    }
    expect([...(arrays.get('each_lengths')!.data as Int32Array)]).toEqual(steps);
    expect([...(arrays.get('id')!.data as BigInt64Array)].map(Number)).toEqual([...steps.keys()]);
  });
});
