/**
 * Operators whose inputs have too few axes, too many, no numbers, or more than any memory holds:
 * read, or refused by name.
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

/** What is thrown that is no GatefoldError. */
function fault(type: string, input: (number | string)[], dims: number[], count: number): unknown {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(1);
  const bytes = encodeOnnx({
    inputs: [{ name: 'x', dims: input }],
    outputs: ['y'],
    opset: 17,
    initializers: NAMES.map((name) => ({ name, dims, data })),
    nodes: [{ opType: type, inputs: ['x', ...NAMES].slice(0, count), outputs: ['y', 'z'] }],
  });
  try {
    loadOnnx(engine, bytes, input.includes('n') ? { dims: { n: 2 } } : {});
  } catch (error) {
    if (!(error instanceof GatefoldError)) return { type, input, dims, count, error };
  }
  return undefined;
}

it.each([1, 2, 5])('%d inputs of any shape', (count) => {
  const all = [...TYPES].flatMap((type) =>
    INPUTS.flatMap((input) => CONSTANTS.map((dims) => fault(type, input, dims, count))),
  );
  expect(all.length).toBeGreaterThan(2000);
  expect(all.filter((one) => one !== undefined)).toEqual([]);
});
