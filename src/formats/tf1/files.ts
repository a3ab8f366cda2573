/**
 * Variables of TensorFlow 1 as arrays: `manifest.json` and a file of float32 for each
 * (`{ "name": { "filename": ..., "shape": [...] } }`), or arrays of NumPy.
 */
import { isOf } from '../../base/arrays.ts';
import { show } from '../../base/check.ts';
import { GatefoldError, shorten } from '../../base/errors.ts';
import type { Tensor } from '../../base/tensor.ts';
import { asBytes } from '../shared/bytes.ts';
import { isMap, isNumbers, parseJson } from '../shared/json.ts';
import { isAnyMap } from '../shared/maps.ts';
import { floatsOf, isNpy, openNpy } from '../shared/npy.ts';
import { isZip, readZip } from '../shared/zip.ts';

/** A variable, which is read when it is wanted. */
export interface Variable {
  readonly shape: readonly number[];
  read(): Tensor;
}

/** Variables by their names. */
export type Variables = ReadonlyMap<string, Variable>;

/** Files of a checkpoint by name, or the bytes of a `.npz`. */
export type Tf1Source = ReadonlyMap<string, Uint8Array> | Uint8Array | ArrayBuffer;

const MAX_VARIABLES = 65_536;
const MANIFEST = 'manifest.json';

export function refuse(problem: string): never {
  throw new GatefoldError('ERR_FORMAT', `not a checkpoint to trust: ${problem}`);
}

/** What was trained beside the model: slots of optimizers, counters, averages. */
const NOT_OF_MODELS =
  /(^|\/)(global_step|beta\d_power|learning_rate)$|\/(Adam(_1)?|Adagrad|Adadelta(_1)?|Momentum|RMSProp(_1)?|Ftrl(_1)?|ExponentialMovingAverage)(:\d+)?$/;

const float = (name: string, bytes: Uint8Array): Variable => {
  const { shape, read } = openNpy(bytes, `"${shorten(name)}"`);
  return { shape, read: () => ({ shape, data: floatsOf(read()) }) };
};

/** `kernel:0` is the first output of an operation: the variable itself. */
const plain = (name: string): string => name.replace(/:0$/, '');

function* ofNpz(bytes: Uint8Array): Generator<[string, Variable]> {
  const maxInflated = Math.max(2 ** 28, bytes.length);
  for (const [file, entry] of readZip(bytes, { maxEntries: MAX_VARIABLES, maxInflated })) {
    if (file.endsWith('.npy')) yield [file.slice(0, -4), float(file, entry.bytes())];
  }
}

/** One file of float32, little-endian. */
function rawOf(name: string, shape: readonly number[], bytes: Uint8Array): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  if (
    !shape.every((size) => Number.isSafeInteger(size) && size >= 0) ||
    bytes.length !== 4 * count
  ) {
    const wanted = `[${shape.join(', ')}] of float32`;
    return refuse(`"${shorten(name)}" expected ${wanted}, got a file of ${bytes.length} bytes`);
  }
  const own = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  return { shape, data: new Float32Array(own.buffer, own.byteOffset, count) };
}

function* ofManifest(
  path: string,
  files: ReadonlyMap<string, Uint8Array>,
): Generator<[string, Variable]> {
  const folder = path.slice(0, -MANIFEST.length);
  const manifest = parseJson(files.get(path)!, 'a manifest');
  if (!isMap(manifest)) return refuse(`"${shorten(path)}" is no JSON object`);
  for (const [name, value] of manifest) {
    const entry = isMap(value) ? value : undefined;
    const [file, shape] = [entry?.get('filename'), entry?.get('shape')];
    if (typeof file !== 'string' || !isNumbers(shape) || shape.shape.length !== 1) {
      return refuse(`"${shorten(name)}" of its manifest has no "filename" or no "shape"`);
    }
    const bytes = files.get(folder + file) ?? files.get(file);
    const sizes = [...shape.numbers];
    const read = (): Tensor => {
      if (bytes) return rawOf(name, sizes, bytes);
      return refuse(`"${shorten(file)}" is missing, where "${shorten(name)}" is to be`);
    };
    yield [name, { shape: sizes, read }];
  }
}

function* ofFiles(files: ReadonlyMap<string, Uint8Array>): Generator<[string, Variable]> {
  const path = [...files.keys()].find((name) => name.endsWith(MANIFEST));
  if (path !== undefined) return yield* ofManifest(path, files);
  for (const [name, bytes] of files) {
    if (isZip(bytes)) yield* ofNpz(bytes);
    else if (isNpy(bytes)) yield [name.replace(/\.npy$/, ''), float(name, bytes)];
  }
}

function checkFiles(source: unknown): ReadonlyMap<string, Uint8Array> {
  if (isAnyMap(source)) {
    const files = [...source];
    if (files.every(([name, bytes]) => typeof name === 'string' && isOf('Uint8Array', bytes))) {
      return new Map(files.map(([name, bytes]) => [name as string, asBytes(bytes)]));
    }
  }
  const message = `"files" expected a Map from names to Uint8Arrays, or the bytes of a .npz file, got ${show(source)}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

/** The variables of a model, without those of its training. */
export function variablesOf(source: Tf1Source): Variables {
  const isOne = !isAnyMap(source) && typeof source === 'object';
  const found = isOne ? ofNpz(asBytes(source)) : ofFiles(checkFiles(source));
  const variables = new Map<string, Variable>();
  for (const [name, variable] of found) {
    const own = plain(name);
    if (variables.has(own)) refuse(`it has "${shorten(own)}" twice`);
    if (!NOT_OF_MODELS.test(name)) variables.set(own, variable);
  }
  if (variables.size > 0) return variables;
  return refuse(`it has no variables: expected "${MANIFEST}" and its files, or arrays of NumPy`);
}
