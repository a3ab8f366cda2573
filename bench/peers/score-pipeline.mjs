/**
 * What a user writes today: lines, JSON.parse, buckets of similar lengths, batches for
 * onnxruntime-node, results in the order of the input.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as ort from 'onnxruntime-node';

const [INPUTS, BATCH, WINDOW] = [8, 32, 512];
const [modelFile, input, output, threads] = process.argv.slice(2);
const session = await ort.InferenceSession.create(modelFile, {
  executionProviders: ['cpu'],
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
});
const out = createWriteStream(output);

async function runBatch(records) {
  const lengths = Int32Array.from(records, ({ x }) => x.length);
  const steps = Math.max(...lengths);
  const data = new Float32Array(steps * records.length * INPUTS);
  records.forEach(({ x }, b) => {
    x.forEach((row, t) => data.set(row, (t * records.length + b) * INPUTS));
  });
  const { y } = await session.run({
    x: new ort.Tensor('float32', data, [steps, records.length, INPUTS]),
    lengths: new ort.Tensor('int32', lengths, [records.length]),
  });
  const size = y.data.length / records.length;
  records.forEach((record, b) => (record.y = [...y.data.subarray(b * size, (b + 1) * size)]));
}

async function flush(records) {
  const sorted = records.toSorted((a, b) => b.x.length - a.x.length);
  for (let at = 0; at < sorted.length; at += BATCH) await runBatch(sorted.slice(at, at + BATCH));
  const lines = records.map(({ id, y }) => `${JSON.stringify({ id, y })}\n`);
  if (!out.write(lines.join(''))) await once(out, 'drain');
}

let records = [];
for await (const line of createInterface({ input: createReadStream(input) })) {
  records.push(JSON.parse(line));
  if (records.length < WINDOW) continue;
  await flush(records);
  records = [];
}
await flush(records);
out.end();
await once(out, 'finish');
