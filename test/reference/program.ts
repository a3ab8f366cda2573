/** Steps of programs in float64, written from what each is: one element after the other. */
import type { ProgramImage, ProgramMatrix, ProgramStep } from '../../src/ops/program/spec.ts';

const PAIRS: Readonly<Record<string, (x: number, y: number, old: number) => number>> = {
  copy: (x) => x,
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  power: (x, y) => x ** y,
  min: (x, y) => Math.min(x, y),
  max: (x, y) => Math.max(x, y),
  equal: (x, y) => Number(x === y),
  greater: (x, y) => Number(x > y),
  notLess: (x, y) => Number(x >= y),
  and: (x, y) => Number(x !== 0 && y !== 0),
  or: (x, y) => Number(x !== 0 || y !== 0),
  prelu: (x, y) => (x < 0 ? x * y : x),
  pick: (x, y, old) => (y === 0 ? old : x),
  floor: Math.floor,
  ceil: Math.ceil,
  truncate: Math.trunc,
  round: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
};

const REDUCED: Readonly<Record<string, (list: readonly number[]) => number>> = {
  sum: (list) => list.reduce((a, b) => a + b, 0),
  product: (list) => list.reduce((a, b) => a * b, 1),
  largest: (list) => Math.max(...list),
  smallest: (list) => Math.min(...list),
};

type Vec = Float64Array;

function matrixStep(
  m: ProgramMatrix,
  to: Vec,
  t: number,
  a: Vec,
  p: number,
  b: Vec,
  q: number,
): void {
  const { rows, depth, columns, aRow, aColumn, toRow, isAdded } = m;
  // In panels b is given as [columns, depth].
  const [bRow, bColumn] = [m.bRow ?? 1, m.bColumn ?? depth];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const at = t + r * toRow + c;
      let sum = isAdded ? to[at]! : 0;
      for (let k = 0; k < depth; k++) {
        sum += a[p + r * aRow + k * aColumn]! * b[q + k * bRow + c * bColumn]!;
      }
      to[at] = sum;
    }
  }
}

/** What windows see at [row, column], tap [i, j]: an index of the image, or nothing. */
function seen(image: ProgramImage, place: readonly number[], tap: readonly number[]): number[] {
  return [0, 1].map((k) => {
    const at = place[k]! * image.strides[k]! + tap[k]! * image.dilations[k]! - image.before[k]!;
    return at % image.up[k]! === 0 ? at / image.up[k]! : -1;
  });
}

function imageStep(
  step: ProgramStep,
  to: Vec,
  t: number,
  a: Vec,
  p: number,
  b: Vec,
  q: number,
): void {
  const image = step.image!;
  const { input, output, taps, after } = image;
  const isInside = ([y, x]: number[]): boolean =>
    y! >= 0 && y! < input[0] && x! >= 0 && x! < input[1];
  const outputs = step.op === 'convolution' ? step.matrix!.rows : 1;
  for (let o = 0; o < outputs; o++) {
    for (let row = 0; row < output[0]; row++) {
      for (let column = 0; column < output[1]; column++) {
        const list: number[] = [];
        let counted = 0;
        let weighted = 0;
        for (let c = 0; c < image.channels; c++) {
          for (let i = 0; i < taps[0]; i++) {
            for (let j = 0; j < taps[1]; j++) {
              const [y, x] = seen(image, [row, column], [i, j]) as [number, number];
              const isThere = isInside([y, x]);
              const value = isThere ? a[p + (c * input[0] + y) * input[1] + x]! : 0;
              if (isThere) list.push(value);
              const isPadding = y < input[0] + after[0] && x < input[1] + after[1];
              if (isThere || (after[0] >= 0 && isPadding)) counted++;
              const tap = (c * taps[0] + i) * taps[1] + j;
              if (step.op === 'convolution') {
                weighted += value * b[q + o * step.matrix!.depth + tap]!;
              }
            }
          }
        }
        const at = t + (o * output[0] + row) * output[1] + column;
        if (step.op === 'convolution') to[at]! += weighted;
        else if (step.op === 'maxPool') to[at] = Math.max(...list);
        else to[at] = list.reduce((x, y) => x + y, 0) / counted;
      }
    }
  }
}

function visit(step: ProgramStep, to: Vec, t: number, a: Vec, p: number, b: Vec, q: number): void {
  const { op, count = 0, size = 0, row = 0 } = step;
  if (PAIRS[op]) to[t] = PAIRS[op](a[p]!, b[q]!, to[t]!);
  else if (REDUCED[op]) to[t] = REDUCED[op]([...a.subarray(p, p + count)]);
  else if (op === 'matrix') matrixStep(step.matrix!, to, t, a, p, b, q);
  else if (step.image) imageStep(step, to, t, a, p, b, q);
  else {
    for (let i = 0; i < count; i++) {
      const given = Math.trunc(b[q + i]!);
      const index = Math.min(Math.max(given < 0 ? given + size : given, 0), size - 1);
      for (let k = 0; k < row; k++) {
        if (op === 'gather') to[t + i * row + k] = a[p + index * row + k]!;
        else to[t + index * row + k] = a[p + i * row + k]!;
      }
    }
  }
}

/** Runs a step that goes over axes: `to`, a and b are whole tensors. */
export function referenceStep(step: ProgramStep, to: Vec, a: Vec, b: Vec): void {
  const axes = step.axes!;
  const go = (k: number, t: number, p: number, q: number): void => {
    if (k === axes.length) return visit(step, to, t, a, p, b, q);
    const [count, ...by] = axes[k]!;
    for (let i = 0; i < count; i++) go(k + 1, t + i * by[0], p + i * by[1], q + i * by[2]);
  };
  go(0, step.to[1], step.a[1], step.b?.[1] ?? 0);
}
