/** Convolutions and pools over one axis or two. */
import type { ProgramImage } from '../../../ops/program/spec.ts';
import { constantAt } from '../call.ts';
import type { Call } from '../call.ts';
import { floatsOf } from '../constants.ts';
import type { Constant } from '../constants.ts';
import type { Node } from '../node.ts';
import type { Machine, ProgramOperator } from './machine.ts';
import { plainStrides, sizeOf } from './tensor.ts';
import type { Tensor } from './tensor.ts';

type Pair = [high: number, wide: number];

/** Numbers of the spatial axes as those of two: a single one is the second. */
function pairOf(node: Node, name: string, spatial: number, otherwise: number): Pair {
  const list = node.ints(name) ?? Array<number>(spatial).fill(otherwise);
  if (list.length !== spatial) node.refuse(`its "${name}" do not fit`);
  return spatial === 1 ? [otherwise, list[0]!] : [list[0]!, list[1]!];
}

/** The spatial axes of an input [batch, channels, ...] as two. */
function imageOf(x: Tensor, node: Node): { input: Pair; spatial: number } {
  const spatial = x.dims.length - 2;
  if (spatial !== 1 && spatial !== 2) {
    node.refuse(`windows over ${spatial} axes are not supported, those over one and two are`);
  }
  const [high, wide] = x.dims.slice(2) as Pair;
  return { input: spatial === 1 ? [1, high] : [high, wide], spatial };
}

interface Window {
  readonly spatial: number;
  readonly input: Pair;
  readonly taps: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
}

function windowOf(x: Tensor, kernel: readonly number[], node: Node): Window {
  const { input, spatial } = imageOf(x, node);
  if (kernel.length !== spatial || kernel.some((n) => n < 1))
    node.refuse('its kernel does not fit');
  const taps: Pair = spatial === 1 ? [1, kernel[0]!] : [kernel[0]!, kernel[1]!];
  const strides = pairOf(node, 'strides', spatial, 1);
  const dilations = pairOf(node, 'dilations', spatial, 1);
  if ([...strides, ...dilations].some((n) => n < 1)) node.refuse('its strides do not fit');
  return { spatial, input, taps, strides, dilations };
}

const spanOf = ({ taps, dilations }: Window, k: number): number =>
  (taps[k]! - 1) * dilations[k]! + 1;

/** Zeros before and after each axis, [before, after]. */
function padsOf(window: Window, node: Node): [Pair, Pair] {
  const { spatial, input, strides } = window;
  const auto = node.text('auto_pad', 'NOTSET');
  if (auto === 'VALID')
    return [
      [0, 0],
      [0, 0],
    ];
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const all = [0, 1].map((k) => {
      const outputs = Math.ceil(input[k]! / strides[k]!);
      const total = Math.max((outputs - 1) * strides[k]! + spanOf(window, k) - input[k]!, 0);
      const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
      return auto === 'SAME_UPPER' ? [less, more] : [more, less];
    });
    return [
      [all[0]![0]!, all[1]![0]!],
      [all[0]![1]!, all[1]![1]!],
    ];
  }
  const pads = node.ints('pads') ?? Array<number>(2 * spatial).fill(0);
  if (pads.length !== 2 * spatial) node.refuse('its pads do not fit');
  if (spatial === 1)
    return [
      [0, pads[0]!],
      [0, pads[1]!],
    ];
  return [
    [pads[0]!, pads[1]!],
    [pads[2]!, pads[3]!],
  ];
}

/** Windows of a size, one for each output. */
function outputsOf(window: Window, [before, after]: readonly [Pair, Pair], node: Node): Pair {
  const counts = [0, 1].map((k) => {
    const room = window.input[k]! + before[k]! + after[k]! - spanOf(window, k);
    return room < 0 ? node.refuse('its input is too small for one window') : room;
  });
  return counts.map((room, k) => Math.floor(room / window.strides[k]!) + 1) as Pair;
}

/** The axes of what windows over some give. */
const shapeOf = (x: Tensor, channels: number, spatial: number, output: Pair): number[] => [
  x.dims[0]!,
  channels,
  ...output.slice(2 - spatial),
];

