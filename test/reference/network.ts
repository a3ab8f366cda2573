/**
 * A whole model in float64: the same description, parameter names and shapes as the product, none
 * of its code. Training with masks gets them from outside, so that it is a function like all
 * others; without masks it is inference.
 */
import type { ModelDescription } from '../../src/ops/index.ts';
import {
  attentionBackward,
  attentionForward,
  type AttentionInputs,
  type AttentionWeights,
} from './attention.ts';
import type { CellWeights } from './cell.ts';
import { delayBackward, delayForward } from './delay.ts';
import { embeddingBackward, embeddingForward, linearBackward, linearForward } from './dense.ts';
import type { LinearWeights } from './dense.ts';
import { convLayerBackward, convLayerForward, type ConvWeights } from './conv1d.ts';
import { depthsOf, dimsAfter, layersOf, zeroOf, type RecurrentLayer, type Way } from './layers.ts';
import { convTransposeBackward, convTransposeForward } from './conv-transpose1d.ts';
import { roundActivations, roundWeights } from './int8.ts';
import { joinBackward, joinForward } from './join.ts';
import { maskedAfter, withoutMasked, type Masked } from './masking.ts';
import type { Vec } from './math.ts';
import {
  batchNormBackward,
  batchNormForward,
  layerNormBackward,
  layerNormForward,
  featureOf,
  spreadOf,
  type BatchNormTape,
  type BatchNormWeights,
  type BatchRows,
  type Factor,
  type LayerNormWeights,
} from './norm.ts';
import { poolBackward, poolForward } from './pool.ts';
import { preluBackward, preluForward } from './prelu.ts';
import { reduceBackward, reduceForward, reduceKink } from './reduce.ts';
import {
  concatBackward,
  concatForward,
  folded,
  isValid,
  repeated,
  repeatedBackward,
  reversed,
  sliceBackward,
  sliceForward,
  unfolded,
} from './shape.ts';
import { scaled } from './scale.ts';
import { nearest } from './activation.ts';
import { activationBackward, activationForward, activationKink } from './row-activation.ts';
import {
  stackBackward,
  stackForward,
  type Dims,
  type Pass,
  type Round,
  type StackState,
  type StackTape,
  type SubLayer,
} from './stack.ts';
import {
  repeatBackward,
  repeatForward,
  windowPoolBackward,
  windowPoolForward,
  windowPoolKink,
} from './window-pool.ts';

/** Parameters or gradients by name. */
export type Parameters = Map<string, { readonly shape: readonly number[]; readonly data: Vec }>;
/** States by layer name; `c` is empty for a cell without. */
export type State = Record<string, StackState>;
/**
 * What training drew, by `<layer>.<place>.<kind>`: `recurrent` and `zoneout` at the place of the
 * state that they work on, `input` and `dropout` (of what a sub-layer hands on) at the number of
 * the sub-layer; `<layer>.dropout` of a layer that is nothing else. Of `zoneout` 1 where the old h
 * is kept and else 0; of the others factors, 0 or 1 / (1 - p).
 */
export type Masks = ReadonlyMap<string, Vec>;

export interface Tape {
  /** Of the outputs. */
  readonly dims: Dims;
  readonly input: ArrayLike<number>;
  readonly masks: Masks | undefined;
  /** First input of each layer with its rows, and what its backward wants besides. */
  readonly layers: {
    readonly x: Vec;
    readonly dims: Dims;
    readonly stack?: StackTape;
    /** All inputs of a join. */
    readonly xs?: readonly Vec[];
    /** The state of a convolution or a pool of windows before the first step. */
    readonly initial?: Vec;
    readonly norm?: BatchNormTape;
    /** Which rows of x are masked; of a layer that masks, of its outputs. */
    readonly masked?: Masked | undefined;
  }[];
  /** How near any step came to a place where a derivative jumps. */
  readonly kink: number;
  /** The least that the numbers of any normalised c were apart, in units of the largest. */
  readonly spread: number;
}

export function zerosLike(parameters: Parameters): Parameters {
  return new Map(
    [...parameters].map(([name, { shape, data }]) => [
      name,
      { shape, data: new Float64Array(data.length) },
    ]),
  );
}

