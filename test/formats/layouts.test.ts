import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layouts } from '../../src/formats/layouts.ts';
import type { CellParameters } from '../../src/formats/layouts.ts';
import { Engine, Model } from '../../src/hosts/default.ts';
import type { LayerSpec, Tensor } from '../../src/hosts/default.ts';
import { createRandom } from '../support/random.ts';

/**
 * The formulas of each framework in float64, on its own arrays as they lie: what comes out of
 * gatefold has to be the same. Nothing here knows of gatefold's order.
 */
const [I, H, STEPS] = [3, 5, 6];

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ simd: 'deterministic' });
});
afterAll(() => engine.dispose());

const random = createRandom(7);
const tensor = (...shape: number[]): Tensor => {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let k = 0; k < data.length; k++) data[k] = random.around(1);
  return { shape, data };
};
const inputs = tensor(STEPS, I).data;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** The number at some place of an array. */
const at = ({ shape, data }: Tensor, ...place: number[]): number =>
  data[place.reduce((offset, index, axis) => offset * shape[axis]! + index, 0)]!;
const sum = (length: number, of: (k: number) => number): number => {
  let total = 0;
  for (let k = 0; k < length; k++) total += of(k);
  return total;
};

type State = { h: number[]; c: number[] };
type Step = (x: readonly number[], state: State) => State;
/** A pre-activation: of gate block `g` and unit `u`, from x and a state. */
type Product = (g: number, u: number, x: readonly number[], h: readonly number[]) => number;

/** All h of a sequence. */
function run(step: Step, { h, c }: State = { h: zeros(), c: zeros() }): number[] {
  let state: State = { h, c };
  const outputs: number[] = [];
  for (let t = 0; t < STEPS; t++) {
    state = step([...inputs.subarray(t * I, (t + 1) * I)], state);
    outputs.push(...state.h);
  }
  return outputs;
}
const zeros = (): number[] => Array.from({ length: H }, () => 0);
const units = (of: (u: number) => number): number[] => Array.from({ length: H }, (_, u) => of(u));

/** @param places the blocks of input, forget, candidate and output. */
function lstm(
  product: Product,
  places: number[],
  peep?: (gate: number, u: number) => number,
): Step {
  const [i, f, g, o] = places as [number, number, number, number];
  return (x, { h, c }) => {
    const see = (gate: number, u: number, cell: readonly number[]): number =>
      peep ? peep(gate, u) * cell[u]! : 0;
    const next = units((u) => {
      const input = sigmoid(product(i, u, x, h) + see(0, u, c));
      const forget = f < 0 ? 1 - input : sigmoid(product(f, u, x, h) + see(1, u, c));
      return forget * c[u]! + input * Math.tanh(product(g, u, x, h));
    });
    const out = units((u) => sigmoid(product(o, u, x, h) + see(2, u, next)) * Math.tanh(next[u]!));
    return { h: out, c: next };
  };
}

/** @param parts the two halves of the candidate: of x, and of a state. */
function gru(
  product: Product,
  [r, z]: readonly [number, number],
  parts: { x(u: number, x: readonly number[]): number; h(u: number, h: readonly number[]): number },
  after: boolean,
): Step {
  return (x, { h, c }) => {
    const reset = units((u) => sigmoid(product(r, u, x, h)));
    const kept = h.map((value, u) => reset[u]! * value);
    const next = units((u) => {
      const update = sigmoid(product(z, u, x, h));
      const past = after ? reset[u]! * parts.h(u, h) : parts.h(u, kept);
      return (1 - update) * Math.tanh(parts.x(u, x) + past) + update * h[u]!;
    });
    return { h: next, c };
  };
}

/** Rounded up: what float32 and five hundred sums of it may differ by. */
const TOLERANCE = 2e-6;

function expectSame(layer: LayerSpec, parameters: CellParameters, step: Step, first?: State): void {
  const model = Model.create(engine, { layers: [layer] }, { init: 'zeros' });
  model.loadStateDict(layouts.toStateDict(layer.type, parameters));
  const { output } = model.forward(inputs, { steps: STEPS });
  const wanted = run(step, first);
  const worst = Math.max(...wanted.map((value, k) => Math.abs(value - output[k]!)));
  expect(worst).toBeLessThan(TOLERANCE);
  expect(layouts.fromStateDict(model.stateDict(), layer.type)).toEqual(parameters);
  model.dispose();
}

const single = { inputSize: I, hiddenSize: H, bias: 'single' } as const;
const both = { inputSize: I, hiddenSize: H };