/** What a convolution adds to: its bias for every output. */
function begun(call: Call, machine: Machine, dims: readonly number[], at: number): Tensor {
  const to = machine.make(dims, call.node);
  const bias = call.inputs[at] ? machine.plain(machine.tensorAt(call, at), call.node) : undefined;
  if (bias && sizeOf(bias.dims) !== dims[1]) call.node.refuse('its bias does not fit');
  const ones = dims.map((size, k) => (k === 1 ? size : 1));
  const row = bias && { ...bias, dims: ones, strides: plainStrides(ones) };
  machine.fill(to, 'copy', row ?? machine.number(0));
  return to;
}

/** to += the convolution of x by w [O, C / groups, taps]. */
function convolve(
  machine: Machine,
  to: Tensor,
  x: Tensor,
  w: Tensor,
  groups: number,
  image: ProgramImage,
): void {
  const [batch, channels] = [x.dims[0]!, x.dims[1]! / groups];
  const rows = to.dims[1]! / groups;
  const [read, columns] = [sizeOf(x.dims.slice(2)), sizeOf(to.dims.slice(2))];
  const depth = channels * image.taps[0] * image.taps[1];
  const isPointwise =
    depth === channels &&
    read === columns &&
    [...image.strides, ...image.up].every((n) => n === 1) &&
    image.before.every((n) => n === 0);
  const matrix = { rows, depth, columns, aRow: depth, aColumn: 1, toRow: columns, isAdded: true };
  const [made, seen] = [rows * columns, channels * read];
  if (isPointwise) {
    // The weights are the left matrix.
    const axes = [
      [batch, groups * made, 0, groups * seen],
      [groups, made, rows * depth, seen],
    ] as const;
    machine.add({
      op: 'matrix',
      to,
      a: w,
      b: x,
      axes,
      matrix: {
        ...matrix,
        bRow: columns,
        bColumn: 1,
      },
    });
    return;
  }
  const axes = [
    [batch, groups * made, groups * seen, 0],
    [groups, made, seen, rows * depth],
  ] as const;
  machine.add({
    op: 'convolution',
    to,
    a: x,
    b: w,
    axes,
    matrix,
    image,
  });
}

export const convolution: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.plain(machine.tensorAt(call, 0), node);
  const w = machine.plain(machine.tensorAt(call, 1), node);
  const groups = node.int('group', 1);
  const [outputs = 0, channels = 0] = w.dims;
  const window = windowOf(x, w.dims.slice(2), node);
  const fits = x.dims[1] === channels * groups && outputs % groups === 0 && groups >= 1;
  if (!fits) node.refuse('its weight does not fit its input');
  const [before, after] = padsOf(window, node);
  const { spatial, input, taps, strides, dilations } = window;
  const output = outputsOf(window, [before, after], node);
  const to = begun(call, machine, shapeOf(x, outputs, spatial, output), 2);
  convolve(machine, to, x, w, groups, {
    channels,
    input,
    output,
    taps,
    strides,
    dilations,
    before,
    after,
    up: [1, 1],
  });
  return [{ tensor: to }];
};

/** The weights of a transposed convolution as those of one: turned around, outputs first. */
function turnedWeights({ dims, ...rest }: Constant, groups: number, call: Call): Float32Array {
  const data = floatsOf({ dims, ...rest });
  const [all, own] = dims as [number, number];
  const [channels, taps] = [all / groups, sizeOf(dims.slice(2))];
  call.graph.take(data.length);
  const out = new Float32Array(data.length);
  for (let group = 0; group < groups; group++) {
    for (let c = 0; c < channels; c++) {
      for (let o = 0; o < own; o++) {
        const from = ((group * channels + c) * own + o) * taps;
        const to = ((group * own + o) * channels + c) * taps;
        for (let k = 0; k < taps; k++) out[to + k] = data[from + taps - 1 - k]!;
      }
    }
  }
  return out;
}

