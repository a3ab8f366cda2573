/** `gatefold score`: results are those of the model, whatever the format, the cut or the fate. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cursor } from '../../src/cli/score/cursor.ts';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../src/formats/npz.ts';
import { saveModel } from '../../src/formats/safetensors.ts';
import { Model, seededRandom } from '../../src/hosts/default.ts';
import type { ModelDescription } from '../../src/hosts/default.ts';
import { COMMAND, runCommand } from '../support/command.ts';
import type { Result } from '../support/command.ts';
import { createEngine } from '../support/engines.ts';
import { waveFile } from '../support/wave.ts';

const POOLED: ModelDescription = {
  layers: [
    { type: 'lstm', inputSize: 2, hiddenSize: 6 },
    { type: 'pool', mode: 'last' },
    { type: 'linear', outFeatures: 3 },
  ],
};
const STEPS: ModelDescription = { layers: [{ type: 'gru', inputSize: 2, hiddenSize: 2 }] };
const COUNT = 60;

const engine = createEngine('baseline');
const models = { pooled: POOLED, steps: STEPS };
const made = new Map<string, Model>();
let folder: string;
const path = (name: string): string => join(folder, name);

const sequences = Array.from({ length: COUNT }, (_, k) =>
  Float32Array.from({ length: 2 * (1 + ((k * 7) % 20)) }, (_unused, i) => Math.sin(k + i / 3)),
);
const rowsOf = (x: Float32Array): number[][] =>
  Array.from({ length: x.length / 2 }, (_, t) => [x[2 * t]!, x[2 * t + 1]!]);
const alone = (name: string, x: Float32Array): number[] => [
  ...made.get(name)!.forward(x, { steps: x.length / 2 }).output,
];

function score(...args: string[]): Result {
  return runCommand(folder, 'score', ...args, '--simd', 'deterministic', '--workers', '1');
}

function scored(...args: string[]): string {
  const { status, stderr, stdout } = score(...args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

interface Line {
  readonly id?: unknown;
  readonly y: number[];
}
const linesOf = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** Float32 numbers that were written in decimal. */
const floats = (values: readonly number[]): number[] => values.map(Math.fround);

function expectAll(lines: readonly Line[], ids: (k: number) => unknown, from = 0): void {
  for (const [k, { id, y }] of lines.entries()) {
    expect(id).toEqual(ids(from + k));
    expect(floats(y)).toEqual(alone('pooled', sequences[from + k]!));
  }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-score-'));
  for (const [name, description] of Object.entries(models)) {
    const model = Model.create(engine, description, { seed: 3 });
    made.set(name, model);
    writeFileSync(path(`${name}.safetensors`), saveModel(model));
  }
  const lines = sequences.map((x, k) => `${JSON.stringify({ id: `r${k}`, x: rowsOf(x) })}\n`);
  writeFileSync(path('x.ndjson'), lines.join(''));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  engine.dispose();
});

describe('numbers from bytes', () => {
  it('are those that JSON.parse gives, as float32', () => {
    const random = seededRandom(5);
    const texts = ['0', '-0', '1e-46', '3.4028235e38', '1e400', '16777217', '9007199254740993'];
    texts.push(
      '0.1000000014901161193847656250',
      '123456789012345678901234567890',
      '5e-324',
      '1E+5',
    );
    for (let k = 0; k < 3000; k++) {
      const value = (random() - 0.5) * 10 ** Math.floor(60 * random() - 30);
      texts.push(String(value), String(Math.fround(value)), value.toFixed(8), value.toPrecision(9));
    }
    // Halfway between two float32 numbers, and next to it.
    for (const tail of ['', '0000000000001', '00000001'])
      texts.push(`1.000000059604644775390625${tail}`);
    const wrong = texts.filter((text) => {
      const cursor = new Cursor(Buffer.from(`${text},`));
      const isSame = Object.is(Math.fround(cursor.number()), Math.fround(Number(text)));
      return !isSame || cursor.at !== text.length;
    });
    expect(wrong).toEqual([]);
    const cursor = new Cursor(Buffer.from(`[${texts.join(', ')}]`));
    cursor.list(1);
    expect(Array.from(cursor.take())).toEqual(floats(texts.map(Number)));
  });
});

