import { fillUniform } from '../base/random.ts';
import type { StateDict, Tensor } from '../base/tensor.ts';
import { sizeOf } from '../graph/layout.ts';
import type { Store } from '../graph/parameters.ts';
import type { Initial } from '../ops/op.ts';

/** Where the defaults come from. */
export type Preset = 'pytorch' | 'keras';
export const PRESETS: readonly Preset[] = ['pytorch', 'keras'];

/**
 * Fresh parameters from a seed, the same in every host.
 *
 *   pytorch   recurrent layers U(-1/sqrt(H), 1/sqrt(H)) for every tensor,
 *             linear U(-1/sqrt(I), 1/sqrt(I)), embedding N(0, 1)
 *   keras     input weights Glorot uniform on (I, G H), recurrent weights orthogonal on (H, G H),
 *             biases 0 but 1 in an LSTM's forget gate, embedding U(-0.05, 0.05)
 */
export function initialise(store: Store, preset: Preset, seed: number): void {
  const tensors: StateDict = new Map();
  store.parameters.forEach(({ name, shape, initial }, stream) => {
    tensors.set(name, { shape, data: draw(shape, initial[preset], seed, stream) });
  });
  store.write(store.values, store.check(tensors));
}

function draw(
  shape: Tensor['shape'],
  initial: Initial,
  seed: number,
  stream: number,
): Float32Array {
  const length = sizeOf({ shape });
  if (initial.kind === 'normal') return gaussian(length, seed, stream);
  const data = new Float32Array(length);
  if (initial.kind === 'fill') {
    // V8 takes a start of `undefined` for one without an end.
    return data.fill(initial.value, initial.from ?? 0, initial.to ?? length);
  }
  if (initial.kind === 'uniform') {
    fillUniform(data, seed, stream);
    return data.map((u) => (2 * u - 1) * initial.limit);
  }
  const [rows, columns] = shape as [number, number];
  return orthogonalColumns(rows, columns, seed, stream);
}

/**
 * N(0, 1) to about 1e-3 as the sum of twelve uniform numbers less six: only exact operations, so
 * that every host agrees.
 */
function gaussian(length: number, seed: number, stream: number): Float32Array {
  const draws = new Float32Array(12 * length);
  fillUniform(draws, seed, stream);
  return Float32Array.from({ length }, (_, i) => {
    let sum = -6;
    for (let k = 0; k < 12; k++) sum += draws[12 * i + k]!;
    return sum;
  });
}

/**
 * [rows, columns], rows >= columns, of orthonormal columns: modified Gram-Schmidt on Gaussian
 * numbers.
 */
function orthogonalColumns(
  rows: number,
  columns: number,
  seed: number,
  stream: number,
): Float32Array {
  const source = gaussian(rows * columns, seed, stream);
  const basis = Array.from({ length: columns }, (_, j) =>
    Float64Array.from(source.subarray(j * rows, (j + 1) * rows)),
  );
  const dot = (a: Float64Array, b: Float64Array): number =>
    a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  for (const [j, vector] of basis.entries()) {
    for (const before of basis.slice(0, j)) {
      const share = dot(vector, before);
      vector.forEach((x, i) => (vector[i] = x - share * before[i]!));
    }
    const length = Math.sqrt(dot(vector, vector));
    vector.forEach((x, i) => (vector[i] = x / length));
  }
  return Float32Array.from(
    { length: rows * columns },
    (_, k) => basis[k % columns]![Math.floor(k / columns)]!,
  );
}