describe('keras', () => {
  const product =
    (kernel: Tensor, recurrent: Tensor, bias?: Tensor): Product =>
    (g, u, x, h) =>
      sum(I, (k) => x[k]! * at(kernel, k, g * H + u)) +
      sum(H, (k) => h[k]! * at(recurrent, k, g * H + u)) +
      (bias?.data[g * H + u] ?? 0);

  it('LSTM: i f c o', () => {
    const [W, U, b] = [tensor(I, 4 * H), tensor(H, 4 * H), tensor(4 * H)];
    const parameters = layouts.keras.lstm(W, U, b);
    expectSame({ type: 'lstm', ...single }, parameters, lstm(product(W, U, b), [0, 1, 2, 3]));
    expect(layouts.keras.toLstm(parameters)).toEqual({ kernel: W, recurrent: U, bias: b });
    const bare = layouts.keras.lstm(W, U);
    expectSame({ type: 'lstm', ...both, bias: false }, bare, lstm(product(W, U), [0, 1, 2, 3]));
    expect(layouts.keras.toLstm(bare)).toEqual({ kernel: W, recurrent: U });
  });

  it('GRU: z r h, reset after and before', () => {
    const [W, U] = [tensor(I, 3 * H), tensor(H, 3 * H)];
    const two = tensor(2, 3 * H);
    const [b0, b1] = [two.data.subarray(0, 3 * H), two.data.subarray(3 * H)];
    const summed = { shape: [3 * H], data: b0.map((value, k) => value + b1[k]!) };
    const x = (u: number, xs: readonly number[]): number =>
      sum(I, (k) => xs[k]! * at(W, k, 2 * H + u)) + b0[2 * H + u]!;
    const h = (u: number, hs: readonly number[]): number =>
      sum(H, (k) => hs[k]! * at(U, k, 2 * H + u)) + b1[2 * H + u]!;
    const after = layouts.keras.gru(W, U, two);
    const gates = product(W, U, summed);
    expectSame({ type: 'gru', ...both }, after, gru(gates, [1, 0], { x, h }, true));
    expect(layouts.keras.toGru(after)).toEqual({ kernel: W, recurrent: U, bias: two });

    const before = layouts.keras.gru(W, U, summed, { resetAfter: false });
    const layer = { type: 'gru', ...single, resetAfter: false } as const;
    expectSame(layer, before, gru(gates, [1, 0], { x, h }, false));
    const back = layouts.keras.toGru(before, { resetAfter: false });
    expect(back).toEqual({ kernel: W, recurrent: U, bias: summed });
    expect(layouts.keras.toGru(after, { resetAfter: false }).bias).toEqual(summed);
  });

  it('RNN, and kernels of other layers', () => {
    const [W, U, b] = [tensor(I, H), tensor(H, H), tensor(H)];
    const parameters = layouts.keras.rnn(W, U, b);
    const step: Step = (x, { h, c }) => ({
      h: units((u) => Math.tanh(product(W, U, b)(0, u, x, h))),
      c,
    });
    expectSame({ type: 'rnn', ...single }, parameters, step);
    expect(layouts.keras.toRnn(parameters)).toEqual({ kernel: W, recurrent: U, bias: b });
    expect(layouts.keras.dense(W)).toEqual(parameters.weight_ih);
    const kernel = tensor(2, I, H);
    const weight = layouts.keras.conv1d(kernel);
    expect(weight.shape).toEqual([H, I, 2]);
    expect(at(weight, 4, 2, 1)).toBe(at(kernel, 1, 2, 4));
    expect(layouts.keras.conv1d(weight)).toEqual(kernel);
  });
});

describe('keras 1', () => {
  const cellOf = (names: readonly string[]): Record<string, Tensor> =>
    Object.fromEntries(
      names.flatMap((name) => [
        [`W${name}`, tensor(I, H)],
        [`U${name}`, tensor(H, H)],
        [`b${name}`, tensor(H)],
      ]),
    );
  const productOf =
    (cell: Record<string, Tensor>, names: readonly string[]): Product =>
    (g, u, x, h) =>
      sum(I, (k) => x[k]! * at(cell[`W${names[g]}`]!, k, u)) +
      sum(H, (k) => h[k]! * at(cell[`U${names[g]}`]!, k, u)) +
      at(cell[`b${names[g]}`]!, u);

  it('LSTM, GRU and RNN', () => {
    const gates = ['_i', '_f', '_c', '_o'];
    const cell = cellOf(gates);
    const parameters = layouts.keras1.lstm(cell);
    expectSame({ type: 'lstm', ...single }, parameters, lstm(productOf(cell, gates), [0, 1, 2, 3]));
    expect(layouts.keras1.toLstm(parameters)).toEqual(cell);

    const few = ['_z', '_r', '_h'];
    const other = cellOf(few);
    const product = productOf(other, few);
    const candidate = {
      x: (u: number, x: readonly number[]) => product(2, u, x, zeros()),
      h: (u: number, h: readonly number[]) => sum(H, (k) => h[k]! * at(other.U_h!, k, u)),
    };
    const unit = layouts.keras1.gru(other);
    const layer = { type: 'gru', ...single, resetAfter: false } as const;
    expectSame(layer, unit, gru(product, [1, 0], candidate, false));
    expect(layouts.keras1.toGru(unit)).toEqual(other);

    const one = cellOf(['']);
    expect(layouts.keras1.toRnn(layouts.keras1.rnn(one))).toEqual(one);
    expect(() => layouts.keras1.lstm({ ...cell, U_f: tensor(H, 2) })).toThrow(
      '"U_f" expected the shape [H, H], here [5, 5], got [5, 2]',
    );
  });
});