function weightsOf(
  { name }: RecurrentLayer,
  { suffix, cell }: Way,
  depth: number,
  parameters: Parameters,
  int8: boolean,
): CellWeights {
  const data = (kind: string): Vec | undefined =>
    parameters.get(`${name}.${kind}_l${depth}${suffix}`)?.data;
  const factor = (kind: string): Factor => {
    const gamma = data(`layer_norm_${kind}`);
    const tensor = parameters.get(`${name}.weight_${kind}_l${depth}${suffix}`)!;
    if (!int8 || tensor.shape.length < 2) return { matrix: tensor.data, gamma };
    return { matrix: roundWeights(tensor), gamma, round: roundActivations(tensor) };
  };
  return {
    input: factor('ih'),
    recurrent: cell.hasRecurrence ? factor('hh') : { matrix: new Float64Array(0) },
    biasInput: data('bias_ih'),
    biasRecurrent: data('bias_hh'),
    peephole: data('weight_peephole'),
    normCell: data('layer_norm_c'),
    projection: data('weight_hr'),
  };
}

function subLayersOf(
  layer: RecurrentLayer,
  parameters: Parameters,
  { steps, batch }: Dims,
  masks: Masks | undefined,
  int8 = false,
  round?: Round,
): SubLayer[] {
  const { name, spec, ways } = layer;
  return depthsOf(spec).map((depth) => ({
    dropoutMask: masks?.get(`${name}.${depth}.dropout`),
    passes: ways.map((way, k): Pass => {
      const mask = (kind: string): Vec | undefined =>
        masks?.get(`${name}.${depth * ways.length + k}.${kind}`);
      const always = (): Vec =>
        new Float64Array(steps * batch * way.outputSize).fill(spec.zoneout!);
      return {
        // Not `...way`, which takes an eighth of the time of gradcheck.
        cell: way.cell,
        hiddenSize: way.hiddenSize,
        outputSize: way.outputSize,
        projClip: way.projClip,
        reverse: way.reverse,
        weights: weightsOf(layer, way, depth, parameters, int8),
        inputMask: masks?.get(`${name}.${depth}.input`),
        recurrentMask: mask('recurrent'),
        zoneout: masks || !spec.zoneout ? mask('zoneout') : always(),
        round,
      };
    }),
  }));
}

function linearWeights(
  { name, weight }: { name: string; weight: string },
  parameters: Parameters,
  int8 = false,
): LinearWeights {
  const tensor = parameters.get(`${weight}.weight`)!;
  const bias = parameters.get(`${name}.bias`)?.data;
  if (!int8) return { weight: tensor.data, bias };
  return { weight: roundWeights(tensor), bias, round: roundActivations(tensor) };
}

/**
 * Calls back with the place of every row [T, B] behind the valid steps, and with that of the last
 * valid one, if there is one.
 */
function eachPadded(
  { steps, batch, lengths }: Dims,
  visit: (row: number, last: number | undefined) => void,
): void {
  for (let b = 0; lengths && b < batch; b++) {
    for (let t = lengths[b]!; t < steps; t++) {
      visit(t * batch + b, lengths[b] ? (lengths[b]! - 1) * batch + b : undefined);
    }
  }
}

/** The least of what `measure` gives for the valid rows of x [T, B, width]. */
function leastOf(dims: Dims, x: Vec, measure: (row: Vec) => number): number {
  const { steps, batch, lengths } = dims;
  const width = x.length / (steps * batch);
  let least = Infinity;
  for (let row = 0; row < steps * batch; row++) {
    if (lengths && lengths[row % batch]! <= Math.floor(row / batch)) continue;
    least = Math.min(least, measure(x.subarray(row * width, (row + 1) * width)));
  }
  return least;
}

const normWeights = (name: string, parameters: Parameters): LayerNormWeights => ({
  gamma: parameters.get(`${name}.weight`)?.data,
  beta: parameters.get(`${name}.bias`)?.data,
});

const batchNormWeights = (name: string, parameters: Parameters): BatchNormWeights => ({
  ...normWeights(name, parameters),
  mean: parameters.get(`${name}.running_mean`)!.data,
  variance: parameters.get(`${name}.running_var`)!.data,
});

