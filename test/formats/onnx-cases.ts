/** Generated graphs of ONNX: recurrent nodes with all attributes, and chains of operators. */
import type {
  OnnxAttribute,
  OnnxGraph,
  OnnxInput,
  OnnxNode,
  OnnxTensor,
} from '../peers/onnx-writer.ts';
import type { Random } from '../support/random.ts';
import type { OnnxArray } from './onnx-run.ts';

/** A graph, what it is given, and the same graph as another runtime takes it. */
export interface OnnxCase {
  readonly graph: OnnxGraph;
  readonly inputs: readonly (OnnxArray & { readonly type?: OnnxInput['type'] })[];
  /** The same with the batch after the steps, which is all that onnxruntime has. */
  readonly theirs?: { readonly graph: OnnxGraph; readonly inputs: OnnxCase['inputs'] };
  /** How outputs of `theirs` become those of `graph`: axes in their order. */
  readonly turned?: Readonly<Record<string, readonly number[]>>;
}

const MAX: bigint = 2n ** 63n - 1n;

const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);

const longs = (name: string, ...items: (number | bigint)[]): OnnxTensor => {
  return { name, dims: [items.length], data: BigInt64Array.from(items.map(BigInt)) };
};

/** Axes in another order. */
export function turn({ shape, data, name }: OnnxArray, order: readonly number[]): OnnxArray {
  const strides = shape.map((_, k) => product(shape.slice(k + 1)));
  const dims = order.map((axis) => shape[axis]!);
  const count = product(shape);
  const out = Float32Array.from({ length: count }, (_, index) => {
    let rest = index;
    let from = 0;
    for (let k = dims.length - 1; k >= 0; k--) {
      from += (rest % dims[k]!) * strides[order[k]!]!;
      rest = Math.floor(rest / dims[k]!);
    }
    return data[from]!;
  });
  return { name, shape: dims, data: out };
}

/** Activations of recurrent nodes, and how many numbers each takes. */
const ACTIVATIONS: readonly (readonly [string, number])[] = [
  ['Relu', 0],
  ['Tanh', 0],
  ['Sigmoid', 0],
  ['Affine', 2],
  ['LeakyRelu', 1],
  ['ThresholdedRelu', 1],
  ['ScaledTanh', 2],
  ['HardSigmoid', 2],
  ['Elu', 1],
  ['Softsign', 0],
  ['Softplus', 0],
];

const TYPES = ['RNN', 'LSTM', 'GRU'] as const;
const GATES = { RNN: 1, LSTM: 4, GRU: 3 };
const COUNTS = { RNN: 1, LSTM: 3, GRU: 2 };

function activations(random: Random, count: number): Record<string, OnnxAttribute> {
  const [alphas, betas]: [number[], number[]] = [[], []];
  const names = Array.from({ length: count }, () => {
    const [name, numbers] = random.pick(ACTIVATIONS);
    if (numbers > 0) alphas.push(0.3 + random.unit() / 2);
    if (numbers > 1) betas.push(0.3 + random.unit() / 2);
    return name;
  });
  return {
    activations: names,
    ...(alphas.length && { activation_alpha: Float32Array.from(alphas) }),
    ...(betas.length && { activation_beta: Float32Array.from(betas) }),
  };
}

