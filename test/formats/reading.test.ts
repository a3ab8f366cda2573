/** What reading a file costs, and that what is fast is right. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scanJson } from '../../src/formats/shared/json-scan.ts';
import {
  loadTrainer,
  readSafetensors,
  saveModel,
  saveTrainer,
  writeSafetensors,
} from '../../src/formats/safetensors.ts';
import { Model, Trainer } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { cpuMs } from '../support/cpu.ts';
import { file } from './files.ts';

const entry = (dtype: string, shape: number[], begin: number, end: number): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

/** All numbers of 16 bits as the data of a file, at an odd offset or an even one. */
function read(dtype: 'F16' | 'BF16', odd: boolean): Float32Array {
  const all = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
  const before = odd ? 1 : 2;
  const header = {
    pad: entry('I8', [before], 0, before),
    all: entry(dtype, [2 ** 16], before, before + 2 ** 17),
  };
  const data = new Uint8Array(before + 2 ** 17);
  data.set(new Uint8Array(all.buffer), before);
  return readSafetensors(file(header, data)).tensors.get('all')!.data;
}

describe.each([false, true])('numbers of 16 bits, at an odd offset: %s', (odd) => {
  it('are those of IEEE 754 binary16', () => {
    const wrong = [...read('F16', odd)].filter((value, bits) => {
      const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
      const size =
        exponent === 31
          ? fraction
            ? NaN
            : Infinity
          : exponent
            ? (1 + fraction / 1024) * 2 ** (exponent - 15)
            : fraction * 2 ** -24;
      return !Object.is(value, sign ? -size : size);
    });
    expect(wrong.slice(0, 8)).toEqual([]);
  });

  it('are those of bfloat16', () => {
    const words = new Uint32Array(read('BF16', odd).buffer);
    expect(words.every((word, bits) => word === bits * 2 ** 16)).toBe(true);
  });
});

