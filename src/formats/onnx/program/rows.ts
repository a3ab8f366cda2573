/** Products, reductions, softmax and normalisations. */
import { constantAt, integersOf } from '../call.ts';
import type { Call } from '../call.ts';
import { floatsOf } from '../constants.ts';
import type { Constant } from '../constants.ts';
import { broadcast } from '../fold.ts';
import type { Machine, ProgramOperator } from './machine.ts';
import { isPlain, plainStrides, sizeOf, spread, turned } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** The matrix that a constant is, if all of it is one. */
const matrixAt = ({ inputs }: Call, k: number): Constant | undefined => {
  const value = inputs[k];
  return value && 'constant' in value && value.constant.dims.length === 2
    ? value.constant
    : undefined;
};

/** a [..., M, K] times b [..., K, N], as NumPy has it; or added to a tensor. */
function product(
  call: Call,
  machine: Machine,
  a: Tensor,
  b: Tensor,
  constant: Tensor | undefined,
  given?: Tensor,
): Tensor {
  const { node } = call;
  const [M, K] = a.dims.slice(-2) as [number, number];
  const [deep, N] = b.dims.slice(-2) as [number, number];
  if (K !== deep) node.refuse(`its inputs of ${K} and ${deep} do not fit together`);
  const stack = broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2), node);
  const to = given ?? machine.make([...stack, M, N], node);
  const own = { depth: K, columns: N, toRow: N, ...(given && { isAdded: true }) };
  if (constant && isPlain(a)) {
    const rows = sizeOf(stack) * M;
    machine.add({
      op: 'matrix',
      to,
      a,
      b: constant,
      axes: [[1, 0, 0, 0]],
      matrix: {
        ...own,
        rows,
        aRow: K,
        aColumn: 1,
      },
    });
    return to;
  }
  // A view that goes backwards is none that a product reads.
  const ready = (tensor: Tensor): Tensor =>
    tensor.strides.slice(-2).some((n) => n < 0) ? machine.plain(tensor, node) : tensor;
  const [x, y] = [spread(ready(a), [...stack, M, K]), spread(ready(b), [...stack, K, N])];
  const steps = plainStrides(to.dims);
  const axes = stack.map(
    (size, k) => [size, steps[k]!, x.strides[k]!, constant ? 0 : y.strides[k]!] as const,
  );
  const [aRow, aColumn] = x.strides.slice(-2) as [number, number];
  const [bRow, bColumn] = y.strides.slice(-2) as [number, number];
  machine.add({
    op: 'matrix',
    to,
    a: x,
    b: constant ?? y,
    axes: axes.length ? axes : [[1, 0, 0, 0]],
    matrix: {
      ...own,
      rows: M,
      aRow,
      aColumn,
      ...(!constant && {
        bRow,
        bColumn,
      }),
    },
  });
  return to;
}

export const matMul: ProgramOperator = (call, machine) => {
  const { node, graph } = call;
  const [a, b] = [machine.tensorAt(call, 0), machine.tensorAt(call, 1)];
  const wide = (x: Tensor, isLeft: boolean): Tensor => {
    if (x.dims.length > 1) return x;
    if (!x.dims.length) node.refuse('one of its inputs is a single number');
    const [size] = x.dims as [number];
    const [stride] = x.strides as [number];
    return isLeft
      ? { ...x, dims: [1, size], strides: [0, stride] }
      : { ...x, dims: [size, 1], strides: [stride, 0] };
  };
  const matrix = matrixAt(call, 1);
  const constant = matrix && machine.matrix(matrix, false, graph);
  const made = product(call, machine, wide(a, true), wide(b, false), constant);
  const rank = made.dims.length;
  const gone = [
    ...(a.dims.length === 1 ? [rank - 2] : []),
    ...(b.dims.length === 1 ? [rank - 1] : []),
  ];
  return [
    {
      tensor: turned(
        made,
        made.dims.map((_, k) => k).filter((k) => !gone.includes(k)),
      ),
    },
  ];
};

