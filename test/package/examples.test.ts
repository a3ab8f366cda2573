/**
 * The examples as people start them, on small settings: they must end, say what they promise, and
 * learn something.
 */
import { fork, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { saveModel } from '../../src/formats/safetensors.ts';
import { Engine, Model } from '../../src/hosts/default.ts';
import { root } from '../support/consumer.ts';

const folder = join(root, 'examples');
const servers: ChildProcess[] = [];
afterAll(() => servers.forEach((child) => child.kill('SIGKILL')));
const scratch = mkdtempSync(join(tmpdir(), 'gatefold-examples-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function run(example: string, ...options: string[]) {
  const program = join(folder, example, 'main.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...options], {
    cwd: scratch,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, stdout, stderr };
}

/** What an example prints; throws where it fails. */
function output(example: string, ...options: string[]): string {
  const { status, stdout, stderr } = run(example, ...options);
  expect(status, stderr).toBe(0);
  return stdout;
}

/** The numbers of the line of a table that starts so. */
function figures(text: string, name: string): number[] {
  const line = text.split('\n').find((own) => own.startsWith(`${name}  `));
  expect(line, `${name} in\n${text}`).toBeDefined();
  return [...line!.slice(name.length).matchAll(/-?\d+(?:\.\d+)?/g)].map(Number);
}

const examples = readdirSync(folder).filter((name) => name !== 'common');

describe.each(examples)('%s', (example) => {
  it('explains itself', () => {
    const usage = output(example, '--help');
    const command = `node examples/${example}/main.mjs`;
    expect(usage).toContain(`\n  ${command}\n`);
    expect(usage).toMatch(/--quick {2,}a run of a few seconds/);
    const readme = readFileSync(join(folder, example, 'README.md'), 'utf8');
    expect(readme).toContain(command);
  });

  it('refuses an option that it does not have, and a number that is none', () => {
    for (const options of [['--no-such'], ['--seed', 'x']]) {
      const { status, stderr } = run(example, ...options);
      expect(status).toBe(2);
      expect(stderr).toContain('main.mjs');
    }
  });
});

describe('on small settings', () => {
  it('next-word says words better than counted pairs', () => {
    const text = output('next-word', '--quick', '--after', 'the tired bakers');
    const [counted] = figures(text, 'pairs counted');
    const [own] = figures(text, 'LSTM');
    const [floor] = figures(text, 'the choices that made the text');
    expect(own).toBeLessThan(0.9 * counted!);
    expect(own).toBeGreaterThan(floor!);
    expect(text).toMatch(/\.\.\. the tired bakers \.\.\.\n +(?:who|near) [\d.]+ %/);
  });

  it('next-word reads a text file', () => {
    const file = join(scratch, 'text.txt');
    writeFileSync(file, 'One, two, three! Four; five.\n'.repeat(80));
    const text = output('next-word', '--quick', '--text', file, '--after', 'two, three');
    expect(text).toMatch(/\.\.\. two , three \.\.\.\n +! /);
  });

  it('audio-worklet keeps the memory that it has, whatever it hears', () => {
    const program = join(folder, 'audio-worklet/cost.mjs');
    const { stdout, stderr } = spawnSync(process.execPath, [program, '--quick'], {
      cwd: scratch,
      encoding: 'utf8',
    });
    const cases = ['a guitar', 'silence', 'silence, no biases'];
    const rows = cases.map((name) => figures(stdout, name));
    for (const [median] of rows) expect(median, stderr).toBeGreaterThan(0);
    // What is compiled meanwhile is in some of them; ten bytes of a quantum would be in all.
    expect(Math.min(...rows.map((row) => row.at(-1)!))).toBeLessThan(20_000);
  });

  it('next-edge writes sentences whose verbs agree with whom they are about', () => {
    const text = output('next-edge', '--quick');
    const [, verb] = /^The tired shepherds who live by the mill (\w+) the \w+/.exec(text)!;
    expect(['mend', 'find', 'sell', 'like', 'forget', 'need']).toContain(verb);
    expect(text.split(' ').length).toBe(48);
  });

  it('spoken-digits tells digits apart, of voices that it knows and others', () => {
    const text = output('spoken-digits', '--quick');
    const [parameters, , unseen, strangers] = figures(text, 'bidirectional LSTM');
    expect(parameters).toBeGreaterThan(1000);
    expect(unseen).toBeGreaterThan(70);
    expect(strangers).toBeGreaterThan(35);
  });

  it('spoken-digits finds the digits in strings of them', () => {
    const text = output('spoken-digits', '--quick', '--ctc');
    const [strings, digits, errors] = figures(text, 'unseen takes');
    expect(strings).toBe(60);
    expect(digits).toBeGreaterThan(120);
    expect(errors).toBeLessThan(60);
  });

  it('spoken-digits says what a folder of recordings lacks', () => {
    const { status, stderr } = run('spoken-digits', '--data', scratch);
    expect(status).toBe(1);
    expect(stderr).toContain('0_george_0.wav');
  });

  it('forecast is closer than last week was', () => {
    const text = output('forecast', '--quick');
    const [, , naive, own] = figures(text, '1').slice(-5);
    expect(own).toBeLessThan(0.8 * naive!);
    expect(text).toMatch(/┤.*╭/);
  });

  it('forecast reads a column of a CSV file', () => {
    const file = join(scratch, 'meter.csv');
    const rows = Array.from({ length: 600 }, (_, t) => `${t},${10 + Math.sin(t / 4)},x`);
    writeFileSync(file, ['time,power,note', ...rows].join('\n'));
    const season = ['--season', '25', '--day', '5', '--window', '10', '--horizon', '5'];
    const text = output('forecast', '--quick', '--csv', file, '--column', 'power', ...season);
    expect(text).toContain('600 steps: ');
    const { stderr } = run('forecast', '--csv', file, '--column', 'note');
    expect(stderr).toContain('value 1 of the column is no number');
  });

  it('spelling corrects most of the typos that it has not seen', () => {
    const text = output('spelling', '--quick', '--fix', 'Abilty!');
    const [uncorrected] = figures(text, 'uncorrected');
    for (const name of ['GRU', 'GRU, attention']) {
      const [all, typos] = figures(text, name);
      expect(all).toBeGreaterThan(uncorrected! + 50);
      expect(typos).toBeGreaterThan(80);
    }
    expect(text.trim().split('\n').slice(-2)).toEqual(['abilty', 'ability']);
  });

  it('guitar-amplifier learns a tube, writes its file and plays it as plain JavaScript does', () => {
    const text = output('guitar-amplifier', '--quick');
    expect(Number(/has not heard: ([\d.]+) %/.exec(text)![1])).toBeLessThan(25);
    expect(figures(text, 'gatefold')[0]).toBeGreaterThan(0);
    expect(Number(/largest difference (\S+)/.exec(text)![1])).toBeLessThan(1e-5);
    const own = ['--model', 'amplifier.json', '--in', 'amplified.wav', '--out', 'again.wav'];
    const again = output('guitar-amplifier', '--quick', ...own);
    expect(again).toContain('again.wav: 2.0 s, ');
    expect(readFileSync(join(scratch, 'again.wav')).length).toBe(44 + 2 * 96_000);
  });

  it('keras-forecaster fine-tunes a file of Keras, and TensorFlow.js gives the same', () => {
    const text = output('keras-forecaster', '--quick');
    const [[before], [after]] = [figures(text, 'as the file has it'), figures(text, 'fine-tuned')];
    expect(after).toBeLessThan(0.7 * before!);
    expect(text).toMatch(/┤.*╭/);
    expect(Number(/largest difference of their forecasts (\S+)/.exec(text)![1])).toBeLessThan(1e-5);
    expect(figures(text, 'gatefold')[0]).toBeLessThan(figures(text, 'TensorFlow.js, cpu')[0]!);
    const written = ['forecaster.safetensors', 'forecaster-tfjs/model.json'];
    for (const file of written) expect(existsSync(join(scratch, file)), file).toBe(true);
  });

  it('keras-forecaster says what TensorFlow.js has not, and refuses too short a series', () => {
    const gru = ['--model', join(root, 'test/fixtures/keras/household-gru.h5')];
    expect(output('keras-forecaster', '--quick', ...gru)).toContain('no GRU with resetAfter');
    writeFileSync(join(scratch, 'short.csv'), '1,2,3\n');
    const { status, stderr } = run('keras-forecaster', '--series', 'short.csv');
    expect(status).toBe(1);
    expect(stderr).toContain('this model wants 120 or more');
  });

  it('voice-activity finds the same speech as onnxruntime-web', () => {
    const text = output('voice-activity', '--quick');
    expect(text).toMatch(/speech: \d/);
    expect(text).toContain('the same segments');
    expect(Number(/largest difference (\S+)/.exec(text)![1])).toBeLessThan(1e-5);
    const [own, runtime] = ['gatefold', 'onnxruntime-web'].map((name) => figures(text, name));
    expect(own![0]).toBeLessThan(runtime![0]!);
    // The reader of ONNX, with 20 more operators of programs than it had at 3.9 %, and the kernels,
    // beside a runtime of 3.6 MB.
    expect(own!.at(-1)! / runtime!.at(-1)!).toBeLessThan(0.042);
  });

  it('sessions go on in another process with the bits of a stream', () => {
    const text = output('sessions', '--quick', '--clients', '12', '--steps', '20');
    expect(text).toContain('12 sessions were taken up by the second process.');
    expect(text).toContain('12 of 12 have the bits of a stream of their own.');
    const [open, steps] = figures(text, 'first process');
    expect(open).toBe(12);
    expect(steps).toBeGreaterThan(0);
  });

  it('the server of sessions speaks HTTP, refuses what it cannot do, and saves on SIGTERM', async () => {
    const engine = await Engine.create();
    const layers = [{ type: 'gru', inputSize: 2, hiddenSize: 3 }] as const;
    const model = Model.create(engine, { layers }, { seed: 4 });
    const file = join(scratch, 'sessions.safetensors');
    writeFileSync(file, saveModel(model));
    const server = join(folder, 'sessions/server.mjs');
    const args = [
      `--model=${file}`,
      `--states=${join(scratch, 'states')}`,
      '--port=0',
      '--slots=1',
    ];
    const start = async () => {
      const child = fork(server, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      servers.push(child);
      const [{ port }] = (await once(child, 'message')) as [{ port: number }];
      const ask = async (method: string, path: string, body?: string) => {
        const at = `http://127.0.0.1:${port}/${path}`;
        const response = await fetch(at, { method, ...(body !== undefined && { body }) });
        const text = await response.text();
        return { status: response.status, text, json: () => JSON.parse(text) as never };
      };
      return { child, ask };
    };
    const stream = model.stream();
    const alone = (x: number[]): number[] => {
      const out = new Float32Array(3);
      stream.step(Float32Array.from(x), out);
      return [...out].map((value) => expect.closeTo(value, 5) as number);
    };
    const first = await start();
    const { id }: { id: string } = (await first.ask('POST', 'sessions')).json();
    const step = (x: number[]) => JSON.stringify({ x });
    for (const [k, x] of [
      [1, 2],
      [3, 4],
    ].entries()) {
      const answer = (await first.ask('POST', `sessions/${id}`, step(x))).json();
      expect(answer).toEqual({ steps: k + 1, y: alone(x) });
    }
    expect((await first.ask('POST', 'sessions')).status).toBe(503);
    expect((await first.ask('POST', `sessions/${id}`, step([1]))).status).toBe(400);
    expect((await first.ask('POST', 'sessions/..%2Fsessions', step([1]))).status).toBe(404);
    const { text } = await first.ask('GET', 'metrics');
    expect(text).toMatch(/^gatefold_sessions 1$/m);
    expect(text).toMatch(/^gatefold_steps_total 2$/m);
    expect(text).toMatch(/^gatefold_batch_size_count 2$/m);
    expect(text).toMatch(/^gatefold_step_seconds\{quantile="0.99"\} [\d.e-]+$/m);
    first.child.kill('SIGTERM');
    await once(first.child, 'exit');
    const second = await start();
    const answer = (await second.ask('POST', `sessions/${id}`, step([5, 6]))).json();
    expect(answer).toEqual({ steps: 3, y: alone([5, 6]) });
    expect((await second.ask('DELETE', `sessions/${id}`)).status).toBe(204);
    expect((await second.ask('POST', `sessions/${id}`, step([5, 6]))).status).toBe(404);
    second.child.kill('SIGTERM');
    await once(second.child, 'exit');
    engine.dispose();
  });
});

it('every example has a folder of its own, with a README', () => {
  expect(examples.sort()).toEqual([
    'audio-worklet',
    'browser-gesture',
    'cloudflare-worker',
    'forecast',
    'guitar-amplifier',
    'keras-forecaster',
    'next-edge',
    'next-word',
    'service-worker',
    'sessions',
    'spelling',
    'spoken-digits',
    'voice-activity',
  ]);
  for (const example of examples) {
    expect(existsSync(join(folder, example, 'README.md')), example).toBe(true);
  }
});
