/**
 * `gatefold/kernels`: the primitives for layers against float64, what they refuse, and that what
 * they pack goes back. The cells' updates are tested with the cells.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { kernelsOf } from '../../src/engine/engine.ts';
import { Kernels, type Convolution, type ConvolutionOptions } from '../../src/kernels/index.ts';
import { curveOf } from '../reference/activation.ts';
import { convForward, outputSteps } from '../reference/conv1d.ts';
import { addProduct } from '../reference/math.ts';
import { normForward } from '../reference/norm.ts';
import { logSoftmax, softmax } from '../reference/softmax.ts';
import { createEngine, variants } from '../support/engines.ts';
import { requireNear, rounded } from '../support/layer-kernels.ts';
import { activationNames } from '../support/options.ts';
import { createRandom, type Random } from '../support/random.ts';

/** As in test/support/layer-kernels.ts. */
const TOLERANCE = 2e-6;
const f32 = (values: Float64Array): Float32Array => Float32Array.from(values);
const PADDINGS = ['valid', 'same', 'causal', [1, 3]] as const;

/** Zeros at both ends, as Keras counts them. */
function zerosOf(options: ConvolutionOptions, steps: number): { left: number; right: number } {
  const { kernelSize, stride = 1, dilation = 1, padding } = options;
  const reach = dilation * (kernelSize - 1);
  if (padding === 'causal') return { left: reach, right: 0 };
  if (padding === 'same') {
    const total = Math.max((Math.ceil(steps / stride) - 1) * stride + reach + 1 - steps, 0);
    return { left: total >> 1, right: total - (total >> 1) };
  }
  const [left, right] = Array.isArray(padding) ? (padding as [number, number]) : [0, 0];
  return { left, right };
}

function drawOptions(random: Random): ConvolutionOptions {
  const groups = random.pick([1, 1, 2, 5]);
  return {
    inChannels: groups * random.integer(1, 6),
    outChannels: groups * random.pick([1, random.integer(1, 6)]),
    kernelSize: random.integer(1, 4),
    stride: random.integer(1, 3),
    dilation: random.integer(1, 2),
    groups,
    padding: random.pick(PADDINGS),
  };
}

