/** Models as ONNX graphs of opset 17: any number of sequences and steps. */
import { readOptions } from '../../base/check.ts';
import { GatefoldError, shorten } from '../../base/errors.ts';
import type { StateDict, Tensor } from '../../base/tensor.ts';
import type { Model } from '../../model/model.ts';
import type { Activation, RowActivation } from '../../ops/activations.ts';
import { fromStateDict, onnx } from '../shared/layouts.ts';
import type { CellParameters } from '../shared/layouts.ts';
import type { Dim } from './dims.ts';
import { FLOAT, INT64, Message, nodeMessage, tensorMessage, valueMessage } from './encode.ts';
import type { AttributeValue } from './encode.ts';

/** How `writeOnnx` writes. */
export interface OnnxWriteOptions {
  /** Whether the states of recurrent layers are inputs `NAME.h` and outputs `NAME.hn`. */
  readonly states?: boolean;
}

const [OPSET, IR_VERSION] = [17, 8];

type Options = Readonly<Record<string, unknown>>;

interface Layer extends Options {
  readonly type: string;
  readonly name: string;
  readonly inputs?: readonly string[];
}

/** Why a layer cannot be written, as a part of a list of such reasons. */
class Refusal extends Error {}

const refuse = (problem: string): never => {
  throw new Refusal(problem);
};

/** What a layer or a part of one gives: [T, B, F], or [B, F] of rows. */
interface Value {
  readonly name: string;
  readonly isRow: boolean;
  readonly width: number;
}

/** A float32 layer of the graph that is being written. */
class Writer {
  readonly nodes: Message[] = [];
  readonly tensors: Message[] = [];
  readonly inputs: Message[] = [];
  readonly outputs: Message[] = [];
  readonly values = new Map<string, Value>();
  readonly state: StateDict;
  readonly hasStates: boolean;
  readonly #reserved: ReadonlySet<string>;
  #count = 0;
  /** Layers that read backwards. */
  readonly turned = new Set<string>();
  #batch: string | undefined;

  /** @param reserved names of inputs and outputs. */
  constructor(state: StateDict, hasStates: boolean, reserved: Iterable<string>) {
    this.#reserved = new Set(reserved);
    this.state = state;
    this.hasStates = hasStates;
  }

  name(like: string): string {
    const name = `${like}/${this.#count++}`;
    return this.#reserved.has(name) ? this.name(like) : name;
  }

  floats(like: string, dims: readonly number[], data: Float32Array): string {
    const name = this.name(like);
    this.tensors.push(tensorMessage(name, dims, data));
    return name;
  }

  scalar(value: number): string {
    return this.floats('number', [], Float32Array.of(value));
  }

  longs(...items: readonly number[]): string {
    const name = this.name('sizes');
    this.tensors.push(tensorMessage(name, [items.length], BigInt64Array.from(items, BigInt)));
    return name;
  }

  /** An index that takes its axis away. */
  index(item: number): string {
    const name = this.name('index');
    this.tensors.push(tensorMessage(name, [], BigInt64Array.of(BigInt(item))));
    return name;
  }

  /** A node with one output. */
  node(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    output: string = this.name(type),
  ): string {
    this.nodes.push(nodeMessage(type, inputs, [output], attributes));
    return output;
  }

  transpose(x: string, ...perm: readonly number[]): string {
    return this.node('Transpose', [x], { perm });
  }

