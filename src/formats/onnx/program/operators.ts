/** What operators of ONNX become in a program: by their names. */
import { constantAt, integersOf } from '../call.ts';
import type { Call } from '../call.ts';
import { ACTIVATIONS } from '../arithmetic.ts';
import { elementsOf, floatsOf, numbersOf } from '../constants.ts';
import { rangeOf } from '../fold.ts';
import { shape, size } from '../shapes.ts';
import { convolution, globalPool, transposedConvolution, windowPool } from './images.ts';
import type { Machine, ProgramOperator } from './machine.ts';
import {
  argument,
  gatherElements,
  gatherNd,
  runningSum,
  scatterElements,
  topK,
} from './indices.ts';
import { picked, pickedBy } from './pick.ts';
import {
  gemm,
  instanceNorm,
  batchNorm,
  groupNorm,
  layerNorm,
  matMul,
  reduce,
  softmax,
} from './rows.ts';
import { recurrent } from './recurrent.ts';
import { resize } from './resize.ts';
import { cut, sizeOf, spread, turned } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** An operator that makes one tensor of one. */
const one =
  (of: (tensor: Tensor, call: Call, machine: Machine) => Tensor): ProgramOperator =>
  (call, machine) => [{ tensor: of(machine.tensorAt(call, 0), call, machine) }];

/** Whole numbers that are an input or an attribute. */
function numbers(call: Call, k: number, name: string): number[] | undefined {
  return integersOf(call, k, name)?.map((item) =>
    typeof item === 'number' ? item : call.node.refuse(`its "${name}" is unknown`),
  );
}

const identity: ProgramOperator = ({ inputs }) => [inputs[0]];

/** From the left, operand by operand. */
const fold =
  (op: string): ProgramOperator =>
  (call, machine) => {
    const tensors = call.inputs.map((_, k) => machine.tensorAt(call, k));
    const [first, ...others] = tensors as [Tensor, ...Tensor[]];
    const made = others.reduce((a, b) => machine.elementwise(op, call.node, a, b), first);
    return [{ tensor: made }];
  };

const divide: ProgramOperator = (call, machine) => {
  const [a, b] = [machine.tensorAt(call, 0), machine.tensorAt(call, 1)];
  const { node } = call;
  const made = machine.elementwise('divide', node, a, b);
  return [{ tensor: a.isFloat ? made : machine.elementwise('truncate', node, made) }];
};

/** What is left of a division: of its floor, or of its whole part. */
const modulo: ProgramOperator = (call, machine) => {
  const [a, b] = [machine.tensorAt(call, 0), machine.tensorAt(call, 1)];
  const { node } = call;
  const whole = machine.elementwise(
    node.int('fmod', 0) ? 'truncate' : 'floor',
    node,
    machine.elementwise('divide', node, a, b),
  );
  const product = machine.elementwise('multiply', node, whole, b);
  return [{ tensor: machine.elementwise('subtract', node, a, product) }];
};

const mean: ProgramOperator = (call, machine) => {
  const [{ tensor }] = fold('add')(call, machine) as [{ tensor: Tensor }];
  const by = machine.number(1 / call.inputs.length);
  return [{ tensor: machine.elementwise('multiply', call.node, tensor, by) }];
};

/** A truth of two tensors, or of both the other way round. */
const compare =
  (op: string, isTurned = false): ProgramOperator =>
  (call, machine) => {
    const all = [machine.tensorAt(call, 0), machine.tensorAt(call, 1)];
    const [a, b] = (isTurned ? all.reverse() : all) as [Tensor, Tensor];
    return [{ tensor: machine.elementwise(op, call.node, a, b, false) }];
  };

const isZero = (x: Tensor, { node }: Call, machine: Machine): Tensor =>
  machine.elementwise('equal', node, x, machine.number(0), false);

const exclusiveOr: ProgramOperator = (call, machine) => {
  const [a, b] = [0, 1].map((k) => isZero(machine.tensorAt(call, k), call, machine));
  const same = machine.elementwise('equal', call.node, a!, b!, false);
  return [{ tensor: isZero(same, call, machine) }];
};

