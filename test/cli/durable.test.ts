/**
 * What the command does to files and to its output when something else goes wrong: a reader that
 * leaves, a full disk, an output that is an input, what is no file.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCorpus } from '../../src/cli/corpus.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { COMMAND, TINY, runCommand, type Result } from '../support/command.ts';
import { fullDevice } from '../support/device.ts';
import { tampered } from '../support/tamper.ts';

const isLinux = process.platform === 'linux';
const LICENCE = readFileSync(new URL('../../LICENSE', import.meta.url), 'utf8');
/** A text whose length says how many updates there are. */
const SOURCE = `export ${LICENCE.repeat(9)}`.slice(0, 2883);
let folder: string;
let model: Buffer;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'gatefold-durable-')));
  writeFileSync(at('text.txt'), SOURCE);
  expect(train('model', '--epochs', '1').status).toBe(0);
  model = readFileSync(at('model'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const gatefold = (...args: string[]): Result => runCommand(folder, ...args);
const train = (out: string, ...args: string[]): Result =>
  gatefold('train', 'text.txt', ...TINY, '--out', out, ...args);

/** Runs a line of a shell, in which $G is the command and $T a short training. */
function shell(line: string): Result {
  const env = { ...process.env, G: COMMAND, T: ['text.txt', ...TINY].join(' ') };
  const full = line.replaceAll('$G', `"${process.execPath}" "$G"`);
  return spawnSync('bash', ['-c', full], { cwd: folder, encoding: 'utf8', env });
}

/** Updates that a saved run has made. */
const updatesOf = (name: string): number =>
  readSafetensors(readFileSync(at(name))).tensors.get('extra.losses')!.data.length;

describe.runIf(isLinux)('output that nobody takes', () => {
  it('ends a training saved, with a status that says so, and it goes on to the last bit', () => {
    const long = '--epochs 12';
    expect(train('straight', ...long.split(' ')).status).toBe(0);
    const { stdout, stderr } = shell(
      `$G train $T ${long} --out piped | head -n 3; echo \${PIPESTATUS[0]}`,
    );
    expect(stdout).toMatch(/^learning .*\n.*\nepoch .*\n141\n$/);
    const end = 'go on with: gatefold train --resume piped text.txt\n';
    expect(stderr).toMatch(
      /^gatefold: the output ended, nobody reads it any more: stopped after \d+ of 492 updates; /,
    );
    expect(stderr.endsWith(end)).toBe(true);
    expect(updatesOf('piped')).toBeLessThan(492);
    expect(gatefold('train', 'text.txt', '--resume', 'piped').status).toBe(0);
    expect(readFileSync(at('piped'))).toEqual(readFileSync(at('straight')));
  });

  it('is no failure of a sample, a drawing or a help', () => {
    for (const line of [
      'sample model --length 300000',
      'flow model text.txt --steps 10',
      'train --help',
    ]) {
      const { stdout, stderr } = shell(`$G ${line} | head -c 10; echo \${PIPESTATUS[0]}`);
      expect([stdout.slice(10), stderr]).toEqual(['0\n', '']);
    }
    expect(existsSync(at('flow.svg'))).toBe(true);
  });

  it('is said where the disk is full, and a training ends saved', () => {
    const full = 'gatefold: cannot write the output: the disk is full\n';
    for (const line of ['sample model --length 10', 'flow model text.txt --steps 10', '--help']) {
      const { stderr, status } = shell(`$G ${line} > /dev/full`);
      expect([stderr, status]).toEqual([full, 1]);
    }
    const { stderr, status } = shell('$G train $T --epochs 30 --out unsaid > /dev/full');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^gatefold: stopped after \d+ of 1230 updates; go on with: .* text.txt\n/,
    );
    expect(stderr.endsWith(full)).toBe(true);
    expect(updatesOf('unsaid')).toBeGreaterThan(0);
    // Not even the errors: the status has to do.
    expect(shell('$G sample model --length 10 > /dev/full 2>&1').status).toBe(1);
  });
});

describe('an output', () => {
  const expectRefused = (words: string, ...args: string[]): void => {
    const before = readdirSync(folder);
    const { status, stdout, stderr } = gatefold(...args);
    expect(stderr).toBe(`gatefold: ${words}: choose another --out\n`);
    expect([status, stdout]).toEqual([2, '']);
    expect(readdirSync(folder)).toEqual(before);
  };

  it('never replaces what is read, by any name', () => {
    mkdirSync(at('there'));
    symlinkSync('../text.txt', at('there/link'));
    symlinkSync('there/link', at('link'));
    linkSync(at('text.txt'), at('hard'));
    linkSync(at('model'), at('model.svg'));
    symlinkSync('text.txt', at('text.svg'));
    for (const out of ['text.txt', './there/../text.txt', at('text.txt'), 'link', 'hard']) {
      const words = `--out ${out} would replace text.txt, which is read`;
      expectRefused(words, 'train', 'model', 'text.txt', '--out', out);
    }
    expectRefused(
      '--out text.txt would replace link, which is read',
      'train',
      'link',
      '--out',
      'text.txt',
    );
    for (const [out, input] of [
      ['model.svg', 'model'],
      ['text.svg', 'text.txt'],
    ] as const) {
      const words = `--out ${out} would replace ${input}, which is read`;
      expectRefused(words, 'flow', 'model', 'text.txt', '--out', out);
    }
    // Without a name the project's own sources are read.
    const own = fileURLToPath(new URL('../../src/base/tensor.ts', import.meta.url));
    expectRefused(`--out ${own} would replace ${own}, which is read`, 'train', '--out', own);
    expect(readFileSync(at('text.txt'), 'utf8')).toBe(SOURCE);
  });

  it.runIf(isLinux)('is a file, and not the one that the output goes to', () => {
    spawnSync('mkfifo', [at('pipe.svg')]);
    const full = fullDevice(folder);
    const words = `${full} is a device, which keeps no file`;
    expectRefused(words, 'train', 'text.txt', '--out', full);
    expectRefused('pipe.svg is a pipe, which keeps no file', 'flow', 'model', '--out', 'pipe.svg');
    for (const out of ['log', '/dev/stdout']) {
      const { stderr, status } = shell(`$G train $T --out ${out} > log`);
      expect(stderr).toBe(
        `gatefold: --out ${out} is where the output goes: choose another --out\n`,
      );
      expect(status).toBe(2);
    }
  });

  it('may have the longest name, and be a link', () => {
    const name = 'n'.repeat(255);
    symlinkSync(name, at('short'));
    const { stdout, status } = train('short', '--epochs', '1');
    expect(status).toBe(0);
    expect(stdout).toContain('saved to short\n');
    expect(readFileSync(at(name)).length).toBe(model.length);
    expect(readdirSync(folder).filter((left) => left.includes('.part'))).toEqual([]);
  });

  it('that can be written no more is warned of once, and tried again', async () => {
    for (const isMended of [true, false]) {
      mkdirSync(at('gone'));
      mkdirSync(at('temporary'));
      const args = ['train', 'text.txt', ...TINY, '--epochs', '20', '--out', 'gone/run'];
      const env = { ...process.env, TMPDIR: at('temporary') };
      const child = spawn(process.execPath, [COMMAND, ...args], { cwd: folder, env });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
        if (existsSync(at('gone')) && stderr === '') renameSync(at('gone'), at('back'));
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
        if (isMended) renameSync(at('back'), at('gone'));
      });
      const status = await new Promise((resolve) => child.once('close', resolve));
      const [first, last, ...more] = stderr.trimEnd().split('\n');
      expect(first).toBe(
        'gatefold: cannot write gone/run: no such file; the training goes on, and the next save tries again',
      );
      if (isMended) {
        expect([status, last]).toEqual([0, undefined]);
        expect(stdout).toContain('saved to gone/run\n');
        expect(updatesOf('gone/run')).toBe(820);
      } else {
        const place = /the run is in (.*) instead$/.exec(last!)![1]!;
        expect([status, more]).toEqual([1, []]);
        expect(place.startsWith(at('temporary'))).toBe(true);
        expect(stdout).toContain(`saved to ${place}\n`);
        expect(updatesOf(place.slice(folder.length + 1))).toBe(820);
      }
      for (const name of ['gone', 'back', 'temporary']) {
        rmSync(at(name), { recursive: true, force: true });
      }
    }
  });
});

