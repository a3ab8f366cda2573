/**
 * Operators on constants. Those that only move elements take whole numbers that have names as well:
 * the sizes of axes that are known when the model runs.
 */
import { isOf, kindOf } from '../../base/arrays.ts';
import { alike, countOf, elementsOf, sizes } from './constants.ts';
import type { Constant, Data } from './constants.ts';
import { divide, multiply } from './dims.ts';
import type { Dim, Names } from './dims.ts';
import type { Node } from './node.ts';

/** What folding may use. */
export interface Folding {
  readonly names: Names;
  /** Counts elements that are made, and refuses too many. */
  take(elements: number): void;
}

export const stridesOf = (dims: readonly number[]): number[] => {
  const strides: number[] = [];
  let stride = 1;
  for (let k = dims.length - 1; k >= 0; k--) {
    strides[k] = stride;
    stride *= dims[k]!;
  }
  return strides;
};

/** Writes elements side by side, as one piece where they are typed. */
function copyRun(out: Dim[], at: number, data: Data, from: number, count: number): void {
  if (kindOf(out) === undefined || count < 8) {
    for (let k = 0; k < count; k++) out[at + k] = data[from + k] as Dim;
  } else {
    const [to, own] = [out as unknown as Float32Array, data as Float32Array];
    to.set(own.subarray(from, from + count), at);
  }
}

/** Elements at the places that `dims` and `strides` say, from `from` on, row by row. */
export function gathered(
  { data, isFloat }: Constant,
  dims: readonly number[],
  strides: readonly number[],
  from: number,
  folding: Folding,
): Constant {
  const count = countOf(dims);
  folding.take(count);
  const out = alike(data, count) as Dim[];
  const at = dims.map(() => 0);
  // Axes from the last on whose elements lie side by side are copied at once.
  let [run, inner] = [1, dims.length];
  while (inner > 0 && (dims[inner - 1] === 1 || strides[inner - 1] === run)) run *= dims[--inner]!;
  let read = from;
  for (let k = 0; k < count; k += run) {
    copyRun(out, k, data, read, run);
    for (let axis = inner - 1; axis >= 0; axis--) {
      read += strides[axis]!;
      if (++at[axis]! < dims[axis]!) break;
      read -= strides[axis]! * dims[axis]!;
      at[axis] = 0;
    }
  }
  return { dims, data: out as Data, isFloat };
}

/** The sizes of both together. */
export function broadcast(a: readonly number[], b: readonly number[], node: Node): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, k) => {
    const [left = 1, right = 1] = [a[k - rank + a.length], b[k - rank + b.length]];
    if (left !== right && left !== 1 && right !== 1) {
      node.refuse(`its inputs of ${left} and ${right} do not fit together`);
    }
    return left === 1 ? right : left;
  });
}

/** A constant as one of these sizes. */
export function expanded(constant: Constant, dims: readonly number[], folding: Folding): Constant {
  const own = constant.dims;
  if (own.length === dims.length && own.every((size, k) => size === dims[k])) return constant;
  const strides = stridesOf(own);
  const wide = dims.map((_, k) => {
    const axis = k - dims.length + own.length;
    return axis < 0 || own[axis] === 1 ? 0 : strides[axis]!;
  });
  return gathered(constant, dims, wide, 0, folding);
}

export const transposed = (c: Constant, order: readonly number[], folding: Folding): Constant => {
  const strides = stridesOf(c.dims);
  return gathered(
    c,
    order.map((axis) => c.dims[axis]!),
    order.map((axis) => strides[axis]!),
    0,
    folding,
  );
};

export const reshaped = ({ data, isFloat }: Constant, dims: readonly number[]): Constant => {
  return { dims, data, isFloat };
};

/** Where a slice begins, how many elements it has and how far apart they are. */
export interface Range {
  readonly from: number;
  readonly count: number;
  readonly step: number;
}

/** A range of an axis as ONNX' Slice says it: from the end where negative, held to the axis. */
export function rangeOf(start: number, end: number, step: number, size: number): Range {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const held = (at: number): number => Math.min(Math.max(at < 0 ? at + size : at, low), high);
  const from =
    step > 0 ? held(start) : Math.min(Math.max(start < 0 ? start + size : start, 0), high);
  return { from, step, count: Math.max(Math.ceil((held(end) - from) / step), 0) };
}

export function sliced(c: Constant, axis: number, range: Range, folding: Folding): Constant {
  const strides = stridesOf(c.dims);
  const dims = c.dims.map((size, k) => (k === axis ? range.count : size));
  const steps = strides.map((stride, k) => (k === axis ? stride * range.step : stride));
  return gathered(c, dims, steps, range.from * strides[axis]!, folding);
}