/** One recurrent node with random attributes and inputs. */
export function recurrentCase(random: Random): OnnxCase {
  const type = random.pick(TYPES);
  const way = random.pick(['forward', 'reverse', 'bidirectional']);
  const D = way === 'bidirectional' ? 2 : 1;
  const [H, I, T, B] = [12, 12, 8, 4].map((most) => random.integer(1, most)) as [
    number,
    number,
    number,
    number,
  ];
  const chance = (p: number): boolean => random.unit() < p;
  const G = GATES[type];
  const initializers: OnnxTensor[] = [];
  const constant = (name: string, dims: number[], scale: number): string => {
    initializers.push({
      name,
      dims,
      data: Float32Array.from(random.vector(product(dims), scale)),
      isList: chance(0.2),
    });
    return name;
  };
  const hasNames = chance(0.6);
  const [dimT, dimB] = hasNames ? (['T', 'B'] as const) : ([T, B] as const);
  const isBatchFirst = chance(0.3);
  const inputs: (OnnxArray & { type?: OnnxInput['type']; dims: OnnxInput['dims'] })[] = [];
  const given = (name: string, shape: number[], dims: OnnxInput['dims'], scale = 1): string => {
    inputs.push({
      name,
      shape,
      dims,
      data: Float32Array.from(random.vector(product(shape), scale)),
    });
    return name;
  };
  const x = given('x', [T, B, I], [dimT, dimB, I]);
  const W = constant('W', [D, G * H, I], 1 / Math.sqrt(I));
  const R = constant('R', [D, G * H, H], 0.7 / Math.sqrt(H));
  const bias = chance(0.7) ? constant('bias', [D, 2 * G * H], 0.3) : '';
  let lengths = '';
  const kind = random.integer(0, 5);
  const valid = Int32Array.from({ length: B }, () => random.integer(1, T));
  if (kind === 0 || kind === 1) {
    lengths = 'lengths';
    if (kind === 1)
      inputs.push({ name: lengths, shape: [B], dims: [dimB], data: valid, type: 'int32' });
    else initializers.push({ name: lengths, dims: [B], data: valid });
  } else if (kind === 2 && !hasNames) {
    lengths = 'lengths';
    initializers.push({ name: lengths, dims: [B], data: new Int32Array(B).fill(T) });
  }
  const before: OnnxNode[] = [];
  const states = type === 'LSTM' ? ['h', 'c'] : ['h'];
  const how = random.integer(0, 3);
  const initial = states.map((letter) => {
    const name = `${letter}0`;
    if (how === 0) return '';
    if (how === 1) return given(name, [D, B, H], [D, dimB, H], 0.8);
    if (how === 2 && !hasNames) {
      const own = Float32Array.from(random.vector(D * H, 0.8));
      const data = Float32Array.from(
        { length: D * B * H },
        (_, k) => own[Math.floor(k / (B * H)) * H + (k % H)]!,
      );
      initializers.push({ name, dims: [D, B, H], data });
      return name;
    }
    // Zeros or a learned state, as many as there are sequences.
    if (before.length === 0) {
      initializers.push(longs('one', 1), longs('D', D), longs('H', H));
      before.push(
        { opType: 'Shape', inputs: ['x'], outputs: ['shape'] },
        { opType: 'Gather', inputs: ['shape', 'one'], outputs: ['batch'] },
        {
          opType: 'Concat',
          inputs: ['D', 'batch', 'H'],
          outputs: ['sizes'],
          attributes: { axis: 0 },
        },
      );
    }
    if (how === 2) {
      constant(`${name}.own`, [D, 1, H], 0.8);
      before.push({ opType: 'Expand', inputs: [`${name}.own`, 'sizes'], outputs: [name] });
    } else before.push({ opType: 'ConstantOfShape', inputs: ['sizes'], outputs: [name] });
    return name;
  });
  const P = type === 'LSTM' && chance(0.3) ? constant('P', [D, 3 * H], 0.5) : '';
  const attributes: Record<string, OnnxAttribute> = {
    hidden_size: H,
    ...((way !== 'forward' || chance(0.3)) && { direction: way }),
    ...(chance(0.5) && activations(random, COUNTS[type] * D)),
    ...(chance(0.2) && { clip: { float: 0.3 + random.unit() } }),
    ...(type === 'LSTM' && chance(0.25) && { input_forget: 1 }),
    ...(type === 'GRU' && chance(0.6) && { linear_before_reset: random.integer(0, 1) }),
  };
  const last = states.map((letter) => `${letter}n`);
  const wanted = ['y', ...last].filter(() => chance(0.8));
  const outputs = wanted.length ? wanted : ['y'];
  const all = ['y', ...last].map((name) => (outputs.includes(name) ? name : ''));
  const node: OnnxNode = {
    opType: type,
    inputs: [x, W, R, bias, lengths, ...initial, ...(type === 'LSTM' ? [P] : [])],
    outputs: all,
    attributes,
  };
  const opset = random.pick([14, 14, 17, 21]);
  const graph = { inputs, outputs, initializers, nodes: [...before, node], opset };
  const own = inputs.map(({ name, shape, data, type: of }) => ({
    name,
    shape,
    data,
    ...(of && { type: of }),
  }));
  // Names of activations in small letters, as in opset 6; some nodes of onnxruntime have them not.
  const { activations: names } = attributes;
  const small = names &&
    chance(0.3) && { activations: (names as string[]).map((n) => n.toLowerCase()) };
  const theirs = { graph, inputs: own };
  if (!isBatchFirst || before.length) {
    const nodes = [...before, { ...node, attributes: { ...attributes, ...small } }];
    return { graph: { ...graph, nodes }, inputs: own, theirs };
  }
  // The batch comes first in all but the weights.
  const order: Record<string, number[]> = { x: [1, 0, 2], h0: [1, 0, 2], c0: [1, 0, 2] };
  const turnedDims = (name: string, dims: OnnxInput['dims']): OnnxInput['dims'] =>
    order[name]?.map((axis) => dims[axis]!) ?? dims;
  const mine = {
    ...graph,
    inputs: inputs.map(({ name, dims, type: of }) => ({
      name,
      dims: turnedDims(name, dims),
      ...(of && { type: of }),
    })),
    initializers: initializers.map((tensor) => {
      if (!order[tensor.name]) return tensor;
      const { name, shape, data } = turn(
        { name: tensor.name, shape: tensor.dims, data: tensor.data as Float32Array },
        [1, 0, 2],
      );
      return { name, dims: shape, data: data as Float32Array };
    }),
    nodes: [{ ...node, attributes: { ...attributes, ...small, layout: 1 } }],
  };
  return {
    graph: mine,
    inputs: own.map((one) => (order[one.name] ? turn(one, order[one.name]!) : one)),
    theirs,
    turned: { y: [2, 0, 1, 3], hn: [1, 0, 2], cn: [1, 0, 2] },
  };
}