const activation = one((x, call, machine) =>
  machine.activation(ACTIVATIONS[call.node.type]!(call.node, call), x, call.node),
);

const elements = (op: string): ProgramOperator =>
  one((x, { node }, machine) => machine.elementwise(op, node, x));

const sign = one((x, { node }, machine) => {
  const zero = machine.number(0);
  const above = machine.elementwise('greater', node, x, zero, x.isFloat);
  const below = machine.elementwise('greater', node, zero, x, x.isFloat);
  return machine.elementwise('subtract', node, above, below);
});

const power: ProgramOperator = (call, machine) => {
  const { node } = call;
  const base = machine.tensorAt(call, 0);
  const value = call.inputs[1];
  const exponents = value && 'constant' in value ? floatsOf(value.constant) : undefined;
  if (exponents?.length !== 1) return fold('power')(call, machine);
  const alpha = exponents[0]!;
  if (alpha === 2) return [{ tensor: machine.elementwise('multiply', node, base, base) }];
  const made = machine.activation(alpha === 0.5 ? 'sqrt' : { type: 'pow', alpha }, base, node);
  return [{ tensor: { ...made, isFloat: base.isFloat } }];
};

const gelu: ProgramOperator = (call, machine) => {
  const { node } = call;
  if (node.text('approximate', 'none') !== 'tanh') return activation(call, machine);
  const x = machine.tensorAt(call, 0);
  const by = (a: Tensor, b: Tensor): Tensor => machine.elementwise('multiply', node, a, b);
  const plus = (a: Tensor, b: Tensor): Tensor => machine.elementwise('add', node, a, b);
  const cube = by(by(x, x), by(x, machine.number(0.044715)));
  const inner = by(plus(x, cube), machine.number(Math.sqrt(2 / Math.PI)));
  const one_ = plus(machine.activation('tanh', inner, node), machine.number(1));
  return [{ tensor: by(by(x, machine.number(0.5)), one_) }];
};

/** x times an activation of it. */
const gated = (of: (x: Tensor, call: Call, machine: Machine) => Tensor): ProgramOperator =>
  one((x, call, machine) => machine.elementwise('multiply', call.node, x, of(x, call, machine)));

const hardSwish = gated((x, { node }, machine) =>
  machine.activation({ type: 'hardSigmoid', alpha: 1 / 6, beta: 0.5 }, x, node),
);
const mish = gated((x, { node }, machine) =>
  machine.activation('tanh', machine.activation('softplus', x, node), node),
);

/** Bounds that are computed, or constants. */
const clip: ProgramOperator = (call, machine) => {
  const { node, inputs } = call;
  if (inputs.slice(1).every((value) => !value || 'constant' in value)) {
    const x = machine.tensorAt(call, 0);
    const made = machine.activation(ACTIVATIONS['Clip']!(node, call), x, node);
    return [{ tensor: { ...made, isFloat: x.isFloat } }];
  }
  let x = machine.tensorAt(call, 0);
  if (inputs[1]) x = machine.elementwise('max', node, x, machine.tensorAt(call, 1));
  if (inputs[2]) x = machine.elementwise('min', node, x, machine.tensorAt(call, 2));
  return [{ tensor: x }];
};

const cast = one((x, call, machine) => {
  const { node } = call;
  const to = node.int('to', 1);
  if (to === 9) return isZero(isZero(x, call, machine), call, machine);
  const isFloat = [1, 10, 11, 16].includes(to);
  if (isFloat === x.isFloat) return x;
  if (isFloat) return { ...x, isFloat };
  return { ...machine.elementwise('truncate', node, x), isFloat };
});

const where: ProgramOperator = (call, machine) => {
  const { node } = call;
  const [which, yes, no] = [0, 1, 2].map((k) => machine.tensorAt(call, k)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const dims = [yes, no].reduce((all, { dims: own }) => broadcastDims(all, own, call), which.dims);
  const to = machine.copy(spread(no, dims), node);
  machine.fill(to, 'pick', yes, which);
  return [{ tensor: { ...to, isFloat: yes.isFloat } }];
};

function broadcastDims(a: readonly number[], b: readonly number[], { node }: Call): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, k) => {
    const [left = 1, right = 1] = [a[k - rank + a.length], b[k - rank + b.length]];
    if (left !== right && left !== 1 && right !== 1) node.refuse('its inputs do not fit together');
    return left === 1 ? right : left;
  });
}

