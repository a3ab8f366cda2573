/**
 * Random calls of the kernels of layers, forward and backward, against the float64 reference. Values
 * are exact in float32, so that both see the same.
 */
import { convSizes } from '../../src/engine/conv1d.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { NONE, type Slot } from '../../src/engine/plan.ts';
import * as codes from '../../assembly/shared/codes.ts';
import { curveOf } from '../reference/activation.ts';
import { convBackward, convForward, outputSteps, type Convolution } from '../reference/conv1d.ts';
import { normBackward, normForward } from '../reference/norm.ts';
import { preluBackward, preluForward } from '../reference/prelu.ts';
import { logSoftmax, logSoftmaxBackward, softmax, softmaxBackward } from '../reference/softmax.ts';
import { Buffers, offsetsOf, rowsOfPlace } from './buffers.ts';
import { activationNames } from './options.ts';
import { createRandom, type Random } from './random.ts';

/** Of the largest value, or of 1 where all are smaller. */
const FORWARD_TOLERANCE = 2e-6;
/** Sums over rows and columns, of the largest gradient. */
const GRADIENT_TOLERANCE = 1e-5;

export const rounded = (random: Random, length: number, scale = 1): Float64Array =>
  random.vector(length, scale).map(Math.fround);

export function requireNear(
  what: string,
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
): void {
  if (got.length !== wanted.length) {
    throw new Error(`${what}: ${got.length} elements rather than ${wanted.length}`);
  }
  let largest = 1;
  for (let k = 0; k < wanted.length; k++) largest = Math.max(largest, Math.abs(wanted[k]!));
  for (let k = 0; k < wanted.length; k++) {
    const error = Math.abs(got[k]! - wanted[k]!) / largest;
    if (!(error <= tolerance)) {
      throw new Error(`${what}: ${got[k]} rather than ${wanted[k]} at ${k}, largest ${largest}`);
    }
  }
}

/** Numbers of one row of a row-major matrix. */
const rowOf = (x: Float64Array, r: number, width: number): Float64Array =>
  x.subarray(r * width, (r + 1) * width);

/** A function of rows, row by row. */
function eachRow(
  rows: number,
  width: number,
  body: (r: number) => Float64Array | number[],
): Float64Array {
  const all = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) all.set(body(r), r * width);
  return all;
}

const ROW_KINDS = { softmax: codes.ACTIVATION_SOFTMAX, logSoftmax: codes.ACTIVATION_LOG_SOFTMAX };
const KINDS: Readonly<Record<string, number>> = {
  sigmoid: codes.ACTIVATION_SIGMOID,
  tanh: codes.ACTIVATION_TANH,
  relu: codes.ACTIVATION_RELU,
  affine: codes.ACTIVATION_AFFINE,
  leakyRelu: codes.ACTIVATION_LEAKY_RELU,
  thresholdedRelu: codes.ACTIVATION_THRESHOLDED_RELU,
  scaledTanh: codes.ACTIVATION_SCALED_TANH,
  hardSigmoid: codes.ACTIVATION_HARD_SIGMOID,
  elu: codes.ACTIVATION_ELU,
  softsign: codes.ACTIVATION_SOFTSIGN,
  softplus: codes.ACTIVATION_SOFTPLUS,
  identity: codes.ACTIVATION_IDENTITY,
  gelu: codes.ACTIVATION_GELU,
  silu: codes.ACTIVATION_SILU,
  selu: codes.ACTIVATION_SELU,
  ...ROW_KINDS,
};
export const activationKinds: readonly string[] = Object.keys(KINDS);

/** Which buffers are the same: y in the place of x, dx in the place of dy or x. */
type Overlay = 'none' | 'dy' | 'x';

