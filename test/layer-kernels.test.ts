/** The kernels of layers that are no cells, forward and backward, against float64. */
import { describe, it } from 'vitest';
import { createEngine, variants } from './support/engines.ts';
import {
  activationKinds,
  checkActivation,
  checkConvolution,
  checkLayerNorm,
  checkStream,
} from './support/layer-kernels.ts';

const RUNS = 20;

describe.each(variants)('%s SIMD', (variant) => {
  const engine = createEngine(variant);

  it.each(activationKinds)('%s', (name) => {
    for (let seed = 1; seed <= RUNS; seed++) checkActivation(engine, name, seed);
  });

  it('layer norm', () => {
    for (let seed = 1; seed <= 5 * RUNS; seed++) checkLayerNorm(engine, seed);
  });

  it('conv1d', () => {
    for (let seed = 1; seed <= 10 * RUNS; seed++) checkConvolution(engine, seed);
  });

  it('conv1d in a stream has the bits of the whole sequence', () => {
    for (let seed = 1; seed <= 5 * RUNS; seed++) checkStream(engine, seed);
  });
});
