import { describe, expect, it } from 'vitest';
import { loadOnnx, readOnnx, writeOnnx } from '../../src/formats/onnx.ts';
import { Model, type ModelDescription } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { oracle } from './onnx-oracle.ts';
import { runImported, worstOf } from './onnx-run.ts';

const TOLERANCE = 1e-5;
const [T, B] = [6, 3];

/** Models by what they show. */
const MODELS: Readonly<Record<string, ModelDescription>> = {
  'a bidirectional classifier': {
    layers: [
      { type: 'embedding', numEmbeddings: 9, embeddingDim: 4 },
      { type: 'lstm', hiddenSize: 5, bidirectional: true, numLayers: 2 },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: 3, activation: 'softmax' },
    ],
  },
  'cells with options': {
    layers: [
      {
        type: 'lstm',
        inputSize: 3,
        hiddenSize: 4,
        peephole: 'diagonal',
        clip: 0.8,
        activations: ['hardSigmoid', 'softsign', { type: 'scaledTanh', alpha: 0.9, beta: 0.8 }],
      },
      { type: 'gru', hiddenSize: 4, resetAfter: false, direction: 'backward' },
      { type: 'rnn', hiddenSize: 3, bidirectional: true, merge: 'mul', nonlinearity: 'relu' },
      { type: 'lstm', hiddenSize: 3, inputForget: true, initialState: 'learned', bias: 'single' },
      { type: 'gru', hiddenSize: 3, bidirectional: true, merge: 'mean' },
    ],
  },
  'convolutions and norms': {
    layers: [
      { type: 'conv1d', inChannels: 3, outChannels: 4, kernelSize: 3, padding: 'causal' },
      { type: 'batchNorm' },
      { type: 'activation', activation: 'gelu' },
      { type: 'maxPool1d', poolSize: 2 },
      { type: 'layerNorm' },
      { type: 'convTranspose1d', outChannels: 3, kernelSize: 4, stride: 2, padding: 'same' },
      { type: 'averagePool1d', poolSize: 3, stride: 1, padding: 'same', countPadding: false },
      { type: 'rmsNorm' },
      { type: 'prelu' },
      { type: 'upsample1d', size: 2 },
      { type: 'delay', steps: 2 },
    ],
  },
  'a graph of branches': {
    layers: [
      { type: 'linear', name: 'front', inFeatures: 4, outFeatures: 6, activation: 'silu' },
      { type: 'gru', name: 'voice', hiddenSize: 6 },
      { type: 'add', name: 'skip', inputs: ['front', 'voice'] },
      { type: 'split', name: 'parts', sizes: [2, 4] },
      { type: 'reduceMean', name: 'mean', inputs: ['parts.1'] },
      { type: 'multiply', name: 'gated', inputs: ['parts.0', 'mean'] },
      { type: 'concat', name: 'all', inputs: ['gated', 'skip', 'input'] },
      { type: 'scale', factor: 0.5, offset: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] },
      { type: 'linear', name: 'scores', outFeatures: 2 },
      { type: 'pool', name: 'mean of all', mode: 'mean', inputs: ['all'] },
    ],
    outputs: ['scores', 'mean of all'],
  },
  'an encoder and a decoder': {
    inputs: ['source', { name: 'target', stepsOf: 'target' }],
    layers: [
      { type: 'lstm', name: 'encoder', inputs: ['source'], inputSize: 3, hiddenSize: 4 },
      {
        type: 'lstm',
        name: 'decoder',
        inputs: ['target'],
        inputSize: 2,
        hiddenSize: 4,
        initialState: { h: 'encoder.h', c: 'encoder.c' },
      },
      { type: 'linear', outFeatures: 2 },
    ],
  },
};

describe('models as ONNX files', () => {
  const engine = createEngine('relaxed');

  it.each(Object.entries(MODELS))('%s', async (_, description) => {
    const random = createRandom(7);
    const model = Model.create(engine, description, { seed: 3 });
    const bytes = writeOnnx(model);
    const inputs = model.inputs.map(({ name, size, takesTokens }, k) => {
      const steps = T + k;
      const count = B * steps * size;
      const data = takesTokens
        ? Float32Array.from({ length: count }, () => random.integer(0, 8))
        : Float32Array.from(random.vector(count, 1));
      const shape = takesTokens ? [B, steps] : [B, steps, size];
      return { name, shape, data, type: takesTokens ? ('int64' as const) : ('float' as const) };
    });
    const theirs = await oracle(bytes, inputs);
    const x = Object.fromEntries(
      inputs.map(({ name, data, type }) => [
        name,
        type === 'int64' ? Int32Array.from(data) : Float32Array.from(data),
      ]),
    );
    const steps = Object.fromEntries(inputs.map(({ name, shape }) => [name, shape[1]!]));
    const own = model.forward(x, { steps, batch: B, batchFirst: true });
    for (const { name, data } of theirs) {
      const got = own.outputs[name]!;
      expect(got.length).toBe(data.length);
      got.forEach((value, k) => expect(Math.abs(value - data[k]!)).toBeLessThan(TOLERANCE));
    }
    // And back.
    const again = loadOnnx(engine, bytes);
    expect(worstOf(again, runImported(again, inputs), theirs, inputs)).toBeLessThan(TOLERANCE);
  });

  it('has states as inputs and outputs on demand', async () => {
    const model = Model.create(engine, {
      layers: [{ type: 'lstm', name: 'cell', inputSize: 2, hiddenSize: 3, numLayers: 2 }],
    });
    const bytes = writeOnnx(model, { states: true });
    const random = createRandom(3);
    const array = (
      name: string,
      ...shape: number[]
    ): { name: string; shape: number[]; data: Float32Array } => {
      const count = shape.reduce((a, b) => a * b, 1);
      return { name, shape, data: Float32Array.from(random.vector(count, 1)) };
    };
    const inputs = [array('input', B, T, 2), array('cell.h', 2, B, 3), array('cell.c', 2, B, 3)];
    const theirs = await oracle(bytes, inputs);
    const [x, h, c] = inputs.map(({ data }) => data);
    const { output, state } = model.forward(x!, {
      steps: T,
      batch: B,
      batchFirst: true,
      state: { cell: { h: h!, c: c! } },
    });
    const expected: Record<string, Float32Array> = {
      cell: output,
      'cell.hn': state['cell']!.h,
      'cell.cn': state['cell']!.c!,
    };
    for (const { name, data } of theirs) {
      expected[name]!.forEach((value, k) =>
        expect(Math.abs(value - data[k]!)).toBeLessThan(TOLERANCE),
      );
    }
    const { states } = readOnnx(bytes).metadata as { states: readonly unknown[] };
    expect(states.length).toBe(4);
  });

  it('refuses what ONNX has not, all at once', () => {
    const model = Model.create(engine, {
      layers: [
        { type: 'lstm', inputSize: 4, hiddenSize: 4, projSize: 2 },
        { type: 'lstm', hiddenSize: 4, zoneout: 0.1 },
      ],
    });
    expect(() => writeOnnx(model)).toThrow(/"lstm" .*projSize.*/);
  });
});