const transpose = one((x, { node }) => {
  const rank = x.dims.length;
  const given = node.ints('perm') ?? Array.from({ length: rank }, (_, k) => rank - 1 - k);
  if (given.length !== rank || new Set(given).size !== rank) node.refuse('its perm does not fit');
  return turned(
    x,
    given.map((axis) => node.axis(axis, rank)),
  );
});

const reshape = one((x, call, machine) => {
  const { node } = call;
  const target = numbers(call, 1, 'shape') ?? node.refuse('it has no shape');
  const keepsZero = node.int('allowzero', 0) === 1;
  const dims = target.map((n, k) => (n === 0 && !keepsZero ? (x.dims[k] ?? 0) : n));
  const count = sizeOf(x.dims);
  const rest = dims.reduce((n, own) => (own < 0 ? n : n * own), 1);
  const all = dims.map((own) => (own < 0 ? count / rest : own));
  const isWhole = all.every((own) => Number.isInteger(own) && own > 0);
  if (!isWhole || sizeOf(all) !== count) node.refuse('its shape does not fit');
  return machine.reshaped(x, all, node);
});

const flatten = one((x, { node }, machine) => {
  const given = node.int('axis', 1);
  const axis = given < 0 ? given + x.dims.length : given;
  const target = [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))];
  return machine.reshaped(x, target, node);
});

/** Axes of 1 more. */
const unsqueeze = one((x, call) => {
  const { node } = call;
  const axes = numbers(call, 1, 'axes') ?? node.refuse('it has no axes');
  const rank = x.dims.length + axes.length;
  const at = new Set(axes.map((axis) => node.axis(axis, rank)));
  if (at.size < axes.length) node.refuse('it names an axis twice');
  let k = 0;
  const from = Array.from({ length: rank }, (_, axis) => (at.has(axis) ? -1 : k++));
  return {
    ...x,
    dims: from.map((own) => (own < 0 ? 1 : x.dims[own]!)),
    strides: from.map((own) => (own < 0 ? 0 : x.strides[own]!)),
  };
});

const squeeze = one((x, call) => {
  const { node } = call;
  const given = numbers(call, 1, 'axes')?.map((axis) => node.axis(axis, x.dims.length));
  const axes = given ?? x.dims.flatMap((own, k) => (own === 1 ? [k] : []));
  if (axes.some((axis) => x.dims[axis] !== 1)) node.refuse('it leaves out an axis that is not 1');
  const kept = x.dims.map((_, k) => k).filter((k) => !axes.includes(k));
  return turned(x, kept);
});

const expand = one((x, call) => {
  const target = numbers(call, 1, 'shape') ?? [];
  return spread(x, broadcastDims(x.dims, target, call));
});

const tile = one((x, call, machine) => {
  const { node } = call;
  const repeats = numbers(call, 1, 'repeats') ?? [];
  const { dims, strides } = x;
  if (repeats.length !== dims.length || repeats.some((n) => n < 1)) {
    node.refuse('its repeats do not fit');
  }
  const wide = {
    ...x,
    dims: dims.flatMap((own, k) => [repeats[k]!, own]),
    strides: strides.flatMap((own) => [0, own]),
  };
  const total = dims.map((own, k) => own * repeats[k]!);
  // More axes than elements walk over do no harm where those of 1 count for nothing.
  const to = machine.make(total, node, x.isFloat);
  const view = machine.make(wide.dims, node, x.isFloat);
  machine.fill({ ...to, dims: wide.dims, strides: view.strides }, 'copy', wide);
  return to;
});