/** A tensor in the making. */
interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** What each axis is: batch, steps, features; `1` of size one. */
  readonly axes: string;
}

/** Draws a graph operator by operator. */
class Chain {
  readonly random: Random;
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly opset: number;
  /** Whether the file says how many steps and sequences there are. */
  isFixed = false;
  #count = 0;

  constructor(random: Random) {
    this.random = random;
    this.opset = random.pick([11, 12, 13, 15, 17, 18, 20]);
  }

  chance(p: number): boolean {
    return this.random.unit() < p;
  }

  name(like: string): string {
    return `${like}_${this.#count++}`;
  }

  constant(dims: readonly number[], scale: number, around = 0): string {
    const name = this.name('c');
    const data = Float32Array.from(this.random.vector(product(dims), scale), (x) => x + around);
    this.initializers.push({ name, dims, data, isList: this.chance(0.2) });
    return name;
  }

  longs(...items: (number | bigint)[]): string {
    const name = this.name('i');
    this.initializers.push({
      ...longs(name, ...items),
      isList: items.every((x) => x !== MAX) && this.chance(0.3),
    });
    return name;
  }

  node(
    opType: string,
    inputs: readonly string[],
    shape: readonly number[],
    axes: string,
    attributes: Record<string, OnnxAttribute> = {},
  ): Tensor {
    const name = this.name('t');
    this.nodes.push({ opType, inputs, outputs: [name], attributes });
    return { name, shape, axes };
  }

  /** A node whose axes are an input from opset `since` on, before that an attribute. */
  withAxes(
    opType: string,
    x: string,
    axes: number[],
    since: number,
    shape: readonly number[],
    words: string,
    more: Record<string, OnnxAttribute> = {},
  ): Tensor {
    if (this.opset >= since) return this.node(opType, [x, this.longs(...axes)], shape, words, more);
    return this.node(opType, [x], shape, words, { ...more, axes: Int32Array.from(axes) });
  }

  transpose(x: Tensor, to: string): Tensor {
    if (x.axes === to) return x;
    const order = [...to].map((axis) => x.axes.indexOf(axis));
    const shape = order.map((axis) => x.shape[axis]!);
    return this.node('Transpose', [x.name], shape, to, { perm: Int32Array.from(order) });
  }

  sizeOf(x: Tensor, axis: string): number {
    return x.shape[x.axes.indexOf(axis)]!;
  }

  /** The same with another size of an axis. */
  resized(x: Tensor, axis: string, size: number): number[] {
    return x.shape.map((n, k) => (x.axes[k] === axis ? size : n));
  }
}