export function joined(list: readonly Constant[], axis: number, folding: Folding): Constant {
  const [first] = list as [Constant];
  const dims = first.dims.map((size, k) =>
    k === axis ? list.reduce((sum, c) => sum + c.dims[axis]!, 0) : size,
  );
  const count = countOf(dims);
  folding.take(count);
  const named = list.find(({ data }) => Array.isArray(data));
  const out = alike((named ?? first).data, count) as Dim[];
  const inner = countOf(dims.slice(axis + 1));
  let at = 0;
  for (let outer = countOf(dims.slice(0, axis)), o = 0; o < outer; o++) {
    for (const c of list) {
      const run = c.dims[axis]! * inner;
      copyRun(out, at, c.data, o * run, run);
      at += run;
    }
  }
  return { dims, data: out as Data, isFloat: first.isFloat };
}

/** Rows of an axis by a list of indices. */
export function taken(
  c: Constant,
  axis: number,
  index: Constant,
  node: Node,
  folding: Folding,
): Constant {
  const size = c.dims[axis]!;
  const inner = countOf(c.dims.slice(axis + 1));
  const outer = countOf(c.dims.slice(0, axis));
  const dims = [...c.dims.slice(0, axis), ...index.dims, ...c.dims.slice(axis + 1)];
  folding.take(countOf(dims));
  const out = alike(c.data, countOf(dims)) as Dim[];
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const given of index.data as ArrayLike<Dim> as readonly Dim[]) {
      const row = typeof given === 'number' && given < 0 ? given + size : given;
      if (typeof row !== 'number' || !(row >= 0 && row < size)) {
        node.refuse(`its index ${given} is not one of ${size}`);
      }
      copyRun(out, at, c.data, (o * size + row) * inner, inner);
      at += inner;
    }
  }
  return { dims, data: out as Data, isFloat: c.isFloat };
}

type Binary = (a: number, b: number) => number;

/** What is made of two numbers each. */
const BINARY: Readonly<Record<string, Binary>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Min: (a, b) => Math.min(a, b),
  Max: (a, b) => Math.max(a, b),
  Mod: (a, b) => a - b * Math.floor(a / b),
};

/** The same as truths. */
const COMPARE: Readonly<Record<string, Binary>> = {
  Equal: (a, b) => +(a === b),
  Greater: (a, b) => +(a > b),
  GreaterOrEqual: (a, b) => +(a >= b),
  Less: (a, b) => +(a < b),
  LessOrEqual: (a, b) => +(a <= b),
  And: (a, b) => +(a !== 0 && b !== 0),
  Or: (a, b) => +(a !== 0 || b !== 0),
  Xor: (a, b) => +((a !== 0) !== (b !== 0)),
};

const UNARY: Readonly<Record<string, (x: number) => number>> = {
  Abs: Math.abs,
  Neg: (x) => -x,
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Reciprocal: (x) => 1 / x,
  Relu: (x) => Math.max(x, 0),
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Tanh: Math.tanh,
  Sign: Math.sign,
  Sin: Math.sin,
  Cos: Math.cos,
};

/** The same of sizes of which one has a name: only what is sure for all that it may stand for. */
function ofNames(type: string, a: Dim, b: Dim, node: Node, { names }: Folding): Dim {
  if (type === 'Mul') return multiply(a, b);
  if (type === 'Div') return divide(a, b) ?? names.of(`(${a}/${b})`);
  if (type === 'Add' && b === 0) return a;
  if (type === 'Add' && a === 0) return b;
  if (type === 'Sub' && b === 0) return a;
  if (type === 'Sub' && a === b) return 0;
  if (type === 'Add' || type === 'Sub') return names.of(`(${a}${type === 'Add' ? '+' : '-'}${b})`);
  if (type === 'Max' && (a === b || b === 0 || b === 1)) return a;
  if (type === 'Equal') {
    if (a === b) return 1;
    // A size is never below 0, as marks of a shape are.
    if (Number(a) < 0 || Number(b) < 0) return 0;
  }
  if (type === 'Greater' && Number(b) <= 0) return 1;
  if (type === 'Less' && Number(a) <= 0) return 1;
  return node.refuseOpen(typeof a === 'string' ? a : b);
}

function elementwise(
  type: string,
  a: Constant,
  b: Constant,
  of: Binary,
  isFloat: boolean,
  node: Node,
  folding: Folding,
): Constant {
  const dims = broadcast(a.dims, b.dims, node);
  const [left, right] = [expanded(a, dims, folding), expanded(b, dims, folding)];
  const count = countOf(dims);
  folding.take(count);
  const items = (k: number): Dim => {
    const [x, y] = [left.data[k] as Dim, right.data[k] as Dim];
    if (typeof x === 'string' || typeof y === 'string') return ofNames(type, x, y, node, folding);
    return of(x, y);
  };
  if (Array.isArray(left.data) || Array.isArray(right.data)) {
    return sizes(
      Array.from({ length: count }, (_, k) => items(k)),
      dims,
    );
  }
  const isDouble = !isFloat || isOf('Float64Array', a.data);
  const out = isDouble ? new Float64Array(count) : new Float32Array(count);
  for (let k = 0; k < count; k++) out[k] = of(left.data[k] as number, right.data[k] as number);
  return { dims, data: out, isFloat };
}

