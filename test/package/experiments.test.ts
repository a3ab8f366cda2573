/**
 * The data of `npm run experiments` against what the papers say of them, and the experiments
 * themselves at a small size.
 */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CELLS, createModel, hiddenOf, parametersOf } from '../../experiments/cells.ts';
import { drawChart } from '../../src/cli/chart.ts';
import { Draw } from '../../experiments/draw.ts';
import { TASKS } from '../../experiments/plan.ts';
import { formatTable, writeReport } from '../../experiments/report.ts';
import { readResult, writeResult } from '../../experiments/results.ts';
import { adding } from '../../experiments/tasks/adding.ts';
import { LETTERS, reberString } from '../../experiments/tasks/reber.ts';
import type { Batch, Task } from '../../experiments/tasks/task.ts';
import { train } from '../../experiments/train.ts';
import type { Result } from '../../experiments/train.ts';
import { root } from '../support/consumer.ts';
import { createEngine } from '../support/engines.ts';

const engine = createEngine('baseline');
afterAll(() => engine.dispose());

const taskOf = (id: string, tasks = TASKS): Task => tasks.find((task) => task.id === id)!;
const BATCH = 64;

/** The steps of one row of a batch, each the numbers of its inputs. */
function rowOf({ x, steps, lengths }: Batch, row: number): number[][] {
  const width = x.length / (steps * BATCH);
  return Array.from({ length: lengths?.[row] ?? steps }, (_, t) => [
    ...x.subarray((t * BATCH + row) * width, (t * BATCH + row + 1) * width),
  ]);
}
/** The symbols of one row, by number. */
const symbolsOf = (batch: Batch, row: number): number[] =>
  rowOf(batch, row).map((step) => {
    expect(step.filter((v) => v !== 0)).toEqual([1]);
    return step.indexOf(1);
  });
const rows = Array.from({ length: BATCH }, (_, row) => row);

describe('data', () => {
  it.each(['adding-100', 'adding-200', 'adding-500'])('%s: the marked numbers add up', (id) => {
    const lag = Number(id.slice(7));
    const batch = taskOf(id).generate(new Draw(3, 0), BATCH);
    for (const row of rows) {
      const steps = rowOf(batch, row);
      expect(steps.length).toBeGreaterThanOrEqual(lag);
      expect(steps.length).toBeLessThanOrEqual(1.1 * lag);
      expect([steps[0]![1], steps.at(-1)![1]]).toEqual([-1, -1]);
      const inner = steps.slice(1, -1);
      expect(inner.every(([, marker]) => marker === 0 || marker === 1)).toBe(true);
      const marked = inner.filter(([, marker]) => marker === 1);
      // The first pair may be one of the two: it keeps its marker, and its number is 0.
      expect(marked.length + (steps[0]![0] === 0 ? 1 : 0)).toBe(2);
      expect(steps.slice(lag / 2).every(([, marker]) => marker !== 1)).toBe(true);
      expect(steps.slice(0, 10).some(([x, marker]) => marker === 1 || x === 0)).toBe(true);
      expect(batch.target[row]).toBeCloseTo(
        marked.reduce((sum, [x]) => sum + x!, 0),
        6,
      );
    }
  });

  it('temporal order: the class is the order of X and Y', () => {
    const batch = taskOf('order-100').generate(new Draw(3, 0), BATCH);
    for (const row of rows) {
      const text = symbolsOf(batch, row)
        .map((symbol) => 'abcdEBXY'[symbol])
        .join('');
      const match = /^E[a-d]{9,19}([XY])[a-d]{29,49}([XY])[a-d]+B$/.exec(text)!;
      expect(match, text).not.toBeNull();
      expect(text.length).toBeGreaterThanOrEqual(100);
      expect(text.length).toBeLessThanOrEqual(110);
      expect(['XX', 'XY', 'YX', 'YY'][batch.target[row]!]).toBe(match[1]! + match[2]!);
    }
  });

  it('copy memory: what is asked for at the end is what stood at the beginning', () => {
    const [task] = TASKS.filter(({ id }) => id.startsWith('copy'));
    const batch = task!.generate(new Draw(3, 0), BATCH);
    for (const row of rows) {
      const given = symbolsOf(batch, row);
      const asked = given.map((_, t) => batch.target[t * BATCH + row]!);
      const letters = given.findIndex((symbol) => symbol > 7);
      expect(given.slice(letters).filter((symbol) => symbol !== 8)).toEqual([9]);
      expect(given.indexOf(9)).toBe(given.length - letters - 1);
      expect(asked.slice(0, -letters).every((symbol) => symbol === 8)).toBe(true);
      expect(asked.slice(-letters)).toEqual(given.slice(0, letters));
    }
  });

  it('embedded Reber: strings and what may follow are those of the grammar', () => {
    // The grammar as a regular expression, which knows nothing of nodes, tried on strings of the
    // literature.
    const tail = '(?:T*VPX)*T*V(?:V|PS)';
    const inner = `B(?:TS*X(?:S|X${tail})|P${tail})E`;
    for (const text of [
      'BTSSXXTVVE',
      'BPVVE',
      'BTXXVPSE',
      'BPVPXVPXVPXVVE',
      'BTSXSE',
      'BPTVPXTTVVE',
    ]) {
      expect(text).toMatch(new RegExp(`^${inner}$`));
    }
    for (const text of ['BTSSPXSE', 'BPTVVB', 'BTXXVVSE', 'BPVVXE', 'BPTVPXSE']) {
      expect(text).not.toMatch(new RegExp(`^${inner}$`));
    }
    const grammar = new RegExp(`^B(?:T${inner}T|P${inner}P)E$`);
    const draw = new Draw(3, 0);
    const strings = Array.from({ length: 3000 }, () => reberString(draw));
    for (const { text } of strings) expect(text).toMatch(grammar);
    // With so many strings, everything that may follow a prefix of up to five letters has been seen
    // to.
    const followers = new Map<string, Set<string>>();
    for (const { text } of strings) {
      for (let t = 0; t < 5; t++) {
        const prefix = text.slice(0, t + 1);
        followers.set(prefix, (followers.get(prefix) ?? new Set()).add(text[t + 1]!));
      }
    }
    for (const { text, next } of strings) {
      expect(next.length).toBe(text.length - 1);
      next.forEach((letters, t) => {
        expect(letters).toContain(text[t + 1]);
        if (t < 5)
          expect([...letters].sort()).toEqual([...followers.get(text.slice(0, t + 1))!].sort());
      });
    }
    expect(LETTERS).toBe('BTPSXVE');
  });

  it('counting: as many b and c as a, and no end before', () => {
    const batch = taskOf('counting').generate(new Draw(3, 0), BATCH);
    for (const row of rows) {
      const text = symbolsOf(batch, row)
        .map((symbol) => 'Sabc'[symbol])
        .join('');
      const [, a, b, c] = /^S(a+)(b+)(c+)$/.exec(text)!;
      expect([b!.length, c!.length]).toEqual([a!.length, a!.length]);
      const follow = [...text].map((_, t) =>
        [...'abcT'].filter((_letter, k) => batch.target[(t * BATCH + row) * 4 + k] === 1).join(''),
      );
      const n = a!.length;
      const wanted = ['a', 'ab '.repeat(n), 'b '.repeat(n - 1), 'c '.repeat(n), 'T'];
      expect(follow).toEqual(wanted.join(' ').split(/ +/));
    }
  });

  it('is the same for the same seed, and other for another', () => {
    for (const task of TASKS) {
      const x = (seed: number, stream: number): Float32Array =>
        task.generate(new Draw(seed, stream), BATCH).x;
      expect(x(1, 0)).toEqual(x(1, 0));
      expect(x(1, 0)).not.toEqual(x(2, 0));
      expect(x(1, 0)).not.toEqual(x(1, 1));
    }
  });
});