describe('ONNX', () => {
  const product =
    ({ W, R, B }: { W: Tensor; R: Tensor; B?: Tensor }, d: number): Product =>
    (g, u, x, h) =>
      sum(I, (k) => x[k]! * at(W, d, g * H + u, k)) +
      sum(H, (k) => h[k]! * at(R, d, g * H + u, k)) +
      (B ? at(B, d, g * H + u) + at(B, d, W.shape[1]! + g * H + u) : 0);

  it('LSTM: i o f c, peepholes i o f, two directions', () => {
    const [W, R, B] = [tensor(2, 4 * H, I), tensor(2, 4 * H, H), tensor(2, 8 * H)];
    const P = tensor(2, 3 * H);
    const places = [0, 2, 3, 1];
    const directions = ([0, 1] as const).map((direction) => {
      const parameters = layouts.onnx.lstm(W, R, B, P, { direction });
      const peep = (gate: number, u: number): number => at(P, direction, [0, 2, 1][gate]! * H + u);
      const step = lstm(product({ W, R, B }, direction), places, peep);
      expectSame({ type: 'lstm', ...both, peephole: 'diagonal' }, parameters, step);
      return parameters;
    });
    expect(layouts.onnx.toLstm(...directions)).toEqual({ W, R, B, P });
    const plain = layouts.onnx.lstm(W, R, undefined, undefined, { direction: 1 });
    const step = lstm(product({ W, R }, 1), places);
    expectSame({ type: 'lstm', ...both, bias: false }, plain, step);
    const coupled = layouts.onnx.lstm(W, R, B, P, { inputForget: true });
    const peep = (gate: number, u: number): number => at(P, 0, [0, 2, 1][gate]! * H + u);
    expectSame(
      { type: 'lstm', ...both, peephole: 'diagonal', inputForget: true },
      coupled,
      lstm(product({ W, R, B }, 0), [0, -1, 3, 1], peep),
    );
    const back = layouts.onnx.toLstm(coupled);
    expect(layouts.onnx.lstm(back.W, back.R, back.B, back.P, { inputForget: true })).toEqual(
      coupled,
    );
  });

  it('GRU: z r h, and RNN', () => {
    const [W, R, B] = [tensor(1, 3 * H, I), tensor(1, 3 * H, H), tensor(1, 6 * H)];
    const x = (u: number, xs: readonly number[]): number =>
      sum(I, (k) => xs[k]! * at(W, 0, 2 * H + u, k)) + at(B, 0, 2 * H + u);
    const h = (u: number, hs: readonly number[]): number =>
      sum(H, (k) => hs[k]! * at(R, 0, 2 * H + u, k)) + at(B, 0, 5 * H + u);
    const parameters = layouts.onnx.gru(W, R, B);
    for (const resetAfter of [true, false]) {
      const step = gru(product({ W, R, B }, 0), [1, 0], { x, h }, resetAfter);
      expectSame({ type: 'gru', ...both, resetAfter }, parameters, step);
    }
    expect(layouts.onnx.toGru(parameters)).toEqual({ W, R, B });
    const rnn = { W: tensor(1, H, I), R: tensor(1, H, H), B: tensor(1, 2 * H) };
    expect(layouts.onnx.toRnn(layouts.onnx.rnn(rnn.W, rnn.R, rnn.B))).toEqual(rnn);
  });
});