const slice = one((x, call) => {
  const { node } = call;
  const starts = numbers(call, 1, 'starts') ?? node.refuse('it has no starts');
  const ends = numbers(call, 2, 'ends') ?? node.refuse('it has no ends');
  const axes = numbers(call, 3, 'axes') ?? starts.map((_, k) => k);
  const steps = numbers(call, 4, 'steps') ?? starts.map(() => 1);
  return axes.reduce((made, given, k) => {
    const axis = node.axis(given, x.dims.length);
    if (!steps[k]) node.refuse('it has steps of 0');
    const range = rangeOf(starts[k]!, ends[k]!, steps[k]!, x.dims[axis]!);
    if (range.count < 1) node.refuse('it leaves nothing, which is not supported');
    return cut(made, axis, range.from, range.count, range.step);
  }, x);
});

/** The first steps of each sequence from the last of them on; the others stay. */
const reverseSequence = one((x, call, machine) => {
  const { node } = call;
  const [time, batch] = [node.int('time_axis', 0), node.int('batch_axis', 1)];
  const lengths = numbersOf(constantAt(call, 1, 'its sequence_lens')!) ?? [];
  const steps = x.dims[time] ?? 0;
  const isOrder = x.dims.length > 1 && (time === 0 ? batch === 1 : time === 1 && batch === 0);
  const fits = lengths.length === x.dims[batch] && lengths.every((n) => n >= 0 && n <= steps);
  if (!isOrder || !fits) node.refuse('its axes or sequence_lens do not fit');
  const turned_ = (tensor: Tensor, count: number): Tensor =>
    cut(tensor, time, count - 1, count, -1);
  if (lengths.every((count) => count === steps)) return turned_(x, steps);
  call.graph.take(64 * lengths.length);
  const to = machine.copy(x, node);
  for (const [row, count] of lengths.entries()) {
    if (count < 2) continue;
    const [own, given] = [to, x].map((tensor) => cut(tensor, batch, row, 1)) as [Tensor, Tensor];
    machine.fill(cut(own, time, 0, count), 'copy', turned_(given, count));
  }
  return to;
});

const split: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.tensorAt(call, 0);
  const axis = node.axis(node.int('axis', 0), x.dims.length);
  const whole = x.dims[axis]!;
  const count = node.outputs.length;
  if (node.int('num_outputs', count) !== count) node.refuse('its num_outputs does not fit');
  const even = Math.ceil(whole / count);
  const equal = Array.from({ length: count }, (_, k) => Math.min(even, whole - k * even));
  const pieces = numbers(call, 1, 'split') ?? equal;
  const isWhole = pieces.reduce((a, b) => a + b, 0) === whole;
  if (!isWhole || pieces.some((n) => n < 1)) node.refuse('its pieces do not fit');
  let from = 0;
  return pieces.map((piece) => {
    from += piece;
    return { tensor: cut(x, axis, from - piece, piece) };
  });
};

const concat: ProgramOperator = (call, machine) => {
  const { node } = call;
  const isEmpty = (k: number): boolean => {
    const value = call.inputs[k];
    return value !== undefined && 'constant' in value && value.constant.data.length === 0;
  };
  const tensors = call.inputs.flatMap((_, k) => (isEmpty(k) ? [] : machine.tensorAt(call, k)));
  const [first] = tensors as [Tensor];
  const axis = node.axis(node.int('axis', 0), first.dims.length);
  const fits = (own: Tensor): boolean =>
    own.dims.length === first.dims.length &&
    own.dims.every((n, k) => k === axis || n === first.dims[k]);
  if (!tensors.every(fits)) node.refuse('its inputs do not fit together');
  if (tensors.length === 1) return [{ tensor: first }];
  const total = tensors.reduce((sum, { dims }) => sum + dims[axis]!, 0);
  const dims = first.dims.map((n, k) => (k === axis ? total : n));
  const to = machine.make(dims, node, first.isFloat);
  let from = 0;
  for (const own of tensors) {
    machine.fill(cut(to, axis, from, own.dims[axis]!), 'copy', own);
    from += own.dims[axis]!;
  }
  return [{ tensor: to }];
};

