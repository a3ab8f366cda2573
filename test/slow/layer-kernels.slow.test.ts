/** 200 random calls of every kernel of a layer, with a fresh seed each time. */
import { describe, it } from 'vitest';
import { checkAttention } from '../support/attention-kernel.ts';
import { createEngine, variants } from '../support/engines.ts';
import {
  activationKinds,
  checkActivation,
  checkConvolution,
  checkLayerNorm,
  checkPrelu,
  checkStream,
} from '../support/layer-kernels.ts';

const RUNS = 200;
const first = Date.now() % 1e9;

describe.each(variants)('kernels of layers from seed ' + first + ', %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const campaign = (check: (seed: number) => void, runs = RUNS): void => {
    for (let seed = first; seed < first + runs; seed++) check(seed);
  };

  it.each(activationKinds)('%s', (name) => {
    campaign((seed) => checkActivation(engine, name, seed));
  });

  it('layer norm', () => campaign((seed) => checkLayerNorm(engine, seed), 5 * RUNS));

  it('prelu', () => campaign((seed) => checkPrelu(engine, seed), 5 * RUNS));

  it('conv1d', () => campaign((seed) => checkConvolution(engine, seed), 10 * RUNS));

  it('attention', () => campaign((seed) => checkAttention(engine, seed), 10 * RUNS));

  it('conv1d in a stream', () => campaign((seed) => checkStream(engine, seed), 5 * RUNS));
});
