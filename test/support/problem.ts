import type { ModelDescription } from '../../src/ops/index.ts';
import {
  inputSizeOf,
  layersOf,
  maskShapes,
  isFixed,
  type PlacedLayer,
  parameterShapes,
  zeroState,
} from '../reference/layers.ts';
import {
  backward,
  forward,
  type Masks,
  type Parameters,
  type State,
} from '../reference/network.ts';
import type { Vec } from '../reference/math.ts';
import type { Dims, Round } from '../reference/stack.ts';
import { windowPoolHistory, type WindowPool } from '../reference/window-pool.ts';
import type { Random } from './random.ts';

/**
 * A model with random parameters, an input, a non-zero initial state, and a random linear loss on
 * every output and on the final h and c: L = <doutput, output> + <dstate, final state>. All numbers
 * are float64.
 */
export interface Problem {
  readonly description: ModelDescription;
  readonly dims: Dims;
  readonly parameters: Parameters;
  readonly input: Vec;
  readonly initial: State;
  readonly doutput: Vec;
  readonly dstate: State;
  /** What training drew; absent in inference. */
  readonly masks?: Masks;
}

export interface ProblemOptions {
  /** Half-width of the parameters, given the number of columns of the tensor; default 1. */
  readonly scale?: (columns: number) => number;
  readonly inputScale?: number;
  readonly stateScale?: number;
  /** Draws masks. */
  readonly training?: boolean;
}

function mapState(state: State, f: (length: number) => Vec): State {
  return Object.fromEntries(
    Object.entries(state).map(([name, { h, c }]) => [name, { h: f(h.length), c: f(c.length) }]),
  );
}

export function createProblem(
  description: ModelDescription,
  dims: Dims,
  random: Random,
  { scale = () => 1, inputScale = 1, stateScale = 1, training = false }: ProblemOptions = {},
): Problem {
  const parameters: Parameters = new Map();
  for (const [name, shape] of parameterShapes(description)) {
    const length = shape.reduce((a, b) => a * b, 1);
    // A bias, a peephole or a weight of an IndRNN enters a sum alone, whatever its length; a row of
    // a matrix enters as a sum of products.
    const alone = shape.length === 1 || /peephole|norm/.test(name);
    const columns = shape.slice(1).reduce((a, b) => a * b, 1);
    const data = random.vector(length, scale(alone ? 1 : columns));
    // What scales a norm is around 1.
    if (/layer_norm|running_var/.test(name)) {
      const scales = /norm_c/.test(name) ? length / 2 : length;
      for (let k = 0; k < scales; k++) data[k] = 1 + data[k]! / 2;
    }
    parameters.set(name, { shape, data });
  }
  const rows = dims.steps * dims.batch;
  const layers = layersOf(description);
  const [first] = layers;
  const input =
    first!.kind === 'embedding'
      ? Float64Array.from({ length: rows }, () =>
          first.maskZero && random.unit() < MASKED ? 0 : random.integer(0, first.count - 1),
        )
      : random.vector(rows * inputSizeOf(layers), inputScale);
  maskInputs(layers, input, rows, random);
  const zero = zeroState(description, dims.batch);
  const initial = mapState(zero, (length) => random.vector(length, stateScale));
  for (const layer of layers) {
    const state = initial[layer.name];
    if (layer.kind === 'windowPool' && state) drawMarks(layer, dims.batch, state.h, random);
  }
  const masks = training ? drawMasks(description, dims, random) : undefined;
  const outputs = forward(description, parameters, input, dims, initial, masks).output.length;
  return {
    description,
    dims,
    parameters,
    input,
    initial,
    doutput: random.vector(outputs, 1),
    dstate: mapState(zero, (length) => random.vector(length, 1)),
    masks,
  };
}

/** Share of the steps that are masked where a layer masks some. */
const MASKED = 0.35;

