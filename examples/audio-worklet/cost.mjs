// What an LSTM costs in the audio thread: in browsers by OfflineAudioContext, and here by the same
// processor, quantum by quantum.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Engine, Model, wasmBytes } from 'gatefold';
import { saveModel } from 'gatefold/formats/safetensors';
import { serve } from '../common/serve.mjs';
import { percent, readOptions, table } from '../common/terminal.mjs';
import { RATE, makeSound } from './filter.mjs';

const USAGE = `
What an LSTM costs in the audio thread, as share of real time, with a guitar and with silence.

  node examples/audio-worklet/cost.mjs

  --units N     of the LSTM (20)
  --browsers B  their programs (chromium,firefox-esr)
  --seconds N   of sound that a browser renders, and of silence (60)
  --quanta N    of 128 samples that the processor runs here (1000000)
  --quick       a run of a few seconds: 5000 quanta, no browser
`;
const FULL = { units: 20, browsers: 'chromium,firefox-esr', seconds: 60, quanta: 1e6 };
const options = readOptions(USAGE, FULL, { browsers: '', quanta: 5000 });
const BLOCK = 128;

/**
 * One with the biases that a training begins with, and one without, whose states have nothing to
 * stay at in silence but zero.
 */
const modelOf = (bias) => {
  const layers = [
    { type: 'lstm', inputSize: 1, hiddenSize: options.units, bias },
    { type: 'linear', outFeatures: 1, bias },
  ];
  const model = Model.create(engine, { layers }, { seed: 1 });
  const bytes = saveModel(model);
  model.dispose();
  return bytes;
};
const engine = await Engine.create();
const MODELS = { biased: modelOf(true), unbiased: modelOf(false) };
/** What is measured: which model, and whether it hears something. */
const CASES = [
  ['a guitar', 'biased', false],
  ['silence', 'biased', true],
  ['silence, no biases', 'unbiased', true],
];

/** The page in a browser; it asks for an address that has what it found. */
async function measureIn(browser) {
  const files = Object.fromEntries(
    Object.entries(MODELS).map(([name, bytes]) => [`${name}.bin`, bytes]),
  );
  const server = serve('audio-worklet', files, '', 0);
  await new Promise((resolve) => server.once('listening', resolve));
  const profile = await mkdtemp(join(tmpdir(), 'gatefold-cost-'));
  const wanted = encodeURIComponent(JSON.stringify([options.seconds, CASES]));
  const address = `http://localhost:${server.address().port}/examples/audio-worklet/page/cost.html#${wanted}`;
  const args = browser.includes('firefox')
    ? ['--headless', '--no-remote', '--profile', profile, address]
    : ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`, address];
  const child = spawn(browser, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${browser} ended before the page did`)));
      server.on('request', ({ url }) => {
        const { pathname, searchParams } = new URL(url, 'http://localhost');
        if (pathname.endsWith('/failed')) reject(new Error(searchParams.get('message')));
        if (pathname.endsWith('/found')) resolve(JSON.parse(searchParams.get('found')));
      });
    });
  } finally {
    child.kill();
    await ended;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The processor's class, as an AudioWorklet registers it. */
async function loadProcessor() {
  let registered;
  Object.assign(globalThis, {
    sampleRate: RATE,
    AudioWorkletProcessor: class {
      port = { postMessage: () => {} };
    },
    registerProcessor: (_, type) => (registered = type),
  });
  await import('gatefold/browser/worker');
  return registered;
}

/** The quanta of a sound, as `process` gets them. */
function quantaOf(sound) {
  const count = Math.floor(sound.length / BLOCK);
  return Array.from({ length: count }, (_, k) => [[sound.subarray(k * BLOCK, (k + 1) * BLOCK)]]);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
function heapBytes() {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Microseconds that the process has worked: what else the machine does is not in it. */
function worked() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Microseconds of every quantum, and how many bytes more are in use after the last. */
function run(processor, blocks, quanta) {
  const took = new Float64Array(quanta);
  const outputs = [[new Float32Array(BLOCK)]];
  const one = (k) => {
    const begun = worked();
    processor.process(blocks[k % blocks.length], outputs);
    took[k % quanta] = worked() - begun;
  };
  // What is compiled is compiled by then.
  for (let k = 0; k < Math.min(10_000, quanta); k++) one(k);
  const before = heapBytes();
  for (let k = 0; k < quanta; k++) one(k);
  return { growth: heapBytes() - before, took: took.sort() };
}

const Processor = await loadProcessor();
const guitar = quantaOf(makeSound());
const silence = quantaOf(new Float32Array(RATE));
const [rows, shares] = [[], []];
for (const [name, model, isSilent] of CASES) {
  const processorOptions = {
    module: wasmBytes(),
    model: MODELS[model],
    maxBytes: 16 * 2 ** 20,
    overlap: 0,
  };
  const processor = new Processor({ processorOptions });
  // Silence begins after a sound, whose last states have to die away.
  if (isSilent) run(processor, guitar, 1000);
  const { took, growth } = run(processor, isSilent ? silence : guitar, options.quanta);
  const at = (share) => took[Math.floor(share * (took.length - 1))];
  rows.push([name, ...[0.5, 0.99, 0.9999, 1].map(at), growth]);
  const seconds = took.reduce((sum, micros) => sum + micros, 0) / 1e6;
  shares.push((seconds * RATE) / (BLOCK * took.length));
}
const columns = CASES.map(([name]) => name);
const hosts = [[`Node ${process.versions.node}`, ...shares.map(percent)]];
for (const browser of options.browsers.split(',').filter(Boolean)) {
  const { name, shares } = await measureIn(browser);
  hosts.push([name, ...shares.map(percent)]);
}
const budget = ((BLOCK / RATE) * 1e6).toFixed(0);
console.log(`LSTM ${options.units} at ${RATE} Hz, share of real time\n`);
console.log(table(['', ...columns], hosts));
console.log(
  `\n${options.quanta} quanta in Node: microseconds of work for one, of ${budget}; bytes after all\n`,
);
console.log(table(['', 'median', '99 %', '99.99 %', 'most', 'heap growth'], rows));
