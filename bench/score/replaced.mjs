/**
 * `gatefold score` with its engine replaced: its reading, sorting, packing and printing, from the
 * sources, around onnxruntime-node.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { printers } from '../../src/cli/score/results.ts';
import { readText } from '../../src/cli/score/records.ts';
import { loadModel } from '../../src/formats/gatefold.ts';
import { Engine } from '../../src/node/index.ts';
import { Packer } from '../../src/node/score/batch.ts';
import { BATCH, INPUTS, OUTPUTS } from './case.mjs';

const PIECE = 2 ** 22;
const [modelFile, onnxFile, input, output] = process.argv.slice(2);
const model = loadModel(await Engine.create(), readFileSync(modelFile));
const packer = new Packer(model, BATCH);
const session = await ort.InferenceSession.create(onnxFile, {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const [{ name }] = model.inputs;
const layout = { kind: 'ndjson', fields: { [name]: 'x' }, id: 'id', widths: { [name]: INPUTS } };

/** Batch first, as sequences are packed, to time first, as an LSTM of ONNX takes it. */
function timeFirst(x, steps, batch) {
  const data = new Float32Array(x.length);
  for (let t = 0; t < steps; t++) {
    for (let b = 0; b < batch; b++) {
      const [to, from] = [(t * batch + b) * INPUTS, (b * steps + t) * INPUTS];
      for (let k = 0; k < INPUTS; k++) data[to + k] = x[from + k];
    }
  }
  return data;
}

async function run({ x, steps, lengths }) {
  const batch = lengths.length;
  const data = timeFirst(x[name], steps, batch);
  const feeds = {
    x: new ort.Tensor('float32', data, [steps, batch, INPUTS]),
    lengths: new ort.Tensor('int32', lengths, [batch]),
  };
  const { y } = await session.run(feeds);
  return [y.data.subarray(0, batch * OUTPUTS)];
}

const [from, to] = [openSync(input, 'r'), openSync(output, 'w')];
const { size } = fstatSync(from);
const bytes = new Uint8Array(2 * PIECE);
for (let at = 0; at < size;) {
  const got = readSync(from, bytes, 0, PIECE, at);
  const end = bytes.subarray(0, got).lastIndexOf(10) + 1;
  const records = [...readText(bytes.subarray(0, end), layout)];
  const sequences = records.map(({ x }) => packer.read(x, true));
  const results = [];
  for (const places of packer.plan(sequences.map(({ steps }) => steps))) {
    const packed = packer.pack(places.map((k) => sequences[k]));
    const each = packer.unpack(packed, await run(packed), places.length);
    places.forEach((k, i) => (results[k] = { id: records[k].id, outputs: each[i] }));
  }
  writeSync(to, printers.ndjson(results, model, true));
  at += end;
}
closeSync(to);
process.exit();