describe('a text', () => {
  const utf16 = (mark: string): Buffer => Buffer.from(mark + SOURCE, 'utf16le');
  const refused = (bytes: Uint8Array): string => {
    writeFileSync(at('odd'), bytes);
    try {
      readCorpus([at('odd')]);
    } catch (error) {
      return (error as Error).message.replace(at('odd'), 'odd');
    }
    return expect.fail('nothing was refused');
  };

  it('in UTF-16 is named as such, with its mark and without', () => {
    const wide = (name: string, from: string): string =>
      `odd is ${name}, not UTF-8 text: convert it, iconv -f ${from} -t utf-8 FILE > NEW`;
    expect(refused(utf16('\ufeff'))).toBe(wide('UTF-16', 'utf-16'));
    expect(refused(utf16('\ufeff').swap16())).toBe(wide('UTF-16', 'utf-16'));
    expect(refused(utf16(''))).toBe(wide('UTF-16', 'utf-16le'));
    expect(refused(utf16('').swap16())).toBe(wide('UTF-16', 'utf-16be'));
    expect(refused(Buffer.from([0xff, 0xfe, 0, 0, 97, 0, 0, 0]))).toBe(wide('UTF-32', 'utf-32'));
  });

  it('may have a mark, and characters that lie across pieces', () => {
    // Pieces have 2^20 bytes; three bytes a character never end there.
    const text = `\ufeffa${'界'.repeat(400_000)}😀`;
    writeFileSync(at('long'), text);
    writeFileSync(at('short'), 'bbbbbbbbba');
    const { training, validation, vocabulary } = readCorpus(['long', 'short'].map(at));
    expect(vocabulary.toString()).toBe('ab界');
    const isSame = (tokens: Int32Array, expected: number[]): boolean =>
      tokens.join() === expected.join();
    const many = (count: number): number[] => Array<number>(count).fill(3);
    expect(isSame(training, [1, ...many(360_000), ...Array<number>(9).fill(2)])).toBe(true);
    expect(isSame(validation, [...many(40_000), 0, 1])).toBe(true);
    expect(refused(Buffer.from(text).subarray(0, -1))).toMatch(/^odd is not UTF-8 text: convert/);
  });

  it('of gigabytes is refused with its size', () => {
    writeFileSync(at('large'), '');
    truncateSync(at('large'), 5e9);
    expect(gatefold('train', 'large').stderr).toMatch(
      /^gatefold: large has 5,000,000,000 bytes, and a run learns from at most 1,000,000,000: /,
    );
    expect(gatefold('sample', 'large').stderr).toMatch(
      /^gatefold: large is no model, it has 50000/,
    );
    rmSync(at('large'));
  });

  it.runIf(isLinux)('may come through a pipe, and from no device', () => {
    expect(gatefold('train', '/dev/zero').stderr).toBe(
      'gatefold: /dev/zero is a device: name a text file\n',
    );
    expect(gatefold('sample', '/dev/zero').stderr).toBe(
      'gatefold: /dev/zero is a device: name a file that gatefold train saved\n',
    );
    const line = `$G train <(cat text.txt) ${TINY.join(' ')} --epochs 1 --out through`;
    expect(shell(line).status).toBe(0);
    expect(shell('$G sample <(cat through) --length 5').stdout).toHaveLength(6);
    const losses = (name: string): Float32Array =>
      readSafetensors(readFileSync(at(name))).tensors.get('extra.losses')!.data;
    expect(losses('through')).toEqual(losses('model'));
  });
});

