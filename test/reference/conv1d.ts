/**
 * A convolution over time of one sequence x [T, I], one number at a time; w [O, I / G, K] as
 * PyTorch has it, x_t = 0 outside of the sequence:
 *
 *     y[t, o] = b[o] + sum over i < I / G, k < K of w[o, i, k] x[t s + k d - left, g I / G + i]
 *
 * where g = floor(o / (O / G)) is the group of o. There are floor((T + left + right - d (K - 1) - 1)
 * / s) + 1 outputs, at least 0.
 */
import { add, type Vec } from './math.ts';
import type { Dims } from './stack.ts';

export interface Convolution {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly groups: number;
  readonly stride: number;
  readonly dilation: number;
  readonly left: number;
  readonly right: number;
}

export function outputSteps(c: Convolution, steps: number): number {
  let count = 0;
  // The last tap of output `count` is inside of the padded sequence.
  while (count * c.stride + c.dilation * (c.taps - 1) < c.left + steps + c.right) count++;
  return count;
}

/** All pairs of an element of y and one of x that meet at a weight. */
function forEachProduct(
  c: Convolution,
  steps: number,
  body: (y: number, w: number, x: number) => void,
): void {
  const [groupInputs, groupOutputs] = [c.inputs / c.groups, c.outputs / c.groups];
  for (let t = 0; t < outputSteps(c, steps); t++) {
    for (let o = 0; o < c.outputs; o++) {
      for (let i = 0; i < groupInputs; i++) {
        for (let k = 0; k < c.taps; k++) {
          const from = t * c.stride + k * c.dilation - c.left;
          if (from < 0 || from >= steps) continue;
          const input = Math.floor(o / groupOutputs) * groupInputs + i;
          body(t * c.outputs + o, (o * groupInputs + i) * c.taps + k, from * c.inputs + input);
        }
      }
    }
  }
}

export function convForward(c: Convolution, w: Vec, bias: Vec | undefined, x: Vec): Vec {
  const steps = x.length / c.inputs;
  const y = new Float64Array(outputSteps(c, steps) * c.outputs);
  y.forEach((_, at) => {
    y[at] = bias?.[at % c.outputs] ?? 0;
  });
  forEachProduct(c, steps, (atY, atW, atX) => {
    y[atY]! += w[atW]! * x[atX]!;
  });
  return y;
}

/** Gives dx, adds to dw and dBias. */
export function convBackward(
  c: Convolution,
  w: Vec,
  dw: Vec,
  dBias: Vec | undefined,
  x: Vec,
  dy: Vec,
): Vec {
  const dx = new Float64Array(x.length);
  forEachProduct(c, x.length / c.inputs, (atY, atW, atX) => {
    dw[atW]! += dy[atY]! * x[atX]!;
    dx[atX]! += dy[atY]! * w[atW]!;
  });
  if (dBias) dy.forEach((d, at) => (dBias[at % c.outputs]! += d));
  return dx;
}

export type Padding = 'valid' | 'same' | 'causal' | readonly [number, number];

/** A convolution as a layer: how many zeros a row gets depends on its valid steps. */
export interface ConvLayer {
  readonly convolution: Omit<Convolution, 'left' | 'right'>;
  readonly padding: Padding;
}

const reachOf = ({ convolution: { taps, dilation } }: ConvLayer): number => dilation * (taps - 1);

/** Steps before the first one that the layer keeps as a state: of a causal one without stride. */
export function historyOf(layer: ConvLayer): number {
  return layer.padding === 'causal' && layer.convolution.stride === 1 ? reachOf(layer) : 0;
}

/** The convolution of a row of `steps` valid steps; one with a state reads that as its first. */
function rowConvolution(layer: ConvLayer, steps: number): Convolution {
  const { convolution, padding } = layer;
  if (historyOf(layer) || padding === 'valid') return { ...convolution, left: 0, right: 0 };
  const reach = reachOf(layer);
  if (padding === 'causal') return { ...convolution, left: reach, right: 0 };
  if (padding !== 'same') return { ...convolution, left: padding[0], right: padding[1] };
  const outputs = Math.ceil(steps / convolution.stride);
  const zeros = Math.max(0, (outputs - 1) * convolution.stride + reach + 1 - steps);
  return { ...convolution, left: Math.floor(zeros / 2), right: Math.ceil(zeros / 2) };
}

