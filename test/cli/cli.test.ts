import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
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
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import { COMMAND, TINY, runCommand, type Result } from '../support/command.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-cli-'));
  const source = readFileSync(new URL('../../src/base/tensor.ts', import.meta.url), 'utf8');
  writeFileSync(join(folder, 'text.txt'), `${source}\ncafé 😀 ünïcødé\n`);
  writeFileSync(join(folder, 'other.txt'), source.toUpperCase());
  writeFileSync(join(folder, 'empty.txt'), '');
  writeFileSync(join(folder, 'latin1.txt'), Uint8Array.of(0x63, 0x61, 0x66, 0xe9, 0x0a));
  writeFileSync(join(folder, 'short.txt'), 'abc');
  writeFileSync(join(folder, 'foreign.safetensors'), writeSafetensors(new Map()));
  mkdirSync(join(folder, 'folder'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function gatefold(...args: string[]): Result {
  return runCommand(folder, ...args);
}

/** Bytes of a file that the run wrote. */
function saved(name: string): Uint8Array {
  return readFileSync(join(folder, name));
}

function trainTiny(out: string, ...args: string[]): Result {
  const result = gatefold('train', 'text.txt', ...TINY, '--out', out, ...args);
  expect(result.stderr).toBe('');
  expect(result.status).toBe(0);
  return result;
}

/** Starts the command, interrupts it when it has shown some progress, and waits for its end. */
async function interrupt(signal: NodeJS.Signals, ...args: string[]): Promise<Result> {
  const child = spawn(process.execPath, [COMMAND, ...args], { cwd: folder });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    // More than once, as npm passes on what the terminal has already sent.
    if (/^epoch.*\nepoch.*\n$/m.test(stdout)) child.kill(signal);
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

describe('help', () => {
  it.each([
    ['--help'],
    ['train', '--help'],
    ['sample', '--help'],
    ['flow', '--help'],
    ['help', 'train'],
  ])('gatefold %s %s shows an example', (...args) => {
    const { status, stdout, stderr } = gatefold(...args.filter((arg) => arg !== undefined));
    expect(stdout).toMatch(/Examples?:\n {2}\$ gatefold/);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

it('gatefold --version says which it is', () => {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  expect(gatefold('--version').stdout).toBe(`${version}\n`);
});

/** Bad input: [what, arguments, words of the message]. */
const BAD: [string, string, RegExp][] = [
  ['no command that exists', 'trian', /unknown command 'trian'.*Did you mean train/],
  ['an unknown option', 'train --hiden 3', /unknown option '--hiden'.*Did you mean --hidden/],
  ['a cell that does not exist', 'train --cell lsmt', /Allowed choices are lstm, gru, rnn/],
  ['a size that is no number', 'train --hidden many', /whole number from 1 to 8192/],
  ['a size of zero', 'train --batch 0', /whole number from 1 to/],
  ['a size with a fraction', 'train --layers 1.5', /whole number from 1 to/],
  ['a negative rate', 'train --lr -1', /number above 0/],
  ['a rate of zero', 'train --lr 0', /number above 0/],
  ['a rate that is nothing', 'train --lr= text.txt', /number above 0/],
  [
    'a seed beyond 2^53',
    'train --seed 9007199254740992',
    /whole number from 0 to 9007199254740991/,
  ],
  ['no such file', 'train nowhere.txt', /cannot read nowhere.txt: no such file/],
  ['a folder', 'train folder', /cannot read folder: it is a folder/],
  ['an empty file', 'train empty.txt', /empty.txt is empty: name a file/],
  ['a file that is not UTF-8', 'train text.txt latin1.txt', /latin1.txt is not UTF-8.*iconv/],
  ['a text that is too short', 'train short.txt', /too short.*smaller --batch/],
  ['an output that is a folder', 'train text.txt --out folder', /folder is a folder: choose/],
  ['no folder to write to', 'train text.txt --out no/where', /folder no: no such file.*--out/],
  ['a layer beyond memory', 'train text.txt --hidden 8192 --layers 16', /smaller --hidden/],
  ['no saved run', 'train --resume nowhere', /cannot read nowhere: no such file/],
  ['text as a saved run', 'train --resume text.txt', /text.txt is not a safetensors file/],
  ['a foreign saved run', 'train --resume foreign.safetensors', /not a file that gatefold train/],
  ['no model', 'sample', /missing required argument 'MODEL'/],
  ['no model file', 'sample nowhere', /cannot read nowhere: no such file/],
  ['text as a model', 'sample text.txt', /text.txt is not a safetensors file/],
  ['a foreign model', 'sample foreign.safetensors', /not a file that gatefold train saved/],
  ['a negative temperature', 'sample text.txt --temperature -1', /number from 0/],
  ['an endless length', 'sample text.txt --length Infinity', /whole number from 0/],
  ['no model to look at', 'flow', /missing required argument 'MODEL'/],
  ['no model file to look at', 'flow nowhere', /cannot read nowhere: no such file/],
  ['text as a model to look at', 'flow text.txt', /text.txt is not a safetensors file/],
  [
    'a foreign model to look at',
    'flow foreign.safetensors',
    /not a file that gatefold train saved/,
  ],
  ['no text to read', 'flow foreign.safetensors nowhere.txt', /cannot read nowhere.txt: no such/],
  ['a window of one step', 'flow text.txt --steps 1', /whole number from 2 to 4096/],
  ['a picture that is no SVG', 'flow text.txt --out flow.png', /name that ends in .svg/],
  [
    'no folder for the picture',
    'flow text.txt --out no/flow.svg',
    /folder no: no such file.*--out/,
  ],
  ['two models', 'sample text.txt text.txt', /too many arguments/],
];

describe('bad input', () => {
  it.each(BAD)('%s: one line, status 2, nothing written', (_, args, message) => {
    const before = readdirSync(folder);
    const { status, stdout, stderr } = gatefold(...args.split(' '));
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^gatefold: [^\n]+\n$/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe('train and sample', () => {
  it('learns, reports, saves, and the same seed does the same again', () => {
    const { stdout } = trainTiny('first.safetensors', '--epochs', '2');
    expect(stdout).toMatch(/^learning [\d,]+ characters of text.txt/);
    const lines = stdout.match(/^epoch \d\/2 .*bits\/char.*tokens\/s.*left$/gm);
    expect(lines?.length).toBeGreaterThan(9);
    expect(stdout).not.toContain('\r');
    expect(stdout).toMatch(/validation loss +\d\.\d{3} bits\/char, \d+ % (below|above) the n-gram/);
    expect(stdout).toMatch(/order-2 n-gram +\d\.\d{3} bits\/char/);
    expect(stdout).toMatch(/┤.*\n/);
    expect(stdout).toMatch(/saved to first.safetensors\n/);
    trainTiny('second.safetensors', '--epochs', '2');
    expect(saved('second.safetensors')).toEqual(saved('first.safetensors'));
    const losses = readSafetensors(saved('first.safetensors')).tensors.get('extra.losses')!.data;
    expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
  });

  it.each(['lstm', 'gru', 'rnn', 'peephole', 'peephole-cell', 'gru-before'])(
    'the cell %s trains in two layers, and samples',
    (cell) => {
      const out = `${cell}.safetensors`;
      trainTiny(out, '--cell', cell, '--layers', '2', '--epochs', '1');
      expect(gatefold('sample', out, '--length', '20').status).toBe(0);
    },
  );

  it('samples what the seed says, from the prime, as long as asked', () => {
    trainTiny('sampled.safetensors', '--epochs', '1');
    const STRANGE = 'gatefold: the model has never seen "😀" "☃" of --prime: it reads on without\n';
    const write = (...args: string[]): string => {
      const { status, stdout, stderr } = gatefold('sample', 'sampled.safetensors', ...args);
      expect(stderr).toBe(args.join().includes('☃') ? STRANGE : '');
      expect(status).toBe(0);
      return stdout;
    };
    const text = write('--prime', 'exp😀☃', '--length', '50', '--seed', '3');
    expect(text.startsWith('exp😀☃')).toBe(true);
    expect([...text]).toHaveLength(5 + 50 + 1);
    expect(write('--prime', 'exp😀☃', '--length', '50', '--seed', '3')).toBe(text);
    expect(write('--prime', 'exp😀☃', '--length', '50', '--seed', '4')).not.toBe(text);
    const cold = write('--temperature', '0', '--length', '50', '--seed', '3');
    expect(write('--temperature', '0', '--length', '50', '--seed', '4')).toBe(cold);
  });

  it('refuses a model file that was cut short or changed', () => {
    trainTiny('whole.safetensors', '--epochs', '1');
    const bytes = saved('whole.safetensors');
    writeFileSync(join(folder, 'cut.safetensors'), bytes.slice(0, bytes.length - 1));
    writeFileSync(join(folder, 'long.safetensors'), Uint8Array.from([...bytes, 0]));
    for (const name of ['cut.safetensors', 'long.safetensors']) {
      for (const command of [
        ['sample', name],
        ['train', '--resume', name],
      ]) {
        const { status, stderr } = gatefold(...command);
        expect(stderr).toMatch(
          new RegExp(`^gatefold: ${name} is not a safetensors file[^\\n]+\\n$`),
        );
        expect(status).toBe(2);
      }
    }
  });

  it('refuses a saved run whose settings or characters were changed', () => {
    trainTiny('sound.safetensors', '--epochs', '1');
    const { tensors, metadata } = readSafetensors(saved('sound.safetensors'));
    const change = (key: string, value: string): void => {
      const changed = { ...metadata, [key]: value };
      writeFileSync(join(folder, 'changed.safetensors'), writeSafetensors(tensors, changed));
    };
    const expectRefused = (...command: string[]): void => {
      const { status, stderr } = gatefold(...command, 'changed.safetensors');
      expect(stderr).toMatch(/^gatefold: changed.safetensors is not a file[^\n]+\n$/);
      expect(status).toBe(2);
    };
    for (const vocabulary of ['aa', 'ab', '', metadata.vocabulary + '☃']) {
      change('vocabulary', vocabulary);
      expectRefused('sample');
    }
    const run = metadata.run!;
    const edits = [
      ['"steps":16', '"steps":1000000000'],
      ['"batch":4', '"batch":-4'],
      ['"cell":"lstm"', '"cell":"toString"'],
      ['"lr":', '"lr":null,"x":'],
      ['"simd":"', '"simd":"\x1b'],
      ['"files":[', '"files":[1,'],
    ] as const;
    for (const [from, to] of edits) {
      change('run', run.replace(from, to));
      expect(run).toContain(from);
      expectRefused('train', '--resume');
    }
    for (const text of ['', 'null', '[]', '{', '{"settings":null}']) {
      change('run', text);
      expectRefused('train', '--resume');
    }
  });

  it('takes a reader that stops reading for no failure', () => {
    trainTiny('piped.safetensors', '--epochs', '1');
    const shell = `"${process.execPath}" "${COMMAND}" sample piped.safetensors --length 300000 | head -c 10`;
    const { stdout, stderr } = spawnSync(shell, { cwd: folder, shell: true, encoding: 'utf8' });
    expect(stdout).toHaveLength(10);
    expect(stderr).toBe('');
  });
});

describe('stop and resume', () => {
  const LONG = ['--epochs', '60'];

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('after %s the run goes on to the last bit', async (signal, expected) => {
    const [straight, stopped] = [`straight-${signal}`, `stopped-${signal}`];
    trainTiny(straight, ...LONG);
    const args = ['train', 'text.txt', ...TINY, ...LONG, '--out', stopped];
    const { status, stdout, stderr } = await interrupt(signal, ...args);
    expect(stderr).toBe('');
    expect(stdout).toContain(`go on with: gatefold train --resume ${stopped} text.txt\n`);
    expect(status).toBe(expected);
    const part = readSafetensors(saved(stopped)).tensors.get('extra.losses')!.data;
    const whole = readSafetensors(saved(straight)).tensors.get('extra.losses')!.data;
    expect(part.length).toBeLessThan(whole.length);
    expect(whole.subarray(0, part.length)).toEqual(part);
    const rest = gatefold('train', 'text.txt', '--resume', stopped);
    expect(rest.status).toBe(0);
    expect(saved(stopped)).toEqual(saved(straight));
  });

  it('trains a finished run further when it is given more epochs', () => {
    trainTiny('more.safetensors', '--epochs', '1');
    const again = gatefold('train', 'text.txt', '--resume', 'more.safetensors');
    expect(again.stderr).toMatch(/has finished its 1 epochs: give more, --epochs 6/);
    expect(again.status).toBe(2);
    const more = ['--resume', 'more.safetensors', '--epochs', '2', '--out', 'most.safetensors'];
    expect(gatefold('train', 'text.txt', ...more).status).toBe(0);
    expect(existsSync(join(folder, 'most.safetensors'))).toBe(true);
  });

  it('ends early, keeps the best epoch, and goes on to the last bit with more patience', () => {
    // A rate that is far too high soon makes it worse.
    const args = ['--epochs', '40', '--lr', '0.5', '--patience', '2'];
    const { stdout } = trainTiny('early.safetensors', ...args);
    const [, best, last] = /best epoch +(\d+) of (\d+), kept\n/.exec(stdout)!.map(Number);
    expect(last).toBe(best! + 2);
    expect(last).toBeLessThan(40);
    expect(stdout).toMatch(/^epoch .*bits\/char {2}validation \d+\.\d{3} {2}gradient/m);
    const { tensors } = readSafetensors(saved('early.safetensors'));
    expect(tensors.get('best.lstm.weight_hh_l0')).not.toEqual(
      tensors.get('model.lstm.weight_hh_l0'),
    );
    // The shown loss is the best one's, and so is that of the model that samples.
    const shown = Number(/validation loss +(\d+\.\d{3})/.exec(stdout)![1]);
    const validated = [...stdout.matchAll(/validation (\d+\.\d{3}) {2}/g)].map(([, x]) =>
      Number(x),
    );
    expect(shown).toBeLessThanOrEqual(Math.min(...validated) + 0.001);
    expect(gatefold('sample', 'early.safetensors', '--length', '5').status).toBe(0);
    const again = gatefold('train', 'text.txt', '--resume', 'early.safetensors');
    expect(again.stderr).toMatch(/ended early, by --patience 2: give more, --patience 4\n$/);
    expect(again.status).toBe(2);
    const on = ['--resume', 'early.safetensors', '--patience', '5', '--out', 'later.safetensors'];
    expect(gatefold('train', 'text.txt', ...on).status).toBe(0);
    trainTiny('straight-early.safetensors', ...args.slice(0, -1), '5');
    expect(saved('later.safetensors')).toEqual(saved('straight-early.safetensors'));
  });

  it('refuses another text and other settings', () => {
    trainTiny('fixed.safetensors', '--epochs', '1');
    const other = gatefold('train', 'other.txt', '--resume', 'fixed.safetensors', '--epochs', '2');
    expect(other.stderr).toMatch(/the text is not the one that fixed.safetensors was learning/);
    const wider = gatefold('train', '--resume', 'fixed.safetensors', '--hidden', '64');
    expect(wider.stderr).toMatch(/--hidden cannot change a run that is resumed/);
    expect([other.status, wider.status]).toEqual([2, 2]);
  });

  it('leaves no part of a file behind', () => {
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});