export const gemm: ProgramOperator = (call, machine) => {
  const { node, graph, inputs } = call;
  let [a, b] = [machine.tensorAt(call, 0), machine.tensorAt(call, 1)];
  if (a.dims.length !== 2 || b.dims.length !== 2) node.refuse('its inputs are no matrices');
  if (node.int('transA', 0)) a = turned(a, [1, 0]);
  const isTurned = node.int('transB', 0) !== 0;
  if (isTurned) b = turned(b, [1, 0]);
  const times = (x: Tensor, by: number): Tensor =>
    by === 1 ? x : machine.elementwise('multiply', node, x, machine.number(by));
  a = times(a, node.float('alpha', 1));
  const matrix = matrixAt(call, 1);
  const constant = matrix && machine.matrix(matrix, isTurned, graph);
  let given: Tensor | undefined;
  if (inputs[2]) {
    given = machine.make([a.dims[0]!, b.dims[1]!], node);
    const C = times(machine.tensorAt(call, 2), node.float('beta', 1));
    if (broadcast(C.dims, given.dims, node).some((n, k) => n !== given!.dims[k])) {
      node.refuse('its C does not fit');
    }
    machine.fill(given, 'copy', C);
  }
  return [{ tensor: product(call, machine, a, b, constant, given) }];
};

/** What is done before a reduction, which it is, and what after it. */
const REDUCTIONS: Readonly<Record<string, readonly [before: string, op: string, after: string]>> = {
  ReduceSum: ['', 'sum', ''],
  ReduceMean: ['', 'sum', 'mean'],
  ReduceMax: ['', 'largest', ''],
  ReduceMin: ['', 'smallest', ''],
  ReduceProd: ['', 'product', ''],
  ReduceL1: ['abs', 'sum', ''],
  ReduceL2: ['square', 'sum', 'sqrt'],
  ReduceSumSquare: ['square', 'sum', ''],
  ReduceLogSum: ['', 'sum', 'log'],
};

/** One number of the elements of the last axes. */
export function reduced(x: Tensor, kept: number, op: string, call: Call, machine: Machine): Tensor {
  const { node } = call;
  const a = machine.plain(x, node);
  const dims = x.dims.slice(0, kept);
  const count = sizeOf(x.dims.slice(kept));
  const to = machine.make(dims, node, x.isFloat);
  machine.add({
    op,
    to,
    a,
    count,
    axes: [[sizeOf(dims), 1, count, 0]],
  });
  return to;
}

export const reduce: ProgramOperator = (call, machine) => {
  const { node, inputs } = call;
  const x = machine.tensorAt(call, 0);
  const rank = x.dims.length;
  const given = integersOf(call, 1, 'axes');
  if (!given?.length && inputs[1] && node.int('noop_with_empty_axes', 0)) return [{ tensor: x }];
  const all = x.dims.map((_, k) => k);
  const axes = given?.length ? given.map((axis) => node.axis(Number(axis), rank)) : all;
  const kept = all.filter((axis) => !axes.includes(axis));
  const turnedX = turned(x, [...kept, ...all.filter((axis) => axes.includes(axis))]);
  const count = sizeOf(turnedX.dims.slice(kept.length));
  const { type } = node;
  let made: Tensor;
  if (type === 'ReduceLogSumExp') {
    const ones = turnedX.dims.map((n, k) => (k < kept.length ? n : 1));
    const most = reduced(turnedX, kept.length, 'largest', call, machine);
    const shifted = machine.elementwise(
      'subtract',
      node,
      turnedX,
      machine.reshaped(most, ones, node),
    );
    const powers = machine.activation('exp', shifted, node);
    const sum = reduced(powers, kept.length, 'sum', call, machine);
    made = machine.elementwise('add', node, machine.activation('log', sum, node), most);
  } else {
    const [before, op, after] = REDUCTIONS[type]!;
    let own = turnedX;
    if (before === 'abs') own = machine.activation('abs', own, node);
    if (before === 'square') own = machine.elementwise('multiply', node, own, own);
    made = reduced(own, kept.length, op, call, machine);
    if (after === 'mean') made = machine.elementwise('divide', node, made, machine.number(count));
    if (after === 'sqrt' || after === 'log') made = machine.activation(after, made, node);
  }
  const dims = node.int('keepdims', 1)
    ? x.dims.map((n, k) => (axes.includes(k) ? 1 : n))
    : made.dims;
  return [{ tensor: machine.reshaped(made, dims, node) }];
};

