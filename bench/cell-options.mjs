/**
 * What an option of a recurrent layer costs: each option on a layer, by the plain layer on the same
 * shapes. A projection counts by the multiply-adds of both.
 *
 *     npm run build && node bench/start.mjs cell-options.mjs [PATTERN] [--build DIR]
 *
 * PATTERN picks lines by what is printed of them; `--build` measures the build in another folder.
 * A layer and its plain one take turns in one process, in rounds so short that other load misses
 * many of them. The first ratio is the median of the quotients within a round; the second that of
 * the least times, which on a busy machine says more.
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { resolve } from 'node:path';

const ROUNDS = 101;
const SLICE_MS = 1;
const WARM_UP_MS = 150;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { build: { type: 'string', default: new URL('..', import.meta.url).pathname } },
});
const pattern = new RegExp(positionals[0] ?? '');
const entry = pathToFileURL(resolve(values.build, 'dist/index.js')).href;
const { Engine, Model, Trainer } = await import(entry);
const engine = await Engine.create();

const lstm = { type: 'lstm' };
const gru = { type: 'gru' };
const LAYERS = {
  lstm: [lstm],
  'lstm, old Keras': [{ ...lstm, activations: ['hardSigmoid', 'tanh', 'tanh'] }],
  'lstm, relu': [{ ...lstm, activations: ['sigmoid', 'relu', 'relu'] }],
  'lstm, hardSigmoid and relu': [{ ...lstm, activations: ['hardSigmoid', 'relu', 'relu'] }],
  'lstm, elu': [{ ...lstm, activations: ['sigmoid', 'elu', 'elu'] }],
  'lstm, clip': [{ ...lstm, clip: 3 }],
  'lstm, cellClip': [{ ...lstm, cellClip: 3 }],
  'lstm, projSize': [{ ...lstm }, (hidden) => ({ projSize: hidden / 2 })],
  'lstm, zoneout': [{ ...lstm, zoneout: 0.1 }],
  'lstm, recurrentDropout': [{ ...lstm, recurrentDropout: 0.1 }],
  'lstm, layerNorm': [{ ...lstm, layerNorm: true }],
  gru: [gru],
  'gru, old Keras': [{ ...gru, activations: ['hardSigmoid', 'tanh'] }],
  'gru, relu': [{ ...gru, activations: ['sigmoid', 'relu'] }],
  'gru, clip': [{ ...gru, clip: 3 }],
  'gru, zoneout': [{ ...gru, zoneout: 0.1 }],
  'gru, layerNorm': [{ ...gru, layerNorm: true }],
  'gru, reset before': [{ ...gru, resetAfter: false }],
  'gru, reset before, old Keras': [
    { ...gru, resetAfter: false, activations: ['hardSigmoid', 'tanh'] },
  ],
  rnn: [{ type: 'rnn' }],
  'rnn, sigmoid': [{ type: 'rnn', activations: ['sigmoid'] }],
  'rnn, clip': [{ type: 'rnn', clip: 3 }],
};

/** The layer that each is measured by. */
const plainOf = (name) =>
  name.startsWith('gru, reset before') ? 'gru, reset before' : name.split(',')[0];

const SHAPES = [
  { what: 'step', batch: 1, steps: 1, inputs: 64, hidden: 64 },
  { what: 'sequence', batch: 1, steps: 100, inputs: 64, hidden: 64 },
  { what: 'batch', batch: 32, steps: 100, inputs: 64, hidden: 128 },
  { what: 'training', batch: 1, steps: 100, inputs: 64, hidden: 64 },
  { what: 'training', batch: 32, steps: 100, inputs: 64, hidden: 128 },
];

/** Multiply-adds of a step of a row. */
function work({ type, projSize, hiddenSize: hidden, inputSize: inputs }) {
  const gates = { lstm: 4, gru: 3, rnn: 1 }[type] * hidden;
  return gates * (inputs + (projSize ?? hidden)) + (projSize ?? 0) * hidden;
}

function createSubject(name, { what, batch, steps, inputs, hidden }) {
  const [layer, sized = () => ({})] = LAYERS[name];
  const full = { ...layer, ...sized(hidden), inputSize: inputs, hiddenSize: hidden };
  const model = Model.create(engine, { layers: [full] }, { seed: 1 });
  model.warmUp();
  const random = (length) => Float32Array.from({ length }, () => 2 * Math.random() - 1);
  const x = random(batch * steps * inputs);
  const subject = { work: work(full), dispose: () => model.dispose() };
  if (what === 'step') {
    const stream = model.stream({ batch });
    const out = new Float32Array(batch * (full.projSize ?? hidden));
    return { ...subject, call: () => stream.step(x, out) };
  }
  if (what === 'training') {
    const trainer = Trainer.create(model, { batch, steps, seed: 1 });
    const output = random(batch * steps * (full.projSize ?? hidden));
    const call = () => {
      trainer.forward(x);
      trainer.backward({ output });
    };
    return { ...subject, call };
  }
  return { ...subject, call: () => model.forward(x, { batch, steps }) };
}

function run({ call }, count) {
  const before = performance.now();
  for (let k = 0; k < count; k++) call();
  return (performance.now() - before) / count;
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

/** How many calls take a slice, after a warm-up. */
function calibrate(subject) {
  const end = performance.now() + WARM_UP_MS;
  while (performance.now() < end) subject.call();
  let count = 1;
  let ms = run(subject, count);
  while (count * ms < SLICE_MS / 2) ms = run(subject, (count *= 2));
  return Math.max(1, Math.round(SLICE_MS / ms));
}

for (const shape of SHAPES) {
  const { what, batch, steps, inputs, hidden } = shape;
  const label = `${what}, N ${batch}, T ${steps}, ${inputs}/${hidden}`;
  const names = Object.keys(LAYERS).filter((name) => pattern.test(`${label}: ${name}`));
  if (names.length === 0) continue;
  console.log(
    `${label}\n${['us, least', 'median', 'of the least']
      .map((x) => x.padStart(12))
      .join('')
      .padStart(66)}`,
  );
  for (const name of names) {
    const pair = [createSubject(plainOf(name), shape), createSubject(name, shape)];
    const counts = pair.map(calibrate);
    const rounds = Array.from({ length: ROUNDS }, (_, round) => {
      const times = [];
      for (const k of round % 2 ? [1, 0] : [0, 1]) times[k] = run(pair[k], counts[k]);
      return times;
    });
    const share = pair[1].work / pair[0].work;
    const ratio = median(rounds.map(([plain, own]) => own / plain / share));
    const [plain, own] = pair.map((_, k) => Math.min(...rounds.map((times) => times[k])));
    const figures = [own * 1000, ratio, own / plain / share];
    console.log(`  ${name.padEnd(28)}${figures.map((x) => x.toFixed(3).padStart(12)).join('')}`);
    for (const { dispose } of pair) dispose();
  }
}
