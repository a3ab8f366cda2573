/**
 * Operators whose inputs have too few axes, too many, no numbers, more than any memory holds, parts
 * of a number where whole ones belong, or sizes that nobody has said: read, or refused by name.
 */

import { expect, it } from 'vitest';
import { GatefoldError } from '../../src/base/errors.ts';
import { loadOnnx } from '../../src/formats/onnx.ts';
import { OPERATORS } from '../../src/formats/onnx/operators.ts';
import { PROGRAM } from '../../src/formats/onnx/program/operators.ts';
import { encodeOnnx } from '../peers/onnx-writer.ts';
import { createEngine } from '../support/engines.ts';

const engine = createEngine('baseline');
const TYPES = new Set([...Object.keys(OPERATORS), ...Object.keys(PROGRAM), 'If', 'Loop', 'Scan']);
const INPUTS = [[], [3], [2, 3], ['n', 2, 3], [1, 2, 3, 3], [1, 2 ** 31 - 1], [1, 2 ** 40, 3]];
const CONSTANTS = [[], [0], [3], [3, 3], [1, 1, 1]];
const NAMES = ['a', 'b', 'c', 'd'];

interface Odd {
  readonly type: string;
  readonly input: (number | string)[];
  readonly dims: number[];
  readonly count: number;
  /** Each number of the constants; 1 unless given. */
  readonly value?: number;
  /** Inputs that are the sizes of `x`, unknown ones too. */
  readonly shape?: number;
}

/** What is thrown that is no GatefoldError. */
function fault(odd: Odd): unknown {
  const { type, input, dims, count, value = 1, shape } = odd;
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value);
  const inputs = ['x', ...NAMES].slice(0, count);
  if (shape !== undefined) inputs[shape] = 'sizes';
  const bytes = encodeOnnx({
    inputs: [{ name: 'x', dims: input }],
    outputs: ['y'],
    opset: 17,
    initializers: NAMES.map((name) => ({ name, dims, data })),
    nodes: [
      { opType: 'Shape', inputs: ['x'], outputs: ['sizes'] },
      { opType: type, inputs, outputs: ['y', 'z'] },
    ],
  });
  const isKnown = input.includes('n') && shape === undefined;
  try {
    loadOnnx(engine, bytes, isKnown ? { dims: { n: 2 } } : {});
  } catch (error) {
    if (!(error instanceof GatefoldError)) return { ...odd, error };
  }
  return undefined;
}

it.each([1, 2, 5])('%d inputs of any shape', (count) => {
  const all = [...TYPES].flatMap((type) =>
    INPUTS.flatMap((input) => CONSTANTS.map((dims) => fault({ type, input, dims, count }))),
  );
  expect(all.length).toBeGreaterThan(2000);
  expect(all.filter((one) => one !== undefined)).toEqual([]);
});

const COUNTS = [1, 2, 3, 4, 5];

it.each([1.5, -0.5, NaN, Infinity, 2 ** 31])('constants of %d', (value) => {
  const all = [...TYPES].flatMap((type) =>
    COUNTS.flatMap((count) =>
      [[], [3], [3, 3]].map((dims) => fault({ type, input: [2, 1, 3], dims, count, value })),
    ),
  );
  expect(all.length).toBeGreaterThan(1500);
  expect(all.filter((one) => one !== undefined)).toEqual([]);
});

it('sizes that nobody has said, in the place of any input', () => {
  const all = [...TYPES].flatMap((type) =>
    COUNTS.flatMap((count) =>
      Array.from({ length: count }, (_, shape) => shape).flatMap((shape) =>
        [['n'], ['n', 2, 3], ['n', 'm', 2, 3]].map((input) =>
          fault({ type, input, dims: [3], count, shape }),
        ),
      ),
    ),
  );
  expect(all.length).toBeGreaterThan(4500);
  expect(all.filter((one) => one !== undefined)).toEqual([]);
});

it('more nodes than are read', () => {
  const count = 2 ** 14 + 1;
  const bytes = encodeOnnx({
    inputs: [{ name: 'x0', dims: ['n', 3] }],
    outputs: [`x${count}`],
    opset: 17,
    initializers: [],
    nodes: Array.from({ length: count }, (_, k) => ({
      opType: 'Relu',
      inputs: [`x${k}`],
      outputs: [`x${k + 1}`],
    })),
  });
  expect(() => loadOnnx(engine, bytes)).toThrow('it has more than 16384 nodes');
});
