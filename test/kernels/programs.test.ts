/** The kernels of programs against float64, on random axes, matrices and windows. */
import { describe, expect, it } from 'vitest';
import { Model } from '../../src/hosts/default.ts';
import '../../src/formats/onnx.ts';
import type {
  ProgramAxis,
  ProgramConstant,
  ProgramImage,
  ProgramStep,
} from '../../src/ops/program/spec.ts';
import { WALKS } from '../../src/ops/program/spec.ts';
import { referenceStep } from '../reference/program.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import type { Random } from '../support/random.ts';

/** One step, what its operands hold and how many elements it makes. */
interface Case {
  readonly step: Omit<ProgramStep, 'to' | 'a' | 'b'>;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly size: number;
  /** Where the operands begin. */
  readonly from?: readonly [number, number];
  /** Whether b is a matrix [columns, depth] in panels. */
  readonly shape?: readonly [number, number];
}

const floats = (random: Random, length: number): Float64Array =>
  random.vector(length, 1).map(Math.fround);

/** Axes whose results lie row by row; an operand may go backwards, repeat or have gaps. */
function drawAxes(random: Random): {
  axes: ProgramAxis[];
  size: number;
  from: [number, number];
  spans: [number, number];
} {
  const dims = Array.from({ length: random.integer(1, 4) }, () => random.integer(1, 9));
  const size = dims.reduce((x, y) => x * y, 1);
  const from: [number, number] = [0, 0];
  const spans: [number, number] = [1, 1];
  let plain = size;
  const axes = dims.map((count): ProgramAxis => {
    plain /= count;
    const by = [0, 1].map((k) => {
      const step = random.pick([plain, plain, plain, 0, -plain, 2 * plain, 1, 3]);
      if (step < 0) from[k]! -= (count - 1) * step;
      spans[k]! += (count - 1) * Math.abs(step);
      return step;
    }) as [number, number];
    return [count, plain, ...by];
  });
  return { axes, size, from, spans };
}

function drawElements(random: Random, op: string): Case {
  const { axes, size, from, spans } = drawAxes(random);
  const a = floats(random, spans[0]);
  let b = floats(random, spans[1]);
  if (/equal|greater|notLess|and|or|pick|floor|ceil|round|truncate/.test(op)) {
    a.forEach((x, k) => (a[k] = Math.round(4 * x) / 2));
    b = b.map((x) => Math.round(2 * x) / 2);
  }
  if (op === 'power') a.forEach((x, k) => (a[k] = Math.fround(Math.abs(x) + 0.1)));
  if (op === 'divide') b = b.map((x) => Math.fround(x + Math.sign(x || 1)));
  return { step: { op, axes }, a, b, size, from };
}

function drawReduction(random: Random, op: string): Case {
  const [rows, count] = [random.integer(1, 9), random.integer(1, 40)];
  const step = { op, count, axes: [[rows, 1, count, 0]] as const };
  return { step, a: floats(random, rows * count), b: floats(random, 1), size: rows };
}

function drawRows(random: Random, op: string): Case {
  const [outer, count] = [random.integer(1, 3), random.integer(1, 7)];
  const [size, row] = [random.integer(2, 9), random.integer(1, 6)];
  const whole = (): number => random.integer(-size, size);
  const b = Float64Array.from({ length: count }, whole);
  const [some, all] = [count * row, size * row];
  const isGather = op === 'gather';
  const axes = [[outer, isGather ? some : all, isGather ? all : some, 0]] as const;
  const step = { op, axes, count, size, row };
  const a = floats(random, outer * (isGather ? all : some));
  return { step, a, b, size: outer * (isGather ? some : all) };
}

function drawMatrix(random: Random): Case {
  const [rows, depth] = [random.integer(1, 12), random.integer(1, 40)];
  const columns = random.pick([random.integer(1, 40), 4 * random.integer(1, 9)]);
  const stack = random.integer(1, 3);
  const isAdded = random.unit() < 0.4;
  const isTurned = random.unit() < 0.3;
  const isPacked = random.unit() < 0.4;
  const matrix = {
    rows,
    depth,
    columns,
    isAdded,
    toRow: columns,
    ...(isTurned
      ? {
          aRow: 1,
          aColumn: rows,
        }
      : {
          aRow: depth,
          aColumn: 1,
        }),
    ...(!isPacked &&
      (random.unit() < 0.3
        ? {
            bRow: 1,
            bColumn: depth,
          }
        : {
            bRow: columns,
            bColumn: 1,
          })),
  };
  const repeats = isPacked || random.unit() < 0.3;
  const step = {
    op: 'matrix',
    matrix,
    axes: [[stack, rows * columns, rows * depth, repeats ? 0 : depth * columns]] as const,
  };
  const a = floats(random, stack * rows * depth);
  const b = floats(random, (repeats ? 1 : stack) * depth * columns);
  const size = stack * rows * columns;
  return { step, a, b, size, ...(isPacked && { shape: [columns, depth] }) };
}