const gather: ProgramOperator = (call, machine) => {
  const { node, inputs } = call;
  const x = machine.tensorAt(call, 0);
  const axis = node.axis(node.int('axis', 0), x.dims.length);
  const value = inputs[1];
  if (!value || !('constant' in value)) {
    const index = machine.tensorAt(call, 1);
    return [{ tensor: picked(x, axis, index, call, machine) }];
  }
  const { dims } = value.constant;
  const whole = x.dims[axis]!;
  const list = (numbersOf(value.constant) ?? []).map((n) => (n < 0 ? n + whole : n));
  if (!list.length || list.some((n) => !(n >= 0 && n < whole))) {
    node.refuse(`an index is none of ${whole}`);
  }
  const made = pickedBy(x, axis, list, call, machine);
  if (dims.length === 1) return [{ tensor: made }];
  const target = [...x.dims.slice(0, axis), ...dims, ...x.dims.slice(axis + 1)];
  if (!dims.length) {
    const kept = made.dims.map((_, k) => k).filter((k) => k !== axis);
    return [{ tensor: turned(made, kept) }];
  }
  return [{ tensor: machine.reshaped(made, target, node) }];
};

const scatterNd: ProgramOperator = (call, machine) => {
  const { node, graph } = call;
  if (node.text('reduction', 'none') !== 'none') node.refuse('it adds up, which is not supported');
  const index = constantAt(call, 1, 'its indices')!;
  const list = numbersOf(index) ?? node.refuse('its indices are unknown or not whole');
  const data = machine.tensorAt(call, 0);
  const depth = index.dims.at(-1) ?? 0;
  if (depth < 1 || depth > data.dims.length || !list.length) node.refuse('its indices do not fit');
  const [outer, inner] = [data.dims.slice(0, depth), data.dims.slice(depth)];
  const row = sizeOf(inner);
  graph.take(list.length);
  const places = Float32Array.from({ length: list.length / depth }, (_, k) =>
    outer.reduce((place, own, j) => {
      const given = list[k * depth + j]!;
      const at = given < 0 ? given + own : given;
      return at >= 0 && at < own ? place * own + at : node.refuse(`its index ${given} is none`);
    }, 0),
  );
  const updates = machine.plain(machine.tensorAt(call, 2), node);
  if (sizeOf(updates.dims) !== places.length * row) node.refuse('its updates do not fit');
  const to = machine.copy(data, node);
  machine.add({
    op: 'scatter',
    to,
    a: updates,
    b: machine.table([places.length], places),
    count: places.length,
    size: sizeOf(outer),
    row,
    axes: [[1, 0, 0, 0]],
  });
  return [{ tensor: to }];
};

const pad = one((x, call, machine) => {
  const { node } = call;
  const rank = x.dims.length;
  const pads =
    numbers(call, 1, 'pads') ?? numbers(call, 1, 'paddings') ?? node.refuse('it has no pads');
  const all = Array.from({ length: rank }, (_, k) => k);
  const axes = numbers(call, 3, 'axes')?.map((axis) => node.axis(axis, rank)) ?? all;
  if (pads.length !== 2 * axes.length) node.refuse('its pads do not fit');
  const mode = node.text('mode', 'constant');
  const before = all.map((k) => (axes.includes(k) ? pads[axes.indexOf(k)]! : 0));
  const after = all.map((k) => (axes.includes(k) ? pads[axes.indexOf(k) + axes.length]! : 0));
  const dims = x.dims.map((own, k) => own + before[k]! + after[k]!);
  if (dims.some((own) => own < 1)) node.refuse('it leaves nothing, which is not supported');
  if (mode !== 'constant') {
    return all.reduce((made, axis) => {
      const [front, own] = [before[axis]!, x.dims[axis]!];
      if (front === 0 && after[axis] === 0) return made;
      call.graph.take(dims[axis]!);
      const list = Array.from({ length: dims[axis]! }, (_, j) =>
        source(j - front, own, mode, call),
      );
      return pickedBy(made, axis, list, call, machine);
    }, x);
  }
  const value = constantAt(call, 2, 'its value');
  const number = value?.data.length ? elementsOf(value)[0]! : node.float('value', 0);
  const to = machine.make(dims, node, x.isFloat);
  machine.fill(to, 'copy', machine.number(number));
  // Less than none cuts off.
  const [inside, own] = all.reduce(
    ([target, given], k) => {
      const [front, back] = [before[k]!, after[k]!];
      const count = x.dims[k]! + Math.min(front, 0) + Math.min(back, 0);
      if (count < 1) node.refuse('it leaves nothing, which is not supported');
      return [
        cut(target, k, Math.max(front, 0), count),
        cut(given, k, Math.max(-front, 0), count),
      ] as const;
    },
    [to, x] as readonly [Tensor, Tensor],
  );
  machine.fill(inside, 'copy', own);
  return to;
});