  /** How many sequences there are, read off the first input. */
  batch(): string {
    return (this.#batch ??= this.node('Gather', [this.node('Shape', ['x0/shape']), this.longs(0)]));
  }
}

const DIRECT: Readonly<Record<string, string>> = {
  relu: 'Relu',
  tanh: 'Tanh',
  sigmoid: 'Sigmoid',
  softsign: 'Softsign',
  softplus: 'Softplus',
  abs: 'Abs',
  neg: 'Neg',
  sqrt: 'Sqrt',
  log: 'Log',
  selu: 'Selu',
};

/** Those of nodes with alpha and beta, and their usual numbers. */
const NUMBERED: Readonly<Record<string, readonly [type: string, alpha: number, beta?: number]>> = {
  leakyRelu: ['LeakyRelu', 0.01],
  thresholdedRelu: ['ThresholdedRelu', 1],
  hardSigmoid: ['HardSigmoid', 0.2, 0.5],
  elu: ['Elu', 1],
};

interface Numbered {
  readonly type: string;
  readonly alpha?: number;
  readonly beta?: number;
}

function activation(w: Writer, given: RowActivation | undefined, x: string): string {
  if (given === undefined) return x;
  const { type, alpha, beta }: Numbered = typeof given === 'string' ? { type: given } : given;
  if (DIRECT[type]) return w.node(DIRECT[type], [x]);
  const numbered = NUMBERED[type];
  if (numbered) {
    const [name, a, b] = numbered;
    const more: Record<string, AttributeValue> =
      b === undefined ? {} : { beta: { float: beta ?? b } };
    return w.node(name, [x], { alpha: { float: alpha ?? a }, ...more });
  }
  const times = (y: string, by: number): string => w.node('Mul', [y, w.scalar(by)]);
  switch (type) {
    case 'identity':
      return x;
    case 'softmax':
      return w.node('Softmax', [alpha || beta !== undefined ? times(x, beta ?? 1) : x], {
        axis: -1,
      });
    case 'logSoftmax':
      return w.node('LogSoftmax', [x], { axis: -1 });
    case 'affine':
      return w.node('Add', [times(x, alpha ?? 1), w.scalar(beta ?? 0)]);
    case 'scaledTanh':
      return times(w.node('Tanh', [times(x, beta ?? 1)]), alpha ?? 1);
    case 'silu':
      return w.node('Mul', [x, w.node('Sigmoid', [x])]);
    case 'gelu': {
      const error = w.node('Erf', [times(x, Math.SQRT1_2)]);
      return times(w.node('Mul', [x, w.node('Add', [error, w.scalar(1)])]), 0.5);
    }
    case 'pow':
      return w.node('Pow', [x, w.scalar(alpha ?? 2)]);
    case 'clip':
      return w.node('Clip', [x, w.scalar(alpha ?? -1), w.scalar(beta ?? 1)]);
    default:
      return refuse(`the activation ${type} is not supported`);
  }
}

/** Activations of recurrent nodes, and the numbers that each takes. */
const CELL: Readonly<Record<string, readonly [type: string, alpha?: number, beta?: number]>> = {
  relu: ['Relu'],
  tanh: ['Tanh'],
  sigmoid: ['Sigmoid'],
  softsign: ['Softsign'],
  softplus: ['Softplus'],
  affine: ['Affine', 1, 0],
  identity: ['Affine', 1, 0],
  leakyRelu: ['LeakyRelu', 0.01],
  thresholdedRelu: ['ThresholdedRelu', 1],
  scaledTanh: ['ScaledTanh', 1, 1],
  hardSigmoid: ['HardSigmoid', 0.2, 0.5],
  elu: ['Elu', 1],
};

function cellActivations(list: readonly Activation[]): Record<string, AttributeValue> {
  const [alphas, betas]: [number[], number[]] = [[], []];
  const names = list.map((given) => {
    const { type, alpha, beta }: Numbered = typeof given === 'string' ? { type: given } : given;
    const known = CELL[type] ?? refuse(`its activation ${type} is none of ONNX' recurrent nodes`);
    if (known[1] !== undefined) alphas.push(alpha ?? known[1]);
    if (known[2] !== undefined) betas.push(beta ?? known[2]);
    return known[0];
  });
  return {
    activations: names,
    ...(alphas.length && { activation_alpha: Float32Array.from(alphas) }),
    ...(betas.length && { activation_beta: Float32Array.from(betas) }),
  };
}

const FOREIGN = ['projSize', 'projClip', 'cellClip', 'layerNorm', 'zoneout'];
const TYPES: Readonly<Record<string, string>> = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' };
const COUNTS: Readonly<Record<string, number>> = { rnn: 1, lstm: 3, gru: 2 };

/** A recurrent layer: a node for each of its sub-layers. */
function recurrent(w: Writer, layer: Layer, x: Value): Value {
  const type = TYPES[layer.type]!;
  const { name, initialState, activations, clip } = layer as Layer & {
    initialState?: string | Record<string, string>;
    activations?: readonly Activation[];
    clip?: number;
  };
  const foreign = FOREIGN.find((option) => layer[option]);
  if (foreign) refuse(`ONNX has no "${foreign}"`);
  if (layer['peephole'] === 'cell') refuse(`ONNX has no peephole: 'cell'`);
  const isBoth = layer['bidirectional'] === true;
  const D = isBoth ? 2 : 1;
  const H = layer['hiddenSize'] as number;
  const count = layer['numLayers'] as number;
  const merge = (layer['merge'] as string | undefined) ?? 'concat';
  const letters = layer.type === 'lstm' ? ['h', 'c'] : ['h'];
  const given =
    activations ?? (layer.type === 'rnn' ? [layer['nonlinearity'] as Activation] : undefined);
  const each = COUNTS[layer.type]! * D;
  const all = given && (given.length === each ? given : [...given, ...given]);
  const attributes: Record<string, AttributeValue> = {
    hidden_size: H,
    direction: isBoth ? 'bidirectional' : layer['direction'] === 'backward' ? 'reverse' : 'forward',
    ...(all && cellActivations(all)),
    ...(clip !== undefined && { clip: { float: clip } }),
    ...(layer['inputForget'] === true && { input_forget: 1 }),
    ...(layer.type === 'gru' && { linear_before_reset: Number(layer['resetAfter'] !== false) }),
  };
  let [y, width] = [x.name, x.width];
  const lasts: Record<string, string[]> = { h: [], c: [] };
  /** States [D, B, H] of sub-layer k out of all, [L D, B, H] or rows [B, L D H]. */
  const initialOf = (k: number, letter: string): string => {
    if (w.hasStates) {
      const input = `${name}.${letter}`;
      if (k === 0) w.inputs.push(valueMessage(input, FLOAT, [count * D, 'batch', H]));
      if (count === 1) return input;
      return w.node('Slice', [input, w.longs(k * D), w.longs((k + 1) * D), w.longs(0)]);
    }
    if (initialState === 'learned') {
      const rows = Array.from({ length: D }, (_, d) => {
        const { data } = w.state.get(`${name}.${letter}0_l${k}${d ? '_reverse' : ''}`)!;
        return [...data];
      });
      const own = w.floats(`${name}.${letter}0`, [D, 1, H], Float32Array.from(rows.flat()));
      const sizes = w.node('Concat', [w.longs(D), w.batch(), w.longs(H)], { axis: 0 });
      return w.node('Expand', [own, sizes]);
    }
    if (typeof initialState !== 'object' || initialState[letter] === undefined) return '';
    const rows = w.values.get(initialState[letter])!.name;
    const whole = w.transpose(w.node('Reshape', [rows, w.longs(0, count * D, H)]), 1, 0, 2);
    if (count === 1) return whole;
    return w.node('Slice', [whole, w.longs(k * D), w.longs((k + 1) * D), w.longs(0)]);
  };
  for (let k = 0; k < count; k++) {
    const parameters = Array.from({ length: D }, (_, d) =>
      fromStateDict(w.state, name, { subLayer: k, reverse: d === 1 }),
    ).map(({ h0: _h, c0: _c, ...rest }): CellParameters => rest);
    const { W, R, B, P } = onnx[`to${type === 'LSTM' ? 'Lstm' : type === 'GRU' ? 'Gru' : 'Rnn'}`](
      ...parameters,
    );
    const tensor = (role: string, one: Tensor | undefined): string =>
      one ? w.floats(`${name}.${role}_l${k}`, one.shape, one.data) : '';
    const inputs = [
      y,
      tensor('W', W),
      tensor('R', R),
      tensor('B', B),
      '',
      ...letters.map((letter) => initialOf(k, letter)),
      ...(type === 'LSTM' ? [tensor('P', P)] : []),
    ];
    const outputs = ['y', ...letters].map((letter) => w.name(`${name}.${letter}`));
    w.nodes.push(nodeMessage(type, inputs, outputs, attributes));
    for (const [at, letter] of letters.entries()) lasts[letter]!.push(outputs[at + 1]!);
    [y, width] = merged(w, outputs[0]!, D, H, merge);
  }
  for (const letter of letters) {
    const list = lasts[letter]!;
    const whole = list.length > 1 ? w.node('Concat', list, { axis: 0 }) : list[0]!;
    if (w.hasStates) {
      w.node('Identity', [whole], {}, `${name}.${letter}n`);
      w.outputs.push(valueMessage(`${name}.${letter}n`, FLOAT, [count * D, 'batch', H]));
    }
    const rows = w.transpose(whole, 1, 0, 2);
    const part = (from: number, to: number): string => {
      const one = w.node('Slice', [rows, w.longs(from), w.longs(to), w.longs(1)]);
      return w.node('Reshape', [one, w.longs(0, (to - from) * H)]);
    };
    const total = count * D;
    const row = (value: string, size: number): Value => ({ name: value, isRow: true, width: size });
    w.values.set(`${name}.${letter}`, row(part(0, total), total * H));
    for (let k = 0; k < total && total > 1; k++) {
      w.values.set(`${name}.${letter}.${k}`, row(part(k, k + 1), H));
    }
    // The final outputs of both ways, which a pool takes.
    if (letter === 'h' && merge === 'concat') {
      w.values.set(`${name}/final`, row(part(total - D, total), D * H));
    }
  }
  return { name: y, isRow: false, width };
}

/** Y [T, D, B, H] of both directions as one. */
function merged(w: Writer, y: string, D: number, H: number, merge: string): [string, number] {
  if (D === 1) return [w.node('Squeeze', [y, w.longs(1)]), H];
  if (merge === 'concat') {
    return [w.node('Reshape', [w.transpose(y, 0, 2, 1, 3), w.longs(0, 0, D * H)]), D * H];
  }
  if (merge === 'mul') {
    const half = (k: number): string => {
      const one = w.node('Slice', [y, w.longs(k), w.longs(k + 1), w.longs(1)]);
      return w.node('Squeeze', [one, w.longs(1)]);
    };
    return [w.node('Mul', [half(0), half(1)]), H];
  }
  const sum = w.node('ReduceSum', [y, w.longs(1)], { keepdims: 0 });
  return [merge === 'sum' ? sum : w.node('Mul', [sum, w.scalar(0.5)]), H];
}

/** Padding of a window over steps. */
function padding(given: unknown, span: number, stride: number): Record<string, AttributeValue> {
  if (given === 'valid' || given === undefined) return { pads: [0, 0] };
  if (given === 'causal') return { pads: [span - 1, 0] };
  if (given === 'same') {
    if (stride > 1) return { auto_pad: 'SAME_UPPER' };
    const left = Math.floor((span - 1) / 2);
    return { pads: [left, span - 1 - left] };
  }
  const [left, right] = typeof given === 'number' ? [given, given] : (given as [number, number]);
  return { pads: [left, right] };
}

type Write = (w: Writer, layer: Layer, reads: readonly Value[]) => Value;

/** A node over steps [B, F, T] of a flow [T, B, F]. */
function overSteps(w: Writer, x: Value, of: (turned: string) => string, width = x.width): Value {
  if (x.isRow) refuse('it reads one row a sequence');
  const name = w.transpose(of(w.transpose(x.name, 1, 2, 0)), 2, 0, 1);
  return { name, isRow: false, width };
}

function convolution(w: Writer, layer: Layer, x: Value): Value {
  const { name, type } = layer;
  const stride = (layer['stride'] as number | undefined) ?? 1;
  const dilation = (layer['dilation'] as number | undefined) ?? 1;
  const size = layer['kernelSize'] as number;
  const span = (size - 1) * dilation + 1;
  const isTransposed = type === 'convTranspose1d';
  const weight = w.state.get(`${name}.weight`)!;
  const bias = w.state.get(`${name}.bias`);
  let pads = padding(layer['padding'], span, stride);
  let more = (layer['outputPadding'] as number | undefined) ?? 0;
  if (isTransposed && layer['padding'] === 'same') {
    const total = span - stride;
    const left = Math.floor(Math.max(total, 0) / 2);
    pads = { pads: [left, Math.max(total, 0) - left] };
    more += Math.max(-total, 0);
  }
  const inputs = [
    w.floats(`${name}.weight`, weight.shape, weight.data),
    ...(bias ? [w.floats(`${name}.bias`, bias.shape, bias.data)] : []),
  ];
  const attributes = {
    kernel_shape: [size],
    strides: [stride],
    dilations: [dilation],
    ...pads,
    ...(!isTransposed && { group: (layer['groups'] as number | undefined) ?? 1 }),
    ...(more > 0 && { output_padding: [more] }),
  };
  const made = (turned: string): string =>
    w.node(isTransposed ? 'ConvTranspose' : 'Conv', [turned, ...inputs], attributes);
  const flow = overSteps(w, x, made, layer['outChannels'] as number);
  return { ...flow, name: activation(w, layer['activation'] as RowActivation, flow.name) };
}

function windowPool(w: Writer, layer: Layer, x: Value): Value {
  const isMax = layer.type === 'maxPool1d';
  const size = layer['poolSize'] as number;
  const stride = (layer['stride'] as number | undefined) ?? size;
  const attributes = {
    kernel_shape: [size],
    strides: [stride],
    ...padding(layer['padding'], size, stride),
    ...(!isMax && { count_include_pad: Number(layer['countPadding'] !== false) }),
  };
  if (layer['padding'] === 'causal' && !isMax && layer['countPadding'] === false) {
    refuse('causal padding that does not count');
  }
  return overSteps(w, x, (turned) =>
    w.node(isMax ? 'MaxPool' : 'AveragePool', [turned], attributes),
  );
}

/** Constants, one for all features or one for each. */
const constants = (w: Writer, like: string, given: number | readonly number[]): string =>
  typeof given === 'number'
    ? w.scalar(given)
    : w.floats(like, [given.length], Float32Array.from(given));

function linear(w: Writer, layer: Layer, x: Value): Value {
  const { name, tied } = layer as Layer & { tied?: string };
  const weight = w.state.get(tied === undefined ? `${name}.weight` : `${tied}.weight`)!;
  const bias = w.state.get(`${name}.bias`);
  const matrix = w.transpose(w.floats(`${name}.weight`, weight.shape, weight.data), 1, 0);
  const product = w.node('MatMul', [x.name, matrix]);
  const whole = bias
    ? w.node('Add', [product, w.floats(`${name}.bias`, bias.shape, bias.data)])
    : product;
  const made = activation(w, layer['activation'] as RowActivation | undefined, whole);
  return { ...x, name: made, width: weight.shape[0]! };
}

/** Frozen statistics as factors and offsets, computed in float64. */
function batchNorm(w: Writer, layer: Layer, x: Value): Value {
  const of = (role: string): Float32Array | undefined => w.state.get(`${layer.name}.${role}`)?.data;
  const [mean, variance] = [of('running_mean')!, of('running_var')!];
  const [gamma, beta] = [of('weight'), of('bias')];
  const eps = layer['eps'] as number;
  const factor = Float64Array.from(variance, (v, k) => (gamma?.[k] ?? 1) / Math.sqrt(v + eps));
  const offset = Float32Array.from(mean, (m, k) => (beta?.[k] ?? 0) - m * factor[k]!);
  const size = [factor.length];
  const scaled = w.node('Mul', [x.name, w.floats('factor', size, Float32Array.from(factor))]);
  return { ...x, name: w.node('Add', [scaled, w.floats('offset', size, offset)]) };
}

function layerNorm(w: Writer, { name, eps }: Layer, x: Value): Value {
  const own = (role: string): string | undefined => {
    const tensor = w.state.get(`${name}.${role}`);
    return tensor && w.floats(`${name}.${role}`, tensor.shape, tensor.data);
  };
  const scale = own('weight') ?? w.floats('ones', [x.width], new Float32Array(x.width).fill(1));
  const bias = own('bias');
  const attributes = { axis: -1, epsilon: { float: eps as number } };
  const inputs = [x.name, scale, ...(bias === undefined ? [] : [bias])];
  return { ...x, name: w.node('LayerNormalization', inputs, attributes) };
}

function rmsNorm(w: Writer, { name, eps }: Layer, x: Value): Value {
  const square = w.node('Mul', [x.name, x.name]);
  const mean = w.node('ReduceMean', [square], { axes: [-1], keepdims: 1 });
  const root = w.node('Sqrt', [w.node('Add', [mean, w.scalar(eps as number)])]);
  const weight = w.state.get(`${name}.weight`);
  const normal = w.node('Div', [x.name, root]);
  if (!weight) return { ...x, name: normal };
  return {
    ...x,
    name: w.node('Mul', [normal, w.floats(`${name}.weight`, weight.shape, weight.data)]),
  };
}

const JOINS: Readonly<Record<string, string>> = {
  add: 'Add',
  subtract: 'Sub',
  multiply: 'Mul',
  divide: 'Div',
  average: 'Add',
};

const join: Write = (w, { type }, reads) => {
  const name = reads.map((x) => x.name).reduce((a, b) => w.node(JOINS[type]!, [a, b]));
  const whole = type === 'average' ? w.node('Mul', [name, w.scalar(1 / reads.length)]) : name;
  return { ...reads[0]!, name: whole, width: Math.max(...reads.map(({ width }) => width)) };
};

function slice(w: Writer, x: Value, from: number, to: number): Value {
  const name = w.node('Slice', [x.name, w.longs(from), w.longs(to), w.longs(-1)]);
  return { ...x, name, width: to - from };
}

const reduced =
  (type: string): Write =>
  (w, _, [x]) => {
    const isSum = type === 'ReduceSum';
    const inputs = isSum ? [x!.name, w.longs(-1)] : [x!.name];
    const name = w.node(type, inputs, { keepdims: 1, ...(!isSum && { axes: [-1] }) });
    return { ...x!, name, width: 1 };
  };

const same: Write = (_, __, [x]) => x!;

const WRITERS: Readonly<Record<string, Write>> = {
  rnn: (w, layer, [x]) => recurrent(w, layer, x!),
  lstm: (w, layer, [x]) => recurrent(w, layer, x!),
  gru: (w, layer, [x]) => recurrent(w, layer, x!),
  linear: (w, layer, [x]) => linear(w, layer, x!),
  embedding(w, { name, maskZero }, [x]) {
    if (maskZero) refuse('ONNX has no masks');
    const { shape, data } = w.state.get(`${name}.weight`)!;
    const table = w.floats(`${name}.weight`, shape, data);
    return { ...x!, name: w.node('Gather', [table, x!.name]), width: shape[1]! };
  },
  pool(w, { mode, inputs }, [x]) {
    const final = w.values.get(`${inputs![0]}/final`);
    const isTurned = w.turned.has(inputs![0]!);
    if (mode === 'last' && isTurned) return final ?? refuse('it takes the last of merged ways');
    const name =
      mode === 'last'
        ? w.node('Gather', [x!.name, w.index(-1)], { axis: 0 })
        : w.node(mode === 'max' ? 'ReduceMax' : 'ReduceMean', [x!.name], {
            axes: [0],
            keepdims: 0,
          });
    return { ...x!, name, isRow: true };
  },
  activation: (w, layer, [x]) => {
    return { ...x!, name: activation(w, layer['activation'] as RowActivation, x!.name) };
  },
  conv1d: (w, layer, [x]) => convolution(w, layer, x!),
  convTranspose1d: (w, layer, [x]) => convolution(w, layer, x!),
  maxPool1d: (w, layer, [x]) => windowPool(w, layer, x!),
  averagePool1d: (w, layer, [x]) => windowPool(w, layer, x!),
  upsample1d: (w, { size }, [x]) =>
    overSteps(w, x!, (turned) => {
      const scales = w.floats('scales', [3], Float32Array.of(1, 1, size as number));
      const how = { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
      return w.node('Resize', [turned, '', scales], { mode: 'nearest', ...how });
    }),
  batchNorm: (w, layer, [x]) => batchNorm(w, layer, x!),
  layerNorm: (w, layer, [x]) => layerNorm(w, layer, x!),
  rmsNorm: (w, layer, [x]) => rmsNorm(w, layer, x!),
  dropout: same,
  reduceMean: reduced('ReduceMean'),
  reduceSum: reduced('ReduceSum'),
  reduceMax: reduced('ReduceMax'),
  concat(w, _, reads) {
    const width = reads.reduce((sum, x) => sum + x.width, 0);
    const names = reads.map(({ name }) => name);
    return { ...reads[0]!, name: w.node('Concat', names, { axis: -1 }), width };
  },
  slice: (w, { from, to }, [x]) => slice(w, x!, from as number, to as number),
  split(w, { name, sizes }, [x]) {
    let from = 0;
    const pieces = (sizes as readonly number[]).map((size) => slice(w, x!, from, (from += size)));
    for (const [k, piece] of pieces.entries()) w.values.set(`${name}.${k}`, piece);
    return pieces[0]!;
  },
  reverse(w, _, [x]) {
    const ends = [w.longs(-1), w.longs(-(2 ** 31)), w.longs(0), w.longs(-1)];
    return { ...x!, name: w.node('Slice', [x!.name, ...ends]) };
  },
  add: join,
  subtract: join,
  multiply: join,
  divide: join,
  average: join,
  prelu(w, { name }, [x]) {
    const { shape, data } = w.state.get(`${name}.weight`)!;
    return { ...x!, name: w.node('PRelu', [x!.name, w.floats(`${name}.weight`, shape, data)]) };
  },
  scale(w, { name, factor, offset }, [x]) {
    type Constants = number | readonly number[] | undefined;
    const [by, plus] = [factor as Constants, offset as Constants];
    let made = x!.name;
    if (by !== undefined) made = w.node('Mul', [made, constants(w, `${name}.factor`, by)]);
    if (plus !== undefined) made = w.node('Add', [made, constants(w, `${name}.offset`, plus)]);
    return { ...x!, name: made };
  },
  delay(w, { steps }, [x]) {
    const pads = w.longs(steps as number, 0, 0, 0, 0, 0);
    const padded = w.node('Pad', [x!.name, pads]);
    const ends = [w.longs(0), w.longs(-(steps as number)), w.longs(0)];
    return { ...x!, name: w.node('Slice', [padded, ...ends]) };
  },
  flatten(w, { inputSteps }, [x]) {
    const width = x!.width * (inputSteps as number);
    const name = w.node('Reshape', [w.transpose(x!.name, 1, 0, 2), w.longs(0, width)]);
    return { name, isRow: true, width };
  },
  reshape(w, { steps }, [x]) {
    if (!x!.isRow) refuse('it reads steps');
    const width = x!.width / (steps as number);
    const cut = w.node('Reshape', [x!.name, w.longs(0, steps as number, width)]);
    return { name: w.transpose(cut, 1, 0, 2), isRow: false, width };
  },
  repeat(w, { steps }, [x]) {
    const wide = w.node('Unsqueeze', [x!.name, w.longs(0)]);
    const name = w.node('Expand', [wide, w.longs(steps as number, 1, 1)]);
    return { ...x!, name, isRow: false };
  },
};

/**
 * A model as an ONNX file of opset 17. Inputs and outputs are [batch, time, features], of tokens
 * [batch, time], and of rows [batch, features]. What ONNX has not is refused by name, all at once.
 *
 * @example
 *   const bytes = writeOnnx(model, { states: true });
 */
export function writeOnnx(model: Model, options: OnnxWriteOptions = {}): Uint8Array {
  const { states = false } = readOptions('options', options, ['states']);
  const names = [...model.inputs, ...model.outputs].map(({ name }) => name);
  const w = new Writer(model.stateDict(), states, names);
  const { layers, inputs: specs = [] } = model.description;
  for (const [k, { name, size, takesTokens, each }] of model.inputs.entries()) {
    const spec = specs[k];
    const own = typeof spec === 'object' ? spec.stepsOf : undefined;
    const isRow = each === 'sequence';
    const dims: Dim[] = [
      'batch',
      ...(isRow ? [] : [own === undefined ? 'time' : `time of ${own}`]),
    ];
    w.inputs.push(
      valueMessage(name, takesTokens ? INT64 : FLOAT, takesTokens ? dims : [...dims, size]),
    );
    if (k === 0) w.node('Identity', [name], {}, 'x0/shape');
    const perm = takesTokens ? [1, 0] : [1, 0, 2];
    w.values.set(name, { name: isRow ? name : w.transpose(name, ...perm), isRow, width: size });
  }
  const problems: string[] = [];
  let before = model.inputs[0]!.name;
  for (const one of layers as unknown as Layer[]) {
    const layer: Layer & { inputs: readonly string[] } = { ...one, inputs: one.inputs ?? [before] };
    before = layer.name;
    try {
      const reads = layer.inputs.map((source) => w.values.get(source));
      if (reads.some((value) => !value)) continue;
      const write = WRITERS[layer.type] ?? refuse('ONNX has no such operator');
      w.values.set(layer.name, write(w, layer, reads as Value[]));
      const isTurned = layer['bidirectional'] === true || layer['direction'] === 'backward';
      if (isTurned) w.turned.add(layer.name);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problems.push(`"${shorten(layer.name)}" (${layer.type}): ${error.message}`);
    }
  }
  if (problems.length) {
    const message = `the model has no ONNX form: ${problems.join('; ')}`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  for (const { name, size } of model.outputs) {
    const value = w.values.get(name)!;
    const dims: Dim[] = value.isRow ? ['batch', size] : ['batch', `time of ${name}`, size];
    if (value.isRow) w.node('Identity', [value.name], {}, name);
    else w.node('Transpose', [value.name], { perm: [1, 0, 2] }, name);
    w.outputs.push(valueMessage(name, FLOAT, dims));
  }
  const graph = new Message();
  for (const node of w.nodes) graph.add(1, node);
  graph.add(2, 'gatefold');
  for (const tensor of w.tensors) graph.add(5, tensor);
  for (const input of w.inputs) graph.add(11, input);
  for (const output of w.outputs) graph.add(12, output);
  return new Message([
    [1, IR_VERSION],
    [2, 'gatefold'],
    [7, graph],
    [8, new Message([[2, OPSET]])],
  ]).bytes();
}