/** One activation over random rows. */
export function checkActivation(engine: Engine, name: string, seed: number): void {
  const random = createRandom(seed);
  const [rows, width] = [random.integer(1, 6), random.integer(1, 19)];
  const [alpha, beta] = [0.25 + random.integer(0, 4) / 8, 0.5 + random.integer(0, 4) / 8];
  const x = rounded(random, rows * width, 4);
  const dy = rounded(random, rows * width);
  const isOfRows = name in ROW_KINDS;
  const overlay = random.pick<Overlay>(['none', 'dy', 'x']);

  const buffers = new Buffers(engine, random);
  const [places, slopes] = [buffers.rows(rows, width, x), buffers.rows(rows, width, dy)];
  const y = random.unit() < 0.3 ? undefined : buffers.rows(rows, width);
  const dx = { none: buffers.rows(rows, width), dy: slopes, x: places }[overlay];
  const again = buffers.rows(rows, width, x);
  const scratch = buffers.vector(isOfRows ? width : 4);
  const descriptor = buffers.descriptor('ActivationLayer');
  buffers.place();
  const { kernels } = buffers;
  const fields = { kind: KINDS[name]!, alpha, beta, rows, width, scratch };
  const input = y ? places : again;
  const output = y ?? again;
  kernels.write(descriptor, { ...fields, x: input.slot, xRow: input.row });
  kernels.write(descriptor, { y: output.slot, yRow: output.row });
  kernels.run.activation_forward(descriptor.address);
  kernels.write(descriptor, { x: places.slot, xRow: places.row });
  kernels.write(descriptor, { dy: slopes.slot, dyRow: slopes.row, dx: dx.slot, dxRow: dx.row });
  const got = buffers.readRows(output);
  kernels.run.activation_backward(descriptor.address);
  const gotSlopes = buffers.readRows(dx);
  buffers.free();

  const label = `${engine.variant} ${name}, seed ${seed}`;
  const curve = isOfRows
    ? undefined
    : curveOf({ type: name as (typeof activationNames)[number], alpha, beta });
  const of = (r: number): Float64Array => {
    const own = rowOf(x, r, width);
    if (name === 'softmax') return softmax(own, beta);
    return name === 'logSoftmax' ? logSoftmax(own, beta) : own.map((v) => curve!.value(v));
  };
  const back = (r: number): Float64Array => {
    const [own, d] = [rowOf(x, r, width), rowOf(dy, r, width)];
    if (name === 'softmax') return softmaxBackward(own, d, beta);
    if (name === 'logSoftmax') return logSoftmaxBackward(own, d, beta);
    return own.map((v, k) => d[k]! * curve!.slope(v));
  };
  requireNear(`${label}: y`, got, eachRow(rows, width, of), FORWARD_TOLERANCE);
  requireNear(`${label}: dx`, gotSlopes, eachRow(rows, width, back), FORWARD_TOLERANCE);
}

