/**
 * The command on files that somebody else has made: what it opens, and what reaches the terminal.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRun } from '../../src/cli/run.ts';
import { readSafetensors, saveModel } from '../../src/formats/safetensors.ts';
import { Model } from '../../src/hosts/default.ts';
import { runCommand, TINY } from '../support/command.ts';
import type { Result } from '../support/command.ts';
import { createEngine } from '../support/engines.ts';
import { NASTY, expectPrintable } from '../support/printable.ts';
import { tampered } from '../support/tamper.ts';
import type { Parts } from '../support/tamper.ts';
import { parseXml } from '../support/xml.ts';

const SECRET = 'the canary sings';
let folder: string;
let saved: Uint8Array;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-hostile-'));
  const text = readFileSync(new URL('../../src/base/errors.ts', import.meta.url), 'utf8');
  writeFileSync(join(folder, 'text.txt'), text);
  writeFileSync(join(folder, 'secret.txt'), `${SECRET}\n`.repeat(200));
  const args = [...TINY, '--epochs', '1', '--out', 'sound'];
  expect(runCommand(folder, 'train', 'text.txt', ...args).status).toBe(0);
  saved = readFileSync(join(folder, 'sound'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command, and fails where anything that it writes would act on a terminal. */
function gatefold(...args: string[]): Result {
  const result = runCommand(folder, ...args);
  expectPrintable(result.stdout);
  expectPrintable(result.stderr);
  return result;
}

