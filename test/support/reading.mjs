// Reads one of the files of test/formats/reading.test.ts in a process of its own, and prints what
// memory that took beside what there was before, and the bytes a second of processor time.
import { readFileSync } from 'node:fs';
import process from 'node:process';

const [what, path] = process.argv.slice(2);
const { Engine, Model, loadModelFile } = await import('../../dist/node.js');
const formats = await import('../../dist/formats/safetensors.js');
const { loadPytorch } = await import('../../dist/formats/pytorch.js');

const memory = (kind) =>
  1024 * Number(new RegExp(`${kind}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status'))[1]);
const LAYERS = [
  { type: 'lstm', inputSize: 700, hiddenSize: 700 },
  { type: 'linear', outFeatures: 9 },
];

const engine = await Engine.create({ simd: 'deterministic' });
const work = {
  read: () => {
    const bytes = readFileSync(path);
    const held = memory('VmRSS');
    const before = process.cpuUsage();
    const file = formats.readSafetensors(bytes, { maxBytes: 2 ** 30 });
    const { user, system } = process.cpuUsage(before);
    const { size } = file.tensors;
    return { size, held, seconds: (user + system) / 1e6 };
  },
  file: () => loadModelFile(engine, path),
  pytorch: () => loadPytorch(engine, readFileSync(path), { description: { layers: LAYERS } }),
};
// Code that has been compiled is no part of it.
formats
  .loadModel(
    engine,
    formats.saveModel(
      Model.create(engine, { layers: [{ type: 'gru', inputSize: 1, hiddenSize: 1 }] }),
    ),
  )
  .dispose();
const start = memory('VmRSS');
const { held = start, seconds = 0 } = (await work[what]()) ?? {};
console.log(JSON.stringify({ bytes: memory('VmHWM') - held, seconds }));