/** A layer normalisation of random rows. */
export function checkLayerNorm(engine: Engine, seed: number): void {
  const random = createRandom(seed);
  const [rows, width] = [random.integer(1, 7), random.integer(2, 37)];
  const epsilon = Math.fround(random.pick([1e-5, 1e-3, 0.1]));
  const shift = random.pick([0, 0, 100]);
  const x = rounded(random, rows * width, 2).map((value) => Math.fround(value + shift));
  const dy = rounded(random, rows * width);
  const gamma = random.unit() < 0.7 ? rounded(random, width) : undefined;
  const beta = random.unit() < 0.7 ? rounded(random, width) : undefined;
  // Gradients of parameters are added to what is there.
  const before = rounded(random, width);
  const wantsInput = random.unit() < 0.8;
  const overlay = random.pick<Overlay>(['none', 'dy', 'x']);

  const buffers = new Buffers(engine, random);
  const [input, slopes] = [buffers.rows(rows, width, x), buffers.rows(rows, width, dy)];
  const y = buffers.rows(rows, width);
  const inPlace = buffers.rows(rows, width, x);
  const dx = { none: buffers.rows(rows, width), dy: slopes, x: input }[overlay];
  const own = (values: Float64Array | undefined) => (values ? buffers.vector(values) : NONE);
  const [g, b] = [own(gamma), own(beta)];
  const sums = (values: Float64Array | undefined) => (values ? buffers.doubles(before) : NONE);
  const [dGamma, dBeta] = [sums(gamma), sums(beta)];
  const scratch = buffers.vector(2 * Math.ceil(width / 4) * 4);
  const descriptor = buffers.descriptor('LayerNorm');
  buffers.place();
  const { kernels } = buffers;
  kernels.write(descriptor, { rows, width, epsilon, gamma: g, beta: b, dGamma, dBeta, scratch });
  for (const [from, to] of [
    [inPlace, inPlace],
    [input, y],
  ] as const) {
    kernels.write(descriptor, { x: from.slot, xRow: from.row, y: to.slot, yRow: to.row });
    kernels.run.layer_norm_forward(descriptor.address);
  }
  const [got, gotInPlace] = [buffers.readRows(y), buffers.readRows(inPlace)];
  kernels.write(descriptor, { dy: slopes.slot, dyRow: slopes.row });
  if (wantsInput) kernels.write(descriptor, { dx: dx.slot, dxRow: dx.row });
  kernels.run.layer_norm_backward(descriptor.address);
  const gotInput = wantsInput ? buffers.readRows(dx) : undefined;
  const [gotGamma, gotBeta] = [dGamma, dBeta].map((slot) => buffers.readDoubles(slot));
  buffers.free();

  const label = `${engine.variant} layerNorm ${rows} x ${width}, seed ${seed}`;
  const ones = new Float64Array(width).fill(1);
  const [wantedGamma, wantedBeta] = [before.slice(), before.slice()];
  const [outputs, gradients] = [new Float64Array(x.length), new Float64Array(x.length)];
  for (let r = 0; r < rows; r++) {
    const { y: out, tape } = normForward(rowOf(x, r, width), gamma ?? ones, beta, epsilon);
    outputs.set(out, r * width);
    const d = rowOf(dy, r, width);
    gradients.set(normBackward(tape, gamma ?? ones, wantedGamma, wantedBeta, d), r * width);
  }
  requireNear(`${label}: y`, got, outputs, FORWARD_TOLERANCE);
  requireNear(`${label}: y in place`, gotInPlace, outputs, FORWARD_TOLERANCE);
  if (gotInput) requireNear(`${label}: dx`, gotInput, gradients, GRADIENT_TOLERANCE);
  const exact = (values: Float64Array | undefined, wanted: Float64Array) =>
    values ? Array.from({ length: Math.ceil(width / 4) * 4 }, (_, k) => wanted[k] ?? 0) : [];
  requireNear(`${label}: dGamma`, gotGamma!, exact(gamma, wantedGamma), GRADIENT_TOLERANCE);
  requireNear(`${label}: dBeta`, gotBeta!, exact(beta, wantedBeta), GRADIENT_TOLERANCE);
}

/** A rectifier of random rows, with a slope for each feature or one for all. */
export function checkPrelu(engine: Engine, seed: number): void {
  const random = createRandom(seed);
  const [rows, width] = [random.integer(1, 7), random.integer(1, 19)];
  const isOne = random.unit() < 0.5;
  const x = rounded(random, rows * width, 2).map((value) => (random.unit() < 0.1 ? 0 : value));
  const dy = rounded(random, rows * width);
  const slopes = rounded(random, isOne ? 1 : width);
  // The gradient of the slopes is added to what is there.
  const before = rounded(random, slopes.length);
  const overlay = random.pick<Overlay>(['none', 'dy', 'x']);

  const buffers = new Buffers(engine, random);
  const input = buffers.rows(rows, width, x);
  const y = buffers.rows(rows, width);
  const gradient = buffers.rows(rows, width, dy);
  const dx = { none: buffers.rows(rows, width), dy: gradient, x: input }[overlay];
  const [own, dSlopes] = [buffers.vector(slopes), buffers.doubles(before)];
  const descriptor = buffers.descriptor('ActivationLayer');
  buffers.place();
  const { kernels } = buffers;
  // Rows of inputs have no zeros after them.
  for (let r = 0; r < rows; r++) {
    const from = (r * input.row) / 4;
    kernels.floats(input.slot).fill(NaN, from + width, from + Math.ceil(width / 4) * 4);
  }
  const kind = isOne ? codes.ACTIVATION_PRELU_ONE : codes.ACTIVATION_PRELU;
  kernels.write(descriptor, { kind, rows, width, slopes: own, dSlopes });
  kernels.write(descriptor, { x: input.slot, xRow: input.row, y: y.slot, yRow: y.row });
  kernels.run.activation_forward(descriptor.address);
  const got = buffers.readRows(y);
  kernels.write(descriptor, { dy: gradient.slot, dyRow: gradient.row });
  kernels.write(descriptor, { dx: dx.slot, dxRow: dx.row });
  kernels.run.activation_backward(descriptor.address);
  const gotInput = buffers.readRows(dx);
  const gotSlopes = buffers.readDoubles(dSlopes);
  buffers.free();

  const label = `${engine.variant} prelu ${rows} x ${width}, one ${isOne}, seed ${seed}`;
  const wanted = new Float64Array(gotSlopes.length);
  wanted.set(before);
  const gradients = preluBackward(slopes, wanted, x, dy, width);
  requireNear(`${label}: y`, got, preluForward(slopes, x, width), FORWARD_TOLERANCE);
  requireNear(`${label}: dx`, gotInput, gradients, FORWARD_TOLERANCE);
  requireNear(`${label}: da`, gotSlopes, wanted, GRADIENT_TOLERANCE);
}