type Step = (chain: Chain, x: Tensor) => Tensor | undefined;

const PLAIN = ['Relu', 'Tanh', 'Sigmoid', 'Abs', 'Neg', 'Softplus', 'Softsign', 'Exp', 'Identity'];

const STEPS: Readonly<Record<string, Step>> = {
  matMul(chain, x) {
    const own = x.axes.includes('T') ? chain.transpose(x, chain.random.pick(['BTF', 'TBF'])) : x;
    const [I, O] = [chain.sizeOf(own, 'F'), chain.random.integer(1, 9)];
    const shape = chain.resized(own, 'F', O);
    const made = chain.node(
      'MatMul',
      [own.name, chain.constant([I, O], 1 / Math.sqrt(I))],
      shape,
      own.axes,
    );
    if (chain.chance(0.3)) return made;
    const bias = chain.constant([O], 0.5);
    const both = chain.chance(0.5) ? [made.name, bias] : [bias, made.name];
    return chain.node('Add', both, shape, own.axes);
  },
  gemm(chain, x) {
    if (x.axes !== 'BF') return undefined;
    const [I, O] = [x.shape[1]!, chain.random.integer(1, 9)];
    const transB = chain.random.integer(0, 1);
    const W = chain.constant(transB ? [O, I] : [I, O], 1 / Math.sqrt(I));
    const more: Record<string, OnnxAttribute> = chain.chance(0.3)
      ? { alpha: { float: 0.5 }, beta: { float: 2 } }
      : {};
    const bias = chain.chance(0.8) ? [chain.constant(chain.chance(0.8) ? [O] : [1, O], 0.5)] : [];
    return chain.node('Gemm', [x.name, W, ...bias], [x.shape[0]!, O], 'BF', { transB, ...more });
  },
  activation: (chain, x) => chain.node(chain.random.pick(PLAIN), [x.name], x.shape, x.axes),
  withNumbers(chain, x) {
    const [name, attributes] = chain.random.pick<[string, Record<string, OnnxAttribute>]>([
      ['LeakyRelu', { alpha: { float: 0.2 } }],
      ['HardSigmoid', { alpha: { float: 0.3 }, beta: { float: 0.4 } }],
      ['Elu', { alpha: { float: 0.7 } }],
      ['Selu', {}],
      ['ThresholdedRelu', { alpha: { float: 0.1 } }],
    ]);
    return chain.node(name, [x.name], x.shape, x.axes, attributes);
  },
  clip(chain, x) {
    const [low, high] = [chain.constant([], 0.2, -0.5), chain.constant([], 0.2, 0.5)];
    const inputs = chain.random.pick([[low, high], ['', high], [low]]);
    return chain.node('Clip', [x.name, ...inputs], x.shape, x.axes);
  },
  constant(chain, x) {
    const type = chain.random.pick(['Add', 'Sub', 'Mul', 'Div']);
    const F = chain.sizeOf(x, 'F');
    const at = x.axes.indexOf('F');
    const vector = [F, ...x.shape.slice(at + 1).map(() => 1)];
    const c = chain.constant(chain.random.pick([[], [1], vector]), 0.3, 1.2);
    const isFirst = type === 'Div' || chain.chance(0.7);
    return chain.node(type, isFirst ? [x.name, c] : [c, x.name], x.shape, x.axes);
  },
  power(chain, x) {
    if (chain.chance(0.5)) {
      const square = chain.node('Mul', [x.name, x.name], x.shape, x.axes);
      const more = chain.node('Add', [square.name, chain.constant([], 0, 0.1)], x.shape, x.axes);
      return chain.node('Sqrt', [more.name], x.shape, x.axes);
    }
    return chain.node('Pow', [x.name, chain.constant([], 0, 2)], x.shape, x.axes);
  },
  bound: (chain, x) =>
    chain.node(
      chain.random.pick(['Min', 'Max']),
      [x.name, chain.constant([], 0.5)],
      x.shape,
      x.axes,
    ),
  softmax(chain, x) {
    const own = x.axes === 'BF' ? x : chain.transpose(x, chain.random.pick(['BTF', 'TBF']));
    const axis = own.axes.length - 1;
    const given = chain.chance(0.5) ? -1 : axis;
    return chain.node(
      chain.random.pick(['Softmax', 'LogSoftmax']),
      [own.name],
      own.shape,
      own.axes,
      { axis: given },
    );
  },
  gate(chain, x) {
    const gate = chain.node('Sigmoid', [x.name], x.shape, x.axes);
    return chain.node('Mul', [x.name, gate.name], x.shape, x.axes);
  },
  residual(chain, x) {
    const own = x.axes === 'BF' ? x : chain.transpose(x, 'BTF');
    const F = chain.sizeOf(own, 'F');
    const other = chain.node(
      'MatMul',
      [own.name, chain.constant([F, F], 1 / Math.sqrt(F))],
      own.shape,
      own.axes,
    );
    return chain.node(
      chain.random.pick(['Add', 'Sub', 'Mul']),
      [own.name, other.name],
      own.shape,
      own.axes,
    );
  },
  recurrent(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const own = chain.transpose(x, 'TBF');
    const [type, way] = [
      chain.random.pick(TYPES),
      chain.random.pick(['forward', 'reverse', 'bidirectional']),
    ];
    const D = way === 'bidirectional' ? 2 : 1;
    const [T, B, I] = own.shape as [number, number, number];
    const H = chain.random.integer(1, 6);
    const rows = GATES[type] * H;
    const inputs = [
      own.name,
      chain.constant([D, rows, I], 1 / Math.sqrt(I)),
      chain.constant([D, rows, H], 0.7 / Math.sqrt(H)),
      ...(chain.chance(0.7) ? [chain.constant([D, 2 * rows], 0.3)] : []),
    ];
    const attributes = {
      hidden_size: H,
      direction: way,
      ...(type === 'GRU' && { linear_before_reset: chain.random.integer(0, 1) }),
    };
    const [y, h] = [chain.name('t'), chain.name('t')];
    const lastState = chain.chance(0.3);
    chain.nodes.push({ opType: type, inputs, outputs: lastState ? ['', h] : [y], attributes });
    if (lastState) {
      const state = { name: h, shape: [D, B, H], axes: 'DBF' };
      if (D === 1) return chain.withAxes('Squeeze', h, [0], 13, [B, H], 'BF');
      const turned = chain.node('Transpose', [state.name], [B, D, H], 'BDF', {
        perm: Int32Array.of(1, 0, 2),
      });
      return chain.node('Reshape', [turned.name, chain.longs(-1, D * H)], [B, D * H], 'BF');
    }
    const Y: Tensor = { name: y, shape: [T, D, B, H], axes: 'TDBF' };
    if (D === 1 && chain.chance(0.6))
      return chain.withAxes('Squeeze', Y.name, [1], 13, [T, B, H], 'TBF');
    if (D === 2 && chain.chance(0.2)) {
      return chain.withAxes('ReduceSum', Y.name, [1], 13, [T, B, H], 'TBF', { keepdims: 0 });
    }
    if (D === 2 && chain.chance(0.3)) {
      const one = chain.longs(1);
      const half = chain.node('Slice', [Y.name, one, chain.longs(MAX), one], [T, 1, B, H], 'TDBF');
      return chain.withAxes('Squeeze', half.name, [1], 13, [T, B, H], 'TBF');
    }
    const turned = chain.node('Transpose', [Y.name], [T, B, D, H], 'TBDF', {
      perm: Int32Array.of(0, 2, 1, 3),
    });
    const shape = chain.longs(0, 0, -1);
    return chain.node('Reshape', [turned.name, shape], [T, B, D * H], 'TBF');
  },
  convolution(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const own = chain.transpose(x, 'BFT');
    const [B, I, T] = own.shape as [number, number, number];
    const [O, k, d] = [
      chain.random.integer(1, 6),
      chain.random.integer(1, 3),
      chain.random.integer(1, 2),
    ];
    const span = (k - 1) * d + 1;
    const s = T > 6 ? chain.random.integer(1, 2) : 1;
    const groups = I > 1 && chain.chance(0.2) ? I : 1;
    const outputs = groups > 1 ? I * chain.random.integer(1, 2) : O;
    const auto = chain.random.pick(['NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID']);
    const pads = [chain.random.integer(0, k - 1), chain.random.integer(0, k - 1)];
    const inputs = [
      own.name,
      chain.constant([outputs, I / groups, k], 1 / Math.sqrt((I / groups) * k)),
      ...(chain.chance(0.7) ? [chain.constant([outputs], 0.3)] : []),
    ];
    const isSame = auto.startsWith('SAME');
    if (isSame && d > 1) return undefined;
    const total = auto === 'NOTSET' ? pads[0]! + pads[1]! : 0;
    const made = isSame ? Math.ceil(T / s) : Math.floor((T + total - span) / s) + 1;
    if (made < 1) return undefined;
    const attributes = {
      kernel_shape: Int32Array.of(k),
      strides: Int32Array.of(s),
      dilations: Int32Array.of(d),
      group: groups,
      ...(auto === 'NOTSET' ? { pads: Int32Array.from(pads) } : { auto_pad: auto }),
    };
    if (isSame && s > 1 && !chain.isFixed) return undefined;
    return chain.node('Conv', inputs, [B, outputs, made], 'BFT', attributes);
  },
  padded(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const own = chain.transpose(x, 'BFT');
    const [B, F, T] = own.shape as [number, number, number];
    const front = chain.random.integer(0, 3);
    const back = chain.random.integer(0, 2);
    return chain.node(
      'Pad',
      [own.name, chain.longs(0, 0, front, 0, 0, back)],
      [B, F, T + front + back],
      'BFT',
    );
  },
  pool(chain, x) {
    // Padding that onnxruntime takes into its pools is more than it then allows.
    const isPadded = chain.nodes.at(-1)?.opType === 'Pad';
    if (!x.axes.includes('T') || isPadded) return undefined;
    const own = chain.transpose(x, 'BFT');
    const [B, F, T] = own.shape as [number, number, number];
    const [k, s] = [chain.random.integer(1, 3), chain.random.integer(1, 2)];
    const pads = [chain.random.integer(0, k - 1), chain.random.integer(0, k - 1)];
    const type = chain.random.pick(['MaxPool', 'AveragePool']);
    const ceil = chain.isFixed && chain.chance(0.3) ? 1 : 0;
    const counts = type === 'AveragePool' && !ceil && chain.chance(0.5);
    const exact = (T + pads[0]! + pads[1]! - k) / s;
    let made = Math.floor(exact) + 1;
    if (ceil && Math.ceil(exact) * s < T + pads[0]!) made = Math.ceil(exact) + 1;
    if (exact < 0 || made < 1) return undefined;
    return chain.node(type, [own.name], [B, F, made], 'BFT', {
      kernel_shape: Int32Array.of(k),
      strides: Int32Array.of(s),
      pads: Int32Array.from(pads),
      ...(ceil && { ceil_mode: 1 }),
      ...(counts && { count_include_pad: 1 }),
    });
  },
  batchNorm(chain, x) {
    const own = x.axes === 'BF' ? x : chain.transpose(x, 'BFT');
    const F = own.shape[1]!;
    const parameters = [
      [0.3, 1],
      [0.3, 0],
      [0.3, 0],
      [0.3, 0.8],
    ].map(([scale, around]) => chain.constant([F], scale!, around));
    return chain.node('BatchNormalization', [own.name, ...parameters], own.shape, own.axes, {
      epsilon: { float: 1e-3 },
    });
  },
  layerNorm(chain, x) {
    const own = x.axes === 'BF' ? x : chain.transpose(x, 'BTF');
    const F = own.shape.at(-1)!;
    const [scale, bias] = [chain.constant([F], 0.3, 1), chain.constant([F], 0.3)];
    if (chain.opset >= 17 && chain.chance(0.5)) {
      return chain.node('LayerNormalization', [own.name, scale, bias], own.shape, own.axes, {
        axis: -1,
        epsilon: { float: 1e-3 },
      });
    }
    const one = own.shape.map((n, k) => (k === own.shape.length - 1 ? 1 : n));
    const of = (type: string, ...inputs: string[]): Tensor =>
      chain.node(type, inputs, own.shape, own.axes);
    const mean = chain.withAxes('ReduceMean', own.name, [-1], 18, one, own.axes);
    const centred = of('Sub', own.name, mean.name);
    const square = of('Pow', centred.name, chain.constant([], 0, 2));
    const variance = chain.withAxes('ReduceMean', square.name, [-1], 18, one, own.axes);
    const more = chain.node('Add', [variance.name, chain.constant([], 0, 1e-3)], one, own.axes);
    const deviation = chain.node('Sqrt', [more.name], one, own.axes);
    const normal = of('Div', centred.name, deviation.name);
    return of('Add', of('Mul', normal.name, scale).name, bias);
  },
  slice(chain, x) {
    const own = x.axes === 'BF' ? x : chain.transpose(x, chain.random.pick(['BTF', 'BFT']));
    const F = chain.sizeOf(own, 'F');
    const axis = own.axes.indexOf('F');
    const step = chain.random.pick([1, 1, 2, -1]);
    const [from, to] = step > 0 ? [chain.random.integer(0, F - 1), MAX] : [-1, -(2n ** 63n)];
    const count = step > 0 ? Math.ceil((F - from) / step) : F;
    const inputs = [
      own.name,
      chain.longs(from),
      chain.longs(to),
      chain.longs(chain.chance(0.5) ? axis : axis - own.axes.length),
      chain.longs(step),
    ];
    return chain.node('Slice', inputs, chain.resized(own, 'F', count), own.axes);
  },
  split(chain, x) {
    const own = x.axes === 'BF' ? x : chain.transpose(x, chain.random.pick(['BTF', 'BFT', 'TBF']));
    const F = chain.sizeOf(own, 'F');
    if (F < 2) return undefined;
    const axis = own.axes.indexOf('F');
    const first = chain.random.integer(1, F - 1);
    const names = [chain.name('t'), chain.name('t')];
    const isInput = chain.opset >= 13;
    chain.nodes.push({
      opType: 'Split',
      inputs: isInput ? [own.name, chain.longs(first, F - first)] : [own.name],
      outputs: names,
      attributes: { axis, ...(!isInput && { split: Int32Array.of(first, F - first) }) },
    });
    const part: Tensor = { name: names[0]!, shape: chain.resized(own, 'F', first), axes: own.axes };
    const changed = chain.node('Tanh', [part.name], part.shape, part.axes);
    return chain.node(
      'Concat',
      [names[1]!, changed.name, names[0]!],
      chain.resized(own, 'F', F + first),
      own.axes,
      { axis },
    );
  },
  lastStep(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const own = chain.transpose(x, chain.random.pick(['BTF', 'TBF']));
    const at = own.axes.indexOf('T');
    const [B, F] = [chain.sizeOf(own, 'B'), chain.sizeOf(own, 'F')];
    if (chain.chance(0.4)) {
      const name = chain.name('i');
      chain.initializers.push({
        name,
        dims: [],
        data: BigInt64Array.of(chain.random.pick([-1n, 0n, -1n])),
      });
      return chain.node('Gather', [own.name, name], [B, F], 'BF', { axis: at });
    }
    const inputs = [own.name, chain.longs(-1), chain.longs(MAX), chain.longs(at)];
    const last = chain.node('Slice', inputs, chain.resized(own, 'T', 1), own.axes);
    return chain.withAxes('Squeeze', last.name, [at], 13, [B, F], 'BF');
  },
  reduceSteps(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const own = chain.transpose(x, chain.random.pick(['BTF', 'TBF', 'BFT']));
    const [B, F] = [chain.sizeOf(own, 'B'), chain.sizeOf(own, 'F')];
    const at = own.axes.indexOf('T');
    if (own.axes === 'BFT' && chain.chance(0.5)) {
      const type = chain.random.pick(['GlobalAveragePool', 'GlobalMaxPool']);
      const made = chain.node(type, [own.name], [B, F, 1], 'BFT');
      return chain.node('Flatten', [made.name], [B, F], 'BF', { axis: 1 });
    }
    return chain.withAxes(
      chain.random.pick(['ReduceMean', 'ReduceMax']),
      own.name,
      [at],
      18,
      [B, F],
      'BF',
      { keepdims: 0 },
    );
  },
  cutSteps(chain, x) {
    const T = x.axes.includes('T') ? chain.sizeOf(x, 'T') : 0;
    if (T < 4) return undefined;
    const at = x.axes.indexOf('T');
    const [from, back] = [chain.random.integer(0, 1), chain.random.integer(0, 2)];
    const inputs = [x.name, chain.longs(from), chain.longs(back ? -back : MAX), chain.longs(at)];
    return chain.node('Slice', inputs, chain.resized(x, 'T', T - from - back), x.axes);
  },
  reverse(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const at = x.axes.indexOf('T');
    const inputs = [
      x.name,
      chain.longs(-1),
      chain.longs(-(2n ** 63n)),
      chain.longs(at),
      chain.longs(-1),
    ];
    return chain.node('Slice', inputs, x.shape, x.axes);
  },
  /** Steps and sequences as one axis, and back by sizes that are read off. */
  merged(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const own = chain.transpose(x, chain.random.pick(['BTF', 'TBF']));
    const [first, second, F] = own.shape as [number, number, number];
    const shape = chain.node('Shape', [own.name], [3], 'S');
    const flat = chain.node('Reshape', [own.name, chain.longs(-1, F)], [first * second, F], 'BF');
    const W = chain.constant([F, 4], 1 / Math.sqrt(F));
    const made = chain.node('Gemm', [flat.name, W], [first * second, 4], 'BF');
    const part = (k: number): string => {
      if (chain.chance(0.5))
        return chain.node('Gather', [shape.name, chain.longs(k)], [1], 'S', { axis: 0 }).name;
      return chain.node('Slice', [shape.name, chain.longs(k), chain.longs(k + 1)], [1], 'S').name;
    };
    const sizes = chain.node('Concat', [part(0), part(1), chain.longs(4)], [3], 'S', { axis: 0 });
    return chain.node('Reshape', [made.name, sizes.name], [first, second, 4], own.axes);
  },
  flatten(chain, x) {
    if (!x.axes.includes('T') || !chain.isFixed) return undefined;
    const own = chain.transpose(x, chain.random.pick(['BTF', 'BFT']));
    const [B, a, b] = own.shape as [number, number, number];
    const flat = chain.node('Flatten', [own.name], [B, a * b], 'BF', { axis: 1 });
    const W = chain.constant([a * b, 5], 1 / Math.sqrt(a * b));
    return chain.node('MatMul', [flat.name, W], [B, 5], 'BF');
  },
  identity(chain, x) {
    if (!x.axes.includes('T')) return undefined;
    const wide = chain.withAxes(
      'Unsqueeze',
      x.name,
      [1],
      13,
      [x.shape[0]!, 1, ...x.shape.slice(1)],
      'none',
    );
    return chain.withAxes('Squeeze', wide.name, [1], 13, x.shape, x.axes);
  },
};