describe('tests of the tasks', () => {
  /** Outputs that answer exactly as the targets say. */
  function answer(task: Task, { target }: Batch): Float32Array {
    if (task.loss === 'mse') return Float32Array.from(target);
    if (task.loss === 'bce') return Float32Array.from(target, (y) => 2 * y - 1);
    const output = new Float32Array(target.length * task.outputs);
    target.forEach((y, row) => (output[row * task.outputs + y] = 1));
    return output;
  }

  it.each(TASKS.filter(({ id }) => id !== 'reber'))(
    '$id: right answers are right, guesses are not',
    (task) => {
      const { batch, generate = task.generate, wrong, below } = task.test;
      const given = generate(new Draw(3, 2), batch);
      const right = wrong(answer(task, given), given);
      expect(right.sum).toBe(0);
      const guess = wrong(new Float32Array(answer(task, given).length), given);
      expect(guess.sum / guess.count).toBeGreaterThan(Math.max(0.3, 5 * below));
    },
  );

  it('reber: every letter that may follow has to be among the largest', () => {
    const task = taskOf('reber');
    const given = task.generate(new Draw(3, 2), 100);
    const { next } = given as Batch & { next: readonly string[][] };
    const output = new Float32Array(given.steps * 100 * LETTERS.length);
    const set = (row: number, t: number, letter: string, value: number): void => {
      output[(t * 100 + row) * LETTERS.length + LETTERS.indexOf(letter)] = value;
    };
    next.forEach((steps, row) =>
      steps.forEach((letters, t) => [...letters].forEach((letter) => set(row, t, letter, 1))),
    );
    expect(task.test.wrong(output, given)).toEqual({ sum: 0, count: 100 });
    next.forEach((steps, row) =>
      set(row, steps.length - 2, row < 7 ? 'TP'.replace(steps.at(-2)!, '') : 'B', 2),
    );
    next.slice(7).forEach((steps, row) => set(row + 7, steps.length - 2, 'B', 0));
    expect(task.test.wrong(output, given)).toEqual({ sum: 7, count: 100 });
  });
});