/** Makes some rows of inputs those that a layer masks. */
function maskInputs(
  layers: readonly PlacedLayer[],
  input: Vec,
  rows: number,
  random: Random,
): void {
  const width = input.length / rows;
  for (const layer of layers) {
    if (layer.kind !== 'masking') continue;
    const source = layers[layer.reads[0]!];
    const from = source?.kind === 'slice' && source.isInput ? source.from : 0;
    if (source && !(source.kind === 'slice' && source.isInput)) continue;
    for (let row = 0; row < rows; row++) {
      if (random.unit() >= MASKED) continue;
      const start = row * width + from;
      input.fill(Math.fround(layer.value), start, start + layer.inputSize);
    }
  }
}

/** Which steps before the first a pool of windows has: the last few. */
function drawMarks(
  pool: WindowPool & { readonly inputSize: number },
  batch: number,
  state: Vec,
  random: Random,
): void {
  const history = windowPoolHistory(pool);
  for (let b = 0; b < batch; b++) {
    const missing = random.integer(0, history);
    for (let k = 0; k < history; k++)
      state[(k * batch + b + 1) * (pool.inputSize + 1) - 1] = k < missing ? -1 : 1;
  }
}

function drawMasks(description: ModelDescription, dims: Dims, random: Random): Masks {
  return new Map(
    [...maskShapes(description, dims)].map(([key, { shape, p }]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const zoneout = key.endsWith('.zoneout');
      const values = Float64Array.from({ length }, () => {
        const hit = random.unit() < p;
        return zoneout ? Number(hit) : hit ? 0 : 1 / (1 - p);
      });
      return [key, values];
    }),
  );
}

/** The reference's forward pass over a problem; `round` as in `forward`. */
export function solve(p: Problem, round?: Round): ReturnType<typeof forward> {
  return forward(p.description, p.parameters, p.input, p.dims, p.initial, p.masks, round);
}

const dot = (a: Vec, b: Vec): number => a.reduce((sum, value, k) => sum + value * b[k]!, 0);

/** L of a problem, at its present numbers. */
export function lossOf(p: Problem): number {
  const { output, state } = solve(p);
  let loss = dot(p.doutput, output);
  for (const [name, { h, c }] of Object.entries(p.dstate)) {
    loss += dot(h, state[name]!.h) + dot(c, state[name]!.c);
  }
  return loss;
}

/** What L can be differentiated by, but for the elements that `jumps` names. */
interface Differentiable {
  readonly name: string;
  readonly value: Vec;
  readonly gradient: Vec;
  readonly jumps?: (k: number) => boolean;
}

/**
 * Everything L can be differentiated by, with the reference's gradient beside it. Tokens are no
 * such thing.
 */
export function gradientsOf(p: Problem): Differentiable[] {
  const { tape } = solve(p);
  const result = backward(p.description, p.parameters, tape, p.doutput, p.dstate);
  const trained = [...p.parameters].filter(([name]) => !isFixed(p.description, name));
  const list = trained.map(([name, { data }]): Differentiable => ({
    name,
    value: data,
    gradient: result.gradients.get(name)!.data,
  }));
  if (result.input) {
    // A masked row that differs from the value by anything is no longer masked.
    const rows = p.dims.steps * p.dims.batch;
    const jumps = (k: number): boolean =>
      layersOf(p.description).some(({ kind }, place) => {
        const row = Math.floor((k * rows) / p.input.length);
        return kind === 'masking' && tape.layers[place]!.masked![row]!;
      });
    list.push({ name: 'input', value: p.input, gradient: result.input, jumps });
  }
  for (const [name, { h, c }] of Object.entries(p.initial)) {
    list.push({
      name: `${name}: initial h`,
      value: h,
      gradient: result.state[name]!.h,
    });
    if (c.length) {
      list.push({
        name: `${name}: initial c`,
        value: c,
        gradient: result.state[name]!.c,
      });
    }
  }
  return list;
}