/** A chain of operators, on sequences or on tokens. */
export function chainCase(random: Random): OnnxCase {
  const chain = new Chain(random);
  const [T, B, F] = [random.integer(3, 9), random.integer(1, 3), random.integer(1, 6)];
  chain.isFixed = chain.chance(0.4);
  const dims = { B: chain.isFixed ? B : 'batch', T: chain.isFixed ? T : 'time', F };
  const isTokens = chain.chance(0.15);
  const axes = isTokens ? 'BT' : random.pick(['BTF', 'TBF', 'BTF', 'BFT']);
  const sizes = { B, T, F };
  const letters = [...axes] as ('B' | 'T' | 'F')[];
  const shape = letters.map((axis) => sizes[axis]);
  const count = product(shape);
  const data = isTokens
    ? Float32Array.from({ length: count }, () => random.integer(0, 6))
    : Float32Array.from(random.vector(count, 1));
  const type = isTokens ? ('int64' as const) : ('float' as const);
  let x: Tensor = { name: 'x', shape, axes };
  if (isTokens) {
    const table = chain.constant([7, F], 1);
    x = chain.node('Gather', [table, 'x'], [B, T, F], 'BTF');
  }
  const names = Object.keys(STEPS);
  for (let left = random.integer(2, 7); left > 0;) {
    const made = STEPS[random.pick(names)]!(chain, x);
    if (!made) continue;
    x = made;
    left--;
  }
  return {
    graph: {
      inputs: [{ name: 'x', dims: letters.map((axis) => dims[axis]), type }],
      outputs: [x.name],
      initializers: chain.initializers,
      nodes: chain.nodes,
      opset: chain.opset,
    },
    inputs: [{ name: 'x', shape, data, type }],
  };
}
