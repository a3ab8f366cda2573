/**
 * What ONNX' own backend tests of recurrent nodes show: defaults, bias, peepholes, several steps, and
 * the batch in front; all inputs of the node are inputs of the graph, and weights are set. Expected
 * are the formulas of the standard in float64.
 */
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../src/formats/onnx.ts';
import { build } from '../../src/formats/shared/imported.ts';
import { encodeOnnx } from '../peers/onnx-writer.ts';
import type { OnnxInput } from '../peers/onnx-writer.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { turn } from './onnx-cases.ts';
import { runImported, worstOf } from './onnx-run.ts';
import type { OnnxArray } from './onnx-run.ts';

const GATES = { RNN: 1, GRU: 3, LSTM: 4 };

interface Case {
  readonly type: keyof typeof GATES;
  /** Steps, sequences, features, units. */
  readonly sizes: readonly [T: number, B: number, I: number, H: number];
  /** All weights; random ones where absent. */
  readonly scale?: number;
  readonly bias?: number | 'random';
  readonly peepholes?: number;
  readonly isBatchFirst?: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  'LSTM, defaults': { type: 'LSTM', sizes: [1, 3, 2, 3], scale: 0.1 },
  'LSTM, a bias': { type: 'LSTM', sizes: [1, 3, 3, 4], scale: 0.1, bias: 0.1 },
  'LSTM, peepholes': { type: 'LSTM', sizes: [1, 2, 4, 3], scale: 0.1, bias: 0, peepholes: 0.1 },
  'LSTM, batch first': { type: 'LSTM', sizes: [1, 3, 2, 7], scale: 0.3, isBatchFirst: true },
  'GRU, defaults': { type: 'GRU', sizes: [1, 3, 2, 5], scale: 0.1 },
  'GRU, a bias': { type: 'GRU', sizes: [1, 3, 3, 3], scale: 0.1, bias: 0.1 },
  'GRU, several steps': { type: 'GRU', sizes: [2, 3, 3, 5], bias: 'random' },
  'GRU, batch first': { type: 'GRU', sizes: [1, 3, 2, 6], scale: 0.2, isBatchFirst: true },
  'RNN, defaults': { type: 'RNN', sizes: [1, 3, 2, 4], scale: 0.1 },
  'RNN, a bias': { type: 'RNN', sizes: [1, 3, 3, 5], scale: 0.1, bias: 0.1 },
  'RNN, several steps': { type: 'RNN', sizes: [2, 3, 3, 5], bias: 'random' },
  'RNN, batch first': { type: 'RNN', sizes: [1, 3, 2, 4], scale: 0.5, isBatchFirst: true },
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** All inputs of the node, in float32 and the batch after the steps, and what it gives. */
function drawn({ type, sizes, scale, bias, peepholes }: Case): {
  inputs: (OnnxArray & { type?: OnnxInput['type'] })[];
  outputs: OnnxArray[];
} {
  const [T, B, I, H] = sizes;
  const G = GATES[type];
  const random = createRandom(T + B + I + H);
  const array = (name: string, shape: number[], of: () => number): OnnxArray => {
    const count = shape.reduce((a, b) => a * b, 1);
    return { name, shape, data: Float32Array.from({ length: count }, of) };
  };
  let count = 0;
  const X = array('X', [T, B, I], () => ++count);
  const weight = (): number => scale ?? random.unit() - 0.5;
  const W = array('W', [1, G * H, I], weight);
  const R = array('R', [1, G * H, H], weight);
  let k = 0;
  // Constant ones are those of W, beside zeros.
  const own = (): number =>
    bias === 'random' ? random.unit() - 0.5 : k++ < G * H ? (bias as number) : 0;
  const biases = array('B', [1, 2 * G * H], bias === undefined ? () => 0 : own);
  const P = array('P', [1, 3 * H], () => peepholes ?? 0);
  const [w, r, b, p] = [W, R, biases, P].map(({ data }) => data as Float32Array);
  const state = { h: new Float64Array(B * H), c: new Float64Array(B * H) };
  const Y: number[] = [];
  for (let t = 0; t < T; t++) {
    const before = { h: state.h.slice(), c: state.c.slice() };
    for (let row = 0; row < B * H; row++) {
      const [s, u] = [Math.floor(row / H), row % H];
      const ofX = (g: number): number => {
        let sum = b![g * H + u]!;
        for (let j = 0; j < I; j++) sum += w![(g * H + u) * I + j]! * X.data[(t * B + s) * I + j]!;
        return sum;
      };
      const ofH = (g: number, gate: (j: number) => number = () => 1): number => {
        let sum = b![(G + g) * H + u]!;
        for (let j = 0; j < H; j++) {
          sum += r![(g * H + u) * H + j]! * gate(j) * before.h[s * H + j]!;
        }
        return sum;
      };
      const at = (g: number): number => ofX(g) + ofH(g);
      if (type === 'RNN') state.h[row] = Math.tanh(at(0));
      else if (type === 'GRU') {
        const z = sigmoid(at(0));
        // The reset gate of every unit comes before the product.
        const reset = (j: number): number => {
          let sum = b![H + j]! + b![(G + 1) * H + j]!;
          for (let i = 0; i < I; i++) sum += w![(H + j) * I + i]! * X.data[(t * B + s) * I + i]!;
          for (let i = 0; i < H; i++) sum += r![(H + j) * H + i]! * before.h[s * H + i]!;
          return sigmoid(sum);
        };
        const n = Math.tanh(ofX(2) + ofH(2, reset));
        state.h[row] = (1 - z) * n + z * before.h[row]!;
      } else {
        const c = before.c[row]!;
        const [i, f] = [sigmoid(at(0) + p![u]! * c), sigmoid(at(2) + p![2 * H + u]! * c)];
        state.c[row] = f * c + i * Math.tanh(at(3));
        const o = sigmoid(at(1) + p![H + u]! * state.c[row]);
        state.h[row] = o * Math.tanh(state.c[row]);
      }
    }
    Y.push(...state.h);
  }
  const lengths = {
    name: 'sequence_lens',
    shape: [B],
    data: new Int32Array(B).fill(T),
    type: 'int32' as const,
  };
  const more = [
    lengths,
    array('initial_h', [1, B, H], () => 0),
    array('initial_c', [1, B, H], () => 0),
    P,
  ];
  return {
    inputs: [
      X,
      W,
      R,
      ...(bias === undefined ? [] : [biases]),
      ...(peepholes === undefined ? [] : more),
    ],
    outputs: [
      { name: 'Y', shape: [T, 1, B, H], data: Y },
      { name: 'Y_h', shape: [1, B, H], data: state.h },
    ],
  };
}

describe('recurrent nodes as the backend tests of ONNX have them', () => {
  const engine = createEngine('relaxed');

  describe.each([7, 14, 22])('opset %d', (opset) => {
    it.each(Object.entries(CASES))('%s', (_, given) => {
      const { type, sizes, isBatchFirst = false } = given;
      const { inputs, outputs } = drawn(given);
      const turned = (one: OnnxArray, order: number[]): OnnxArray =>
        isBatchFirst ? turn(one, order) : one;
      const own = inputs.map((one) => (one.name === 'X' ? turned(one, [1, 0, 2]) : one));
      const [Y, h] = outputs as [OnnxArray, OnnxArray];
      const expected = [turned(Y, [2, 0, 1, 3]), turned(h, [1, 0, 2])];
      const bytes = encodeOnnx({
        inputs: own.map(({ name, shape, ...more }) => ({ name, dims: shape, ...more })),
        outputs: ['Y', 'Y_h'],
        initializers: [],
        nodes: [
          {
            opType: type,
            inputs: own.map(({ name }) => name),
            outputs: ['Y', 'Y_h'],
            attributes: { hidden_size: sizes[3], ...(isBatchFirst && { layout: 1 }) },
          },
        ],
        opset,
      });
      const isWeight = ({ name }: OnnxArray): boolean => ['W', 'R', 'B', 'P'].includes(name);
      const set = Object.fromEntries(own.filter(isWeight).map(({ name, data }) => [name, data]));
      const model = build(engine, readOnnx(bytes, { set }));
      const rest = own.filter((one) => !isWeight(one));
      expect(worstOf(model, runImported(model, rest), expected, rest)).toBeLessThan(5e-7);
      model.dispose();
    });
  });

  it('says how weights that are inputs can be given', () => {
    const { inputs } = drawn(CASES['RNN, defaults']!);
    const bytes = encodeOnnx({
      inputs: inputs.map(({ name, shape }) => ({ name, dims: shape })),
      outputs: ['Y'],
      initializers: [],
      nodes: [{ opType: 'RNN', inputs: ['X', 'W', 'R'], outputs: ['Y'] }],
    });
    expect(() => readOnnx(bytes)).toThrow(/its W must be a constant.*\{ set \}/);
  });
});