function drawImage(random: Random, op: string): Case {
  const pair = (low: number, high: number): [number, number] => [
    random.integer(low, high),
    random.integer(low, high),
  ];
  const isPool = op !== 'convolution';
  const channels = isPool ? 1 : random.integer(1, 5);
  const [input, taps] = [pair(3, 12), pair(1, 3)];
  const [strides, dilations] = [pair(1, 3), pair(1, 2)];
  // A window of a pool sees one input at least.
  const before = isPool ? ([0, 0] as const) : pair(-1, 2);
  const up = isPool ? ([1, 1] as const) : pair(1, 3);
  const output = isPool
    ? ([0, 1].map(
        (k) => Math.floor((input[k]! - (taps[k]! - 1) * dilations[k]! - 1) / strides[k]!) + 1,
      ) as [number, number])
    : pair(1, 24);
  if (output.some((n) => n < 1)) return drawImage(random, op);
  const after = op === 'meanPool' && random.unit() < 0.5 ? ([1, 1] as const) : ([-1, -1] as const);
  const image: ProgramImage = {
    channels,
    input,
    output,
    taps,
    strides,
    dilations,
    before,
    after,
    up,
  };
  const [read, columns] = [input[0] * input[1], output[0] * output[1]];
  const [rows, depth] = [random.integer(1, 9), channels * taps[0] * taps[1]];
  const groups = random.integer(1, 3);
  const made = isPool ? columns : rows * columns;
  const step = {
    op,
    image,
    axes: [[groups, made, channels * read, isPool ? 0 : rows * depth]] as const,
    ...(!isPool && {
      matrix: {
        rows,
        depth,
        columns,
        aRow: depth,
        aColumn: 1,
        toRow: columns,
        isAdded: true,
      },
    }),
  };
  const [a, b] = [floats(random, groups * channels * read), floats(random, groups * rows * depth)];
  return { step, a, b, size: groups * made };
}

const DRAW = (random: Random, op: string): Case => {
  if (op === 'matrix') return drawMatrix(random);
  if (/convolution|Pool/.test(op)) return drawImage(random, op);
  if (op === 'gather' || op === 'scatter') return drawRows(random, op);
  return /sum|product|largest|smallest/.test(op)
    ? drawReduction(random, op)
    : drawElements(random, op);
};

describe.each(variants)('steps of programs, %s SIMD', (variant) => {
  const engine = createEngine(variant);

  it.each(Object.keys(WALKS))('%s', (op) => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = createRandom(seed);
      const { step, a, b, size, from = [0, 0], shape } = DRAW(random, op);
      const begun = floats(random, size);
      const constants: ProgramConstant[] = [
        { shape: shape ?? [b.length], ...(shape && { isMatrix: true }) },
      ];
      // Inputs, b and what the step makes, which begins as one of them.
      const whole = { ...step, to: [3, 0], a: [0, from[0]], b: [2, from[1]] } as ProgramStep;
      const fill = { op: 'copy', to: [3, 0], a: [1, 0], axes: [[size, 1, 1, 0]] } as const;
      const model = Model.create(engine, {
        inputs: [
          { name: 'a', size: a.length },
          { name: 'begun', size },
        ],
        layers: [
          {
            type: 'program',
            name: 'y',
            inputs: ['a', 'begun'],
            constants,
            tensors: [size],
            steps: [fill, whole],
            outputs: [
              {
                size,
                from: [3, 0],
              },
            ],
          },
        ],
      });
      model.loadStateDict(
        new Map([['y.constant.0', { shape: constants[0]!.shape, data: Float32Array.from(b) }]]),
      );
      const wanted = begun.slice();
      referenceStep(whole, wanted, a, b);
      const given = { a: Float32Array.from(a), begun: Float32Array.from(begun) };
      const { output } = model.forward(given, { steps: 1 });
      const largest = Math.max(1, ...wanted.map(Math.abs));
      const worst = Math.max(...wanted.map((x, k) => Math.abs(x - output[k]!)));
      expect(worst / largest, `seed ${seed}`).toBeLessThan(2e-6);
      model.dispose();
    }
  });
});