describe('gatefold score', () => {
  it('scores lines of JSON, in their order, whatever the cut', () => {
    const said = scored('pooled.safetensors', 'x.ndjson', '--out', 'y.ndjson', '--chunk', '700');
    expect(said).toMatch(/^y\.ndjson: 60 records in /);
    expectAll(linesOf(readFileSync(path('y.ndjson'), 'utf8')), (k) => `r${k}`);
    expect(existsSync(path('y.ndjson.part'))).toBe(false);
    const lists = sequences.map((x) => JSON.stringify([...x])).join('\n');
    writeFileSync(path('lists.jsonl'), lists);
    const args = ['pooled.safetensors', 'lists.jsonl', 'x.ndjson', '--out', 'both.csv'];
    scored(...args);
    const table = readFileSync(path('both.csv'), 'utf8').trim().split('\n');
    expect(table[0]).toBe('id,y0,y1,y2');
    expect(table).toHaveLength(1 + 2 * COUNT);
    expect(table[1]!.startsWith(',')).toBe(true);
    expect(table[1 + COUNT]!.slice(2)).toBe(table[1]);
  });

  it('reads the standard input and writes the standard output', () => {
    const args = ['score', 'pooled.safetensors', '-', '--out', '-', '--simd', 'deterministic'];
    const input = readFileSync(path('x.ndjson'));
    const { stdout, status } = spawnSync(process.execPath, [COMMAND, ...args, '--chunk', '900'], {
      cwd: folder,
      input,
    });
    expect(status).toBe(0);
    expectAll(linesOf(String(stdout)), (k) => `r${k}`);
  });

  it('reads tables: a line a sequence, or a line a step', () => {
    const wide = sequences
      .slice(0, 9)
      .map((x, k) => [`"r ${k}"`, ...x, ...Array<string>(40 - x.length).fill('')].join());
    writeFileSync(path('wide.csv'), `${wide.join('\n')}\n`);
    scored('pooled.safetensors', 'wide.csv', '--out', 'wide.ndjson');
    expectAll(linesOf(readFileSync(path('wide.ndjson'), 'utf8')), (k) => `r ${k}`);
    const long = sequences
      .slice(0, 20)
      .flatMap((x, k) => rowsOf(x).map(([a, b]) => `${b};${k};${a}\r`));
    writeFileSync(path('long.csv'), ['right;id;left\r', ...long].join('\n'));
    const args = ['pooled.safetensors', 'long.csv', '--columns', 'left,right', '--chunk', '300'];
    scored(...args, '--out', 'long.ndjson');
    const whole = readFileSync(path('long.ndjson'), 'utf8');
    expect(linesOf(whole)).toHaveLength(20);
    expectAll(linesOf(whole), (k) => k);
    const parts = [0, 1].map((part) => {
      scored(...args, '--shard', `${part}/2`, '--out', 'part.ndjson');
      return readFileSync(path('part.ndjson'), 'utf8');
    });
    expect(parts.every((text) => text.length > 0)).toBe(true);
    expect(parts.join('')).toBe(whole);
  });

  it('reads arrays and sound, and writes .npy', () => {
    const data = new Float32Array(3 * 8 * 2);
    const three = [5, 12, 3].map((k) => sequences[k]!.subarray(0, 16));
    three.forEach((x, b) => data.set(x, b * 16));
    const lengths = Int32Array.from(three, (x) => x.length / 2);
    const arrays = new Map<string, { shape: number[]; data: Float32Array | Int32Array }>([
      ['x', { shape: [3, 8, 2], data }],
      ['lengths', { shape: [3], data: lengths }],
    ]);
    writeFileSync(path('x.npz'), writeNpz(arrays));
    scored('pooled.safetensors', 'x.npz', '--out', 'y.npy', '--chunk', '64');
    const y = readNpy(readFileSync(path('y.npy')));
    expect(y.shape).toEqual([3, 3]);
    expect([...(y.data as Float32Array)]).toEqual(three.flatMap((x) => alone('pooled', x)));
    writeFileSync(path('one.npy'), writeNpy({ shape: [8, 2], data: data.subarray(16, 32) }));
    scored('steps.safetensors', 'one.npy', '--out', 'one.csv');
    const table = readFileSync(path('one.csv'), 'utf8').trim().split('\n');
    expect(table[0]).toBe('id,step,y0,y1');
    const got = table.slice(1).flatMap((line) => line.split(',').slice(2).map(Number));
    expect(floats(got)).toEqual(alone('steps', data.subarray(16, 32)));
    mkdirSync(path('sounds'));
    for (const k of [4, 7]) writeFileSync(path(`sounds/${k}.wav`), waveFile(sequences[k]!, 2));
    scored('pooled.safetensors', 'sounds', '--out', 'sounds.ndjson');
    const heard = linesOf(readFileSync(path('sounds.ndjson'), 'utf8'));
    expect(heard.map(({ id }) => id)).toEqual(['sounds/4.wav', 'sounds/7.wav']);
    expect(floats(heard[1]!.y)).toEqual(alone('pooled', sequences[7]!));
  });

  it('writes .npz: rows, how many each record has, and ids, and goes on from that', () => {
    const lines = sequences.map((x, k) => [7 * k - 9, ...x, ...Array(40 - x.length).fill('')]);
    writeFileSync(path('ids.csv'), `${lines.map((cells) => cells.join()).join('\n')}\n`);
    scored('steps.safetensors', 'ids.csv', '--id', '1', '--out', 'rows.npz', '--chunk', '700');
    const arrays = readNpz(readFileSync(path('rows.npz')));
    expect([...arrays.keys()]).toEqual(['y', 'lengths', 'id']);
    const expected = sequences.map((x) => alone('steps', x));
    const { shape, data } = arrays.get('y')!;
    expect(shape).toEqual([expected.flat().length / 2, 2]);
    expect([...(data as Float32Array)]).toEqual(expected.flat());
    expect([...arrays.get('lengths')!.data]).toEqual(sequences.map((x) => x.length / 2));
    const ids = sequences.map((_, k) => 7 * k - 9);
    expect([...arrays.get('id')!.data].map(Number)).toEqual(ids);
    scored('pooled.safetensors', 'rows.npz', '--out', 'rows.ndjson', '--chunk', '300');
    const heard = linesOf(readFileSync(path('rows.ndjson'), 'utf8'));
    expect(heard.map(({ id }) => id)).toEqual(ids);
    expect(heard.map(({ y }) => floats(y))).toEqual(
      expected.map((rows) => alone('pooled', Float32Array.from(rows))),
    );
  });

  it('reads the lists of Parquet files, as pyarrow writes them', () => {
    const golden = (name: string): string =>
      fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
    const list = (k: number): Float32Array =>
      Float32Array.from({ length: 2 * (1 + ((7 * k) % 20)) }, (_, i) => {
        return ((37 * k + 11 * i) % 64) / 16 - 2;
      });
    const expected = Array.from({ length: 30 }, (_, k) => alone('pooled', list(k)));
    const nested = ['pooled.safetensors', golden('parquet.parquet'), '--id', 'key'];
    scored(...nested, '--out', 'nested.ndjson', '--chunk', '300');
    const lines = linesOf(readFileSync(path('nested.ndjson'), 'utf8'));
    expect(lines.map(({ id }) => id)).toEqual(expected.map((_, k) => `r${k}`));
    expect(lines.map(({ y }) => floats(y))).toEqual(expected);
    scored(...nested, '--out', 'part.ndjson', '--shard', '1/3');
    expect(linesOf(readFileSync(path('part.ndjson'), 'utf8'))).toEqual(lines.slice(10, 20));
    const flat = [golden('parquet-flat.parquet'), '--columns', 'numbers', '--out', 'flat.ndjson'];
    const { status, stderr } = score('pooled.safetensors', ...flat, '--skip-bad');
    expect(stderr).toMatch(/parquet-flat\.parquet, row 4: it has no list "numbers"; skipped\n$/);
    expect(status).toBe(0);
    const others = linesOf(readFileSync(path('flat.ndjson'), 'utf8'));
    expect(others.map(({ id }) => id)).toEqual([...expected.keys()].filter((k) => k !== 3));
    expect(others.map(({ y }) => floats(y))).toEqual(expected.filter((_, k) => k !== 3));
    writeFileSync(path('cut.parquet'), readFileSync(golden('parquet.parquet')).subarray(0, 3000));
    const cut = score('pooled.safetensors', 'cut.parquet', '--out', 'cut.ndjson');
    expect([cut.status, cut.stderr]).toEqual([2, expect.stringMatching(/cut\.parquet: /)]);
  });

  it('names bad records, and skips them or ends', () => {
    const lines = readFileSync(path('x.ndjson'), 'utf8').split('\n').slice(0, 5);
    lines[1] = '{"id": 1, "x": [[1, 2], [3]]}';
    lines[3] = '{"id": 3, "x": [[1, 2]';
    writeFileSync(path('bad.ndjson'), lines.join('\n'));
    const args = ['pooled.safetensors', 'bad.ndjson', '--out', 'good.ndjson'];
    const ended = score(...args);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(
      /bad\.ndjson, line 2: step 1 has 1 numbers, and the model takes 2/,
    );
    const { status, stderr } = score(...args, '--skip-bad');
    expect(status).toBe(0);
    expect(stderr).toMatch(/line 4: expected '\]' at column \d+; skipped\n$/);
    const ids = linesOf(readFileSync(path('good.ndjson'), 'utf8')).map(({ id }) => id);
    expect(ids).toEqual(['r0', 'r2', 'r4']);
  });

  it('refuses what it cannot guess, by name', () => {
    const refused = (...args: string[]): string => {
      const { status, stderr } = score('pooled.safetensors', ...args);
      expect(status).toBe(2);
      return stderr;
    };
    writeFileSync(path('two.ndjson'), '{"a": [[1, 2]], "b": [[1, 2]]}\n');
    expect(refused('two.ndjson', '--out', 'o.ndjson')).toMatch(/no list of a, b that is the input/);
    expect(refused('x.ndjson', '--out', 'o.txt')).toMatch(/--to ndjson, csv, npy, npz/);
    expect(refused('x.ndjson', '--out', 'x.ndjson')).toMatch(/would replace x\.ndjson/);
    expect(refused('x.ndjson', '--out', 'o.ndjson', '--shard', '3/3')).toMatch(/from 0\/4 to 3\/4/);
  });

  it('goes on after kill -9, to the same bytes', async () => {
    const many = readFileSync(path('x.ndjson'), 'utf8').repeat(30);
    writeFileSync(path('many.ndjson'), many);
    scored('pooled.safetensors', 'many.ndjson', '--out', 'calm.ndjson');
    const args = ['score', 'pooled.safetensors', 'many.ndjson', '--out', 'killed.ndjson'];
    const more = ['--simd', 'deterministic', '--workers', '1', '--chunk', '9000', '--keep', '0'];
    for (let kill = 0; kill < 2; kill++) {
      const child = spawn(process.execPath, [COMMAND, ...args, ...more], { cwd: folder });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      // Within the work: a journal is there, and grows.
      const before = existsSync(path('killed.ndjson.part.json'))
        ? readFileSync(path('killed.ndjson.part.json'), 'utf8')
        : '';
      for (let isOver = false; !isOver;) {
        await new Promise((resolve) => setTimeout(resolve, 3));
        const journal = path('killed.ndjson.part.json');
        isOver = existsSync(journal) && readFileSync(journal, 'utf8') !== before;
      }
      child.kill('SIGKILL');
      await ended;
      expect(existsSync(path('killed.ndjson'))).toBe(false);
    }
    const { status, stderr } = runCommand(folder, ...args, ...more);
    expect(status).toBe(0);
    expect(stderr).toMatch(/going on after [\d,]+ records/);
    expect(readFileSync(path('killed.ndjson'), 'utf8')).toBe(
      readFileSync(path('calm.ndjson'), 'utf8'),
    );
    expect(existsSync(path('killed.ndjson.part.json'))).toBe(false);
  });
});
