import { checkNumber, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { NormNode } from './norm.ts';
import type { Op } from './op.ts';
import { inputWidth } from './options.ts';
import type { OptionSpec } from './options.ts';

/**
 * Constants, which no training changes: y = x factor + offset, each a number for all features or a
 * list of one for each. At least one of them is given.
 */
export interface ScaleSpec {
  readonly type: 'scale';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Default 1. */
  readonly factor?: number | readonly number[];
  /** Default 0. */
  readonly offset?: number | readonly number[];
}

export type CompleteScale = ScaleSpec & Required<Pick<ScaleSpec, 'name' | 'inputSize'>>;

/** Constants are float32 as all numbers are: larger ones would be infinite. */
const LARGEST = 3.4e38;

const constants = (names: Pick<OptionSpec, 'about' | 'keras' | 'onnx'>): OptionSpec => ({
  kind: 'own',
  expects: 'a number, or a list of one for each feature',
  check: (name, value) => {
    const all: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const one of all) checkNumber(name, one, -LARGEST, LARGEST);
    return value;
  },
  otherwise: 'off',
  ...names,
});

export const scale: Op<ScaleSpec, CompleteScale> = {
  type: 'scale',
  options: {
    inputSize: inputWidth(),
    factor: constants({ about: 'What features are multiplied by.', keras: 'scale', onnx: 'Mul' }),
    offset: constants({ about: 'What is added to that.', keras: 'offset', onnx: 'Add' }),
  },
  complete(spec, { at }) {
    const layer = spec as CompleteScale;
    const { factor, offset, inputSize } = layer;
    if (factor === undefined && offset === undefined) {
      throw new GatefoldError('ERR_ARGUMENT', `"${at}" expected a "factor" or an "offset"`);
    }
    for (const [key, value] of Object.entries({ factor, offset })) {
      if (typeof value !== 'object' || value.length === inputSize) continue;
      const message = `"${at}.${key}" expected a number or a list of ${inputSize}, got ${show(value)}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    return layer;
  },
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower({ name, inputSize, factor, offset }, build) {
    const still = { frozen: true, momentum: 0, unbiased: false };
    const norm = { name, inputSize, eps: 0, scale: false, bias: false, ...still };
    const given = { weight: factor, bias: offset };
    build.add(new NormNode(build.top, { type: 'batchNorm', ...norm }, given));
  },
};
