/** Runs a layer in onnxruntime-web, on one thread of its WebAssembly backend. */
import * as ort from 'onnxruntime-web';
import type { State } from '../reference/network.ts';
import { onnxModel } from './onnx-layer.ts';
import type { PeerProblem } from './problems.ts';

ort.env.wasm.numThreads = 1;
// Otherwise it warns of every initializer that it folds.
ort.env.logLevel = 'error';

export interface LayerResult {
  /** [T, B, H] */
  readonly output: Float32Array;
  /** [L, B, H] each */
  readonly h: Float32Array;
  readonly c: Float32Array;
}

type Feeds = Record<string, ort.Tensor>;

/** Slices of an [L, B, H] state as the inputs `h0_l0`, ... */
function addState(feeds: Feeds, letter: 'h' | 'c', values: Float64Array, dims: number[]): void {
  const size = dims[1]! * dims[2]!;
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

export async function runOnnxruntime(problem: PeerProblem): Promise<LayerResult> {
  const { spec, name, dims, input } = problem;
  const session = await ort.InferenceSession.create(onnxModel(spec, name, problem.parameters), {
    executionProviders: ['wasm'],
  });
  const feeds: Feeds = {
    x: new ort.Tensor('float32', Float32Array.from(input), [
      dims.steps,
      dims.batch,
      spec.inputSize,
    ]),
  };
  const initial: State[string] = problem.initial[name]!;
  addState(feeds, 'h', initial.h, [1, dims.batch, spec.hiddenSize]);
  addState(feeds, 'c', initial.c, [1, dims.batch, spec.hiddenSize]);
  const results = await session.run(feeds);
  await session.release();
  return {
    output: results['y']!.data as Float32Array,
    h: joinState(results, 'h'),
    c: joinState(results, 'c'),
  };
}
