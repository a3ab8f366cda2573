/**
 * Rounds on a text: bits per character of what was not trained on, and bytes of a round, against one
 * trainer that has seen as many characters.
 *
 *     node figures/rounds.mjs TEXT [--updates N] [--hidden N]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadModel } from 'gatefold/formats/safetensors';
import { Engine, Model, TextBatches, Trainer, Vocabulary } from 'gatefold/node';
import { Producer, modelAt, prepareTraining } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    updates: { type: 'string', default: '500' },
    hidden: { type: 'string', default: '64' },
  },
});
const [SHARDS, BATCH, STEPS] = [4, 8, 64];
const updates = Number(values.updates);
const whole = readFileSync(positionals[0], 'utf8');
const cut = Math.floor(0.9 * whole.length);
const [text, rest] = [whole.slice(0, cut), whole.slice(cut)];
const optimizer = { type: 'adam', learningRate: 0.003 };
const gradClip = { norm: 1 };
const engine = await Engine.create({ simd: 'deterministic' });
const vocabulary = Vocabulary.of(text);

/** Bits per character of the rest of the text. */
function measure(model) {
  const trainer = Trainer.create(model, { batch: 8, steps: 64, loss: { type: 'cross-entropy' } });
  const windows = new TextBatches(vocabulary.encode(rest), { batch: 8, steps: 64 });
  let [sum, count] = [0, 0];
  for (let k = 0; k < windows.length; k++) {
    const { inputs, targets, steps } = windows.window(k);
    sum += targets.length * trainer.evaluateWindow(inputs, targets, { steps });
    count += targets.length;
  }
  trainer.dispose();
  return sum / count / Math.LN2;
}

function alone(config, batch, count) {
  const model = Model.create(engine, config.model, { seed: 0 });
  const options = { batch, steps: STEPS, optimizer, gradClip, loss: { type: 'cross-entropy' } };
  const trainer = Trainer.create(model, options);
  const windows = new TextBatches(vocabulary.encode(text), { batch, steps: STEPS });
  for (let k = 0; k < count; k++) {
    if (k % windows.length === 0) trainer.resetState();
    const { inputs, targets, steps } = windows.window(k % windows.length);
    trainer.trainOn(inputs, targets, { steps });
  }
  const bits = measure(model);
  model.dispose();
  return bits;
}

const folder = mkdtempSync(join(tmpdir(), 'gatefold-figures-'));
mkdirSync(join(folder, 'out'));
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
server.close();
const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
const redis = spawn('redis-server', flags, { stdio: 'ignore' });
const url = `redis://127.0.0.1:${port}`;
const stores = { out: join(folder, 'out') };
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const own = ['--redis', url, '--store', `out=${stores.out}`, '--log', 'warn'];
const crew = [1, 2].map(() =>
  spawn(process.execPath, [main, 'worker', ...own], { stdio: 'inherit' }),
);
const producer = new Producer({ redis: url, stores, everyMs: 50 });
let config;
const outers = {
  mean: { learningRate: 1, momentum: 0, nesterov: false },
  DiLoCo: { learningRate: 0.7, momentum: 0.9, nesterov: true },
};
try {
  for (const [name, outer] of Object.entries(outers)) {
    for (const H of [50, 10, 1]) {
      const start = performance.now();
      const given = {
        hiddenSize: Number(values.hidden),
        shards: SHARDS,
        rounds: updates / H,
        updates: H,
        batch: BATCH,
        steps: STEPS,
        optimizer,
        gradClip,
        outer,
      };
      const prepared = await prepareTraining(producer.context, given, text);
      config = prepared.config;
      const output = `out:${name}-${H}`;
      const from = await producer.train(config, output, prepared.first);
      const last = await producer.trained(from, config, output);
      const path = join(stores.out, modelAt(output).slice('out:'.length));
      const model = loadModel(engine, readFileSync(path));
      const [parameters, states] = last.bytes;
      const seconds = ((performance.now() - start) / 1e3).toFixed(0);
      const row = { outer: name, H, rounds: last.round, bits: measure(model).toFixed(3) };
      console.log(JSON.stringify({ ...row, parameters, states, seconds }));
      model.dispose();
    }
  }
  for (const [batch, count] of [
    [BATCH, SHARDS * updates],
    [SHARDS * BATCH, updates],
  ]) {
    const bits = alone(config, batch, count).toFixed(3);
    console.log(
      JSON.stringify({ alone: batch, updates: count, characters: batch * count * STEPS, bits }),
    );
  }
} finally {
  for (const { pid } of [...crew, redis]) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
