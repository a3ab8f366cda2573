/**
 * Gate orders of the frameworks. A gate is a block of rows, or of columns where the framework keeps
 * the transpose; blocks are only ever moved by name.
 */
import type { LayerSpec } from '../../src/ops/index.ts';

export type RecurrentLayer = Exclude<
  Extract<LayerSpec, { hiddenSize: number }>,
  { type: 'indrnn' | 'mingru' }
> & { inputSize: number };

/**
 * What both sides of a comparison have: the product's `Tensor` in float32, the reference's in
 * float64.
 */
export type NamedTensors = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array | Float64Array }
>;

export type Framework = 'gatefold' | 'onnx' | 'keras';

const GATE_ORDERS: Readonly<
  Record<RecurrentLayer['type'], Readonly<Record<Framework, readonly string[]>>>
> = {
  rnn: { gatefold: ['hidden'], onnx: ['hidden'], keras: ['hidden'] },
  lstm: {
    gatefold: ['input', 'forget', 'cell', 'output'],
    onnx: ['input', 'output', 'forget', 'cell'],
    keras: ['input', 'forget', 'cell', 'output'],
  },
  gru: {
    gatefold: ['reset', 'update', 'new'],
    onnx: ['update', 'reset', 'new'],
    keras: ['update', 'reset', 'new'],
  },
};

/**
 * The gates that a layer's tensors have in a framework, in order. Coupled gates leave out the
 * forget block in gatefold alone.
 */
export function gatesOf(spec: RecurrentLayer, framework: Framework): readonly string[] {
  const order = GATE_ORDERS[spec.type][framework];
  const coupled = spec.type === 'lstm' && spec.inputForget && framework === 'gatefold';
  return coupled ? order.filter((gate) => gate !== 'forget') : order;
}

/** The gates with a diagonal peephole: all but the candidate. */
export function peepholeGatesOf(spec: RecurrentLayer, framework: Framework): readonly string[] {
  return gatesOf(spec, framework).filter((gate) => gate !== 'cell');
}

/**
 * Fills the blocks that the other side needs and this one has not. Far from any weight, so that a
 * framework which does read them gives results that no tolerance covers.
 */
const UNREAD = 100;

/** Blocks of `data` from one order of gates to another, each of the same length. */
export function reorderGates(
  data: Float32Array | Float64Array,
  from: readonly string[],
  to: readonly string[],
): Float32Array {
  const size = data.length / from.length;
  const out = new Float32Array(to.length * size).fill(UNREAD);
  to.forEach((gate, block) => {
    const source = from.indexOf(gate);
    if (source >= 0) out.set(data.subarray(source * size, (source + 1) * size), block * size);
  });
  return out;
}

/** [rows, columns] to [columns, rows]. */
export function transpose(
  data: Float32Array | Float64Array,
  rows: number,
  columns: number,
): Float32Array {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = data[row * columns + column]!;
    }
  }
  return out;
}
