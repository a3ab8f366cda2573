/**
 * Many sequences: LSTM of 64 units over 8 inputs, lengths 20 to 500, its last output to 5 classes.
 *
 *     node bench/start.mjs score.mjs [--count N] [--rounds N] [--only engine|file|sessions|load]
 *
 * `engine` compares batches on one thread, `file` whole programs over a file of JSON lines,
 * `sessions` steps of many running sequences. Sides take turns; figures are medians of CPU time.
 * `load` is the time that steps take in a pool at half of its load.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import {
  Engine,
  Model,
  SessionPool,
  enableFastLane,
  saveModelFile,
  seededRandom,
} from '../dist/node.js';
import { onnxModel } from '../test/peers/onnx-layer.ts';
import { BATCH, DESCRIPTION, INPUTS, batchOf, onnxOf, sequenceOf, stepsOf } from './score/case.mjs';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '4000' },
    rounds: { type: 'string', default: '7' },
    only: { type: 'string' },
    fast: { type: 'string', default: 'yes' },
  },
});
const [count, rounds] = [Number(values.count), Number(values.rounds)];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const wide = values.fast === 'yes' && enableFastLane().enabled;
const engine = await Engine.create({ wide });
const model = Model.create(engine, DESCRIPTION, { seed: 1 });
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
};
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const isWanted = (name) => values.only === undefined || values.only === name;

/** Runs all sides in turns, and prints their medians and those of the ratios to the first. */
async function turns(title, unit, per, sides) {
  const times = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, side] of Object.entries(sides)) {
      const time = await side();
      if (round >= 0) times[name].push(time);
    }
  }
  console.log(`\n${title}`);
  const first = Object.values(times)[0];
  for (const [name, own] of Object.entries(times)) {
    const ratio = median(own.map((time, k) => time / first[k]));
    const each = (median(own) / per) * 1e3;
    console.log(
      `  ${name.padEnd(34)} ${each.toFixed(2).padStart(9)} ${unit}   ${ratio.toFixed(2)}`,
    );
  }
}

const timed = (body) => async () => {
  const start = cpu();
  await body();
  return cpu() - start;
};

const bytes = onnxOf(model);
const session = await ort.InferenceSession.create(bytes, {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});

if (isWanted('engine')) {
  const sequences = Array.from({ length: 16 * BATCH }, (_, k) => sequenceOf(k));
  const sorted = sequences.toSorted((a, b) => b.length - a.length);
  const cut = (list) =>
    Array.from({ length: list.length / BATCH }, (_, k) =>
      batchOf(list.slice(k * BATCH, (k + 1) * BATCH)),
    );
  for (const [name, batches] of [
    ['of similar lengths', cut(sorted)],
    ['of any lengths', cut(sequences)],
  ]) {
    const ours = () => batches.map(({ x, ...rest }) => model.forward(x, rest).output);
    const theirs = async () => {
      const outputs = [];
      for (const { x, lengths, steps, batch } of batches) {
        const feeds = {
          x: new ort.Tensor('float32', x, [steps, batch, INPUTS]),
          lengths: new ort.Tensor('int32', lengths, [batch]),
        };
        outputs.push((await session.run(feeds)).y.data);
      }
      return outputs;
    };
    const [a, b] = [ours(), await theirs()];
    const error = Math.max(...a.flatMap((own, k) => [...own].map((v, i) => Math.abs(v - b[k][i]))));
    if (!(error < 1e-5)) throw new Error(`outputs differ by ${error}`);
    await turns(
      `batches of ${BATCH} ${name}, one thread${wide ? ', fast lane' : ''}`,
      'us a sequence',
      sequences.length,
      {
        'onnxruntime-node': timed(theirs),
        gatefold: timed(ours),
      },
    );
  }
}

