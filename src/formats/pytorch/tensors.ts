import { GatefoldError } from '../../base/errors.ts';
import { CONVERT } from '../safetensors/dtypes.ts';
import { MAX_DIMENSION, MAX_RANK } from '../safetensors/read.ts';
import { bytesOf } from './archive.ts';
import type { Archive } from './archive.ts';
import { KIND } from './heap.ts';
import type { Heap, Value } from './heap.ts';
import { damaged } from './pickle.ts';

/** A tensor of a file, which is read when somebody wants it. */
export interface FileTensor {
  /** As safetensors calls it. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The same for the same elements. */
  readonly key: string;
  /** Bytes that reading it takes. */
  readonly cost: number;
  /** Its elements as f32, which may be a view of the file; `undefined` where its dtype has none. */
  read(): Float32Array | undefined;
}

/** Whole numbers, which no layer is trained in: read where a description wants them. */
const WHOLE: Readonly<Record<string, (bytes: Uint8Array) => ArrayLike<number | bigint>>> = {
  I64: ({ buffer }) => new BigInt64Array(buffer),
  I32: ({ buffer }) => new Int32Array(buffer),
  I16: ({ buffer }) => new Int16Array(buffer),
  U8: (bytes) => bytes,
  BOOL: (bytes) => bytes,
};

/** Whether a tensor may be one of weights. */
export const isFloat = ({ dtype }: Pick<FileTensor, 'dtype'>): boolean =>
  dtype !== 'I8' && CONVERT.has(dtype);

/** The dtypes that `_rebuild_tensor_v3` names. */
const DTYPES: ReadonlyMap<string, string> = new Map([
  ['torch.float32', 'F32'],
  ['torch.float64', 'F64'],
  ['torch.float16', 'F16'],
  ['torch.bfloat16', 'BF16'],
  ['torch.uint16', 'U16'],
  ['torch.uint32', 'U32'],
  ['torch.uint64', 'U64'],
  ['torch.float8_e5m2', 'F8_E5M2'],
  ['torch.float8_e4m3fn', 'F8_E4M3'],
]);

/** Calls that make tensors, with what of their arguments says which. */
const REBUILD: ReadonlyMap<string, 'own' | 'typed' | 'first' | 'call'> = new Map([
  ['torch._utils._rebuild_tensor', 'own'],
  ['torch._utils._rebuild_tensor_v2', 'own'],
  ['torch._utils._rebuild_tensor_v3', 'typed'],
  ['torch._utils._rebuild_parameter', 'first'],
  ['torch._utils._rebuild_parameter_with_state', 'first'],
  ['torch._tensor._rebuild_from_type', 'call'],
  ['torch._tensor._rebuild_from_type_v2', 'call'],
  ['torch.tensor._rebuild_from_type', 'call'],
]);
/** A parameter of a tensor of a subclass. */
const MAX_WRAPS = 4;

/** The tensor that a value is; `undefined` of all others. */
export function tensorOf(archive: Archive, value: Value): FileTensor | undefined {
  const { heap } = archive;
  let record = value;
  for (let k = 0; k < MAX_WRAPS && heap.is(record, KIND.record); k++) {
    let how = REBUILD.get(heap.global(heap.callable(record)) ?? '');
    let args = heap.args(record);
    if (how === 'call') {
      const [callable, , inner] = heap.list(args, 3);
      how = REBUILD.get((callable !== undefined && heap.global(callable)) || '');
      if (inner === undefined || how === 'call') return undefined;
      args = inner;
    }
    if (how === undefined) return undefined;
    const given = heap.list(args, 7);
    if (how !== 'first') return rebuilt(archive, given, how === 'typed');
    if (given[0] === undefined) return undefined;
    record = given[0];
  }
  return undefined;
}

function countsOf(heap: Heap, value: Value | undefined, what: string): number[] {
  // torch.Size is a call with a list.
  const isSize = value !== undefined && heap.is(value, KIND.record);
  const list = isSize ? heap.list(heap.args(value), 1)[0] : value;
  const items = list === undefined ? [] : heap.list(list, MAX_RANK + 1);
  if (items.length > MAX_RANK) damaged(`a tensor has more than ${MAX_RANK} dimensions`);
  return items.map((item) => {
    const count = heap.number(item);
    if (count === undefined || !Number.isInteger(count) || count < 0 || count > MAX_DIMENSION) {
      damaged(`a tensor has an impossible ${what}`);
    }
    return count;
  });
}