/** Which of `size` places stands at one before, among or after them. */
function source(place: number, whole: number, mode: string, { node }: Call): number {
  if (place >= 0 && place < whole) return place;
  if (mode === 'edge') return place < 0 ? 0 : whole - 1;
  if (mode === 'wrap') return ((place % whole) + whole) % whole;
  if (mode !== 'reflect') return node.refuse(`its mode "${mode}" is not supported`);
  const turn = Math.max(2 * (whole - 1), 1);
  const within = ((place % turn) + turn) % turn;
  return within < whole ? within : turn - within;
}

const dequantize: ProgramOperator = (call, machine) => {
  const { node, inputs } = call;
  const [x, scale] = [machine.tensorAt(call, 0), machine.tensorAt(call, 1)];
  const along = (own: Tensor): Tensor => {
    if (sizeOf(own.dims) === 1) return { ...own, dims: [], strides: [] };
    const axis = node.axis(node.int('axis', 1), x.dims.length);
    const dims = x.dims.map((_, k) => (k === axis ? own.dims[0]! : 1));
    return machine.reshaped(own, dims, node);
  };
  const shifted = inputs[2]
    ? machine.elementwise('subtract', node, x, along(machine.tensorAt(call, 2)))
    : x;
  return [
    { tensor: { ...machine.elementwise('multiply', node, shifted, along(scale)), isFloat: true } },
  ];
};

/** Every operator that a program has, by its name. */
export const PROGRAM: Readonly<Record<string, ProgramOperator>> = {
  ...Object.fromEntries(Object.keys(ACTIVATIONS).map((type) => [type, activation])),
  Add: fold('add'),
  And: compare('and'),
  ArgMax: argument,
  ArgMin: argument,
  AveragePool: windowPool,
  BatchNormalization: batchNorm,
  Cast: cast,
  Ceil: elements('ceil'),
  Clip: clip,
  Concat: concat,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  CumSum: runningSum,
  DequantizeLinear: dequantize,
  Div: divide,
  Dropout: identity,
  Equal: compare('equal'),
  Erf: one((x, { node }, machine) => machine.activation('erf', x, node)),
  Exp: one((x, { node }, machine) => machine.activation('exp', x, node)),
  Expand: expand,
  Flatten: flatten,
  Floor: elements('floor'),
  GRU: recurrent,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Gelu: gelu,
  Gemm: gemm,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  Greater: compare('greater'),
  GreaterOrEqual: compare('notLess'),
  GroupNormalization: groupNorm,
  HardSwish: hardSwish,
  Identity: identity,
  InstanceNormalization: instanceNorm,
  LSTM: recurrent,
  LayerNormalization: layerNorm,
  Less: compare('greater', true),
  LessOrEqual: compare('notLess', true),
  LogSoftmax: softmax,
  MatMul: matMul,
  Max: fold('max'),
  MaxPool: windowPool,
  Mean: mean,
  Min: fold('min'),
  Mish: mish,
  Mod: modulo,
  Mul: fold('multiply'),
  Not: one(isZero),
  Or: compare('or'),
  PRelu: fold('prelu'),
  Pad: pad,
  Pow: power,
  RNN: recurrent,
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: reduce,
  ReduceSumSquare: reduce,
  Reshape: reshape,
  Resize: resize,
  ReverseSequence: reverseSequence,
  Round: elements('round'),
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  Shape: shape,
  Sign: sign,
  Size: size,
  Slice: slice,
  Softmax: softmax,
  Split: split,
  Squeeze: squeeze,
  Sub: fold('subtract'),
  Sum: fold('add'),
  Tile: tile,
  TopK: topK,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Upsample: resize,
  Where: where,
  Xor: exclusiveOr,
};
