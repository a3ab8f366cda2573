/** Generated graphs of tensors of any rank, and operators at the edges of what ONNX says of them. */
import type { OnnxAttribute, OnnxNode, OnnxTensor } from '../peers/onnx-writer.ts';
import type { Random } from '../support/random.ts';
import type { OnnxCase } from './onnx-cases.ts';

const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
const LONGEST = 2n ** 63n - 1n;

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
}

type Attributes = Record<string, OnnxAttribute>;

const ints = (...list: number[]): Int32Array => Int32Array.from(list);
const float = (x: number): OnnxAttribute => ({ float: x });

/** A graph node by node. */
export class Net {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly inputs: { name: string; shape: readonly number[]; data: ArrayLike<number> }[] = [];
  readonly random: Random;
  readonly opset: number;
  #count = 0;

  constructor(random: Random, opset = 17) {
    this.random = random;
    this.opset = opset;
  }

  name(like: string): string {
    return `${like}${this.#count++}`;
  }

  input(...shape: number[]): Tensor {
    const name = this.name('x');
    this.inputs.push({ name, shape, data: this.random.vector(product(shape), 1) });
    return { name, shape };
  }

  constant(shape: readonly number[], scale = 0.7, around = 0): Tensor {
    const name = this.name('c');
    const data = Float32Array.from(this.random.vector(product(shape), scale), (x) => x + around);
    this.initializers.push({ name, dims: shape, data });
    return { name, shape };
  }

  floats(...list: number[]): string {
    const name = this.name('f');
    this.initializers.push({ name, dims: [list.length], data: Float32Array.from(list) });
    return name;
  }

  longs(list: readonly (number | bigint)[], dims: readonly number[] = [list.length]): string {
    const name = this.name('i');
    this.initializers.push({ name, dims, data: BigInt64Array.from(list, BigInt) });
    return name;
  }

  /** Lengths of sequences, which are of 32 bits. */
  whole(list: readonly number[]): string {
    const name = this.name('n');
    this.initializers.push({ name, dims: [list.length], data: Int32Array.from(list) });
    return name;
  }

  add(
    opType: string,
    inputs: readonly (string | Tensor)[],
    shape: readonly number[] = [],
    attributes: Attributes = {},
    outputs = 1,
  ): Tensor {
    const name = this.name('t');
    const names = [name, ...Array.from({ length: outputs - 1 }, (_, k) => `${name}.${k + 1}`)];
    this.nodes.push({
      opType,
      inputs: inputs.map((one) => (typeof one === 'string' ? one : one.name)),
      outputs: names,
      attributes,
    });
    return { name, shape };
  }

  done(...outputs: Tensor[]): OnnxCase {
    const { nodes, initializers, opset, inputs } = this;
    return {
      graph: {
        inputs: inputs.map(({ name, shape }) => ({ name, dims: shape })),
        outputs: outputs.map(({ name }) => name),
        initializers,
        nodes,
        opset,
      },
      inputs,
    };
  }
}

type Draw = (net: Net) => Tensor | readonly Tensor[];

const unary =
  (type: string, attributes: Attributes = {}, shape = [2, 3, 5]): Draw =>
  (net) =>
    net.add(type, [net.input(...shape)], shape, attributes);
const positive =
  (type: string): Draw =>
  (net) =>
    net.add(type, [net.add('Abs', [net.input(3, 7)])], [3, 7]);
const pair =
  (type: string, a: number[], b: number[]): Draw =>
  (net) =>
    net.add(type, [net.input(...a), net.input(...b)]);
/** A truth as numbers. */
const truth =
  (type: string): Draw =>
  (net) => {
    const [a, b] = [net.input(2, 3, 4), net.input(3, 1)].map((x) => net.add('Round', [x])) as [
      Tensor,
      Tensor,
    ];
    return net.add('Cast', [net.add(type, [a, b])], [], { to: 1 });
  };
const logic =
  (type: string): Draw =>
  (net) => {
    const zero = net.floats(0);
    const all = (type === 'Not' ? [0] : [0, 1]).map(() =>
      net.add('Greater', [net.input(2, 5), zero]),
    );
    return net.add('Cast', [net.add(type, all)], [], { to: 1 });
  };
const conv =
  (x: number[], w: number[], attributes: Attributes = {}, hasBias = true): Draw =>
  (net) => {
    const outputs = w[0]!;
    const bias = hasBias ? [net.constant([outputs])] : [];
    return net.add('Conv', [net.input(...x), net.constant(w), ...bias], [], attributes);
  };
const convTranspose =
  (x: number[], w: number[], attributes: Attributes = {}): Draw =>
  (net) => {
    const groups = (attributes['group'] as number | undefined) ?? 1;
    const bias = net.constant([w[1]! * groups]);
    return net.add('ConvTranspose', [net.input(...x), net.constant(w), bias], [], attributes);
  };
const pool =
  (type: string, x: number[], attributes: Attributes): Draw =>
  (net) =>
    net.add(type, [net.input(...x)], [], attributes);
const slice =
  (...list: (number | bigint)[][]): Draw =>
  (net) =>
    net.add('Slice', [net.input(4, 5, 6), ...list.map((one) => net.longs(one))]);
