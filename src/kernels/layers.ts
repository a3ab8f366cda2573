import { NORM_LAYER } from '../../assembly/shared/codes.ts';
import {
  anyFloats,
  checkNumber,
  frozenCopy,
  ownFloats,
  readOptions,
  roundUp,
} from '../base/check.ts';
import type { Engine } from '../engine/engine.ts';
import { activationCode, checkCellActivation } from '../ops/activations.ts';
import { NONE } from '../engine/plan.ts';
import type { Activation, ActivationCode } from '../ops/activations.ts';
import { getRows, putRows, resultIn, rowsOf, scratch } from './scratch.ts';

/** Numbers of a layer normalisation. */
export interface LayerNormOptions {
  /** [features] that the standardised elements are multiplied by; default 1. */
  readonly gamma?: Float32Array;
  /** [features] that is added to them; default 0. */
  readonly beta?: Float32Array;
  /** Added to the variance; default 1e-5 as in PyTorch, where Keras has 1e-3. */
  readonly epsilon?: number;
}

/** An activation of rows, copied in, replaced and copied out. */
function activateRows(
  engine: Engine,
  code: ActivationCode,
  x: Float32Array,
  features: number,
  out: Float32Array | undefined,
): Float32Array {
  const result = resultIn(out, x.length, 'like x');
  const rows = x.length / features;
  const whole = roundUp(features, 4);
  return scratch(engine, 'an activation', (kernels, plan) => {
    const slot = plan.reserve(rows * whole);
    const line = plan.reserve(whole);
    const layer = plan.descriptor('ActivationLayer');
    return () => {
      putRows(kernels, slot, x, features);
      const places = { x: slot, xRow: 4 * whole, y: slot, yRow: 4 * whole, scratch: line };
      kernels.write(layer, { ...code, rows, width: features, ...places });
      kernels.run.activation_forward(layer.address);
      getRows(kernels, slot, result, features);
      return out ?? result;
    };
  });
}

/** An activation of every element. */
export function activation(
  engine: Engine,
  given: Activation,
  x: Float32Array,
  out: Float32Array | undefined,
): Float32Array {
  const chosen = frozenCopy('activation', given);
  checkCellActivation('activation', chosen);
  const own = anyFloats('x', x);
  // All elements are one row.
  return activateRows(engine, activationCode(chosen), own, Math.max(own.length, 1), out);
}

/** Probabilities over rows of features, or their logarithms. */
export function softmax(
  engine: Engine,
  type: 'softmax' | 'logSoftmax',
  x: Float32Array,
  temperature: number,
  out: Float32Array | undefined,
  features: number | undefined,
): Float32Array {
  const width = features === undefined ? anyFloats('x', x, 1).length : features;
  const { own } = rowsOf('x', x, width);
  const beta = 1 / checkNumber('temperature', temperature, 1e-6);
  return activateRows(engine, { ...activationCode(type), beta }, own, width, out);
}

/** Layer normalisation of rows of features. */
export function layerNorm(
  engine: Engine,
  x: Float32Array,
  features: number,
  options: LayerNormOptions,
  out: Float32Array | undefined,
): Float32Array {
  const given = readOptions('options', options, ['gamma', 'beta', 'epsilon']);
  const { epsilon = 1e-5 } = given;
  checkNumber('options.epsilon', epsilon, 1e-12, 1);
  const { own, rows } = rowsOf('x', x, features);
  const vectors = (['gamma', 'beta'] as const).map((name) => {
    const values = given[name];
    if (values === undefined) return undefined;
    return ownFloats(`options.${name}`, values, features, 'features');
  });
  const result = resultIn(out, own.length, 'like x');
  const whole = roundUp(features, 4);
  return scratch(engine, 'a layer norm', (kernels, plan) => {
    const slot = plan.reserve(rows * whole);
    const layer = plan.descriptor('LayerNorm');
    const [gamma, beta] = vectors.map((values) => (values ? plan.reserve(whole) : NONE));
    return () => {
      putRows(kernels, slot, own, features);
      [gamma!, beta!].forEach((to, k) => {
        if (vectors[k]) kernels.floats(to).set(vectors[k]);
      });
      const places = { x: slot, xRow: 4 * whole, y: slot, yRow: 4 * whole };
      const parameters = { gamma: gamma!, beta: beta!, epsilon };
      kernels.write(layer, { mode: NORM_LAYER, rows, width: features, ...places, ...parameters });
      kernels.run.layer_norm_forward(layer.address);
      getRows(kernels, slot, result, features);
      return out ?? result;
    };
  });
}