/** What an operator makes of one constant or several; `undefined` where it is none of these. */
export function arithmetic(
  type: string,
  args: readonly Constant[],
  node: Node,
  folding: Folding,
): Constant | undefined {
  const [first, ...others] = args as [Constant, ...Constant[]];
  const { isFloat } = first;
  const unary = UNARY[type];
  if (unary) {
    folding.take(first.data.length);
    const numbers = Float64Array.from(elementsOf(first), unary);
    const isSingle = isFloat && !isOf('Float64Array', first.data);
    return { dims: first.dims, data: isSingle ? Float32Array.from(numbers) : numbers, isFloat };
  }
  const compare = COMPARE[type];
  if (compare) return elementwise(type, first, others[0]!, compare, false, node, folding);
  const whole = type === 'Div' && !isFloat;
  const binary = whole ? (a: number, b: number): number => Math.trunc(a / b) : BINARY[type];
  if (!binary) return undefined;
  return others.reduce((a, b) => elementwise(type, a, b, binary, isFloat, node, folding), first);
}

/** Elements of the second where the first is true, else of the third. */
export function chosen(
  [condition, yes, no]: readonly [Constant, Constant, Constant],
  node: Node,
  folding: Folding,
): Constant {
  const dims = broadcast(broadcast(condition.dims, yes.dims, node), no.dims, node);
  const [which, a, b] = [condition, yes, no].map((c) => expanded(c, dims, folding));
  const named = [a!, b!].find(({ data }) => Array.isArray(data));
  const out = alike((named ?? a!).data, countOf(dims)) as Dim[];
  for (let k = 0; k < out.length; k++) out[k] = (which!.data[k] ? a! : b!).data[k] as Dim;
  return { dims, data: out as Data, isFloat: a!.isFloat };
}

/** The product of two matrices, or of stacks of them. */
export function product(a: Constant, b: Constant, node: Node, folding: Folding): Constant {
  const [left, right] = [a.dims.length < 2, b.dims.length < 2];
  if (left || right) node.refuse('a product of constants that are no matrices');
  const [rows, depth] = a.dims.slice(-2) as [number, number];
  const [deep, columns] = b.dims.slice(-2) as [number, number];
  if (depth !== deep) node.refuse(`its inputs of ${depth} and ${deep} do not fit together`);
  const stack = broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2), node);
  const x = elementsOf(expanded(a, [...stack, rows, depth], folding));
  const y = elementsOf(expanded(b, [...stack, depth, columns], folding));
  const count = countOf(stack) * rows * columns;
  folding.take(count + count * depth);
  const out = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    const [column, row] = [at % columns, Math.floor(at / columns)];
    const from = Math.floor(row / rows) * depth * columns;
    let sum = 0;
    for (let k = 0; k < depth; k++) {
      sum += x[row * depth + k]! * y[from + k * columns + column]!;
    }
    out[at] = sum;
  }
  return { dims: [...stack, rows, columns], data: out, isFloat: true };
}

type Scaled = readonly [x: Constant, scale: Constant, zero?: Constant | undefined];

/** Which of the scales of an axis is that of an element. */
function whichOf({ dims }: Constant, { data }: Constant, axis: number): (k: number) => number {
  const [size, inner] = [dims[axis] ?? 1, countOf(dims.slice(axis + 1))];
  return data.length > 1 ? (k) => Math.floor(k / inner) % size : () => 0;
}

/** Numbers in the steps of their scales, as they were before they were quantised. */
export function dequantized([x, scale, zero]: Scaled, axis: number, folding: Folding): Constant {
  const { dims } = x;
  const data = elementsOf(x);
  folding.take(data.length);
  const which = whichOf(x, scale, axis);
  const out = Float32Array.from({ length: data.length }, (_, k) => {
    const offset = (zero?.data[which(k)] as number | undefined) ?? 0;
    return (data[k]! - offset) * (scale.data[which(k)] as number);
  });
  return { dims, data: out, isFloat: true };
}

/** Numbers in steps of their scales, rounded to even and held to 8 bits. */
export function quantizedConstant(
  [x, scale, zero]: Scaled,
  axis: number,
  folding: Folding,
): Constant {
  const { dims } = x;
  const data = elementsOf(x);
  folding.take(data.length);
  const which = whichOf(x, scale, axis);
  const isSigned = isOf('Int8Array', zero?.data);
  const [low, high] = isSigned ? [-128, 127] : [0, 255];
  const made = Array.from({ length: data.length }, (_, k) => {
    const offset = (zero?.data[which(k)] as number | undefined) ?? 0;
    const steps = Math.fround(data[k]! / (scale.data[which(k)] as number));
    const floor = Math.floor(steps);
    const isUp = steps - floor > 0.5 || (steps - floor === 0.5 && floor % 2 !== 0);
    return Math.min(Math.max(floor + Number(isUp) + offset, low), high);
  });
  return {
    dims,
    data: isSigned ? Int8Array.from(made) : Uint8Array.from(made),
    isFloat: false,
  };
}