it.runIf(isLinux && spawnSync('taskset', ['-V']).status === 0)(
  'a training has the same bits on one core and on all',
  () => {
    const options = '--hidden 64 --embedding 16 --batch 16 --steps 32 --epochs 2';
    const line = `$G train text.txt ${options} --simd deterministic --out`;
    expect(shell(`${line} all`).stdout).toMatch(/baseline SIMD( on \d threads)?, seed/);
    expect(shell(`taskset -c 0 ${line} one`).stdout).toMatch(/baseline SIMD, seed/);
    expect(readFileSync(at('all')).equals(readFileSync(at('one')))).toBe(true);
  },
);

describe('a model', () => {
  it('with NaN or infinity in it is named as such', () => {
    for (const [value, name, ...args] of [
      [NaN, 'model.lstm.weight_hh_l0', 'sample', 'failed'],
      [Infinity, 'model.linear.bias', 'flow', 'failed', 'text.txt'],
      [-Infinity, 'model.embedding.weight', 'train', 'text.txt', '--resume', 'failed'],
    ] as const) {
      const bytes = tampered(model, ({ tensors }) => {
        tensors.get(name)!.data[5] = value;
      });
      writeFileSync(at('failed'), bytes);
      const { stderr, status } = gatefold(...args);
      expect(stderr).toBe(
        `gatefold: failed comes from a run that failed, "${name}" holds NaN or infinity: train another with a smaller --lr\n`,
      );
      expect(status).toBe(2);
    }
  });

  it('that computes none is named as such', () => {
    const bytes = tampered(model, ({ tensors }) => {
      for (const [, tensor] of tensors) tensor.data.fill(3e38);
    });
    writeFileSync(at('huge'), bytes);
    expect(gatefold('sample', 'huge').stderr).toBe(
      'gatefold: huge comes from a run that failed, its outputs are not finite: train another with a smaller --lr\n',
    );
    expect(gatefold('flow', 'huge', 'text.txt').stderr).toMatch(
      /^gatefold: huge comes from a run that failed, its .* on this text (is|are) not finite: train/,
    );
  });

  it('is not run on characters that it has never seen', () => {
    const sample = (prime: string): Result =>
      gatefold('sample', 'model', '--length', '40', '--seed', '3', '--prime', prime);
    const [plain, strange] = [sample('export'), sample('e☃xp😀ort☃')];
    expect(strange.stdout).toBe(plain.stdout.replace('export', 'e☃xp😀ort☃'));
    expect(strange.stderr).toBe(
      'gatefold: the model has never seen "☃" "😀" of --prime: it reads on without\n',
    );
    expect(sample('☃').stdout.slice(1)).toBe(sample('').stdout);
  });
});

it.runIf(isLinux)('a killed npm start saves, and leaves nothing running', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const args = [
    'start',
    '--',
    at('text.txt'),
    ...TINY,
    '--epochs',
    '90000',
    '--out',
    at('started'),
  ];
  const npm = spawn('npm', args, { cwd: root });
  let stdout = '';
  npm.stdout.on('data', (chunk: Buffer) => {
    if (!stdout.includes('epoch ') && chunk.includes('learning')) {
      setTimeout(() => npm.kill('SIGKILL'), 300);
    }
    stdout += chunk.toString();
  });
  // The pipe ends with the last process that has it.
  await new Promise((resolve) => npm.stdout.once('end', resolve));
  expect(stdout).toMatch(/stopped after \d+ of \d+ updates; go on with: gatefold train --resume/);
  expect(updatesOf('started')).toBeGreaterThan(0);
});
