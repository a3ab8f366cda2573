/** Runs a layer in onnxruntime-web, on one thread of its WebAssembly backend. */
import * as ort from 'onnxruntime-web';
import { cellForms, type CellForm } from '../support/cells.ts';
import type { State } from '../reference/network.ts';
import { onnxModel } from './onnx-layer.ts';
import type { PeerProblem } from './problems.ts';

ort.env.wasm.numThreads = 1;
// Otherwise it warns of every initializer that it folds.
ort.env.logLevel = 'error';

/**
 * ONNX has neither independent units nor the form in which the cell state takes the place of the
 * hidden state.
 */
export const onnxForms: [name: string, form: CellForm][] = Object.entries(cellForms).filter(
  ([, form]) =>
    form.type !== 'indrnn' &&
    form.type !== 'mingru' &&
    !(form.type === 'lstm' && form.peephole === 'cell'),
);

export interface LayerResult {
  /** [T, B, D H] */
  readonly output: Float32Array;
  /** [L D, B, H] each */
  readonly h: Float32Array;
  readonly c: Float32Array;
}

type Feeds = Record<string, ort.Tensor>;

/**
 * Slices of an [L D, B, H] state as the inputs `h0_l0`, ..., each of the given dimensions [D, B,
 * H].
 */
function addState(feeds: Feeds, letter: 'h' | 'c', values: Float64Array, dims: number[]): void {
  const size = dims[0]! * dims[1]! * dims[2]!;
  for (let k = 0; k * size < values.length; k++) {
    const slice = Float32Array.from(values.subarray(k * size, (k + 1) * size));
    feeds[`${letter}0_l${k}`] = new ort.Tensor('float32', slice, dims);
  }
}

function joinState(results: ort.InferenceSession.ReturnType, letter: 'h' | 'c'): Float32Array {
  const parts: number[] = [];
  for (let k = 0; results[`${letter}n_l${k}`]; k++) {
    parts.push(...(results[`${letter}n_l${k}`]!.data as Float32Array));
  }
  return Float32Array.from(parts);
}

/** ONNX's Y [T, D, B, H] as [T, B, D H]. */
function concatenated(y: Float32Array, D: number, batch: number, H: number): Float32Array {
  return y.map((_, k) => {
    const [row, column] = [Math.floor(k / (D * H)), k % (D * H)];
    const [t, b] = [Math.floor(row / batch), row % batch];
    return y[((t * D + Math.floor(column / H)) * batch + b) * H + (column % H)]!;
  });
}

/**
 * @param initial whether the graph gets initial states; those of the problem must be zero where not
 */
export async function runOnnxruntime(
  problem: PeerProblem,
  initial: boolean = true,
): Promise<LayerResult> {
  const { spec, name, dims, input, parameters } = problem;
  const lengths = dims.lengths && Int32Array.from(dims.lengths);
  const bytes = onnxModel(spec, name, parameters, { lengths, initial });
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const feeds: Feeds = {
    x: new ort.Tensor('float32', Float32Array.from(input), [
      dims.steps,
      dims.batch,
      spec.inputSize,
    ]),
  };
  const D = spec.bidirectional ? 2 : 1;
  if (initial) {
    const { h, c }: State[string] = problem.initial[name]!;
    addState(feeds, 'h', h, [D, dims.batch, spec.hiddenSize]);
    addState(feeds, 'c', c, [D, dims.batch, spec.hiddenSize]);
  }
  const results = await session.run(feeds);
  await session.release();
  return {
    output: concatenated(results['y']!.data as Float32Array, D, dims.batch, spec.hiddenSize),
    h: joinState(results, 'h'),
    c: joinState(results, 'c'),
  };
}