describe('TensorFlow 1', () => {
  const product =
    ({ kernel, bias }: { kernel: Tensor; bias: Tensor }): Product =>
    (g, u, x, h) =>
      sum(I + H, (k) => (k < I ? x[k]! : h[k - I]!) * at(kernel, k, g * H + u)) +
      bias.data[g * H + u]!;

  it('BasicLSTMCell: i j f o, and a bias of the forget gate', () => {
    const cell = { kernel: tensor(I + H, 4 * H), bias: tensor(4 * H) };
    for (const forgetBias of [undefined, 0.5]) {
      const parameters = layouts.tf1.lstm(cell.kernel, cell.bias, { forgetBias });
      const open: Product = (g, u, x, h) =>
        product(cell)(g, u, x, h) + (g === 2 ? (forgetBias ?? 1) : 0);
      expectSame({ type: 'lstm', ...single }, parameters, lstm(open, [0, 2, 1, 3]));
      const back = layouts.tf1.toLstm(parameters, { forgetBias });
      expect(back.kernel).toEqual(cell.kernel);
      back.bias.data.forEach((b, k) => expect(b).toBeCloseTo(cell.bias.data[k]!, 6));
    }
  });

  it('GRUCell: r u and a candidate that sees the reset state, and BasicRNNCell', () => {
    const gates = { kernel: tensor(I + H, 2 * H), bias: tensor(2 * H) };
    const candidate = { kernel: tensor(I + H, H), bias: tensor(H) };
    const parameters = layouts.tf1.gru(gates, candidate);
    const parts = {
      x: (u: number, x: readonly number[]) => product(candidate)(0, u, x, zeros()),
      h: (u: number, h: readonly number[]) => sum(H, (k) => h[k]! * at(candidate.kernel, I + k, u)),
    };
    const layer = { type: 'gru', ...single, resetAfter: false } as const;
    expectSame(layer, parameters, gru(product(gates), [0, 1], parts, false));
    expect(layouts.tf1.toGru(parameters)).toEqual({ gates, candidate });
    const { kernel, bias } = layouts.tf1.toRnn(layouts.tf1.rnn(candidate.kernel, candidate.bias));
    expect({ kernel, bias }).toEqual(candidate);
  });
});

describe('NAM', () => {
  it('LSTM: i f g o, [W | R], stored states', () => {
    const weight = tensor(4 * H, I + H);
    const [bias, h0, c0] = [tensor(4 * H), tensor(H), tensor(H)];
    const parameters = layouts.nam.lstm(weight, bias, h0, c0);
    const product: Product = (g, u, x, h) =>
      sum(I + H, (k) => (k < I ? x[k]! : h[k - I]!) * at(weight, g * H + u, k)) +
      bias.data[g * H + u]!;
    const first = { h: [...h0.data], c: [...c0.data] };
    const layer = { type: 'lstm', ...single, initialState: 'learned' } as const;
    expectSame(layer, parameters, lstm(product, [0, 1, 2, 3]), first);
    expect(layouts.nam.toLstm(parameters)).toEqual({ weight, bias, h0, c0 });
  });
});

describe('refusals', () => {
  const [W, U] = [tensor(I, 4 * H), tensor(H, 4 * H)];
  it.each<[name: string, act: () => unknown, message: string]>([
    [
      'a kernel of another layer',
      () => layouts.keras.lstm(tensor(I, 3 * H), U),
      '"kernel" expected the shape [I, 4H], here [I, 20], got [3, 15]',
    ],
    [
      'a bias of a GRU with reset before',
      () => layouts.keras.gru(tensor(I, 3 * H), tensor(H, 3 * H), tensor(3 * H)),
      '"bias" expected the shape [2, 3H], here [2, 15], got [15]',
    ],
    [
      'no array',
      () => layouts.keras.lstm(W, undefined as never),
      '"recurrent" expected an object, got undefined',
    ],
    ['no shape', () => layouts.keras.lstm(W, {} as never), '"recurrent" expected { shape, data }'],
    [
      'too few numbers',
      () => layouts.keras.lstm(W, { ...U, data: new Float32Array(3) }),
      '"recurrent.data" expected Float32Array of length 100',
    ],
    [
      'a second direction that is not there',
      () => layouts.onnx.rnn(tensor(1, H, I), tensor(1, H, H), undefined, { direction: 1 }),
      '"R" expected a direction 1',
    ],
    [
      'a kernel without inputs',
      () => layouts.tf1.lstm(tensor(H, 4 * H), tensor(4 * H)),
      '"kernel" expected the shape [I + H, 4H], I at least 1 and H 5, got [5, 20]',
    ],
    [
      'peepholes where there is no place',
      () => layouts.keras.toLstm({ ...layouts.keras.lstm(W, U), weight_peephole: tensor(3, H) }),
      '"weight_peephole" has no place in Keras',
    ],
    [
      'a misspelt option',
      () => layouts.keras.gru(W, U, undefined, { reset_after: true } as never),
      'has no option "reset_after"',
    ],
    [
      'a layer that is not there',
      () => layouts.fromStateDict(new Map(), 'lstm'),
      'the state has no "lstm.weight_ih_l0"',
    ],
  ])('%s', (_, act, message) => expect(act).toThrow(message));
});