/** Behind a pool every row is there, and those of a sequence without a step do not count. */
function batchRows({ steps, batch, lengths, counted }: Dims): BatchRows {
  const all = Array.from({ length: steps * batch }, (_, row) => row);
  const valid = all.filter((row) => !lengths || Math.floor(row / batch) < lengths[row % batch]!);
  return { valid, counted: valid.filter((row) => !counted || counted[row % batch]!) };
}

const convWeights = (name: string, parameters: Parameters): ConvWeights => ({
  weight: parameters.get(`${name}.weight`)!.data,
  bias: parameters.get(`${name}.bias`)?.data,
});

const attentionWeights = (name: string, parameters: Parameters): AttentionWeights => ({
  weight: parameters.get(`${name}.weight`)?.data,
  scale: parameters.get(`${name}.scale`)?.data,
});

/** What an attention reads: values are the queries, and keys the values, where these are absent. */
function attentionInputs([q, v = q, k = v]: readonly Vec[], dims: Dims): AttentionInputs {
  return { q: q!, v: v!, k: k!, dims, keyDims: dims };
}

/** Each number times its factor, in training alone. */
const dropped = (x: Vec, mask: Vec | undefined): Vec =>
  mask ? x.map((value, k) => value * mask[k]!) : x;

/** Makes what stands behind the valid steps zero, or the last valid output. */
function pad(dims: Dims, y: Vec): void {
  const width = y.length / (dims.steps * dims.batch);
  eachPadded(dims, (row, last) => {
    const from = dims.padding === 'repeat' ? last : undefined;
    if (from === undefined) y.fill(0, row * width, (row + 1) * width);
    else y.copyWithin(row * width, from * width, (from + 1) * width);
  });
}

/**
 * input: features [T, B, I], or tokens [T, B] when the first layer is an embedding. With `round`
 * every state of every step and the outputs of every layer go through it: an estimate of what
 * roundings do to the result.
 */