describe('scanJson', () => {
  /** What it has to find: the same name twice in one object. */
  function hasTwice(text: string): boolean {
    let twice = false;
    // Each name that the parser meets gets a number of its own: none is dropped.
    let count = 0;
    const names: string[] = [];
    const strings = /("(?:[^"\\]|\\.)*")(\s*:)?/g;
    const numbered = text.replace(strings, (all, name: string, colon?: string) => {
      if (colon === undefined) return all;
      names.push(JSON.parse(name) as string);
      return `"${count++}"${colon}`;
    });
    JSON.parse(numbered, function (this: unknown, _, value: unknown) {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        const own = Object.keys(value).map((key) => names[Number(key)]!);
        twice ||= new Set(own).size < own.length;
      }
      return value;
    });
    return twice;
  }

  const escape = fc
    .tuple(fc.string({ unit: 'binary', maxLength: 3 }), fc.integer({ min: 0, max: 3 }))
    .map(([text, how]) => {
      if (how === 0) return JSON.stringify(text);
      const units = text.split('').map((unit, i) => {
        const digits = unit.charCodeAt(0).toString(16).padStart(4, '0');
        if ((i + how) % 2) return JSON.stringify(unit).slice(1, -1);
        return `\\u${how === 3 ? digits.toUpperCase() : digits}`;
      });
      return `"${units.join('')}"`;
    });
  const name = fc.oneof(
    escape,
    fc.constantFrom(
      '"a"',
      '"\\u0061"',
      '"\\/"',
      '"/"',
      '"\\n"',
      '"\\u000A"',
      '"\\u000a"',
      '"\\\\"',
    ),
  );
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('1', 'null', '"a"', '":"', '"\\""', '[]', '{}'),
      fc.array(tie('value'), { maxLength: 3 }).map((all) => `[${all.join(' ,')}]`),
      fc
        .array(fc.tuple(name, tie('value')), { maxLength: 4 })
        .map((all) => `{${all.map(([key, of]) => `${key} :${of}`).join()}}`),
    ),
  }));

  it('finds a name that an object has twice, however it is written', () => {
    fc.assert(
      fc.property(value, (text) => {
        const expected = hasTwice(text) ? 'names the same thing twice' : undefined;
        expect(scanJson(text, 64)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('finds it among many', () => {
    const names = Array.from({ length: 50_000 }, (_, k) => `"n${k}":{"a":1,"b":2}`);
    expect(scanJson(`{${names.join()}}`, 64)).toBe(undefined);
    for (const k of [0, 24_999, 49_999]) {
      expect(scanJson(`{${names.join()},"n${k}":1}`, 64)).toBe('names the same thing twice');
      expect(scanJson(`{"\\u006e${k}":1,${names.join()}}`, 64)).toBe('names the same thing twice');
    }
  });
});

it("what a trainer's file has beside it outlives the bytes", () => {
  const engine = createEngine('baseline');
  const model = Model.create(engine, { layers: [{ type: 'gru', inputSize: 1, hiddenSize: 2 }] });
  const trainer = Trainer.create(model, { batch: 1, steps: 1 });
  const mine = { shape: [2], data: Float32Array.of(1, 2) };
  const bytes = saveTrainer(trainer, { tensors: new Map([['mine', mine]]) });
  const { tensors } = loadTrainer(trainer, bytes);
  bytes.fill(0xff);
  expect([...tensors.get('mine')!.data]).toEqual([1, 2]);
  engine.dispose();
});

describe.runIf(process.platform === 'linux')('reading', () => {
  const script = fileURLToPath(new URL('../support/reading.mjs', import.meta.url));
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatefold-reading-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function costOf(what: string, bytes: Uint8Array): { times: number; seconds: number } {
    const path = join(folder, what);
    writeFileSync(path, bytes);
    const { stdout, stderr } = spawnSync(process.execPath, [script, what, path], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const cost = JSON.parse(stdout) as { bytes: number; seconds: number };
    return { times: cost.bytes / bytes.length, seconds: cost.seconds };
  }

  it('numbers of 16 bits takes 2.2 times the file beside it, and no time to speak of', () => {
    const figures: string[] = [];
    for (const dtype of ['F16', 'BF16'] as const) {
      const length = 2 ** 23;
      const data = new Uint8Array(2 * length).map((_, i) => (i * 37) % 251);
      const { times, seconds } = costOf(
        'read',
        file({ a: entry(dtype, [length], 0, 2 * length) }, data),
      );
      expect(times).toBeLessThan(2.2);
      const speed = (2 * length) / seconds / 1e6;
      // 300 on a quiet machine; number by number it was 4 to 15.
      expect(speed).toBeGreaterThan(30);
      figures.push(`${dtype} ${speed.toFixed(0)} MB/s, ${times.toFixed(2)} times the file`);
    }
    console.log(figures.join('\n'));
  });

  it('a model takes 2.4 times its file, the bytes included', () => {
    const engine = createEngine('baseline');
    const layers = [
      { type: 'lstm', inputSize: 700, hiddenSize: 700 },
      { type: 'linear', outFeatures: 9 },
    ] as const;
    const model = Model.create(engine, { layers });
    const figures = [
      ['file', saveModel(model)],
      ['pytorch', writeSafetensors(model.stateDict())],
    ].map(([what, bytes]) => {
      const { times } = costOf(what as string, bytes as Uint8Array);
      expect(times).toBeLessThan(2.4);
      return `${what as string} ${times.toFixed(2)}`;
    });
    console.log(`times its file: ${figures.join(', ')}`);
    engine.dispose();
  });

  it('a header takes time that grows no faster than it', () => {
    const list = (bytes: number, each: number, of: (k: number) => string): string =>
      Array.from({ length: bytes / each }, (_, k) => of(k)).join();
    const HEADERS: Record<string, (bytes: number) => string> = {
      numbers: (bytes) => `[${'1,'.repeat(bytes / 2)}1]`,
      arrays: (bytes) => `[${'[],'.repeat(bytes / 3)}1]`,
      objects: (bytes) => `[${'{},'.repeat(bytes / 3)}1]`,
      'objects of one name': (bytes) => `[${'{"a":1},'.repeat(bytes / 8)}1]`,
      names: (bytes) => `{${list(bytes, 11, (k) => `"${k.toString(36)}":1`)}}`,
      'escaped names': (bytes) => `{${list(bytes, 13, (k) => `"\\n${k.toString(36)}":1`)}}`,
      strings: (bytes) => `[${'"",'.repeat(bytes / 3)}1]`,
      escapes: (bytes) => `["${'\\n'.repeat(bytes / 2)}"]`,
      quotes: (bytes) => `["${'\\"'.repeat(bytes / 2)}"]`,
      spaces: (bytes) => `[${'"" '.repeat(bytes / 3)}]`,
    };
    const figures = Object.entries(HEADERS).map(([what, make]) => {
      const [small, large] = [make(2 ** 17), make(2 ** 20)];
      const msOf = (text: string): number => cpuMs(() => scanJson(text, 64), 2);
      const ms = msOf(large);
      const speed = large.length / ms / 1e3;
      // 50 on a quiet machine.
      if (speed < 25) expect(ms).toBeLessThan(16 * msOf(small));
      return `${speed.toFixed(0)} MB/s ${what}`;
    });
    console.log(`headers are scanned at\n${figures.join('\n')}`);
  });
});