/**
 * A random convolution; now and then depthwise, with a single tap, or larger than a block; of wide
 * ones each tap is a sum of its own.
 */
export function drawConvolution(random: Random, isWide = false): Convolution {
  const isDepthwise = random.unit() < 0.25;
  const groups = isDepthwise ? random.integer(2, 21) : random.pick([1, 1, 1, 2, 3]);
  const [inputs, outputs] = isDepthwise
    ? [groups, groups]
    : [
        groups * (isWide ? random.integer(62, 70) : random.integer(1, 9)),
        groups * random.integer(1, 19),
      ];
  const [taps, stride, dilation] = [
    random.integer(1, 5),
    random.pick([1, 1, 2, 3]),
    random.pick([1, 1, 2, 3]),
  ];
  const reach = dilation * (taps - 1);
  const left = random.pick([0, reach, random.integer(0, reach + 2)]);
  const right = random.pick([0, random.integer(0, reach + 2)]);
  return { inputs, outputs, taps, groups, stride, dilation, left, right };
}

/** One of many inputs whose windows are stretches of one line of steps, with padding. */
function drawLine(random: Random): Convolution {
  const [inputs, outputs] = [random.integer(64, 70), random.integer(1, 19)];
  const taps = random.integer(2, 5);
  const [stride, left, right] = [1, 0, 0].map((low) => random.integer(low, taps));
  return {
    inputs,
    outputs,
    taps,
    groups: 1,
    dilation: 1,
    stride: stride!,
    left: left!,
    right: right!,
  };
}

/** The steps of a batch in the packed rows of a kernel. */
export interface Batch {
  readonly lengths: readonly number[];
  readonly steps: number;
  readonly offsets: readonly number[];
}

export function batchOf(lengths: readonly number[]): Batch {
  const steps = Math.max(0, ...lengths);
  return { lengths, steps, offsets: offsetsOf(lengths, steps) };
}

/** Packed rows from sequences, place by place. */
export function pack(
  { lengths, offsets }: Batch,
  width: number,
  own: readonly Float64Array[],
): Float64Array {
  const rows = new Float64Array(offsets.at(-1)! * width);
  own.forEach((values, place) => {
    rowsOfPlace(lengths, offsets, place).forEach((row, t) => {
      rows.set(values.subarray(t * width, (t + 1) * width), row * width);
    });
  });
  return rows;
}

/** The sequences, place by place, from packed rows. */
export function unpack(batch: Batch, width: number, rows: Float32Array): Float32Array[] {
  return batch.lengths.map((_, place) =>
    Float32Array.from(
      rowsOfPlace(batch.lengths, batch.offsets, place).flatMap((row) => [
        ...rows.subarray(row * width, (row + 1) * width),
      ]),
    ),
  );
}