export function forward(
  description: ModelDescription,
  parameters: Parameters,
  input: ArrayLike<number>,
  inputDims: Dims,
  initial: State,
  masks?: Masks,
  round?: Round,
): { output: Vec; state: State; tape: Tape } {
  const int8 = description.weights === 'int8';
  const state: State = {};
  const made: { y: Vec; dims: Dims; masked?: Masked | undefined }[] = [];
  const tapes: Tape['layers'] = [];
  let [kink, spread] = [Infinity, Infinity];
  const given = { y: Float64Array.from(input), dims: inputDims, masked: undefined };
  for (const layer of layersOf(description)) {
    const { name } = layer;
    const sources = layer.reads.map((k) => made[k] ?? given);
    const { dims } = sources[0]!;
    let x: Vec = sources[0]!.y;
    const { masked } = sources[0]!;
    const allMasked = sources.map((source) => source.masked);
    const maskedNext = maskedAfter(layer, x, dims, allMasked);
    if (layer.kind === 'embedding') {
      tapes.push({ x, dims });
      x = embeddingForward(parameters.get(`${name}.weight`)!.data, input, layer.outputSize);
    } else if (layer.kind === 'pool') {
      tapes.push({ x, dims, masked });
      x = poolForward(layer.mode, x, dims, masked);
    } else if (layer.kind === 'masking') {
      tapes.push({ x, dims, masked: maskedNext });
      x = withoutMasked(x, maskedNext!);
    } else if (layer.kind === 'linear') {
      tapes.push({ x, dims });
      const weights = linearWeights(layer, parameters, int8);
      x = linearForward(weights, x, dims.steps * dims.batch, layer.outputSize);
    } else if (layer.kind === 'activation') {
      tapes.push({ x, dims });
      const { activation } = layer;
      kink = Math.min(
        kink,
        leastOf(dims, x, (row) => activationKink(activation, row)),
      );
      x = activationForward(activation, x, layer.inputSize);
    } else if (layer.kind === 'layerNorm') {
      tapes.push({ x, dims });
      const { epsilon, isCentred, inputSize } = layer;
      if (isCentred) spread = Math.min(spread, leastOf(dims, x, spreadOf));
      x = layerNormForward(normWeights(name, parameters), epsilon, isCentred, x, inputSize);
    } else if (layer.kind === 'reduce') {
      tapes.push({ x, dims });
      const { type } = layer;
      kink = Math.min(
        kink,
        leastOf(dims, x, (row) => reduceKink(type, row)),
      );
      x = reduceForward(type, x, layer.inputSize);
    } else if (layer.kind === 'batchNorm') {
      const rows = batchRows(dims);
      const isTraining = masks !== undefined && !layer.frozen;
      for (let k = 0; isTraining && k < layer.inputSize; k++) {
        // One row alone, or none, is normalised by epsilon.
        const column = featureOf(x, layer.inputSize, k, rows.counted);
        if (column.length > 1) spread = Math.min(spread, spreadOf(column));
      }
      const weights = batchNormWeights(name, parameters);
      const { y, tape: norm } = batchNormForward(weights, layer.epsilon, x, rows, isTraining);
      tapes.push({ x, dims, norm });
      x = y;
    } else if (layer.kind === 'dropout') {
      tapes.push({ x, dims });
      x = dropped(x, masks?.get(`${name}.dropout`));
    } else if (layer.kind === 'concat') {
      tapes.push({ x, dims });
      x = concatForward(
        sources.map(({ y }) => y),
        layer.widths,
      );
    } else if (layer.kind === 'join') {
      const xs = sources.map(({ y }) => y);
      tapes.push({ x, dims, xs });
      x = joinForward(layer.type, xs, layer.widths);
    } else if (layer.kind === 'attention') {
      const xs = sources.map(({ y }) => y);
      tapes.push({ x, dims, xs });
      x = attentionForward(layer, attentionWeights(name, parameters), attentionInputs(xs, dims));
    } else if (layer.kind === 'slice') {
      tapes.push({ x, dims });
      x = sliceForward(x, layer.inputSize, layer.from, layer.outputSize);
    } else if (layer.kind === 'reverse') {
      tapes.push({ x, dims });
      x = reversed(x, dims);
    } else if (layer.kind === 'unfold') {
      tapes.push({ x, dims });
      x = unfolded(x, layer.steps, dims.steps * dims.batch);
    } else if (layer.kind === 'flatten') {
      tapes.push({ x, dims });
      x = folded(x, dims);
    } else if (layer.kind === 'spread') {
      tapes.push({ x, dims });
      x = repeated(x, layer.steps);
    } else if (layer.kind === 'windowPool') {
      const before = (dims.outer ? undefined : initial[name]?.h) ?? zeroOf(layer, dims.batch).h;
      tapes.push({ x, dims, initial: before });
      kink = Math.min(kink, windowPoolKink(layer, x, dims, before));
      const result = windowPoolForward(layer, x, dims, before);
      if (before.length && !dims.outer) state[name] = { h: result.final, c: new Float64Array(0) };
      x = result.output;
    } else if (layer.kind === 'repeat') {
      tapes.push({ x, dims });
      x = repeatForward(layer.count, x, dims);
    } else if (layer.kind === 'convTranspose1d') {
      tapes.push({ x, dims });
      x = convTransposeForward(layer, convWeights(name, parameters), dims, x);
    } else if (layer.kind === 'prelu') {
      tapes.push({ x, dims });
      kink = Math.min(
        kink,
        leastOf(dims, x, (row) => nearest([0], row)),
      );
      x = preluForward(parameters.get(`${name}.weight`)!.data, x, layer.inputSize);
    } else if (layer.kind === 'scale') {
      tapes.push({ x, dims });
      x = scaled(x, layer.inputSize, layer.factor, layer.offset);
    } else if (layer.kind === 'delay') {
      tapes.push({ x, dims });
      const { h } = dims.outer ? zeroOf(layer, dims.batch) : initial[name]!;
      const result = delayForward(layer.late, dims, layer.inputSize, x, h);
      if (!dims.outer) state[name] = { h: result.final, c: new Float64Array(0) };
      x = result.output;
    } else if (layer.kind === 'conv1d') {
      const before = dims.outer
        ? zeroOf(layer, dims.batch).h
        : (initial[name]?.h ?? new Float64Array(0));
      tapes.push({ x, dims, initial: before });
      const result = convLayerForward(layer, convWeights(name, parameters), dims, x, before);
      if (before.length && !dims.outer) state[name] = { h: result.final, c: new Float64Array(0) };
      x = result.output;
    } else {
      const subLayers = subLayersOf(layer, parameters, dims, masks, int8, round);
      const start = dims.outer ? zeroOf(layer, dims.batch) : initial[name]!;
      const result = stackForward(subLayers, layer.spec.merge ?? 'concat', dims, x, start, masked);
      tapes.push({ x, dims, stack: result.tape, masked });
      kink = Math.min(kink, result.tape.kink);
      spread = Math.min(spread, result.tape.spread);
      if (!dims.outer) state[name] = result.final;
      x = result.output;
    }
    const isGiven = layer.kind === 'slice' && layer.isInput;
    if (round && layer.kind !== 'recurrent' && !isGiven) x = round(x);
    made.push({ y: x, dims: dimsAfter(layer, dims), masked: maskedNext });
  }
  const { y, dims } = made.at(-1)!;
  const output = y.slice();
  pad(dims, output);
  return { output, state, tape: { dims, input, masks, layers: tapes, kink, spread } };
}