const reduce =
  (type: string, attributes: Attributes): Draw =>
  (net) =>
    net.add(type, [net.input(2, 3, 4, 5)], [], attributes);
const pad =
  (mode: string, pads: number[], shape = [2, 3, 4]): Draw =>
  (net) =>
    net.add('Pad', [net.input(...shape), net.longs(pads)], [], { mode });
const resize =
  (scales: number[], attributes: Attributes): Draw =>
  (net) =>
    net.add('Resize', [net.input(1, 2, 3, 4), '', net.floats(...scales)], [], attributes);
/** Indices that a graph computes, of an axis of some size. */
const computed = (net: Net, shape: readonly number[], size: number): Tensor => {
  const own = net.add('Mul', [net.add('Sigmoid', [net.input(...shape)]), net.floats(size - 0.01)]);
  return net.add('Cast', [net.add('Floor', [own])], shape, { to: 7 });
};
/** Of rounded numbers, some of which are the same. */
const argument =
  (type: string, shape: number[], attributes: Attributes): Draw =>
  (net) => {
    const x = net.add('Round', [net.add('Mul', [net.input(...shape), net.floats(2)])]);
    return net.add('Cast', [net.add(type, [x], [], attributes)], [], { to: 1 });
  };
const chosen =
  (shape: number[], count: number, attributes: Attributes): Draw =>
  (net) => {
    const made = net.add('TopK', [net.input(...shape), net.longs([count])], [], attributes, 2);
    return [made, net.add('Cast', [`${made.name}.1`], [], { to: 1 })];
  };
const sums =
  (shape: number[], axis: number, attributes: Attributes): Draw =>
  (net) =>
    net.add('CumSum', [net.input(...shape), net.longs([axis])], [], attributes);
const reversed =
  (lengths: readonly number[], attributes: { time_axis: number; batch_axis: number }): Draw =>
  (net) => {
    const shape = attributes.time_axis ? [lengths.length, 4, 3] : [4, lengths.length, 3];
    return net.add('ReverseSequence', [net.input(...shape), net.longs(lengths)], [], attributes);
  };
const recurrent =
  (
    type: string,
    gates: number,
    attributes: Attributes,
    steps = 5,
    lengths?: readonly number[],
  ): Draw =>
  (net) => {
    const D = attributes['direction'] === 'bidirectional' ? 2 : 1;
    const [B, I, H] = [lengths?.length ?? 2, 3, 5];
    const valid = lengths ? net.whole(lengths) : '';
    const weights = [
      net.constant([D, gates * H, I]),
      net.constant([D, gates * H, H]),
      net.constant([D, 2 * gates * H]),
    ];
    const states = [net.input(D, B, H), ...(type === 'LSTM' ? [net.input(D, B, H)] : [])];
    const outputs = 1 + states.length;
    const x = net.input(steps, B, I);
    const more = { ...attributes, hidden_size: H };
    const made = net.add(type, [x, ...weights, valid, ...states], [], more, outputs);
    return Array.from({ length: outputs }, (_, k) => ({
      name: k ? `${made.name}.${k}` : made.name,
      shape: [],
    }));
  };

