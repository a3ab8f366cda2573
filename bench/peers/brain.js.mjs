/**
 * brain.js. Its LSTM has no cell state, so that it computes something else, and nothing is
 * compared; one sequence an update, plain gradients.
 */
import { createRequire } from 'node:module';
import { lacksKind } from '../cases.mjs';

const require = createRequire(import.meta.url);
const brain = require('brain.js');

export const name = 'brain.js';
export const { version } = require('brain.js/package.json');
export const isComparable = false;

export function lacks(benchCase) {
  const { kind, layer, batch, hiddenSize } = benchCase;
  if (kind !== 'training') return lacksKind(benchCase) ?? 'another function';
  return layer.type === 'lstm' && batch === 1 && hiddenSize <= 64 ? undefined : 'not compared';
}

export function prepare({ steps, inputSize, hiddenSize }, { x }) {
  const net = new brain.recurrent.LSTMTimeStep({
    inputSize,
    hiddenLayers: [hiddenSize],
    outputSize: inputSize,
  });
  const sequence = Array.from({ length: steps }, (_, t) =>
    Array.from(x.subarray(t * inputSize, (t + 1) * inputSize)),
  );
  return {
    run: () => net.train([sequence], { iterations: 1, errorThresh: 0, log: false }),
    result: () => [],
    dispose() {},
  };
}
