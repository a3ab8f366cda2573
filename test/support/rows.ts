/**
 * An oracle for batches of differing lengths and for layers that read backwards or both ways: every
 * row alone, sub-layer by sub-layer, through the float64 reference of one forward layer. Rows that
 * are not valid, their order and their packing do not exist here; reading backwards is reading the
 * reversed row.
 */
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import { backward, forward, type Parameters, type Tape } from '../reference/network.ts';
import type { CellForm } from './cells.ts';

export interface RowLayer {
  readonly form: CellForm;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly direction: 'forward' | 'backward' | 'both';
  readonly merge: 'concat' | 'sum' | 'mul' | 'ave';
}

type Vec = Float64Array;
/** States of one row by place: sub-layer times directions plus direction. */
export type RowStates = { readonly h: Vec; readonly c: Vec }[];

/** The layer as the product takes it. */
export function layerSpec({ form, direction, merge, ...sizes }: RowLayer): LayerSpec {
  if (direction === 'both') return { ...form, ...sizes, bidirectional: true, merge } as LayerSpec;
  return { ...form, ...sizes, direction } as LayerSpec;
}

export function directionsOf({ direction }: RowLayer): readonly boolean[] {
  return direction === 'both' ? [false, true] : [direction === 'backward'];
}

/** Rows [T, width] from the last to the first. */
function reversed(x: Vec, width: number): Vec {
  const steps = x.length / width;
  return x.map((_, k) => x[(steps - 1 - Math.floor(k / width)) * width + (k % width)]!);
}

/** One direction of one sub-layer as a model of its own, with its parameters under plain names. */
function alone(
  layer: RowLayer,
  parameters: Parameters,
  depth: number,
  inputSize: number,
  reverse: boolean,
): { description: ModelDescription; own: Parameters; names: Map<string, string> } {
  const suffix = reverse && layer.direction === 'both' ? '_reverse' : '';
  const description = {
    layers: [{ ...layer.form, inputSize, hiddenSize: layer.hiddenSize } as LayerSpec],
  };
  const pattern = new RegExp(`^(.*)_l${depth}${suffix}$`);
  const names = new Map<string, string>();
  const own: Parameters = new Map();
  for (const [name, tensor] of parameters) {
    const match = pattern.exec(name);
    if (!match) continue;
    names.set(`${match[1]}_l0`, name);
    own.set(`${match[1]}_l0`, tensor);
  }
  return { description, own, names };
}

function merged(mode: RowLayer['merge'], a: Vec, b: Vec, size: number): Vec {
  if (mode === 'sum') return a.map((x, k) => x + b[k]!);
  if (mode === 'ave') return a.map((x, k) => (x + b[k]!) / 2);
  if (mode === 'mul') return a.map((x, k) => x * b[k]!);
  const steps = a.length / size;
  return Float64Array.from({ length: 2 * a.length }, (_, k) => {
    const [t, j] = [Math.floor(k / (2 * size)), k % (2 * size)];
    return t < steps && j < size ? a[t * size + j]! : b[t * size + j - size]!;
  });
}

/** Shares of both directions in the gradient of what `merged` gave. */
function split(mode: RowLayer['merge'], d: Vec, a: Vec, b: Vec, size: number): [Vec, Vec] {
  if (mode === 'sum') return [d, d];
  if (mode === 'ave') return [d.map((x) => x / 2), d.map((x) => x / 2)];
  if (mode === 'mul') return [d.map((x, k) => x * b[k]!), d.map((x, k) => x * a[k]!)];
  const half = (from: number): Vec =>
    a.map((_, k) => d[Math.floor(k / size) * 2 * size + from + (k % size)]!);
  return [half(0), half(size)];
}

export interface RowResult {
  /** [T, O] */
  readonly output: Vec;
  readonly last: RowStates;
  /** From dL/d(output) and dL/d(last states): of parameters (added), inputs and initial states. */
  backward(
    dOutput: Vec,
    dLast: RowStates,
    gradients: Parameters,
  ): { input: Vec; initial: RowStates };
}

/** One row of at least one step. */
export function runRow(
  layer: RowLayer,
  parameters: Parameters,
  x: Vec,
  initial: RowStates,
): RowResult {
  const { hiddenSize: size } = layer;
  const ways = directionsOf(layer);
  const last: RowStates = [];
  const passes: { tape: Tape; depth: number; reverse: boolean; width: number; y: Vec }[][] = [];
  let input = x;
  let width = layer.inputSize;
  for (let depth = 0; depth < layer.numLayers; depth++) {
    const outputs = ways.map((reverse, way) => {
      const { description, own } = alone(layer, parameters, depth, width, reverse);
      const place = depth * ways.length + way;
      const read = reverse ? reversed(input, width) : input;
      const dims = { steps: input.length / width, batch: 1 };
      const result = forward(description, own, read, dims, { [layer.form.type]: initial[place]! });
      last[place] = result.state[layer.form.type]! as RowStates[number];
      const y = reverse ? reversed(result.output, size) : result.output;
      return { tape: result.tape, depth, reverse, width, y };
    });
    passes.push(outputs);
    const [a, b] = outputs;
    input = b ? merged(layer.merge, a!.y, b.y, size) : a!.y;
    width = input.length / (x.length / layer.inputSize);
  }
  return {
    output: input,
    last,
    backward(dOutput, dLast, gradients) {
      const dInitial: RowStates = [];
      let d = dOutput;
      for (const outputs of [...passes].reverse()) {
        const [a, b] = outputs;
        const shares = b ? split(layer.merge, d, a!.y, b.y, size) : [d];
        d = new Float64Array((x.length / layer.inputSize) * a!.width);
        outputs.forEach(({ tape, depth, reverse, width: wide }, way) => {
          const { description, own, names } = alone(layer, parameters, depth, wide, reverse);
          const place = depth * ways.length + way;
          const dy = reverse ? reversed(shares[way]!, size) : shares[way]!;
          const back = backward(description, own, tape, dy, { [layer.form.type]: dLast[place]! });
          dInitial[place] = back.state[layer.form.type]! as RowStates[number];
          const dx = reverse ? reversed(back.input!, wide) : back.input!;
          dx.forEach((value, k) => (d[k]! += value));
          for (const [plain, { data }] of back.gradients) {
            const sum = gradients.get(names.get(plain)!)!.data;
            data.forEach((value, k) => (sum[k]! += value));
          }
        });
      }
      return { input: d, initial: dInitial };
    },
  };
}