/** What a call of the kernels of a convolution is given. Sequences are [T, width], longest first. */
export interface ConvolutionCall {
  readonly w: Float64Array;
  readonly bias?: Float64Array | undefined;
  readonly x: readonly Float64Array[];
  /** [history, I] each: the steps before. */
  readonly state?: readonly Float64Array[] | undefined;
  /** What a backward pass starts from: gradients of y, and those that are there already. */
  readonly back?: {
    readonly dy: readonly Float64Array[];
    readonly dw: Float64Array;
    readonly dBias: Float64Array;
    readonly wantsInput: boolean;
  };
}

export interface ConvolutionResult {
  readonly y: readonly Float32Array[];
  readonly state: readonly Float32Array[];
  readonly dx?: readonly Float32Array[];
  readonly dw: Float32Array;
  readonly dBias: Float64Array;
}

/**
 * Where element `at` of a weight [O, I / G, K] lies: in panels of 16 outputs, one panel after the
 * other, group by group; depthwise all outputs are as one group of a single input.
 */
function placeOf(c: Convolution, at: number): number {
  const isDepthwise = c.groups > 1 && c.groups === c.inputs && c.groups === c.outputs;
  const groupInputs = c.inputs / c.groups;
  const columns = isDepthwise ? c.outputs : c.outputs / c.groups;
  const [o, i, k] = [
    Math.floor(at / (groupInputs * c.taps)),
    Math.floor(at / c.taps) % groupInputs,
    at % c.taps,
  ];
  const depth = c.taps * groupInputs;
  const [group, column] = [Math.floor(o / columns), o % columns];
  const panels = Math.ceil(columns / 16);
  const panel = group * panels + Math.floor(column / 16);
  return (panel * depth + k * groupInputs + i) * 16 + (column % 16);
}

function putWeight(c: Convolution, panels: Float32Array, weight: Float64Array): void {
  weight.forEach((value, at) => {
    panels[placeOf(c, at)] = value;
  });
}

/** One call of the kernels, forward and, where it is asked for, backward. */
export function convolve(
  engine: Engine,
  random: Random,
  c: Convolution,
  { w, bias, x, state, back }: ConvolutionCall,
): ConvolutionResult {
  const from = batchOf(x.map((own) => own.length / c.inputs));
  const to = batchOf(from.lengths.map((n) => outputSteps(c, n)));
  const [rows, outputRows] = [from.offsets.at(-1)!, to.offsets.at(-1)!];
  const batch = x.length;
  const history = state ? c.left : 0;
  // [history, B, I]: every place has all of its steps.
  const whole = batchOf(x.map(() => history));

  const sizes = convSizes(c);
  const buffers = new Buffers(engine, random);
  const { kernels } = buffers;
  const input = buffers.rows(rows, c.inputs, pack(from, c.inputs, x));
  const output = buffers.rows(outputRows, c.outputs);
  const dx = buffers.rows(rows, c.inputs);
  const slopes = buffers.rows(
    outputRows,
    c.outputs,
    back ? pack(to, c.outputs, back.dy) : undefined,
  );
  const before = state ? pack(whole, c.inputs, state) : undefined;
  const old = buffers.rows(history * batch, c.inputs, before, 1);
  // The state after takes the place of that before, unless a backward pass reads it.
  const after = back ? buffers.rows(history * batch, c.inputs, undefined, 1) : old;
  const [offsets, outputOffsets] = [buffers.integers(from.offsets), buffers.integers(to.offsets)];
  const lefts = buffers.integers(x.map(() => c.left));
  const slot = (length: number): Slot => (length ? buffers.vector(length) : NONE);
  const [panels, dw] = [slot(sizes.w), slot(sizes.w)];
  const [wTransposed, windows, slice] = [
    slot(sizes.wTransposed),
    slot(sizes.windows),
    slot(sizes.slice),
  ];
  const biasSlot = bias ? buffers.vector(bias) : NONE;
  const dBias = bias && back ? buffers.doubles(back.dBias) : NONE;
  const product = buffers.descriptor('Product');
  const descriptor = buffers.descriptor('Conv1d');
  buffers.place();
  const { inputs, outputs, taps, groups, stride, dilation } = c;
  putWeight(c, kernels.floats(panels), w);
  kernels.write(descriptor, { inputs, outputs, taps, groups, stride, dilation, lefts, batch });
  kernels.write(descriptor, { steps: from.steps, outputSteps: to.steps, offsets, outputOffsets });
  kernels.write(descriptor, { x: input.slot, xRow: input.row, y: output.slot, yRow: output.row });
  kernels.write(descriptor, { w: panels, bias: biasSlot, wTransposed, windows, slice, product });
  kernels.write(descriptor, { ...sizes.fields, history, stateRow: old.row });
  if (state) kernels.write(descriptor, { state: old.slot, stateAfter: after.slot });
  if (back) {
    putWeight(c, kernels.floats(dw), back.dw);
    kernels.write(descriptor, { dy: slopes.slot, dyRow: slopes.row, dw, dBias });
    if (back.wantsInput) kernels.write(descriptor, { dx: dx.slot, dxRow: dx.row });
  }
  kernels.run.conv1d_prepare(descriptor.address);
  kernels.run.conv1d_forward(descriptor.address);
  if (back) kernels.run.conv1d_backward(descriptor.address);
  const inner = buffers.read(dw);
  const gradients = Float32Array.from(w, (_, at) => inner[placeOf(c, at)]!);
  // Padding of gradients stays zero: each other element is that of a weight.
  const count = inner.filter((value) => value !== 0).length;
  if (count > w.length) throw new Error(`${count} gradients of ${w.length} weights`);
  const result = {
    y: unpack(to, outputs, buffers.readRows(output)),
    state: unpack(whole, inputs, buffers.readRows(after)),
    ...(back?.wantsInput && { dx: unpack(from, inputs, buffers.readRows(dx)) }),
    dw: gradients,
    dBias: buffers.readDoubles(dBias, bias && back ? outputs : 0),
  };
  buffers.free();
  return result;
}