function expectRefused(message: RegExp | string, ...args: string[]): string {
  const before = readdirSync(folder);
  const { status, stdout, stderr } = gatefold(...args);
  expect(stderr).toMatch(/^gatefold: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect(stdout).toBe('');
  expect(status).toBe(2);
  expect(readdirSync(folder)).toEqual(before);
  return stderr;
}

/** Writes the saved run with some of it changed. */
function write(name: string, change: (parts: Parts) => void): void {
  writeFileSync(join(folder, name), tampered(saved, change));
}

interface Run {
  files: string[];
  settings: Record<string, unknown>;
}

const editRun =
  (change: (run: Run) => void) =>
  ({ metadata }: Parts): void => {
    const run = JSON.parse(metadata.run!) as Run;
    change(run);
    metadata.run = JSON.stringify(run);
  };

function writeRun(name: string, change: (run: Run) => void): void {
  write(name, editRun(change));
}

describe('paths that a file names', () => {
  const COMMANDS = [
    ['flow', 'model'],
    ['train', '--resume', 'model'],
  ];

  it.each(COMMANDS)('%s opens none of them, and says what to type', (...command) => {
    for (const files of [['secret.txt'], ['/dev/zero'], ['/etc/passwd', 'secret.txt']]) {
      writeRun('model', (run) => (run.files = files));
      const typed = `name the text of model again, gatefold ${command.join(' ')} ${files.join(' ')}\n`;
      expect(expectRefused(/only you choose what is read/, ...command).endsWith(typed)).toBe(true);
    }
  });

  it.each(COMMANDS)('%s shows their names cut, and as words of a shell', (...command) => {
    const files = [`$(touch x) '${NASTY}`, '--out=text.txt', '~', 'n'.repeat(1e5)];
    writeRun('model', (run) => (run.files = [...files, ...files, ...files]));
    const stderr = expectRefused(/ \.\.\.\n$/, ...command);
    expect(stderr.length).toBeLessThan(1000);
    const words = stderr.slice(stderr.indexOf(' gatefold ') + 10, -' ...\n'.length);
    const { stdout } = spawnSync('sh', ['-c', `printf '%s|' ${words}`], { encoding: 'utf8' });
    const seen = stdout.split('|').slice(command.length);
    expect(seen[0]).toMatch(/^\$\(touch x\) '\\u001b\]0;PWNED/);
    expect(seen.slice(1, 3)).toEqual(['./--out=text.txt', '~']);
  });

  it('flow reads the own sources without an argument where the run learned from those', () => {
    writeRun('own', (run) => (run.files = []));
    const { status, stdout } = gatefold('flow', 'own', '--steps', '10', '--out', 'own.svg');
    expect(status).toBe(0);
    expect(stdout).toContain('32 windows of 10 characters');
  });

  it('train goes on with the text that the user names, whatever the file says', () => {
    writeRun('model', (run) => (run.files = ['secret.txt']));
    expectRefused(
      /the text is not the one that model was/,
      'train',
      'secret.txt',
      '--resume',
      'model',
    );
    const args = ['text.txt', '--resume', 'model', '--epochs', '2', '--out', 'more'];
    expect(gatefold('train', ...args).stdout).toMatch(/^learning [\d,]+ characters of text.txt,/);
  });
});

describe('what a file says of its run', () => {
  const FOREIGN = /model is not a file that gatefold train saved/;
  const expectForeign = (change: (parts: Parts) => void): void => {
    const file = readSafetensors(tampered(saved, change));
    expect(() => readRun('model', file)).toThrow(FOREIGN);
  };

  it('is taken where it is right', () => {
    expect(readRun('model', readSafetensors(saved)).files).toEqual(['text.txt']);
  });

  it.each<[string, unknown]>([
    ['hidden', 8193],
    ['layers', 0],
    ['steps', 1e9],
    ['batch', 1.5],
    ['epochs', 1e6],
    ['patience', -1],
    ['lr', 11],
    ['lr', 0],
    ['lr', '1'],
    ['clip', 2e9],
    ['clip', -1],
    ['seed', 2 ** 53],
    ['seed', -1],
    ['cell', 'constructor'],
  ])('a setting %s of %s is refused', (key, value) => {
    expectForeign(editRun(({ settings }) => (settings[key] = value)));
  });

  it('numbers that JSON makes infinite are refused', () => {
    for (const key of ['lr', 'clip']) {
      expectForeign(({ metadata }) => {
        metadata.run = metadata.run!.replace(new RegExp(`"${key}":[^,}]+`), `"${key}":1e999`);
        expect(metadata.run).toContain('1e999');
      });
    }
  });

  const setLosses =
    (edit: (data: Float32Array) => Float32Array, shape?: number[]) =>
    ({ tensors }: Parts): void => {
      const data = edit(tensors.get('extra.losses')!.data);
      tensors.set('extra.losses', { shape: shape ?? [data.length], data });
    };

  it('losses that are no list of numbers are refused', () => {
    expectForeign(setLosses((data) => data.map((loss, k) => (k === 3 ? NaN : loss))));
    expectForeign(setLosses((data) => data.map((loss, k) => (k === 3 ? Infinity : loss))));
    expectForeign(setLosses(() => new Float32Array(6), [2, 3]));
  });

  it('losses that are not one an update are refused', () => {
    const args = ['text.txt', '--resume', 'model', '--epochs', '9'];
    for (const edit of [
      (data: Float32Array) => data.slice(1),
      (data: Float32Array) => Float32Array.of(...data, 1),
    ]) {
      write('model', setLosses(edit));
      expectRefused(FOREIGN, 'train', ...args);
    }
  });

  it('a SIMD variant that does not exist is refused', () => {
    write('model', ({ metadata }) => {
      const trainer = JSON.parse(metadata['gatefold.trainer']!) as Record<string, string>;
      metadata['gatefold.trainer'] = JSON.stringify({ ...trainer, simd: NASTY });
    });
    const args = ['text.txt', '--resume', 'model', '--epochs', '2'];
    expectRefused(/model is not a file this package can use.*SIMD/, 'train', ...args);
  });
});

describe('characters that a terminal obeys', () => {
  it('are shown in a sample, with lines and tabs as they are', () => {
    write('model', ({ metadata }) => {
      const characters = [...metadata.vocabulary!];
      const nasty = [...new Set(`${NASTY}\n\t`)];
      const rest = characters.filter((character) => !nasty.includes(character));
      metadata.vocabulary = [...nasty, ...rest].slice(0, characters.length).join('');
    });
    const prime = NASTY.replaceAll('\0', '');
    const { status, stdout } = gatefold('sample', 'model', '--temperature', '9', '--prime', prime);
    expect(status).toBe(0);
    expect(stdout.startsWith('\\u001b]0;PWNED\\u0007')).toBe(true);
    const written = stdout.slice(stdout.indexOf('ffffe') + 1);
    for (const shown of ['\\u001b', '\\u009b', '\\u202e', '\\u000d', '\n', '\t']) {
      expect(written).toContain(shown);
    }
  });

  it('are shown in names of tensors, and in paths of the user', () => {
    write('model', ({ tensors }) => {
      tensors.set(`best.${NASTY}`, { shape: [1], data: new Float32Array(1) });
    });
    expectRefused(/model is not a file this package can use/, 'sample', 'model');
    const path = '\u001b[31m\u202e.txt';
    expectRefused(/cannot read \\u001b\[31m\\u202e.txt: no such file/, 'train', path);
    expectRefused(/cannot read \\u001b\[31m/, 'sample', path);
    expectRefused(
      /\\u001b\[31m.* expected a name that ends in .svg/,
      'flow',
      'sound',
      '--out',
      path,
    );
    expectRefused(/unknown option '--\\u001b\[31m'/, 'train', '--\u001b[31m');
  });

  it('are shown in charts, and are no error in a picture', () => {
    const engine = createEngine('baseline');
    const vocabulary = 'ab\u001b\u202e\n';
    const size = vocabulary.length + 1;
    const model = Model.create(engine, {
      layers: [
        { type: 'embedding', numEmbeddings: size, embeddingDim: 2 },
        { type: 'gru', name: `a<b>&"${NASTY}`, hiddenSize: 3 },
        { type: 'linear', outFeatures: size },
      ],
    });
    writeFileSync(join(folder, 'named'), saveModel(model, { vocabulary }));
    engine.dispose();
    writeFileSync(join(folder, 'odd.txt'), 'ab\u001b\u202e\n'.repeat(20));
    const { status, stdout } = gatefold('flow', 'named', 'odd.txt', '--out', 'odd.svg');
    expect(status).toBe(0);
    expect(stdout).toContain('a<b>&"\\u001b]0;PWNED');
    const svg = readFileSync(join(folder, 'odd.svg'), 'utf8');
    expectPrintable(svg);
    const texts = parseXml(svg).map(({ text }) => text);
    expect(texts.some((text) => text.startsWith('dL/dh of a<b>&"\\u001b]0;'))).toBe(true);
  });
});