describe('cells', () => {
  it('are of about the same size in every task', () => {
    for (const task of TASKS) {
      const counts = CELLS.map((cell) => {
        const model = createModel(engine, task, cell, 1);
        const { parameterCount } = model;
        expect(parameterCount).toBe(parametersOf(cell, task));
        model.dispose();
        return parameterCount;
      });
      const [, lstm] = counts;
      expect(hiddenOf('lstm', task)).toBe(task.settings.hidden);
      for (const count of counts) expect(Math.abs(count / lstm! - 1), task.id).toBeLessThan(0.1);
    }
  });
});

describe('a short run', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'experiments-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const settings = { batch: 32, rate: 0.01, clip: 1, hidden: 16, remember: 3, cap: 20_000 };
  const task = adding(20, settings);
  let result: Result;

  it('the LSTM solves the adding problem at lag 20, the Elman net does not', () => {
    result = train(engine, task, 'lstm', 1);
    expect(result.solved).toBe(true);
    expect(result.wrong).toBeLessThan(0.01);
    const elman = train(engine, task, 'elman', 1);
    expect(elman.solved).toBe(false);
    expect(elman.wrong).toBeGreaterThan(0.1);
    // Before training the Elman net's gradient has faded where the LSTM's has not.
    const reach = ({ flow }: Result): number => flow!.fresh.h[18]! / flow!.fresh.h[0]!;
    expect(reach(elman)).toBeLessThan(1);
    expect(result.flow!.fresh.c!.length).toBe(result.flow!.fresh.h.length);
  });

  it('is the same when it is repeated', () => {
    expect(train(engine, task, 'lstm', 1)).toEqual({ ...result, seconds: expect.any(Number) });
  });

  it('is kept in a file, and stale once its settings change', async () => {
    expect(await readResult(folder, task, 'lstm', 1)).toBeUndefined();
    await writeResult(folder, result);
    expect(await readResult(folder, task, 'lstm', 1)).toEqual(result);
    const other = { ...task, settings: { ...task.settings, rate: 0.5 } };
    expect(await readResult(folder, other, 'lstm', 1)).toBeUndefined();
    expect(readdirSync(folder)).toEqual(['adding-20.lstm.1.json']);
  });

  it('is written up: solved of all, what failed, and what is missing', async () => {
    const base = { ...result, task: 'adding-200' };
    const results = [
      ...[1, 2, 3].map((seed): Result => ({ ...base, seed, sequences: 1000 * seed })),
      { ...base, cell: 'elman' as const, solved: false, wrong: 0.5 },
    ];
    expect(formatTable([taskOf('adding-200')], results)).toContain('3/3, 2,000');
    await writeReport(folder, results);
    const report = readFileSync(join(folder, 'experiments.md'), 'utf8');
    expect(report).toContain('0/1 (2 not run), MSE 0.50');
    expect(report).toContain('the claim does **not** hold in full');
    expect(report).toContain('**80 are missing**');
    const pictures = [...report.matchAll(/\]\((.*\.svg)\)/g)].map(([, path]) => path!);
    expect(pictures.length).toBe(TASKS.length + 2);
    for (const path of pictures) {
      expect(readFileSync(join(folder, path), 'utf8')).toMatch(/^<svg [^]*<\/svg>\n$/);
    }
  });
});

describe('the charts', () => {
  const chart = { title: 'a < b', x: 'x', y: 'y', decades: [-2, 0] } as const;

  it('keep what is not positive off a logarithmic axis', () => {
    const points = [
      [0, 1],
      [1, 0],
      [2, 0.01],
    ] as const;
    const svg = drawChart({ ...chart, lines: [{ name: 'line', colour: '#000', points }] });
    expect(svg).not.toMatch(/NaN|Infinity|a < b/);
  });

  it('have a logarithmic x where asked', () => {
    const points = [
      [20, 1],
      [200, 0.1],
      [2000, 0.01],
    ] as const;
    const lines = [{ name: 'line', colour: '#0f0', points }];
    const svg = drawChart({ ...chart, xRange: [20, 2000], lines });
    const [a, b, c] = /d="M([^"]+)" fill="none" stroke="#0f0"/
      .exec(svg)![1]!
      .split('L')
      .map((point) => Number(point.split(' ')[0]));
    expect(b! - a!).toBeCloseTo(c! - b!, 0);
    expect([...svg.matchAll(/>(1[0,]+)<\/text>/g)].map(([, tick]) => tick)).toEqual([
      '100',
      '1,000',
    ]);
  });
});

describe('the command', () => {
  const command = (...args: string[]): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, ['experiments/start.mjs', ...args], {
      cwd: root,
      encoding: 'utf8',
    });

  it('trains in threads, and prints the table', () => {
    const { status, stdout, stderr } = command('--quick', '--only', 'counting.(lstm|gru).1[12]$');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    for (const run of ['lstm.11', 'lstm.12', 'gru.11', 'gru.12']) {
      expect(stdout).toMatch(new RegExp(`[1-4]/4 +counting.${run} +(not )?solved`));
    }
    expect(stdout).toMatch(/\| Counting.*\| not run +\| ./);
  });

  it('says what is wrong with its options', () => {
    const { status, stderr } = command('--only', 'nothing');
    expect(status).toBe(2);
    expect(stderr).toContain('no run matches nothing');
    expect(command('--help').stdout).toContain('--only');
  });
});