const joined = (arrays: readonly ArrayLike<number>[]): Float64Array =>
  Float64Array.from(arrays.flatMap((array) => Array.from(array)));

/**
 * A ragged batch, some of them without a step, some longer than a block of the kernel; or a
 * sequence alone.
 */
function drawLengths(random: Random, isAlone = false): number[] {
  if (isAlone) return [random.integer(1, 14)];
  const longest = random.unit() < 0.15 ? 150 : 14;
  const lengths = Array.from({ length: random.integer(1, 5) }, () => random.integer(0, longest));
  if (random.unit() < 0.4) lengths.fill(lengths[0]!);
  return lengths.sort((a, b) => b - a);
}

/** A convolution of a random ragged batch, forward and backward; in half of them after a state. */
export function checkConvolution(engine: Engine, seed: number, isAlone = false): void {
  const random = createRandom(seed);
  const c = isAlone ? drawLine(random) : drawConvolution(random, seed % 6 === 0);
  const hasState = !isAlone && random.unit() < 0.5;
  const label = `${engine.variant} ${JSON.stringify(c)}, state ${hasState}, seed ${seed}`;
  const x = drawLengths(random, isAlone).map((n) => rounded(random, n * c.inputs));
  const state = hasState ? x.map(() => rounded(random, c.left * c.inputs)) : undefined;
  const w = rounded(random, (c.outputs * c.inputs * c.taps) / c.groups);
  const bias = random.unit() < 0.7 ? rounded(random, c.outputs) : undefined;
  const steps = x.map((own) => outputSteps(c, own.length / c.inputs));
  const back = {
    dy: steps.map((n) => rounded(random, n * c.outputs)),
    dw: rounded(random, w.length),
    dBias: rounded(random, c.outputs),
    wantsInput: random.unit() < 0.8,
  };
  const got = convolve(engine, random, c, { w, bias, x, state, back });

  // Steps of a state stand before the sequence instead of its left zeros.
  const exact = state ? { ...c, left: 0 } : c;
  const before = state ? c.left * c.inputs : 0;
  const [dw, dBias] = [back.dw.slice(), back.dBias.slice()];
  const sequences = x.map((own, place) => joined([state?.[place] ?? [], own]));
  const y = sequences.map((own) => convForward(exact, w, bias, own));
  const dx = sequences.map((own, place) =>
    convBackward(exact, w, dw, dBias, own, back.dy[place]!).subarray(before),
  );
  requireNear(`${label}: y`, joined(got.y), joined(y), FORWARD_TOLERANCE);
  if (got.dx) requireNear(`${label}: dx`, joined(got.dx), joined(dx), GRADIENT_TOLERANCE);
  requireNear(`${label}: dw`, got.dw, dw, GRADIENT_TOLERANCE);
  if (bias) requireNear(`${label}: dBias`, got.dBias, dBias, GRADIENT_TOLERANCE);
  if (!state) return;
  const last = sequences.map((own) => own.subarray(own.length - before));
  requireNear(`${label}: state`, joined(got.state), joined(last), 0);
}

