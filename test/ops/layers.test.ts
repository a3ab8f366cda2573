/**
 * Random models with convolutions, normalisations, activations and single biases among recurrent
 * layers against the float64 reference, whole and as streams; and that reference against central
 * differences.
 */
import { describe, expect, it } from 'vitest';
import type { LayerSpec } from '../../src/ops/index.ts';
import { describeLayerAgreement } from '../support/agreement-suite.ts';
import { createTally, describeLayerGradcheck, gradcheck } from '../support/gradcheck.ts';
import { activationNames } from '../support/options.ts';
import { createProblem } from '../support/problem.ts';
import { createRandom } from '../support/random.ts';

/** Three rows, one of them shorter and one without a step. */
function check(given: LayerSpec | readonly LayerSpec[], seed: number): void {
  const layers = [given].flat() as LayerSpec[];
  const label = JSON.stringify(given);
  const tally = createTally();
  for (let k = 0; k < 4; k++) {
    const random = createRandom(4 * seed + k);
    const dims = { steps: 7, batch: 3, ...(k % 2 ? { lengths: [7, 4, 0] } : {}) };
    gradcheck(createProblem({ layers }, dims, random, { training: true }), label, tally, 10);
  }
  expect(tally.cases, label).toBeGreaterThan(0);
}

describe('gradcheck of every option of the layers of the reference', () => {
  it('convolutions', () => {
    const sizes = { type: 'conv1d', inChannels: 4, kernelSize: 3 } as const;
    for (const padding of ['valid', 'same', 'causal', [1, 2]] as const) {
      for (const stride of [1, 2]) {
        for (const dilation of [1, 2]) {
          for (const groups of [1, 2, 4]) {
            const options = { padding, stride, dilation, groups, bias: groups < 4 };
            check({ ...sizes, ...options, outChannels: 4 }, stride + dilation);
          }
        }
      }
    }
  });

  it('transposed convolutions', () => {
    const sizes = { type: 'convTranspose1d', inChannels: 3, outChannels: 2 } as const;
    for (const padding of ['valid', 'same', 1, [2, 1]] as const) {
      for (const stride of [1, 2, 3]) {
        for (const dilation of [1, 2]) {
          const kernelSize = 1 + ((stride + dilation) % 3);
          const outputPadding = padding === 'same' ? 0 : Math.max(stride, dilation) - 1;
          const options = { padding, stride, dilation, kernelSize, outputPadding };
          check({ ...sizes, ...options, bias: stride < 3 }, stride);
        }
      }
    }
  });

  it.each([...activationNames, 'softmax', 'logSoftmax'] as const)('activation %s', (activation) => {
    check({ type: 'activation', inputSize: 4, activation }, 1);
    check({ type: 'linear', inFeatures: 3, outFeatures: 4, activation }, 2);
    check({ type: 'conv1d', inChannels: 3, outChannels: 4, kernelSize: 2, activation }, 3);
  });

  it.each([true, false])('normalisations, gamma %s', (scale) => {
    for (const bias of [true, false]) {
      check({ type: 'layerNorm', inputSize: 4, scale, bias }, 1);
      for (const frozen of [true, false]) {
        const batchNorm = { type: 'batchNorm', scale, bias, frozen } as const;
        check({ ...batchNorm, inputSize: 4 }, 1);
        check([{ type: 'gru', inputSize: 2, hiddenSize: 3 }, batchNorm], 1);
        // Rows without a step are there, but do not count.
        const first = { type: 'linear', inFeatures: 2, outFeatures: 3 } as const;
        check([first, { type: 'pool', mode: 'mean' }, batchNorm], 1);
      }
    }
    check({ type: 'rmsNorm', inputSize: 4, scale }, 1);
  });

  it.each(['abs', 'neg', 'pow', { type: 'pow', alpha: 3 }, 'clip'] as const)(
    'mathematics %j',
    (activation) => check({ type: 'activation', inputSize: 4, activation }, 1),
  );

  it.each(['sqrt', 'log', { type: 'pow', alpha: -1.5 }] as const)(
    'mathematics of positive numbers, %j',
    (activation) => {
      const positive = { type: 'activation', inputSize: 4, activation: 'softplus' } as const;
      check([positive, { type: 'activation', activation }], 1);
    },
  );

  it.each([true, false])('prelu, one slope for all %s', (shared) => {
    check({ type: 'prelu', inputSize: 5, shared }, 1);
  });

  it('constants', () => {
    const list = [0.5, -2, 0, 3];
    check({ type: 'scale', inputSize: 4, factor: list, offset: -0.3 }, 1);
    check({ type: 'scale', inputSize: 4, factor: 2 }, 2);
    check({ type: 'scale', inputSize: 4, offset: list }, 3);
  });

  it.each([1, 3, 7, 20])('a delay of %i steps', (steps) => {
    check({ type: 'delay', inputSize: 3, steps }, 1);
    check(
      [
        { type: 'delay', inputSize: 3, steps },
        { type: 'gru', hiddenSize: 2 },
        { type: 'delay', steps: 2 },
      ],
      2,
    );
  });

  it.each(['reduceMean', 'reduceSum', 'reduceMax'] as const)('%s', (type) => {
    check({ type, inputSize: 5 }, 1);
  });

  it('dropout', () => check([{ type: 'dropout', inputSize: 5, rate: 0.3 }], 1));

  it.each(['rnn', 'indrnn', 'lstm', 'gru'] as const)('one bias of %s', (type) => {
    check({ type, inputSize: 3, hiddenSize: 3, numLayers: 2, bias: 'single' }, 1);
  });
});

describeLayerGradcheck({ cases: 12, most: 3 });
describeLayerAgreement({ seed: Number(process.env['GATEFOLD_SEED'] ?? 4711), runs: 20 });
