// Runs the Worker in workerd, kills it between two frames, and compares with a stream that ran on.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine, Model } from 'gatefold';
import { saveModel } from 'gatefold/formats/safetensors';
import { createRandom } from '../common/random.mjs';
import { readOptions, table } from '../common/terminal.mjs';
import { WORKERD, prepare, start } from './host.mjs';

const USAGE = `
A Cloudflare Worker with a model, and a Durable Object with one stream a session that survives its process, in workerd.

  node examples/cloudflare-worker/main.mjs

  --workerd FILE  the program (that of test/hosts, after npm ci --prefix test/hosts)
  --frames N      of the session, which is killed in their middle (20)
  --model         writes model.bin beside the Worker, for wrangler, and ends
  --quick         a run of a few seconds: 6 frames
`;
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const options = readOptions(USAGE, { workerd: WORKERD, frames: 20, model: false }, { frames: 6 });

const engine = await Engine.create({ simd: 'deterministic' });
const layers = [
  { type: 'gru', inputSize: 4, hiddenSize: 32 },
  { type: 'linear', outFeatures: 3 },
];
const model = Model.create(engine, { layers }, { seed: 1 });
if (options.model) {
  await writeFile(at('model.bin'), saveModel(model));
  process.exit(0);
}
const random = createRandom(1);
const frames = Array.from({ length: options.frames }, () =>
  Array.from({ length: model.inputSize }, () => Math.fround(random.normal())),
);
const folder = await mkdtemp(join(tmpdir(), 'gatefold-worker-'));
let host;
try {
  await prepare(folder, saveModel(model));
  host = await start(options.workerd, folder);
  const whole = await host.ask('', frames);
  const answers = [];
  const half = frames.length >> 1;
  for (const frame of frames.slice(0, half)) answers.push(await host.ask('sessions/one', frame));
  await host.ask('sessions/two', frames[0]);
  await host.kill();
  host = await start(options.workerd, folder);
  for (const frame of frames.slice(half)) answers.push(await host.ask('sessions/one', frame));

  const { output } = model.forward(Float32Array.from(frames.flat()), { steps: frames.length });
  const session = answers.flatMap((answer) => answer.output);
  const differs = (values) =>
    output.filter((value, k) => !Object.is(value, Math.fround(values[k]))).length;
  const rows = [
    ['a whole sequence', frames.length, differs(whole)],
    [`a session, killed after frame ${half}`, answers.at(-1).frames, differs(session)],
  ];
  console.log(table(['in workerd', 'frames', 'numbers that differ from Node'], rows));
} finally {
  await host?.kill();
  await rm(folder, { recursive: true });
}