describe.each(variants)('primitives, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const kernels = Kernels.create(engine);
  afterAll(() => engine.dispose());

  it('matmul, packed or not, is the product; both have the same bits', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = createRandom(seed);
      const [m, k, n] = [random.integer(1, 9), random.integer(1, 40), random.integer(1, 70)];
      const [a, b] = [rounded(random, m * k), rounded(random, k * n)];
      const matrix = kernels.matrix(f32(b), k, n);
      const out = new Float32Array(m * n);
      expect(kernels.matmul(f32(a), matrix, m, out)).toBe(out);
      const transposed = b.map((_, at) => b[(at % k) * n + Math.floor(at / k)]!);
      for (let r = 0; r < m; r++) {
        const wanted = new Float64Array(n);
        addProduct(wanted, transposed, a.subarray(r * k, (r + 1) * k));
        requireNear(`${m} x ${k} x ${n}`, out.subarray(r * n, (r + 1) * n), wanted, TOLERANCE);
      }
      expect(kernels.matmul(f32(a), f32(b), m, k, n)).toEqual(out);
      matrix.dispose();
    }
  });

  it.each(activationNames)('activation %s', (type) => {
    const random = createRandom(3);
    for (let length = 0; length < 20; length++) {
      const x = rounded(random, length, 4);
      const wanted = x.map((value) => curveOf(type).value(value));
      requireNear(type, kernels.activation(type, f32(x)), wanted, TOLERANCE);
      const inPlace = f32(x);
      expect(kernels.activation({ type }, inPlace, inPlace)).toBe(inPlace);
      requireNear(`${type} in place`, inPlace, wanted, TOLERANCE);
    }
  });

  it.each([
    ['elu', (x: number) => Math.expm1(x), 1],
    ['selu', (x: number) => 1.7580993408473766 * Math.expm1(x), 1],
    ['softplus', (x: number) => Math.log1p(Math.exp(x)), 60],
  ] as const)('%s keeps the digits of results near 0', (type, exact, reach) => {
    const x = Float32Array.from({ length: 400 }, (_, k) => -reach * 0.97 ** k);
    const y = kernels.activation(type, x);
    const errors = Array.from(x, (value, k) => Math.abs(y[k]! / exact(value) - 1));
    expect(Math.max(...errors)).toBeLessThan(5e-7);
  });

  it('activations take alpha and beta', () => {
    const x = Float64Array.of(-3, -0.5, 0, 0.25, 2);
    for (const given of [
      { type: 'leakyRelu', alpha: 0.3 },
      { type: 'affine', alpha: 2, beta: -1 },
      { type: 'elu', alpha: 0.5 },
    ] as const) {
      const wanted = x.map((value) => curveOf(given).value(value));
      requireNear(given.type, kernels.activation(given, f32(x)), wanted, TOLERANCE);
    }
  });

  it('softmax and logSoftmax over all, and over rows of features', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = createRandom(seed);
      const [rows, features] = [random.integer(1, 5), random.integer(1, 21)];
      const temperature = random.pick([0.5, 1, 4]);
      const x = rounded(random, rows * features, 6);
      for (const [name, exact] of [
        ['softmax', softmax],
        ['logSoftmax', logSoftmax],
      ] as const) {
        const whole = kernels[name](f32(x), temperature);
        requireNear(name, whole, exact(x, 1 / temperature), TOLERANCE);
        const byRow = kernels[name](f32(x), temperature, undefined, features);
        for (let r = 0; r < rows; r++) {
          const [from, until] = [r * features, (r + 1) * features];
          const wanted = exact(x.slice(from, until), 1 / temperature);
          requireNear(`${name}, row`, byRow.subarray(from, until), wanted, TOLERANCE);
        }
      }
    }
    const far = kernels.logSoftmax(Float32Array.of(0, 300));
    expect([...far]).toEqual([-300, 0]);
  });

  it('layerNorm', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = createRandom(seed);
      const [rows, features] = [random.integer(1, 5), random.integer(2, 37)];
      const x = rounded(random, rows * features, 3);
      const gamma = random.unit() < 0.6 ? rounded(random, features) : undefined;
      const beta = random.unit() < 0.6 ? rounded(random, features) : undefined;
      const epsilon = random.pick([undefined, 1e-3]);
      const out = kernels.layerNorm(f32(x), features, {
        ...(gamma && { gamma: f32(gamma) }),
        ...(beta && { beta: f32(beta) }),
        ...(epsilon && { epsilon }),
      });
      const ones = new Float64Array(features).fill(1);
      for (let r = 0; r < rows; r++) {
        const [from, until] = [r * features, (r + 1) * features];
        const { y } = normForward(x.slice(from, until), gamma ?? ones, beta, epsilon);
        requireNear('layerNorm', out.subarray(from, until), y, TOLERANCE);
      }
    }
  });

  it.each([false, true])('conv1d with every padding, of ragged rows: %s', (isRagged) => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = createRandom(seed);
      const options = drawOptions(random);
      const { inChannels, outChannels, kernelSize, stride = 1, dilation = 1, groups = 1 } = options;
      const [steps, batch] = [random.integer(1, 12), random.integer(1, 4)];
      const w = rounded(random, (outChannels * inChannels * kernelSize) / groups);
      const bias = random.unit() < 0.5 ? rounded(random, outChannels) : undefined;
      const convolution = kernels.convolution(f32(w), {
        ...options,
        ...(bias && { bias: f32(bias) }),
      });
      const x = rounded(random, steps * batch * inChannels);
      const lengths = Array.from({ length: batch }, () =>
        isRagged ? random.integer(0, steps) : steps,
      );
      const valid = f32(x).map((value, at) => {
        const [t, b] = [Math.floor(at / inChannels / batch), Math.floor(at / inChannels) % batch];
        return t < lengths[b]! ? value : NaN;
      });
      const most = convolution.outputSteps(steps);
      const out = new Float32Array(most * batch * outChannels).fill(7);
      const given = { steps, batch, ...(isRagged && { lengths }) };
      const y = kernels.conv1d(valid, convolution, given, ...(seed % 2 ? [out] : []));
      expect(y.length).toBe(out.length);
      for (const [b, length] of lengths.entries()) {
        const exact = {
          inputs: inChannels,
          outputs: outChannels,
          taps: kernelSize,
          groups,
          stride,
          dilation,
          ...zerosOf(options, length),
        };
        const count = length && outputSteps(exact, length);
        expect(convolution.outputSteps(length)).toBe(count);
        const own = Float64Array.from({ length: length * inChannels }, (_, at) => {
          const [t, i] = [Math.floor(at / inChannels), at % inChannels];
          return x[(t * batch + b) * inChannels + i]!;
        });
        const got = Float64Array.from({ length: most * outChannels }, (_, at) => {
          const [t, o] = [Math.floor(at / outChannels), at % outChannels];
          return y[(t * batch + b) * outChannels + o]!;
        });
        const wanted = new Float64Array(got.length);
        if (length) wanted.set(convForward(exact, w, bias, own));
        requireNear(`${JSON.stringify(options)}, ${length} of ${steps}`, got, wanted, TOLERANCE);
      }
      convolution.dispose();
    }
  });

  it('conv1d of ragged rows in pieces has the bits of each row alone, and its states', () => {
    const random = createRandom(5);
    const sizes = { inChannels: 3, outChannels: 5, kernelSize: 3, dilation: 2 };
    const convolution = kernels.convolution(f32(rounded(random, 3 * 5 * 3)), {
      ...sizes,
      padding: 'causal',
    });
    const [batch, steps] = [3, 6];
    const pieces = [
      [4, 0, 6],
      [1, 6, 2],
    ];
    const state = new Float32Array(4 * batch * 3);
    const rows = Array.from({ length: batch }, () => ({ x: [] as number[], y: [] as number[] }));
    for (const lengths of pieces) {
      const x = f32(rounded(random, steps * batch * 3));
      const y = kernels.conv1d(x, convolution, { steps, batch, lengths, state });
      for (const [b, { x: inputs, y: outputs }] of rows.entries()) {
        for (let t = 0; t < lengths[b]!; t++) {
          inputs.push(...x.subarray((t * batch + b) * 3, (t * batch + b + 1) * 3));
          outputs.push(...y.subarray((t * batch + b) * 5, (t * batch + b + 1) * 5));
        }
      }
    }
    for (const [b, { x, y }] of rows.entries()) {
      const own = new Float32Array(4 * 3);
      const alone = kernels.conv1d(Float32Array.from(x), convolution, {
        steps: x.length / 3,
        state: own,
      });
      expect([...alone]).toEqual(y);
      const last = Array.from({ length: 4 }, (_, k) =>
        Array.from(state.subarray((k * batch + b) * 3, (k * batch + b + 1) * 3)),
      );
      expect(last.flat()).toEqual([...own]);
    }
    convolution.dispose();
  });

  it('conv1d in pieces has the bits of the whole', () => {
    for (const groups of [1, 2, 6]) {
      const random = createRandom(groups);
      const [inChannels, outChannels, kernelSize, dilation, stride] = [6, 6, 3, 2, 2];
      const options = { inChannels, outChannels, kernelSize, dilation, stride, groups };
      const w = f32(rounded(random, (6 * 6 * 3) / groups));
      const convolution = kernels.convolution(w, { ...options, padding: 'causal' });
      const [steps, batch] = [11, 2];
      const x = f32(rounded(random, steps * batch * inChannels));
      const whole = kernels.conv1d(x, convolution, { steps, batch });
      const state = new Float32Array(4 * batch * inChannels);
      const row = batch * inChannels;
      const pieces = [2, 6, 3].map((length, k) => {
        const from = [0, 2, 8][k]!;
        const own = x.subarray(from * row, (from + length) * row);
        return [...kernels.conv1d(own, convolution, { steps: length, batch, state })];
      });
      expect(Float32Array.from(pieces.flat())).toEqual(whole);
      expect(state).toEqual(x.subarray(7 * row));
      convolution.dispose();
    }
  });

  it('what is disposed gives its memory back, and is refused', () => {
    const { arena } = kernelsOf(engine);
    const matrix = kernels.matrix(new Float32Array(1 << 18), 512, 512);
    const convolution = kernels.convolution(new Float32Array(8 * 8 * 3), {
      inChannels: 8,
      outChannels: 8,
      kernelSize: 3,
    });
    matrix.dispose();
    convolution.dispose();
    convolution.dispose();
    const before = arena.memory.buffer.byteLength;
    for (let k = 0; k < 100; k++) kernels.matrix(new Float32Array(1 << 18), 512, 512).dispose();
    expect(arena.memory.buffer.byteLength).toBe(before);
    const disposed = { code: 'ERR_DISPOSED' };
    expect(() => kernels.matmul(new Float32Array(512), matrix, 1)).toThrow(
      expect.objectContaining(disposed),
    );
    expect(() => kernels.conv1d(new Float32Array(64), convolution, { steps: 8 })).toThrow(
      expect.objectContaining(disposed),
    );
  });

  const w = new Float32Array(2 * 4 * 3);
  const sizes = { inChannels: 4, outChannels: 2, kernelSize: 3 };
  const x = new Float32Array(5 * 4);
  const convolution = (): Convolution => kernels.convolution(w, sizes);
  const wrong: [code: string, message: string, call: () => unknown][] = [
    ['ERR_SHAPE', '"w" expected Float32Array of length 6', () => kernels.matrix(w, 2, 3)],
    ['ERR_ARGUMENT', '"columns"', () => kernels.matrix(w, 2, 0)],
    ['ERR_SHAPE', '"a"', () => kernels.matmul(x, kernels.matrix(w, 4, 6), 4)],
    [
      'ERR_SHAPE',
      '"out"',
      () => kernels.matmul(x, kernels.matrix(w, 4, 6), 5, new Float32Array(29)),
    ],
    ['ERR_ARGUMENT', "'relu'", () => kernels.activation('softmax' as 'relu', x)],
    [
      'ERR_ARGUMENT',
      '"activation.alpha": tanh takes none',
      () => kernels.activation({ type: 'tanh', alpha: 1 }, x),
    ],
    ['ERR_SHAPE', '"out"', () => kernels.activation('relu', x, new Float32Array(19))],
    ['ERR_SHAPE', 'rows of 3 elements, got length 20', () => kernels.softmax(x, 1, undefined, 3)],
    ['ERR_ARGUMENT', '"features"', () => kernels.layerNorm(x, 0)],
    ['ERR_SHAPE', 'rows of 3', () => kernels.layerNorm(x, 3)],
    ['ERR_ARGUMENT', '"options.epsilon"', () => kernels.layerNorm(x, 4, { epsilon: -1 })],
    ['ERR_SHAPE', '"options.gamma"', () => kernels.layerNorm(x, 4, { gamma: new Float32Array(5) })],
    ['ERR_ARGUMENT', '"eps"', () => kernels.layerNorm(x, 4, { eps: 1 } as object)],
    [
      'ERR_SHAPE',
      '"w" expected Float32Array of length 48',
      () => kernels.convolution(w, { ...sizes, outChannels: 4 }),
    ],
    [
      'ERR_ARGUMENT',
      'multiple of groups 3, got 4',
      () => kernels.convolution(w, { ...sizes, groups: 3 }),
    ],
    ['ERR_ARGUMENT', '"options.stride"', () => kernels.convolution(w, { ...sizes, stride: 0 })],
    [
      'ERR_ARGUMENT',
      "'valid', 'same', 'causal'",
      () => kernels.convolution(w, { ...sizes, padding: 'full' as 'same' }),
    ],
    [
      'ERR_ARGUMENT',
      '"options.padding[1]"',
      () => kernels.convolution(w, { ...sizes, padding: [1, -1] }),
    ],
    ['ERR_ARGUMENT', 'dilation x', () => kernels.convolution(w, { ...sizes, dilation: 1e6 })],
    ['ERR_ARGUMENT', '"options.gamma"', () => kernels.layerNorm(x, 4, { gamma: null as never })],
    ['ERR_ARGUMENT', '"features"', () => kernels.softmax(x, 1, undefined, null as never)],
    ['ERR_SHAPE', '"options.bias"', () => kernels.convolution(w, { ...sizes, bias: x })],
    ['ERR_SHAPE', '"x"', () => kernels.conv1d(x, convolution(), { steps: 4 })],
    ['ERR_ARGUMENT', '"input.steps"', () => kernels.conv1d(x, convolution(), { steps: 0 })],
    [
      'ERR_ARGUMENT',
      "padding 'causal'",
      () => kernels.conv1d(x, convolution(), { steps: 5, state: new Float32Array(8) }),
    ],
    [
      'ERR_SHAPE',
      '"input.state"',
      () => {
        const causal = kernels.convolution(w, { ...sizes, padding: 'causal' });
        return kernels.conv1d(x, causal, { steps: 5, state: new Float32Array(7) });
      },
    ],
    [
      'ERR_SHAPE',
      '"out"',
      () => kernels.conv1d(x, convolution(), { steps: 5 }, new Float32Array(7)),
    ],
    [
      'ERR_ARGUMENT',
      '"out" expected an array of its own, got one that overlaps "input.state"',
      () => {
        const causal = kernels.convolution(w, { ...sizes, padding: 'causal' });
        const whole = new Float32Array(64);
        const state = whole.subarray(0, causal.dilation * (causal.kernelSize - 1) * 4);
        const out = whole.subarray(state.length - 1, state.length - 1 + 5 * causal.outChannels);
        return kernels.conv1d(x, causal, { steps: 5, state }, out);
      },
    ],
    [
      'ERR_SHAPE',
      '"input.lengths" expected 1 numbers',
      () => kernels.conv1d(x, convolution(), { steps: 5, lengths: [5, 5] }),
    ],
    [
      'ERR_ARGUMENT',
      '"input.lengths[0]" expected a whole number from 0 to 5, got 6',
      () => kernels.conv1d(x, convolution(), { steps: 5, lengths: [6] }),
    ],
    [
      'ERR_ARGUMENT',
      'kernels.convolution() returns',
      () => kernels.conv1d(x, {} as Convolution, { steps: 5 }),
    ],
    [
      'ERR_ARGUMENT',
      'another engine',
      () => {
        const other = createEngine(variant);
        const there = Kernels.create(other).matrix(w, 4, 6);
        try {
          return kernels.matmul(x, there, 5);
        } finally {
          other.dispose();
        }
      },
    ],
    [
      'ERR_DISPOSED',
      'convolution',
      () => {
        const own = convolution();
        const input = {
          get steps() {
            own.dispose();
            return 5;
          },
        };
        return kernels.conv1d(x, own, input);
      },
    ],
  ];
  it.each(wrong)('%s, %s', (code, message, call) => {
    expect(call).toThrow(expect.objectContaining({ code }));
    expect(call).toThrow(message);
  });
});