/**
 * A causal convolution in blocks of random lengths: the bits of the whole sequence. So are the
 * gradients of its parameters, gathered from the last block to the first.
 */
export function checkStream(engine: Engine, seed: number): void {
  const random = createRandom(seed);
  const drawn = drawConvolution(random, seed % 6 === 0);
  const c = { ...drawn, left: drawn.dilation * (drawn.taps - 1), right: 0 };
  const label = `${engine.variant} stream ${JSON.stringify(c)}, seed ${seed}`;
  const x = drawLengths(random).map((n) => rounded(random, n * c.inputs));
  const dy = x.map((own) => rounded(random, outputSteps(c, own.length / c.inputs) * c.outputs));
  const w = rounded(random, (c.outputs * c.inputs * c.taps) / c.groups);
  const bias = random.unit() < 0.7 ? rounded(random, c.outputs) : undefined;
  const zeros = { dw: new Float64Array(w.length), dBias: new Float64Array(c.outputs) };
  const whole = convolve(engine, random, c, {
    w,
    bias,
    x,
    back: { dy, ...zeros, wantsInput: false },
  });

  let state: readonly Float64Array[] = x.map(() => new Float64Array(c.left * c.inputs));
  const y: number[][] = x.map(() => []);
  const blocks: (Pick<ConvolutionCall, 'x' | 'state'> & { dy: Float64Array[] })[] = [];
  let from = 0;
  while (from < Math.max(...x.map((own) => own.length)) / c.inputs) {
    const until = from + c.stride * random.integer(1, 6);
    const block = x.map((own) => own.slice(from * c.inputs, until * c.inputs));
    const step = convolve(engine, random, c, { w, bias, x: block, state });
    const own = dy.map((slopes, place) => {
      const first = y[place]!.length;
      return slopes.slice(first, first + step.y[place]!.length);
    });
    blocks.push({ x: block, state, dy: own });
    step.y.forEach((values, place) => y[place]!.push(...values));
    state = step.state.map((values) => Float64Array.from(values));
    from = until;
  }
  let gathered: { dw: Float32Array; dBias: Float64Array } = {
    dw: new Float32Array(w.length),
    dBias: new Float64Array(bias ? c.outputs : 0),
  };
  for (const { dy: slopes, ...block } of blocks.reverse()) {
    const dBias = bias ? gathered.dBias : zeros.dBias;
    const back = { dy: slopes, dw: Float64Array.from(gathered.dw), dBias, wantsInput: false };
    gathered = convolve(engine, random, c, { w, bias, ...block, back });
  }
  const requireSame = (
    what: string,
    got: ArrayLike<number>,
    wanted: Float32Array | Float64Array,
  ): void => {
    const same =
      got.length === wanted.length &&
      Array.from(wanted).every((v: number, k) => Object.is(v, got[k]));
    if (!same) throw new Error(`${label}: other bits of ${what}`);
  };
  whole.y.forEach((own, place) => requireSame(`y at place ${place}`, y[place]!, own));
  requireSame('dw', gathered.dw, whole.dw);
  if (bias) requireSame('dBias', gathered.dBias, whole.dBias);
}