/** A tensor by `(storage, offset, size, stride, ...)`, behind them a dtype where it has one. */
function rebuilt(archive: Archive, given: readonly Value[], isTyped: boolean): FileTensor {
  const { heap } = archive;
  const [source, offset, size, stride] = given;
  if (source === undefined || offset === undefined) damaged('a tensor has no storage');
  const storage = archive.storage(source);
  const shape = countsOf(heap, size, 'size');
  const strides = countsOf(heap, stride, 'stride');
  const start = heap.number(offset);
  if (start === undefined || !Number.isSafeInteger(start) || start < 0) {
    damaged('a tensor has an impossible offset');
  }
  if (strides.length !== shape.length) damaged('a tensor has strides for other dimensions');
  const count = shape.reduce((product, n) => product * n, 1);
  if (!Number.isSafeInteger(count)) damaged('a tensor is impossibly large');
  const named = isTyped ? (heap.global(given[6] ?? 0) ?? '') : '';
  const dtype = isTyped ? (DTYPES.get(named) ?? named) : storage.dtype;
  const bytes = bytesOf(dtype) ?? 1;
  const last = shape.reduce((sum, n, k) => sum + (n - 1) * strides[k]!, start);
  if (count > 0 && !((last + 1) * bytes <= storage.bytes.length)) {
    damaged('a tensor lies outside of its storage');
  }
  const place = { start, shape, strides, count };
  return {
    dtype,
    shape,
    cost: 4 * count + (isContiguous(place) ? 0 : bytes * count),
    key: `${storage.key} ${dtype} ${start} ${shape.join()} ${strides.join()}`,
    read: () => floatsOf(dtype, elementsOf(storage.bytes, bytes, place)),
  };
}

interface Place {
  readonly start: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly count: number;
}

function isContiguous({ shape, strides }: Place): boolean {
  let expected = 1;
  for (let k = shape.length - 1; k >= 0; k--) {
    if (shape[k] !== 1 && strides[k] !== expected) return false;
    expected *= shape[k]!;
  }
  return true;
}

/** The elements of a view one after the other, each of `size` bytes. */
function elementsOf(bytes: Uint8Array, size: number, place: Place): Uint8Array {
  const { start, shape, strides, count } = place;
  if (count === 0) return new Uint8Array(0);
  if (isContiguous(place)) return bytes.subarray(start * size, (start + count) * size);
  const out = new Uint8Array(count * size);
  const index = shape.map(() => 0);
  let from = start;
  for (let to = 0; to < out.length;) {
    for (let k = 0; k < size; k++) out[to++] = bytes[from * size + k]!;
    for (let d = shape.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      from -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}

function floatsOf(dtype: string, bytes: Uint8Array): Float32Array | undefined {
  const convert = CONVERT.get(dtype);
  if (convert) return convert(bytes);
  const whole = Object.hasOwn(WHOLE, dtype) && WHOLE[dtype]!(bytes.slice());
  return whole ? Float32Array.from(whole as ArrayLike<number>, Number) : undefined;
}

/** Reads tensors as long as they fit into a limit; equal views become one array. */
export class TensorReader {
  readonly #most: number;
  readonly #foreign: ArrayBufferLike | undefined;
  readonly #read = new Map<string, Float32Array>();
  #bytes = 0;

  /** @param foreign memory that what it gives is no view of. */
  constructor(most: number, foreign?: ArrayBufferLike) {
    this.#most = most;
    this.#foreign = foreign;
  }

  read(name: string, tensor: FileTensor): Float32Array {
    const known = this.#read.get(tensor.key);
    if (known) return known;
    this.#bytes += tensor.cost;
    if (this.#bytes > this.#most) {
      const message = `the file's tensors take more than ${this.#most} bytes as float32, with "${name.slice(0, 80)}"; pass { maxBytes } if you trust it`;
      throw new GatefoldError('ERR_MEMORY', message);
    }
    const data = tensor.read();
    if (!data) {
      const message = `"${name.slice(0, 80)}" is ${tensor.dtype}, which gatefold does not read: save it as float32`;
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
    const own = data.buffer === this.#foreign ? data.slice() : data;
    this.#read.set(tensor.key, own);
    return own;
  }
}