export const transposedConvolution: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.plain(machine.tensorAt(call, 0), node);
  const W = constantAt(call, 1, 'its weight')!;
  const groups = node.int('group', 1);
  const [all = 0, own = 0] = W.dims;
  const window = windowOf(x, W.dims.slice(2), node);
  const { spatial, input, taps, strides, dilations } = window;
  if (x.dims[1] !== all || groups < 1 || all % groups) node.refuse('its weight does not fit');
  const extra = pairOf(node, 'output_padding', spatial, 0);
  const auto = node.text('auto_pad', 'NOTSET');
  const wanted = node.ints('output_shape')?.slice(-spatial);
  if (wanted && wanted.length !== spatial) node.refuse('its output_shape does not fit');
  const full = [0, 1].map((k) => strides[k]! * (input[k]! - 1) + extra[k]! + spanOf(window, k));
  let before: Pair;
  let output: Pair;
  if (wanted || auto.startsWith('SAME')) {
    const given = wanted && (spatial === 1 ? [1, wanted[0]!] : wanted);
    output = [0, 1].map((k) => given?.[k] ?? input[k]! * strides[k]!) as Pair;
    before = [0, 1].map((k) => {
      const total = full[k]! - output[k]!;
      return auto === 'SAME_UPPER' ? Math.floor(total / 2) : total - Math.floor(total / 2);
    }) as Pair;
  } else {
    const pads = padsOf(window, node);
    [before] = pads;
    output = [0, 1].map((k) => full[k]! - pads[0][k]! - pads[1][k]!) as Pair;
  }
  if (output.some((n) => !(n >= 1))) node.refuse('it makes no output');
  const channels = all / groups;
  const shape = [groups * own, channels, ...W.dims.slice(2)];
  const w = machine.table(shape, turnedWeights(W, groups, call));
  const to = begun(call, machine, shapeOf(x, groups * own, spatial, output), 2);
  convolve(machine, to, x, w, groups, {
    channels,
    input,
    output,
    taps,
    dilations,
    up: strides,
    strides: [1, 1],
    before: [0, 1].map((k) => spanOf(window, k) - 1 - before[k]!) as Pair,
    after: [0, 0],
  });
  return [{ tensor: to }];
};

export const windowPool: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.plain(machine.tensorAt(call, 0), node);
  const window = windowOf(x, node.ints('kernel_shape') ?? [], node);
  if (node.outputs.length > 1 && node.outputs[1]) node.refuse('its indices are not supported');
  const isMax = node.type === 'MaxPool';
  const { spatial, input, taps, strides, dilations } = window;
  const [before, after] = padsOf(window, node);
  let output = outputsOf(window, [before, after], node);
  if (node.int('ceil_mode', 0)) {
    output = output.map((_, k) => {
      const room = input[k]! + before[k]! + after[k]! - spanOf(window, k);
      const count = Math.ceil(room / strides[k]!) + 1;
      // Every window begins within the input or the padding in front.
      return (count - 1) * strides[k]! >= input[k]! + before[k]! ? count - 1 : count;
    }) as Pair;
  }
  const counts = !isMax && node.int('count_include_pad', 0) === 1;
  const to = machine.make(shapeOf(x, x.dims[1]!, spatial, output), node);
  const [made, seen] = [output[0] * output[1], input[0] * input[1]];
  machine.add({
    op: isMax ? 'maxPool' : 'meanPool',
    to,
    a: x,
    axes: [[x.dims[0]! * x.dims[1]!, made, seen, 0]],
    image: {
      channels: 1,
      input,
      output,
      taps,
      strides,
      dilations,
      before,
      after: counts ? after : [-1, -1],
      up: [1, 1],
    },
  });
  return [{ tensor: to }];
};

export const globalPool: ProgramOperator = (call, machine) => {
  const { node } = call;
  const x = machine.plain(machine.tensorAt(call, 0), node);
  const [batch = 1, channels = 1, ...rest] = x.dims;
  const isMax = node.type === 'GlobalMaxPool';
  const to = machine.make([batch, channels, ...rest.map(() => 1)], node);
  const count = sizeOf(rest);
  machine.add({
    op: isMax ? 'largest' : 'sum',
    to,
    a: x,
    count,
    axes: [[batch * channels, 1, count, 0]],
  });
  if (isMax) return [{ tensor: to }];
  return [{ tensor: machine.elementwise('multiply', node, to, machine.number(1 / count)) }];
};