/** Operators at the edges of their semantics. */
export const EDGES: Readonly<Record<string, Draw>> = {
  ...Object.fromEntries(
    ['Relu', 'Tanh', 'Sigmoid', 'Abs', 'Neg', 'Exp', 'Erf', 'Softplus', 'Softsign'].map((type) => [
      type,
      unary(type),
    ]),
  ),
  ...Object.fromEntries(['Floor', 'Ceil', 'Round', 'Sign', 'Identity'].map((t) => [t, unary(t)])),
  ...Object.fromEntries(['Sqrt', 'Log', 'Reciprocal'].map((type) => [type, positive(type)])),
  LeakyRelu: unary('LeakyRelu', { alpha: float(0.2) }),
  Elu: unary('Elu', { alpha: float(0.7) }),
  Selu: unary('Selu'),
  HardSigmoid: unary('HardSigmoid', { alpha: float(0.3) }),
  HardSwish: unary('HardSwish'),
  ThresholdedRelu: unary('ThresholdedRelu', { alpha: float(0.4) }),
  Mish: (net) => net.add('Mish', [net.input(2, 9)]),
  'Gelu by tanh': (net) => net.add('Gelu', [net.input(3, 5)], [], { approximate: 'tanh' }),
  Gelu: (net) => net.add('Gelu', [net.input(3, 5)]),
  'Add of two axes': pair('Add', [3, 1, 5], [4, 1]),
  'Sub with a number': (net) => net.add('Sub', [net.input(2, 3), net.floats(0.5)]),
  'Mul of one element': pair('Mul', [1, 1], [2, 3, 4]),
  'Div by a row': (net) => net.add('Div', [net.input(2, 3, 4), net.constant([4], 0.2, 2)]),
  'Pow of whole exponents': (net) => net.add('Pow', [net.input(2, 4), net.floats(3, 2, 1, 0)]),
  'Pow of two tensors': (net) => net.add('Pow', [net.add('Abs', [net.input(3, 4)]), net.input(4)]),
  'Pow of a half': (net) => net.add('Pow', [net.add('Abs', [net.input(7)]), net.floats(0.5)]),
  'Max of three': (net) => net.add('Max', [net.input(2, 3), net.input(3), net.constant([2, 1])]),
  'Min of two': pair('Min', [5, 1], [1, 6]),
  Sum: (net) => net.add('Sum', [net.input(2, 3), net.input(2, 1), net.input(1, 3)]),
  Mean: (net) => net.add('Mean', [net.input(2, 3), net.input(2, 3)]),
  'Mod of floats': (net) =>
    net.add('Mod', [net.input(9), net.constant([9], 0.1, 0.4)], [], { fmod: 1 }),
  PRelu: (net) => net.add('PRelu', [net.input(2, 3, 4, 2), net.constant([3, 1, 1])]),
  Clip: (net) => net.add('Clip', [net.input(3, 5), net.add('Squeeze', [net.floats(-0.2)])]),
  'Clip by computed bounds': (net) =>
    net.add('Clip', [net.input(3, 5), '', net.add('Squeeze', [net.input(1)])]),
  Where: (net) => {
    const which = net.add('Greater', [net.input(2, 1, 4), net.floats(0)]);
    return net.add('Where', [which, net.input(3, 1), net.floats(-Infinity)]);
  },
  ...Object.fromEntries(
    ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((t) => [t, truth(t)]),
  ),
  ...Object.fromEntries(['And', 'Or', 'Xor', 'Not'].map((type) => [type, logic(type)])),
  'Cast to whole numbers': (net) => {
    const scaled = net.add('Mul', [net.input(4, 5), net.floats(7)]);
    return net.add('Cast', [net.add('Cast', [scaled], [], { to: 7 })], [], { to: 1 });
  },
  'Div of whole numbers': (net) => {
    const whole = net.add('Cast', [net.add('Mul', [net.input(9), net.floats(9)])], [], { to: 7 });
    return net.add('Cast', [net.add('Div', [whole, net.longs([2])])], [], { to: 1 });
  },

  'Conv 2-d': conv([2, 3, 7, 6], [4, 3, 3, 2]),
  'Conv with groups': conv([1, 4, 6, 5], [6, 2, 3, 3], { group: 2, pads: ints(1, 1, 1, 1) }),
  'Conv depthwise': conv([2, 5, 4, 9], [5, 1, 3, 3], { group: 5, pads: ints(0, 1, 2, 1) }),
  'Conv with strides and dilations': conv([1, 2, 11, 10], [3, 2, 2, 3], {
    strides: ints(2, 3),
    dilations: ints(3, 2),
    pads: ints(2, 1, 0, 3),
  }),
  'Conv of upper padding': conv([1, 2, 7, 8], [3, 2, 4, 3], {
    auto_pad: 'SAME_UPPER',
    strides: ints(2, 3),
  }),
  'Conv of lower padding': conv([1, 2, 7, 8], [3, 2, 4, 2], { auto_pad: 'SAME_LOWER' }),
  'Conv pointwise': conv([2, 5, 3, 7], [6, 5, 1, 1], {}, false),
  'Conv pointwise by fours': conv([2, 8, 4, 4], [6, 4, 1, 1], { group: 2 }),
  'Conv 1-d': conv([2, 3, 17], [4, 3, 5], { pads: ints(4, 0), dilations: ints(2) }),
  'Conv of many outputs': conv([1, 16, 40, 33], [8, 16, 3, 3], { pads: ints(1, 1, 1, 1) }),
  'ConvTranspose 2-d': convTranspose([2, 3, 4, 5], [3, 4, 3, 2], {
    strides: ints(2, 3),
    pads: ints(1, 0, 0, 1),
    output_padding: ints(1, 2),
  }),
  'ConvTranspose with groups': convTranspose([1, 4, 3, 4], [4, 3, 2, 3], {
    group: 2,
    dilations: ints(2, 1),
    strides: ints(1, 2),
  }),
  'ConvTranspose of a shape': convTranspose([1, 2, 4, 5], [2, 3, 3, 3], {
    strides: ints(2, 2),
    output_shape: ints(9, 10),
  }),
  'ConvTranspose of upper padding': convTranspose([1, 2, 4, 5], [2, 3, 3, 4], {
    strides: ints(2, 2),
    auto_pad: 'SAME_UPPER',
  }),
  'ConvTranspose 1-d': convTranspose([2, 3, 6], [3, 2, 4], { strides: ints(2), pads: ints(1, 1) }),
  'MaxPool 2-d': pool('MaxPool', [2, 3, 7, 8], { kernel_shape: ints(3, 2), strides: ints(2, 2) }),
  'MaxPool of ceil mode': pool('MaxPool', [1, 2, 7, 8], {
    kernel_shape: ints(3, 3),
    strides: ints(2, 3),
    pads: ints(1, 1, 1, 0),
    ceil_mode: 1,
  }),
  'MaxPool with dilations': pool('MaxPool', [1, 2, 9], {
    kernel_shape: ints(3),
    dilations: ints(2),
  }),
  'AveragePool without padding': pool('AveragePool', [1, 2, 6, 7], {
    kernel_shape: ints(3, 3),
    pads: ints(1, 1, 1, 1),
    strides: ints(2, 2),
  }),
  'AveragePool with padding': pool('AveragePool', [1, 2, 6, 7], {
    kernel_shape: ints(3, 3),
    pads: ints(1, 1, 1, 1),
    strides: ints(2, 2),
    count_include_pad: 1,
  }),
  'AveragePool of ceil mode': pool('AveragePool', [1, 2, 6, 8], {
    kernel_shape: ints(3, 3),
    strides: ints(2, 2),
    ceil_mode: 1,
  }),
  'AveragePool of upper padding': pool('AveragePool', [1, 2, 5, 6], {
    kernel_shape: ints(2, 3),
    strides: ints(2, 2),
    auto_pad: 'SAME_UPPER',
  }),
  GlobalAveragePool: pool('GlobalAveragePool', [2, 3, 4, 5], {}),
  GlobalMaxPool: pool('GlobalMaxPool', [2, 3, 5], {}),

  'MatMul of two tensors': pair('MatMul', [2, 3, 4, 5], [5, 7]),
  'MatMul of stacks': pair('MatMul', [2, 1, 4, 6], [3, 6, 8]),
  'MatMul of vectors': pair('MatMul', [5], [2, 5, 3]),
  'MatMul with a vector': pair('MatMul', [2, 4, 5], [5]),
  'MatMul with turned tensors': (net) => {
    const perm = { perm: ints(0, 2, 1) };
    const a = net.add('Transpose', [net.input(2, 5, 4)], [], perm);
    return net.add('MatMul', [a, net.add('Transpose', [net.input(2, 7, 5)], [], perm)]);
  },
  'MatMul with a constant': (net) => net.add('MatMul', [net.input(2, 3, 4), net.constant([4, 6])]),
  'MatMul of a constant': (net) => net.add('MatMul', [net.constant([3, 4]), net.input(2, 4, 6)]),
  'MatMul of a view with a constant': (net) => {
    const view = net.add('Transpose', [net.input(4, 3, 2)], [], { perm: ints(1, 2, 0) });
    return net.add('MatMul', [view, net.constant([4, 5])]);
  },
  Gemm: (net) =>
    net.add('Gemm', [net.input(3, 4), net.constant([5, 4]), net.constant([5])], [], {
      transB: 1,
      alpha: float(0.5),
      beta: float(2),
    }),
  'Gemm of two tensors': (net) =>
    net.add('Gemm', [net.input(4, 3), net.input(4, 6), net.input(3, 1)], [], { transA: 1 }),

  'ReduceMean over two axes': reduce('ReduceMean', { axes: ints(1, -1) }),
  'ReduceMean over all': reduce('ReduceMean', { keepdims: 0 }),
  'ReduceMax over the first': reduce('ReduceMax', { axes: ints(0), keepdims: 0 }),
  'ReduceMin over the last': reduce('ReduceMin', { axes: ints(-1), keepdims: 0 }),
  ReduceL1: reduce('ReduceL1', { axes: ints(2) }),
  ReduceL2: reduce('ReduceL2', { axes: ints(1, 2) }),
  ReduceProd: reduce('ReduceProd', { axes: ints(3) }),
  ReduceSumSquare: reduce('ReduceSumSquare', { axes: ints(0, 3), keepdims: 0 }),
  ReduceLogSumExp: reduce('ReduceLogSumExp', { axes: ints(2) }),
  'ReduceSum of an input': (net) =>
    net.add('ReduceSum', [net.input(2, 3, 4), net.longs([-2])], [], { keepdims: 0 }),
  'ReduceSum of nothing': (net) =>
    net.add('ReduceSum', [net.input(2, 3), net.longs([])], [], { noop_with_empty_axes: 1 }),
  'Softmax over the middle': unary('Softmax', { axis: 1 }, [2, 5, 3]),
  'Softmax over the last': unary('Softmax', {}, [2, 3, 6]),
  'LogSoftmax over the first': unary('LogSoftmax', { axis: 0 }, [4, 3]),
  LayerNormalization: (net) =>
    net.add(
      'LayerNormalization',
      [net.input(2, 3, 5, 7), net.constant([5, 7]), net.constant([5, 7])],
      [],
      {
        axis: 2,
      },
    ),
  InstanceNormalization: (net) =>
    net.add('InstanceNormalization', [net.input(2, 3, 4, 5), net.constant([3]), net.constant([3])]),
  BatchNormalization: (net) =>
    net.add('BatchNormalization', [
      net.input(2, 3, 4, 5),
      net.constant([3]),
      net.constant([3]),
      net.constant([3]),
      net.constant([3], 0.1, 1),
    ]),

  'Slice backwards': slice([-1, 4], [-(2 ** 40), -6], [0, 1], [-1, -2]),
  'Slice to the end': slice([1, -3], [LONGEST, LONGEST], [1, 2]),
  'Slice by steps': slice([0, 1], [LONGEST, 6], [0, 2], [2, 3]),
  'Slice from beyond the end': slice([10], [-10], [1], [-1]),
  'Split of an axis': (net) => {
    const made = net.add('Split', [net.input(2, 7, 3), net.longs([2, 4, 1])], [], { axis: 1 }, 3);
    return ['', '.1', '.2'].map((end) => ({ name: made.name + end, shape: [] }));
  },
  'Concat with constants': (net) =>
    net.add('Concat', [net.input(2, 3, 4), net.constant([2, 1, 4]), net.input(2, 2, 4)], [], {
      axis: -2,
    }),
  'Gather of a list': (net) =>
    net.add('Gather', [net.input(3, 5, 2), net.longs([4, -5, 2, 2])], [], { axis: 1 }),
  'Gather of a matrix': (net) =>
    net.add('Gather', [net.input(3, 5), net.longs([0, 3, -1, 1, 2, 2], [2, 3])], [], { axis: 1 }),
  'GatherElements of a list': (net) =>
    net.add('GatherElements', [net.input(3, 4), net.longs([0, -1, 2, 1, 0, -4], [2, 3])], [], {
      axis: 1,
    }),
  'GatherElements by computed indices': (net) =>
    net.add('GatherElements', [net.input(2, 5, 3), computed(net, [2, 2, 3], 5)], [], { axis: 1 }),
  'ScatterElements of a list': (net) => {
    const updates = net.input(2, 2);
    const index = net.longs([1, -1, 0, 2], [2, 2]);
    return net.add('ScatterElements', [net.input(2, 4), index, updates], [], { axis: -1 });
  },
  'ScatterElements along the first axis': (net) => {
    const index = net.longs([4, 0, 2, 1, 1, 3], [2, 3]);
    return net.add('ScatterElements', [net.input(5, 3), index, net.input(2, 3)]);
  },
  'GatherND of rows': (net) =>
    net.add('GatherND', [net.input(3, 4, 2), net.longs([0, 1, -1, 3, 2, -4], [3, 2])]),
  'GatherND of elements': (net) =>
    net.add('GatherND', [net.input(3, 4), net.longs([0, 1, 2, 3], [2, 1, 2])]),
  'GatherND within a batch': (net) =>
    net.add('GatherND', [net.input(2, 3, 4), net.longs([1, 2], [2, 1])], [], { batch_dims: 1 }),
  'GatherND by computed indices': (net) =>
    net.add('GatherND', [net.input(4, 3), computed(net, [5, 1], 4)]),
  ArgMax: argument('ArgMax', [3, 5], { axis: 1 }),
  'ArgMax of the last that is largest': argument('ArgMax', [4, 6], {
    axis: 0,
    select_last_index: 1,
  }),
  'ArgMin in the middle, its axis gone': argument('ArgMin', [2, 5, 3], { axis: 1, keepdims: 0 }),
  'ArgMin from behind': argument('ArgMin', [2, 5, 3], { axis: -1, select_last_index: 1 }),
  'TopK of the largest': chosen([3, 7], 3, {}),
  'TopK of the smallest in the middle': chosen([2, 6, 3], 4, { axis: 1, largest: 0 }),
  'TopK of all': chosen([5], 5, {}),
  CumSum: sums([3, 4], 1, {}),
  'CumSum from behind': sums([3, 4, 2], -2, { reverse: 1 }),
  'CumSum of those before': sums([5, 2], 0, { exclusive: 1 }),
  'CumSum of those after': sums([5, 2], 0, { exclusive: 1, reverse: 1 }),
  'Gather of one': (net) =>
    net.add('Gather', [net.input(3, 5, 2), net.longs([-2], [])], [], { axis: 1 }),
  'Gather by computed indices': (net) => {
    const whole = net.add('Mul', [net.add('Sigmoid', [net.input(2, 4)]), net.floats(5.99)]);
    const index = net.add('Cast', [net.add('Floor', [whole])], [], { to: 7 });
    return net.add('Gather', [net.constant([6, 3]), index]);
  },
  'ScatterND of rows': (net) =>
    net.add('ScatterND', [net.input(4, 5), net.longs([2, -4], [2, 1]), net.input(2, 5)]),
  'ScatterND of elements': (net) =>
    net.add('ScatterND', [net.input(4, 5, 2), net.longs([2, 1, 0, 4], [2, 2]), net.input(2, 2)]),
  'Pad with zeros': pad('constant', [1, 0, 2, 0, 3, 1]),
  'Pad of less than none': pad('constant', [0, -1, 2, 0, 0, -1]),
  'Pad with a number': (net) => {
    const value = net.add('Squeeze', [net.floats(0.5)]);
    return net.add('Pad', [net.input(2, 3), net.longs([0, 1, 1, 0]), value]);
  },
  'Pad by reflection': pad('reflect', [0, 2, 3, 0, 1, 2]),
  'Pad by edges': pad('edge', [1, 2, 0, 2, 0, 3]),
  Transpose: (net) => net.add('Transpose', [net.input(2, 3, 4, 5)], [], { perm: ints(3, 1, 0, 2) }),
  'Transpose without an order': (net) => net.add('Transpose', [net.input(2, 3, 4)]),
  'Reshape of a view': (net) => {
    const view = net.add('Transpose', [net.input(2, 3, 4)], [], { perm: ints(1, 2, 0) });
    return net.add('Reshape', [view, net.longs([0, -1])]);
  },
  Flatten: (net) => net.add('Flatten', [net.input(2, 3, 4, 5)], [], { axis: -2 }),
  Squeeze: (net) => net.add('Squeeze', [net.input(1, 3, 1, 4), net.longs([-2])]),
  Unsqueeze: (net) => net.add('Unsqueeze', [net.input(3, 4), net.longs([0, -1])]),
  Expand: (net) => net.add('Expand', [net.input(3, 1), net.longs([2, 1, 4])]),
  Tile: (net) => net.add('Tile', [net.input(2, 3), net.longs([3, 2])]),
  'Shape of what is computed': (net) => {
    const x = net.input(2, 3, 4);
    const turned = net.add('Transpose', [x]);
    return net.add('Reshape', [net.add('Relu', [x]), net.add('Shape', [turned])]);
  },
  'Resize by whole factors': resize([1, 1, 2, 3], {
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  }),
  'Resize to less': resize([1, 1, 1, 0.5], { coordinate_transformation_mode: 'half_pixel' }),
  'Resize by lines': resize([1, 1, 2, 2], { mode: 'linear' }),
  'Resize from corner to corner': resize([1, 1, 3, 2], {
    mode: 'linear',
    coordinate_transformation_mode: 'align_corners',
  }),
  'Resize to sizes': (net) =>
    net.add('Resize', [net.input(1, 2, 3, 4), '', '', net.longs([1, 2, 6, 4])]),
  'LSTM in a program': recurrent('LSTM', 4, {}),
  'LSTM both ways': recurrent('LSTM', 4, { direction: 'bidirectional' }),
  'GRU backwards': recurrent('GRU', 3, { direction: 'reverse', linear_before_reset: 1 }),
  'GRU of one step': recurrent('GRU', 3, {}, 1),
  'RNN both ways': recurrent('RNN', 1, { direction: 'bidirectional' }),
  'LSTM of other lengths': recurrent('LSTM', 4, {}, 5, [3, 5, 5, 1]),
  'GRU both ways, of other lengths': recurrent('GRU', 3, { direction: 'bidirectional' }, 4, [2, 4]),
  'RNN backwards, all shorter': recurrent('RNN', 1, { direction: 'reverse' }, 4, [3, 3]),
  'ReverseSequence of other lengths': reversed([1, 4, 0, 3], { time_axis: 0, batch_axis: 1 }),
  'ReverseSequence, the batch in front': reversed([4, 2], { time_axis: 1, batch_axis: 0 }),
  'ReverseSequence of all steps': reversed([4, 4], { time_axis: 1, batch_axis: 0 }),
};

