/** The model and the sequences of the scoring benches, for everybody. */
import { encodeOnnx } from '../../test/peers/onnx-writer.ts';

export const [INPUTS, HIDDEN, OUTPUTS, BATCH] = [8, 64, 5, 32];

export const DESCRIPTION = {
  layers: [
    { type: 'lstm', name: 'lstm', inputSize: INPUTS, hiddenSize: HIDDEN },
    { type: 'pool', mode: 'last' },
    { type: 'linear', name: 'out', outFeatures: OUTPUTS },
  ],
};

/** Steps of sequence `k`: 20 to 500, in no order. */
export const stepsOf = (k) => 20 + ((k * 7919) % 481);

export function sequenceOf(k) {
  let state = k + 1;
  return Float32Array.from({ length: INPUTS * stepsOf(k) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.round((state / 2 ** 31 - 1) * 1e6) / 1e6;
  });
}

/** Blocks of gates i, f, g, o as ONNX has them: i, o, f, c. */
function gates(data) {
  const size = data.length / 4;
  const all = new Float32Array(data.length);
  [0, 3, 1, 2].forEach((gate, k) =>
    all.set(data.subarray(gate * size, (gate + 1) * size), k * size),
  );
  return all;
}

/** The same model for ONNX Runtime: x [T, B, I] and lengths [B]. */
export function onnxOf(model) {
  const weights = model.stateDict();
  const named = (end) => [...weights].find(([name]) => name.endsWith(end))[1].data;
  const biases = new Float32Array(8 * HIDDEN);
  biases.set(gates(named('bias_ih_l0')));
  biases.set(gates(named('bias_hh_l0')), 4 * HIDDEN);
  const linear = [...weights].filter(([name]) => name.startsWith('out'));
  const [weight, bias] = ['weight', 'bias'].map(
    (end) => linear.find(([name]) => name.endsWith(end))[1].data,
  );
  return encodeOnnx({
    inputs: [
      { name: 'x', dims: ['T', 'B', INPUTS] },
      { name: 'lengths', dims: ['B'], type: 'int32' },
    ],
    outputs: ['y'],
    initializers: [
      { name: 'W', dims: [1, 4 * HIDDEN, INPUTS], data: gates(named('weight_ih_l0')) },
      { name: 'R', dims: [1, 4 * HIDDEN, HIDDEN], data: gates(named('weight_hh_l0')) },
      { name: 'B', dims: [1, 8 * HIDDEN], data: biases },
      { name: 'shape', dims: [2], data: BigInt64Array.of(-1n, BigInt(HIDDEN)) },
      { name: 'weight', dims: [OUTPUTS, HIDDEN], data: weight },
      { name: 'bias', dims: [OUTPUTS], data: bias },
    ],
    nodes: [
      {
        opType: 'LSTM',
        inputs: ['x', 'W', 'R', 'B', 'lengths'],
        outputs: ['', 'h'],
        attributes: { hidden_size: HIDDEN },
      },
      { opType: 'Reshape', inputs: ['h', 'shape'], outputs: ['last'] },
      {
        opType: 'Gemm',
        inputs: ['last', 'weight', 'bias'],
        outputs: ['y'],
        attributes: { transB: 1 },
      },
    ],
  });
}

/** Sequences as a batch [T, B, I], longest first. */
export function batchOf(sequences) {
  const sorted = sequences.toSorted((a, b) => b.length - a.length);
  const lengths = Int32Array.from(sorted, ({ length }) => length / INPUTS);
  const steps = lengths[0];
  const x = new Float32Array(steps * sorted.length * INPUTS);
  for (const [b, own] of sorted.entries()) {
    for (let t = 0; t < lengths[b]; t++) {
      for (let k = 0; k < INPUTS; k++) {
        x[(t * sorted.length + b) * INPUTS + k] = own[t * INPUTS + k];
      }
    }
  }
  return { x, lengths, steps, batch: sorted.length };
}