if (isWanted('file')) {
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-bench-'));
  const path = (name) => join(folder, name);
  try {
    const file = openSync(path('x.ndjson'), 'w');
    let size = 0;
    for (let k = 0; k < count; k++) {
      const x = sequenceOf(k);
      const rows = Array.from({ length: stepsOf(k) }, (_, t) =>
        Array.from(x.subarray(t * INPUTS, (t + 1) * INPUTS), (v) => Math.round(v * 1e6) / 1e6),
      );
      size += writeSync(file, `${JSON.stringify({ id: k, x: rows })}\n`);
    }
    closeSync(file);
    await saveModelFile(path('model.safetensors'), model);
    writeFileSync(path('model.onnx'), bytes);
    const run =
      (...args) =>
      async () => {
        const preload = ['--import', pathToFileURL(here('./score/usage.mjs')).href];
        const stdio = ['ignore', 'ignore', 'inherit', 'pipe'];
        const child = spawn(process.execPath, [...preload, ...args], { stdio });
        let text = '';
        child.stdio[3].on('data', (part) => (text += part));
        const start = performance.now();
        const [status] = await once(child, 'close');
        if (status !== 0) throw new Error(`${args[0]} ended with status ${status}`);
        peaks[args[0]] = JSON.parse(text).peak / 1024;
        walls[args[0]] = (performance.now() - start) / 1e3;
        return JSON.parse(text).cpu * 1e3;
      };
    const [peaks, walls] = [{}, {}];
    const cli = here('../dist/cli.js');
    const pipeline = here('./peers/score-pipeline.mjs');
    const ours = ['score', path('model.safetensors'), path('x.ndjson'), '--out', path('a.ndjson')];
    await turns(
      `${count} sequences, ${(size / 1e6).toFixed(0)} MB of JSON lines, whole programs`,
      'us a sequence',
      count,
      {
        'the pipeline, onnxruntime-node': run(
          pipeline,
          path('model.onnx'),
          path('x.ndjson'),
          path('b.ndjson'),
          '1',
        ),
        'gatefold score, engine replaced': run(
          here('./score/replaced.mjs'),
          path('model.safetensors'),
          path('model.onnx'),
          path('x.ndjson'),
          path('c.ndjson'),
        ),
        'gatefold score': run(cli, ...ours),
      },
    );
    const read = (name) =>
      readFileSync(path(name), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    const a = read('a.ndjson');
    for (const other of [read('b.ndjson'), read('c.ndjson')]) {
      let error = 0;
      for (const [k, { id, y }] of a.entries()) {
        if (id !== other[k].id) error = Infinity;
        for (const [i, v] of y.entries()) error = Math.max(error, Math.abs(v - other[k].y[i]));
      }
      if (a.length !== other.length || !(error < 1e-5))
        throw new Error(`results differ by ${error}`);
    }
    for (const name of Object.keys(peaks)) {
      const wall = ((walls[name] / count) * 1e6).toFixed(0);
      console.log(
        `  ${name}: ${wall} us a sequence of wall time, peak ${peaks[name].toFixed(0)} MB`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [SESSIONS, SIZE] = [1024, 64];
const cell = Model.create(engine, {
  layers: [{ type: 'lstm', name: 'lstm', inputSize: SIZE, hiddenSize: SIZE }],
});
const frame = Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i));
const outs = Array.from({ length: SESSIONS }, () => new Float32Array(SIZE));

async function openAll(options) {
  const pool = SessionPool.create(cell, { slots: SESSIONS, ...options });
  return { pool, sessions: await Promise.all(outs.map(() => pool.open())) };
}

if (isWanted('sessions')) {
  const streams = outs.map(() => cell.stream());
  const { pool, sessions } = await openAll({});
  const layer = { type: 'lstm', inputSize: SIZE, hiddenSize: SIZE };
  const each = await ort.InferenceSession.create(onnxModel(layer, 'lstm', cell.stateDict()), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const state = () => new ort.Tensor('float32', new Float32Array(SIZE), [1, 1, SIZE]);
  const states = outs.map(() => ({ h0_l0: state(), c0_l0: state() }));
  let last;
  const theirs = async () => {
    for (const own of states) {
      const x = new ort.Tensor('float32', frame, [1, 1, SIZE]);
      last = await each.run({ x, ...own });
      Object.assign(own, { h0_l0: last.hn_l0, c0_l0: last.cn_l0 });
    }
  };
  await turns(
    `${SESSIONS} sequences of LSTM ${SIZE}/${SIZE}, one step each${wide ? ', fast lane' : ''}`,
    'us a step',
    SESSIONS,
    {
      'stream.step on as many streams': timed(() =>
        streams.forEach((stream, k) => stream.step(frame, outs[k])),
      ),
      'SessionPool, promises included': timed(() =>
        Promise.all(sessions.map((own, k) => own.step(frame, outs[k]))),
      ),
      'onnxruntime-node, once a session': timed(theirs),
    },
  );
  const error = Math.max(...outs.at(-1).map((value, k) => Math.abs(value - last.y.data[k])));
  if (!(error < 1e-5)) throw new Error(`outputs differ by ${error}`);
  pool.dispose();
  for (const stream of streams) stream.dispose();
}

if (isWanted('load')) {
  const quantile = (list, share) =>
    list.toSorted((a, b) => a - b)[Math.floor(share * (list.length - 1))];
  const maxLatency = 2;
  const { pool, sessions } = await openAll({ maxLatency });
  const full = [];
  for (let round = 0; round < 50; round++) {
    const start = performance.now();
    await Promise.all(sessions.map((own, k) => own.step(frame, outs[k])));
    full.push(performance.now() - start);
  }
  const batchMs = median(full);
  /** Steps a millisecond, which come one by one at random times, each to a session that has none. */
  const rate = SESSIONS / batchMs / 2;
  const idle = [...sessions.keys()];
  const delays = [];
  const random = seededRandom(1);
  const next = () => -Math.log(1 - random()) / rate;
  const begin = performance.now();
  let [due, missed] = [begin + next(), 0];
  while (due < begin + 3000) {
    for (const now = performance.now(); due <= now; due += next()) {
      const k = idle.shift();
      if (k === undefined) missed++;
      else {
        const came = due;
        void sessions[k].step(frame, outs[k]).then(() => {
          delays.push(performance.now() - came);
          idle.push(k);
        });
      }
    }
    await new Promise(setImmediate);
  }
  while (idle.length < SESSIONS) await new Promise(setImmediate);
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(delays.slice(delays.length >> 3), share));
  console.log(
    `\n${SESSIONS} sessions, ${(rate * 1e3).toFixed(0)} steps a second at random times, half of what the pool can do` +
      `\n  p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms; maxLatency ${maxLatency} and a batch of all ${batchMs.toFixed(2)} are ${(maxLatency + batchMs).toFixed(2)} ms` +
      (missed ? `\n  ${missed} found no session that was idle` : ''),
  );
  pool.dispose();
}
engine.dispose();
