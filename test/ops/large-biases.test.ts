import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, Model } from '../../src/hosts/default.ts';
import type { LayerSpec, StateDict } from '../../src/hosts/default.ts';

const INPUTS = 64;
const UNITS = 48;
const BIAS = 200;
/** Sizes of a GRU in which the bias and what cancels it leave little. */
const [BATCH, STEPS] = [32, 1];

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create();
});
afterAll(() => engine.dispose());

/** Numbers that look random, between -1 and 1. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** Weights [N, I] whose sum with the inputs cancels a bias of 200 but for little, and the bias. */
function cancelling(rows: number, seed: number): { weight: Float32Array; bias: Float32Array } {
  const weight = noise(rows * INPUTS, seed).map((value) => value * 0.1);
  const signs = noise(rows, seed + 1);
  const bias = signs.map((sign) => (sign < 0 ? -BIAS : BIAS) + sign);
  for (let row = 0; row < rows; row++) weight[(row + 1) * INPUTS - 1] = -bias[row]!;
  return { weight, bias };
}

/** Inputs whose last feature is nearly 1. */
function inputs(rows: number): Float32Array {
  return noise(rows * INPUTS, 7).map((value, k) =>
    (k + 1) % INPUTS === 0 ? 1 + value * 1e-3 : value,
  );
}

type Rounding = (value: number) => number;
const exact: Rounding = (value) => value;

/** bias + sum of w x in an order as PyTorch has it: the sum, then the bias. */
function affine(
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  row: number,
  width: number,
  x: (k: number) => number,
  round: Rounding,
): number {
  let sum = 0;
  for (let k = 0; k < width; k++) sum = round(sum + round(weight[row * width + k]! * x(k)));
  return round(sum + bias[row]!);
}

const rms = (of: ArrayLike<number>, from: ArrayLike<number>): number =>
  Math.sqrt(Array.from(of).reduce((sum, value, k) => sum + (value - from[k]!) ** 2, 0) / of.length);

function run(spec: LayerSpec, tensors: StateDict, x: Float32Array): Float32Array {
  const model = Model.create(engine, { layers: [spec] });
  model.loadStateDict(tensors);
  const { output } = model.forward(x, { steps: STEPS, batch: BATCH });
  model.dispose();
  return output;
}

const tensor = (data: Float32Array, ...shape: number[]) => ({ shape, data });

/** Our error against float64, and that of float32 as PyTorch sums it up. */
function compare(ours: Float32Array, formula: (round: Rounding) => number[]): [number, number] {
  const right = formula(exact);
  return [rms(ours, right), rms(formula(Math.fround), right)];
}

describe('biases of 200 that the products cancel', () => {
  const x = inputs(STEPS * BATCH);

  it('cost a linear layer no more bits than PyTorch', () => {
    const { weight, bias } = cancelling(UNITS, 1);
    const spec: LayerSpec = {
      type: 'linear',
      name: 'own',
      inFeatures: INPUTS,
      outFeatures: UNITS,
    };
    const tensors: StateDict = new Map([
      ['own.weight', tensor(weight, UNITS, INPUTS)],
      ['own.bias', tensor(bias, UNITS)],
    ]);
    const [own, plain] = compare(run(spec, tensors, x), (round) =>
      Array.from({ length: BATCH * UNITS }, (_, at) => {
        const row = Math.floor(at / UNITS);
        return affine(weight, bias, at % UNITS, INPUTS, (k) => x[row * INPUTS + k]!, round);
      }),
    );
    expect(plain).toBeGreaterThan(0);
    expect(own).toBeLessThan(2 * plain);
  });

  it('cost a convolution no more', () => {
    const { weight, bias } = cancelling(UNITS, 2);
    const spec: LayerSpec = {
      type: 'conv1d',
      name: 'own',
      inChannels: INPUTS,
      outChannels: UNITS,
      kernelSize: 1,
    };
    const tensors: StateDict = new Map([
      ['own.weight', tensor(weight, UNITS, INPUTS, 1)],
      ['own.bias', tensor(bias, UNITS)],
    ]);
    const [own, plain] = compare(run(spec, tensors, x), (round) =>
      Array.from({ length: BATCH * UNITS }, (_, at) => {
        const row = Math.floor(at / UNITS);
        return affine(weight, bias, at % UNITS, INPUTS, (k) => x[row * INPUTS + k]!, round);
      }),
    );
    expect(own).toBeLessThan(2 * plain);
  });

  it.each([true, false])('cost a GRU no more, resetAfter: %s', (resetAfter) => {
    const input = cancelling(3 * UNITS, 3);
    const recurrent = noise(3 * UNITS * UNITS, 4).map((value) => value * 0.1);
    const hidden = noise(3 * UNITS, 5).map((value) => value * 0.1);
    const start = noise(BATCH * UNITS, 6);
    const spec: LayerSpec = {
      type: 'gru',
      name: 'own',
      inputSize: INPUTS,
      hiddenSize: UNITS,
      resetAfter,
    };
    const model = Model.create(engine, { layers: [spec] });
    model.loadStateDict(
      new Map([
        ['own.weight_ih_l0', tensor(input.weight, 3 * UNITS, INPUTS)],
        ['own.weight_hh_l0', tensor(recurrent, 3 * UNITS, UNITS)],
        ['own.bias_ih_l0', tensor(input.bias, 3 * UNITS)],
        ['own.bias_hh_l0', tensor(hidden, 3 * UNITS)],
      ]),
    );
    const { output } = model.forward(x, { steps: 1, batch: BATCH, state: { own: { h: start } } });
    model.dispose();
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const formula = (round: Rounding): number[] =>
      Array.from({ length: BATCH * UNITS }, (_, at) => {
        const [b, unit] = [Math.floor(at / UNITS), at % UNITS];
        const old = (k: number): number => start[b * UNITS + k]!;
        const ofInput = (gate: number, j: number): number =>
          affine(
            input.weight,
            input.bias,
            gate * UNITS + j,
            INPUTS,
            (k) => x[b * INPUTS + k]!,
            round,
          );
        const ofState = (gate: number, j: number, h: (k: number) => number): number =>
          affine(recurrent, hidden, gate * UNITS + j, UNITS, h, round);
        const gate = (which: number, j: number): number =>
          round(sigmoid(round(ofInput(which, j) + ofState(which, j, old))));
        const z = gate(1, unit);
        const candidate = resetAfter
          ? round(ofInput(2, unit) + round(gate(0, unit) * ofState(2, unit, old)))
          : round(ofInput(2, unit) + ofState(2, unit, (k) => round(gate(0, k) * old(k))));
        const n = round(Math.tanh(candidate));
        return round(n + round(z * round(old(unit) - n)));
      });
    const [own, plain] = compare(output, formula);
    expect(own).toBeLessThan(2 * plain);
  });
});