/** Output steps of a row; a row without a step has none, however much is padded. */
function outputLength(layer: ConvLayer, steps: number): number {
  return steps && outputSteps(rowConvolution(layer, steps), historyOf(layer) + steps);
}

/** Steps and lengths of the outputs. */
export function convDims(layer: ConvLayer, dims: Dims): Dims {
  const steps = outputLength(layer, dims.steps);
  if (!dims.lengths) return { ...dims, steps };
  return { ...dims, steps, lengths: Array.from(dims.lengths, (n) => outputLength(layer, n)) };
}

/** The first `steps` steps of row b of x [T, B, width], and back. */
function gatherRow(x: Vec, b: number, { batch }: Dims, steps: number, width: number): Vec {
  const row = new Float64Array(steps * width);
  for (let t = 0; t < steps; t++) {
    const from = (t * batch + b) * width;
    row.set(x.subarray(from, from + width), t * width);
  }
  return row;
}

function scatterRow(x: Vec, b: number, { batch }: Dims, row: Vec, width: number): void {
  for (let at = 0; at < row.length; at += width) {
    x.set(row.subarray(at, at + width), ((at / width) * batch + b) * width);
  }
}

const lengthOf = ({ steps, lengths }: Dims, b: number): number => lengths?.[b] ?? steps;

/** Row b of the batch: the steps of its state [S, B, I], then its valid ones. */
function sequenceOf(layer: ConvLayer, dims: Dims, x: Vec, state: Vec, b: number): Vec {
  const { inputs } = layer.convolution;
  const before = gatherRow(state, b, dims, historyOf(layer), inputs);
  return Float64Array.from([...before, ...gatherRow(x, b, dims, lengthOf(dims, b), inputs)]);
}

export interface ConvWeights {
  readonly weight: Vec;
  readonly bias?: Vec;
}

/** x: [T, B, I], state: [S, B, I], the inputs before the first step. */
export function convLayerForward(
  layer: ConvLayer,
  { weight, bias }: ConvWeights,
  dims: Dims,
  x: Vec,
  state: Vec,
): { output: Vec; final: Vec } {
  const { inputs, outputs } = layer.convolution;
  const output = new Float64Array(convDims(layer, dims).steps * dims.batch * outputs);
  const final = new Float64Array(state.length);
  for (let b = 0; b < dims.batch; b++) {
    const sequence = sequenceOf(layer, dims, x, state, b);
    const steps = lengthOf(dims, b);
    if (state.length) scatterRow(final, b, dims, sequence.subarray(steps * inputs), inputs);
    if (!steps) continue;
    const y = convForward(rowConvolution(layer, steps), weight, bias, sequence);
    scatterRow(output, b, dims, y, outputs);
  }
  return { output, final };
}

/** From dL/dy and dL/d(last state); adds to the gradients. */
export function convLayerBackward(
  layer: ConvLayer,
  { weight }: ConvWeights,
  gradients: ConvWeights,
  dims: Dims,
  x: Vec,
  state: Vec,
  dy: Vec,
  dfinal: Vec,
): { dx: Vec; dinitial: Vec } {
  const { inputs, outputs } = layer.convolution;
  const history = historyOf(layer);
  const dx = new Float64Array(x.length);
  const dinitial = new Float64Array(state.length);
  for (let b = 0; b < dims.batch; b++) {
    const steps = lengthOf(dims, b);
    const sequence = sequenceOf(layer, dims, x, state, b);
    const d = new Float64Array(sequence.length);
    if (steps) {
      const own = gatherRow(dy, b, dims, outputLength(layer, steps), outputs);
      const c = rowConvolution(layer, steps);
      d.set(convBackward(c, weight, gradients.weight, gradients.bias, sequence, own));
    }
    if (history) add(d.subarray(steps * inputs), gatherRow(dfinal, b, dims, history, inputs));
    scatterRow(dinitial, b, dims, d.subarray(0, history * inputs), inputs);
    scatterRow(dx, b, dims, d.subarray(history * inputs), inputs);
  }
  return { dx, dinitial };
}