const opsetOf = (name: string): number => {
  if (/HardSwish|Mean|Gather|Equal/.test(name)) return 14;
  return /Gelu/.test(name) ? 20 : /Mish/.test(name) ? 18 : 17;
};

/** Graphs of all operators at their edges: as few as have one version each, and some each. */
export function edgeCases(random: Random): { names: string[]; graph: OnnxCase }[] {
  const groups = new Map<string, string[]>();
  for (const [k, name] of Object.keys(EDGES).entries()) {
    const key = `${opsetOf(name)} ${Math.floor(k / 40)}`;
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups].map(([key, names]) => {
    const net = new Net(random, Number.parseInt(key, 10));
    return { names, graph: net.done(...names.flatMap((name) => EDGES[name]!(net))) };
  });
}

const UNARY = ['Relu', 'Tanh', 'Sigmoid', 'Abs', 'Neg', 'Exp', 'Erf', 'Softplus', 'Identity'];

/** One operator more on a tensor, or nothing where its shape does not allow it. */
const STEPS: readonly ((net: Net, x: Tensor, others: readonly Tensor[]) => Tensor | undefined)[] = [
  (net, x) => net.add(net.random.pick(UNARY), [x], x.shape),
  (net, x, others) => {
    const y = net.random.pick(others);
    const rank = Math.max(x.shape.length, y.shape.length);
    const at = ({ shape }: Tensor, k: number): number => shape[k - rank + shape.length] ?? 1;
    const dims = Array.from({ length: rank }, (_, k) => [at(x, k), at(y, k)] as const);
    if (dims.some(([a, b]) => a !== b && a !== 1 && b !== 1)) return undefined;
    const shape = dims.map(([a, b]) => Math.max(a, b));
    if (product(shape) > 4000) return undefined;
    return net.add(net.random.pick(['Add', 'Sub', 'Mul', 'Max', 'Min']), [x, y], shape);
  },
  (net, x) => {
    const shape = x.shape.slice(net.random.integer(0, Math.max(x.shape.length - 1, 0)));
    const own = shape.map((n) => (net.random.unit() < 0.5 ? 1 : n));
    const order = net.random.unit() < 0.5 ? [x, net.constant(own)] : [net.constant(own), x];
    return net.add(net.random.pick(['Add', 'Sub', 'Mul']), order, x.shape);
  },
  (net, x) => {
    const order = x.shape.map((_, k) => k);
    for (let k = order.length - 1; k > 0; k--) {
      const j = net.random.integer(0, k);
      [order[k], order[j]] = [order[j]!, order[k]!];
    }
    return net.add(
      'Transpose',
      [x],
      order.map((k) => x.shape[k]!),
      { perm: ints(...order) },
    );
  },
  (net, x) => {
    const count = product(x.shape);
    const parts: number[] = [];
    let rest = count;
    for (let k = net.random.integer(0, 3); k > 0; k--) {
      const divisors = [1, 2, 3, 4, 5].filter((n) => rest % n === 0);
      const size = net.random.pick(divisors);
      parts.push(size);
      rest /= size;
    }
    const at = net.random.integer(0, parts.length);
    const shape = [...parts.slice(0, at), rest, ...parts.slice(at)];
    const told = shape.map((n, k) => (k === at ? -1 : n));
    return net.add('Reshape', [x, net.longs(told)], shape);
  },
  (net, x) => {
    const axis = net.random.integer(0, x.shape.length - 1);
    const size = x.shape[axis]!;
    if (size < 2) return undefined;
    const isBack = net.random.unit() < 0.4;
    const step = net.random.integer(1, 2) * (isBack ? -1 : 1);
    const [from, to] = isBack ? [size - 1, -LONGEST] : [net.random.integer(0, 1), LONGEST];
    const count = Math.ceil((isBack ? size : size - Number(from)) / Math.abs(step));
    const lists = [[from], [to], [axis], [step]].map((list) => net.longs(list));
    return net.add(
      'Slice',
      [x, ...lists],
      x.shape.map((n, k) => (k === axis ? count : n)),
    );
  },
  (net, x, others) => {
    const axis = net.random.integer(0, x.shape.length - 1);
    const like = others.filter(
      ({ shape }) =>
        shape.length === x.shape.length && shape.every((n, k) => k === axis || n === x.shape[k]),
    );
    const other = like.length
      ? net.random.pick(like)
      : net.constant(x.shape.map((n, k) => (k === axis ? 2 : n)));
    const shape = x.shape.map((n, k) => (k === axis ? n + other.shape[k]! : n));
    if (product(shape) > 4000) return undefined;
    return net.add('Concat', [x, other], shape, { axis });
  },
  (net, x) => {
    const axis = net.random.integer(0, x.shape.length - 1);
    const size = x.shape[axis]!;
    const list = Array.from({ length: net.random.integer(1, 4) }, () =>
      net.random.integer(-size, size - 1),
    );
    const shape = x.shape.map((n, k) => (k === axis ? list.length : n));
    return net.add('Gather', [x, net.longs(list)], shape, { axis });
  },
  (net, x) => {
    const pads = x.shape.map(() => [net.random.integer(0, 2), net.random.integer(0, 1)] as const);
    const mode = net.random.pick(['constant', 'edge', 'reflect']);
    if (mode === 'reflect' && x.shape.some((n) => n < 3)) return undefined;
    const shape = x.shape.map((n, k) => n + pads[k]![0] + pads[k]![1]);
    if (product(shape) > 4000) return undefined;
    const all = net.longs([...pads.map(([a]) => a), ...pads.map(([, b]) => b)]);
    return net.add('Pad', [x, all], shape, { mode });
  },
  (net, x) => {
    const axes = x.shape.map((_, k) => k).filter(() => net.random.unit() < 0.4);
    if (!axes.length) return undefined;
    const keep = net.random.integer(0, 1);
    const shape = x.shape
      .map((n, k) => (axes.includes(k) ? 1 : n))
      .filter((_, k) => keep || !axes.includes(k));
    const type = net.random.pick(['ReduceMean', 'ReduceMax', 'ReduceL2', 'ReduceMin']);
    if (!shape.length) return undefined;
    return net.add(type, [x], shape, { axes: ints(...axes), keepdims: keep });
  },
  (net, x) =>
    net.add(net.random.pick(['Softmax', 'LogSoftmax']), [x], x.shape, {
      axis: net.random.integer(-x.shape.length, x.shape.length - 1),
    }),
  (net, x) => {
    const depth = x.shape.at(-1)!;
    const columns = net.random.integer(1, 9);
    const isSame = x.shape.length > 2 && net.random.unit() < 0.5;
    const stack = isSame ? x.shape.slice(0, -2) : [];
    const b = net.constant([...stack, depth, columns], 1 / Math.sqrt(depth));
    return net.add('MatMul', [x, b], [...x.shape.slice(0, -1), columns]);
  },
  (net, x) => {
    if (x.shape.length < 2) return undefined;
    const order = x.shape.map((_, k) => k);
    const [last, before] = [order.pop()!, order.pop()!];
    const turned = [...order, last, before];
    const y = net.add(
      'Transpose',
      [x],
      turned.map((k) => x.shape[k]!),
      { perm: ints(...turned) },
    );
    const rows = x.shape.at(-2)!;
    if (product(x.shape.slice(0, -1)) * rows > 4000) return undefined;
    const made = net.add('MatMul', [x, y], [...x.shape.slice(0, -1), rows]);
    return net.add('Mul', [made, net.floats(1 / x.shape.at(-1)!)], made.shape);
  },
  (net, x) => {
    if (x.shape.length !== 4 && x.shape.length !== 3) return undefined;
    const spatial = x.shape.slice(2);
    const channels = x.shape[1]!;
    const divisors = [1, 2, channels].filter((n) => channels % n === 0);
    const groups = net.random.pick(divisors);
    const outputs = groups * net.random.integer(1, 3);
    const taps = spatial.map((n) => net.random.integer(1, Math.min(n, 3)));
    const pads = spatial.map(() => [net.random.integer(0, 2), net.random.integer(0, 2)] as const);
    const strides = spatial.map(() => net.random.integer(1, 2));
    const shape = spatial.map(
      (n, k) => Math.floor((n + pads[k]![0] + pads[k]![1] - taps[k]!) / strides[k]!) + 1,
    );
    const own = channels / groups;
    const w = net.constant([outputs, own, ...taps], 1 / Math.sqrt(own * product(taps)));
    return net.add('Conv', [x, w, net.constant([outputs])], [x.shape[0]!, outputs, ...shape], {
      group: groups,
      pads: ints(...pads.map(([a]) => a), ...pads.map(([, b]) => b)),
      strides: ints(...strides),
    });
  },
  (net, x) => {
    if (x.shape.length !== 4 || product(x.shape) > 600) return undefined;
    const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
    const outputs = net.random.integer(1, 3);
    const taps = spatial.map(() => net.random.integer(1, 3));
    const strides = spatial.map(() => net.random.integer(1, 2));
    const shape = spatial.map((n, k) => (n - 1) * strides[k]! + taps[k]!);
    const w = net.constant([channels, outputs, ...taps], 1 / Math.sqrt(channels));
    return net.add('ConvTranspose', [x, w], [batch, outputs, ...shape], {
      strides: ints(...strides),
    });
  },
  (net, x) => {
    if (x.shape.length !== 4 || x.shape.slice(2).some((n) => n < 2)) return undefined;
    const shape = x.shape.map((n, k) => (k < 2 ? n : Math.floor((n - 2) / 2) + 1));
    const attributes = { kernel_shape: ints(2, 2), strides: ints(2, 2) };
    return net.add(net.random.pick(['MaxPool', 'AveragePool']), [x], shape, attributes);
  },
  (net, x) => {
    if (x.shape.length < 2) return undefined;
    const width = x.shape.at(-1)!;
    if (width < 2) return undefined;
    const [scale, bias] = [net.constant([width]), net.constant([width])];
    return net.add('LayerNormalization', [x, scale, bias], x.shape, { epsilon: float(0.1) });
  },
  (net, x) => {
    if (x.shape.length !== 3) return undefined;
    const [, batch, I] = x.shape as [number, number, number];
    const H = net.random.integer(1, 6);
    const isBoth = net.random.unit() < 0.4;
    const D = isBoth ? 2 : 1;
    const [type, gates] = net.random.pick([
      ['LSTM', 4],
      ['GRU', 3],
    ] as const);
    const weights = [
      net.constant([D, gates * H, I], 1 / Math.sqrt(I)),
      net.constant([D, gates * H, H], 1 / Math.sqrt(H)),
      net.constant([D, 2 * gates * H]),
    ];
    return net.add(type, [x, ...weights], [x.shape[0]!, D, batch, H], {
      hidden_size: H,
      ...(isBoth && { direction: 'bidirectional' }),
    });
  },
  (net, x) => {
    const zero = net.floats(0);
    const which = net.add('Greater', [x, zero], x.shape);
    const scaled = net.add('Mul', [x, net.constant([x.shape.at(-1)!])], x.shape);
    return net.add('Where', [which, x, scaled], x.shape);
  },
];

/** Ten to twenty operators on tensors of one to four axes, each of what some before it made. */
export function programCase(random: Random): OnnxCase {
  const net = new Net(random, 17);
  const rank = random.integer(2, 4);
  const shapes = Array.from({ length: random.integer(1, 2) }, () =>
    Array.from({ length: rank }, () => random.integer(1, 6)),
  );
  const tensors = shapes.map((shape) => net.input(...shape));
  const count = random.integer(6, 16);
  for (let k = 0; k < 4 * count && net.nodes.length < count; k++) {
    const x = random.unit() < 0.7 ? tensors.at(-1)! : random.pick(tensors);
    const made = random.pick(STEPS)(net, x, tensors);
    if (!made || product(made.shape) > 4000) continue;
    // Numbers that grow would leave nothing to compare.
    tensors.push(random.unit() < 0.3 ? net.add('Tanh', [made], made.shape) : made);
  }
  const read = new Set(net.nodes.flatMap(({ inputs }) => inputs));
  const ends = tensors.filter(
    ({ name }) => !read.has(name) && !net.inputs.some((x) => x.name === name),
  );
  for (const input of net.inputs) {
    if (!read.has(input.name)) ends.push(net.add('Relu', [input], input.shape));
  }
  return net.done(...ends);
}
