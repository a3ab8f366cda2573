import { fillUniform } from '../base/random.ts';
import type { Store } from '../graph/parameters.ts';
import { sizeOf } from '../graph/parameters.ts';
import type { StateDict, Tensor } from '../ops/specs.ts';
import type { Parameter } from '../ops/units.ts';

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
  store.parameters.forEach((parameter, stream) => {
    const data =
      preset === 'keras' ? keras(parameter, seed, stream) : pytorch(parameter, seed, stream);
    tensors.set(parameter.name, { shape: parameter.shape, data });
  });
  store.write(store.values, store.check(tensors));
}

function uniform(
  shape: Tensor['shape'],
  limit: number,
  seed: number,
  stream: number,
): Float32Array {
  const data = new Float32Array(sizeOf({ shape }));
  fillUniform(data, seed, stream);
  return data.map((u) => (2 * u - 1) * limit);
}

function pytorch({ shape, role, unit }: Parameter, seed: number, stream: number): Float32Array {
  if (role === 'table') return gaussian(sizeOf({ shape }), seed, stream);
  if (role.startsWith('norm')) return unscaled(shape);
  const fan = unit.kind === 'recurrent' ? unit.hidden : unit.inputs;
  return uniform(shape, 1 / Math.sqrt(fan), seed, stream);
}

/** Gammas of 1, and betas of 0 where there is a second row for them. */
function unscaled(shape: Tensor['shape']): Float32Array {
  return new Float32Array(sizeOf({ shape })).fill(1, 0, shape.at(-1));
}

function keras(parameter: Parameter, seed: number, stream: number): Float32Array {
  const { shape, role, unit } = parameter;
  const [rows, columns] = shape as [number, number];
  if (role === 'table') return uniform(shape, 0.05, seed, stream);
  if (role.startsWith('norm')) return unscaled(shape);
  if (role === 'input' || role === 'projection')
    return uniform(shape, Math.sqrt(6 / (rows + columns)), seed, stream);
  if (role === 'recurrent' && columns === undefined) return pytorch(parameter, seed, stream);
  if (role === 'recurrent') return orthogonalColumns(rows, columns, seed, stream);
  const data = new Float32Array(sizeOf({ shape }));
  if (role === 'biasInput' && unit.kind === 'recurrent') {
    const forget = unit.form.gates.indexOf('forget');
    if (forget >= 0) data.fill(1, forget * unit.hidden, (forget + 1) * unit.hidden);
  }
  return data;
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
