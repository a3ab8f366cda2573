/** Models as torch.onnx.export writes them, against PyTorch in float64: test/fixtures/onnx. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadOnnx, readOnnx } from '../../src/formats/onnx.ts';
import { build } from '../../src/formats/shared/imported.ts';
import { createEngine } from '../support/engines.ts';
import { oracle } from './onnx-oracle.ts';
import { runImported, worstOf } from './onnx-run.ts';
import type { OnnxArray } from './onnx-run.ts';

type Arrays = Readonly<Record<string, Omit<OnnxArray, 'name'>>>;

const folder = new URL('../fixtures/onnx/', import.meta.url);
const bytesOf = (name: string): Uint8Array => readFileSync(new URL(`${name}.onnx`, folder));
const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Readonly<
  Record<string, { readonly inputs: Arrays; readonly outputs: Arrays }>
>;

const listOf = (arrays: Arrays): OnnxArray[] =>
  Object.entries(arrays).map(([name, array]) => ({ name, ...array }));

/** What each file becomes: cells that were taken apart are layers. */
const LAYERS: Readonly<Record<string, string>> = {
  'lstm-cell': 'lstm activation',
  'gru-cell': 'gru',
  'joined-cell': 'lstm activation',
  'reset-before': 'gru',
  'packed-state': 'linear lstm activation linear concat',
  'unrolled-lstm': 'lstm lstm',
  'unrolled-gru': 'gru gru gru concat',
  classifier: 'embedding lstm lstm concat slice slice concat linear',
  'conv-lstm': 'conv1d lstm linear',
  'packed-sequences': 'gru activation',
  translation: 'embedding lstm embedding lstm linear',
  encoder: 'embedding lstm lstm concat concat',
  decoder: 'embedding lstm lstm concat concat linear',
};

describe('exports of PyTorch', () => {
  const engine = createEngine('relaxed');

  it.each(Object.entries(LAYERS))('%s', (name, layers) => {
    const { inputs, outputs } = expected[name]!;
    const read = readOnnx(bytesOf(name));
    expect(read.description.layers.map(({ type }) => type).join(' ')).toBe(layers);
    const model = build(engine, read);
    const given = listOf(inputs);
    const own = runImported(model, given);
    expect(worstOf(model, own, listOf(outputs), given)).toBeLessThan(3e-7);
    model.dispose();
  });

  it('streams a cell whose two states are one tensor', async () => {
    const model = loadOnnx(engine, bytesOf('packed-state'), { carry: { stateN: 'state' } });
    const stream = model.stream();
    const output = new Float32Array(1);
    let state: OnnxArray = { name: 'state', shape: [2, 1, 4], data: new Float32Array(8) };
    let worst = 0;
    for (let step = 0; step < 6; step++) {
      const data = Float32Array.of(Math.sin(step), Math.cos(2 * step), step % 2);
      const frame = { name: 'input', shape: [1, 3], data };
      const wanted = await oracle(bytesOf('packed-state'), [frame, state]);
      const of = (name: string): OnnxArray => wanted.find((one) => one.name === name)!;
      stream.step(data, output);
      worst = Math.max(worst, Math.abs(output[0]! - of('output').data[0]!));
      state = { ...of('stateN'), name: 'state' };
    }
    expect(worst).toBeLessThan(1e-6);
    model.dispose();
  });
});