/**
 * dL/d(output of the last layer): what stands behind the valid steps is added to where it was
 * repeated from, or is nothing.
 */
function gathered(dims: Dims, doutput: Vec): Vec {
  const dy = doutput.slice();
  const width = dy.length / (dims.steps * dims.batch);
  eachPadded(dims, (row, last) => {
    for (let k = 0; k < width; k++) {
      const value = dy[row * width + k]!;
      dy[row * width + k] = 0;
      if (dims.padding === 'repeat' && last !== undefined) dy[last * width + k]! += value;
    }
  });
  return dy;
}

/**
 * From dL/d(output) and dL/d(final states); `input` is absent for tokens. Exact only without a
 * limit.
 */
export function backward(
  description: ModelDescription,
  parameters: Parameters,
  tape: Tape,
  doutput: Vec,
  dfinal: State,
  gradientLimit: number = Infinity,
): { gradients: Parameters; input?: Vec; state: State } {
  const gradients = zerosLike(parameters);
  const state: State = {};
  const layers = layersOf(description, gradientLimit);
  // Of the outputs of every layer; those of the inputs of the model are at -1.
  const dys = new Map<number, Vec>([[layers.length - 1, gathered(tape.dims, doutput)]]);
  for (let k = layers.length - 1; k >= 0; k--) {
    const layer = layers[k]!;
    const { name } = layer;
    const { x, xs, dims, stack, initial, norm, masked } = tape.layers[k]!;
    let dy: Vec | undefined = dys.get(k)!;
    let all: Vec[] | undefined;
    if (layer.kind === 'embedding') {
      embeddingBackward(gradients.get(`${name}.weight`)!.data, tape.input, dy, layer.outputSize);
      dy = undefined;
    } else if (layer.kind === 'pool') {
      dy = poolBackward(layer.mode, x, dy, dims, masked);
    } else if (layer.kind === 'masking') {
      dy = withoutMasked(dy, masked!);
    } else if (layer.kind === 'activation') {
      dy = activationBackward(layer.activation, x, dy, layer.inputSize);
    } else if (layer.kind === 'layerNorm') {
      const [own, into] = [parameters, gradients].map((from) => normWeights(name, from));
      const { epsilon, isCentred, inputSize } = layer;
      dy = layerNormBackward(own!, into!, epsilon, isCentred, x, dy, inputSize);
    } else if (layer.kind === 'reduce') {
      dy = reduceBackward(layer.type, x, dy, layer.inputSize);
    } else if (layer.kind === 'batchNorm') {
      const [own, into] = [parameters, gradients].map((from) => normWeights(name, from));
      dy = batchNormBackward(own!, layer.frozen ? {} : into!, norm!, dy);
    } else if (layer.kind === 'dropout') {
      dy = dropped(dy, tape.masks?.get(`${name}.dropout`));
    } else if (layer.kind === 'concat') {
      all = concatBackward(dy, layer.widths);
    } else if (layer.kind === 'join') {
      all = joinBackward(layer.type, xs!, layer.widths, dy);
    } else if (layer.kind === 'attention') {
      const [own, into] = [parameters, gradients].map((from) => attentionWeights(name, from));
      const { dq, dk, dv } = attentionBackward(layer, own!, into!, attentionInputs(xs!, dims), dy);
      const sums = xs!.map(({ length }) => new Float64Array(length));
      const last = sums.length - 1;
      for (const [place, d] of [dq, dv, dk].entries())
        d.forEach((value, i) => (sums[Math.min(place, last)]![i]! += value));
      all = sums;
    } else if (layer.kind === 'slice') {
      dy = sliceBackward(dy, layer.inputSize, layer.from, layer.outputSize);
    } else if (layer.kind === 'reverse') {
      dy = reversed(dy, dims);
    } else if (layer.kind === 'unfold') {
      dy = folded(dy, dimsAfter(layer, dims));
    } else if (layer.kind === 'flatten') {
      // What is behind the valid steps was made zero.
      dy = unfolded(dy, dims.steps, dims.batch).map((value, k) => {
        const row = Math.floor((k * dims.steps * dims.batch) / dy!.length);
        return isValid(dims, row) ? value : 0;
      });
    } else if (layer.kind === 'spread') {
      dy = repeatedBackward(dy, layer.steps);
    } else if (layer.kind === 'windowPool') {
      const dlast = dfinal[name]?.h ?? new Float64Array(initial!.length);
      const result = windowPoolBackward(layer, x, dims, initial!, dy, dlast);
      if (initial!.length && !dims.outer)
        state[name] = { h: result.dinitial, c: new Float64Array(0) };
      dy = result.dx;
    } else if (layer.kind === 'repeat') {
      dy = repeatBackward(layer.count, dy, dims);
    } else if (layer.kind === 'convTranspose1d') {
      const [own, into] = [parameters, gradients].map((from) => convWeights(name, from));
      dy = convTransposeBackward(layer, own!, into!, dims, x, dy);
    } else if (layer.kind === 'prelu') {
      const [own, into] = [parameters, gradients].map((from) => from.get(`${name}.weight`)!.data);
      dy = preluBackward(own!, into!, x, dy, layer.inputSize);
    } else if (layer.kind === 'scale') {
      dy = scaled(dy, layer.inputSize, layer.factor, 0);
    } else if (layer.kind === 'delay') {
      const { h } = dims.outer ? zeroOf(layer, dims.batch) : dfinal[name]!;
      const result = delayBackward(layer.late, dims, layer.inputSize, dy, h);
      if (!dims.outer) state[name] = { h: result.dinitial, c: new Float64Array(0) };
      dy = result.dx;
    } else if (layer.kind === 'conv1d') {
      const [own, into] = [parameters, gradients].map((from) => convWeights(name, from));
      const dlast = dfinal[name]?.h ?? new Float64Array(initial!.length);
      const result = convLayerBackward(layer, own!, into!, dims, x, initial!, dy, dlast);
      if (initial!.length && !dims.outer)
        state[name] = { h: result.dinitial, c: new Float64Array(0) };
      dy = result.dx;
    } else if (layer.kind === 'linear') {
      const into = linearWeights(layer, gradients);
      const rows = dy.length / layer.outputSize;
      dy = linearBackward(linearWeights(layer, parameters), into, x, dy, rows);
    } else {
      const result: { dx: Vec; dinitial: StackState } = stackBackward(
        subLayersOf(layer, parameters, dims, tape.masks),
        depthsOf(layer.spec).map((depth) =>
          layer.ways.map((way) => weightsOf(layer, way, depth, gradients, false)),
        ),
        layer.spec.merge ?? 'concat',
        dims,
        stack!,
        dy,
        dims.outer ? zeroOf(layer, dims.batch) : dfinal[name]!,
        masked,
      );
      dy = result.dx;
      if (!dims.outer) state[name] = result.dinitial;
    }
    for (const [place, gradient] of (all ?? (dy ? [dy] : [])).entries()) {
      const source = layer.reads[place]!;
      const known = dys.get(source);
      dys.set(source, known ? known.map((value, i) => value + gradient[i]!) : gradient);
    }
  }
  return { gradients, input: dys.get(-1), state };
}