export const softmax: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.tensorAt(call, 0);
  const rank = x.dims.length;
  const isOld = node.opset < 13;
  const axis = node.axis(node.int('axis', isOld ? 1 : -1), rank);
  const all = x.dims.map((_, k) => k);
  const order = isOld ? all : [...all.filter((k) => k !== axis), axis];
  const a = turned(x, order);
  const rows = isOld ? sizeOf(x.dims.slice(0, axis)) : sizeOf(x.dims) / x.dims[axis]!;
  const kind = node.type === 'Softmax' ? 'softmax' : 'logSoftmax';
  const made = machine.activation(kind, a, node, rows);
  return [
    {
      tensor: turned(
        made,
        all.map((k) => order.indexOf(k)),
      ),
    },
  ];
};

/** Rows of mean 0 and variance 1. */
function normal(x: Tensor, rows: number, eps: number, call: Call, machine: Machine): Tensor {
  const a = machine.plain(x, call.node);
  const to = machine.make(a.dims, call.node);
  machine.add({
    op: 'norm',
    to,
    a,
    rows,
    eps,
    width: sizeOf(a.dims) / rows,
  });
  return to;
}

/** Times a factor and with an offset, of each channel. */
function stretched(x: Tensor, call: Call, machine: Machine, dims: readonly number[]): Tensor {
  const { node, inputs } = call;
  const at = (k: number): Tensor => machine.reshaped(machine.tensorAt(call, k), dims, node);
  const scaled = machine.elementwise('multiply', node, x, at(1));
  return inputs[2] ? machine.elementwise('add', node, scaled, at(2)) : scaled;
}

export const layerNorm: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.tensorAt(call, 0);
  if (node.outputs.slice(1).some((name) => name !== '')) node.refuse('its means are not supported');
  const axis = node.axis(node.int('axis', -1), x.dims.length);
  const rows = sizeOf(x.dims.slice(0, axis));
  const made = normal(x, rows, node.float('epsilon', 1e-5), call, machine);
  const own = machine.tensorAt(call, 1).dims;
  return [{ tensor: stretched(made, call, machine, own) }];
};

const channelDims = (x: Tensor): number[] => x.dims.map((n, k) => (k === 1 ? n : 1));

export const instanceNorm: ProgramOperator = (call, machine) => {
  const x = machine.tensorAt(call, 0);
  const rows = x.dims[0]! * (x.dims[1] ?? 1);
  const made = normal(x, rows, call.node.float('epsilon', 1e-5), call, machine);
  return [{ tensor: stretched(made, call, machine, channelDims(x)) }];
};

export const groupNorm: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.tensorAt(call, 0);
  const [batch = 1, channels = 1] = x.dims;
  const groups = node.int('num_groups', 1);
  if (groups < 1 || channels % groups) node.refuse('its groups do not fit');
  const made = normal(x, batch * groups, node.float('epsilon', 1e-5), call, machine);
  // Up to version 20 each group has a factor, later each channel.
  const each = sizeOf(machine.tensorAt(call, 1).dims);
  if (each === channels) return [{ tensor: stretched(made, call, machine, channelDims(x)) }];
  const rest = x.dims.slice(2);
  const split = machine.reshaped(made, [batch, groups, channels / groups, ...rest], node);
  const scaled = stretched(split, call, machine, [1, groups, 1, ...rest.map(() => 1)]);
  return [{ tensor: machine.reshaped(scaled, x.dims, node) }];
};

/** y = x factor + offset, both folded. */
export const batchNorm: ProgramOperator = (call, machine) => {
  const { node, graph } = call;
  if (node.int('training_mode', 0)) node.refuse('its training mode is not supported');
  const x = machine.tensorAt(call, 0);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((k) =>
    floatsOf(constantAt(call, k, 'each of its parameters')!),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const channels = x.dims[1] ?? 1;
  if ([scale, bias, mean, variance].some(({ length }) => length !== channels)) {
    node.refuse('its parameters do not fit');
  }
  graph.take(2 * channels);
  const eps = node.float('epsilon', 1e-5);
  const factor = scale.map((by, k) => by / Math.sqrt(variance[k]! + eps));
  const offset = bias.map((by, k) => by - mean[k]! * factor[k]!);
  const dims = x.dims.length > 1 ? channelDims(x) : [1];
  const [times, plus] = [factor, offset].map((data) => machine.table(dims, data)) as [
    Tensor,
    Tensor,
  ];
  const scaled = machine.elementwise('multiply', node, x, times);
  return [{ tensor: machine.elementwise('add', node, scaled, plus) }];
};
