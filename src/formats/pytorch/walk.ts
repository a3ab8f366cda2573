import type { Archive } from './archive.ts';
import { FALSE, KIND, NONE, TRUE } from './heap.ts';
import type { Heap, Value } from './heap.ts';
import { damaged } from './pickle.ts';
import { tensorOf } from './tensors.ts';
import type { FileTensor } from './tensors.ts';

const MAX_DEPTH = 64;
const MAX_TENSORS = 65_536;
/** Longest name of a tensor, its path included. */
const MAX_NAME = 512;
/** Modules that are remembered. */
const MAX_MODULES = 4096;
/** Keys of a dict that are looked through for what it is. */
const MAX_KEYS = 256;

/** What a file holds beside numbers that nobody asked for. */
export interface Contents {
  readonly heap: Heap;
  /** By their paths, in the file's order. */
  readonly tensors: Map<string, FileTensor>;
  /** Modules that were pickled whole, by their paths: their attributes. */
  readonly modules: ReadonlyMap<string, ModuleRecord>;
  /** What else there is: epochs, losses, vocabularies. */
  readonly plain: Readonly<Record<string, unknown>>;
}

/** A module of a pickle, or of TorchScript. */
export interface ModuleRecord {
  /** Such as `torch.nn.modules.rnn.LSTM`. */
  readonly type: string;
  number(name: string): number | undefined;
  flag(name: string): boolean | undefined;
  text(name: string): string | undefined;
  /** The first number of a tuple, or the number. */
  first(name: string): number | undefined;
}

const ORDERED = new Set(['collections.OrderedDict']);
/** What makes an object of the class that is its first argument. */
const MAKERS = new Set([
  'copy_reg._reconstructor',
  'copyreg._reconstructor',
  'copyreg.__newobj__',
  'copy_reg.__newobj__',
]);
/** Modules of TorchScript keep parameters as attributes. */
const SCRIPTED = /^__torch__\./;
/** Attributes of a module that have its parameters again. */
const AGAIN = new Set(['_flat_weights', 'all_weights', '_all_weights']);

/** All tensors of a file by name. What optimizers keep is left out. */
export function contentsOf(archive: Archive): Contents {
  const walker = new Walker(archive);
  walker.walk(archive.root, '', 0);
  const { tensors, modules } = walker;
  return { heap: archive.heap, tensors, modules, plain: plainOf(archive) };
}

/** The class of a record, or what made it. */
function typeOf(heap: Heap, record: Value): string {
  let type: Value | undefined = heap.callable(record);
  if (MAKERS.has(heap.global(type) ?? '')) type = heap.list(heap.args(record), 1)[0];
  // A legacy file has the sources of modules: ('module', class, file, source).
  if (type !== undefined && heap.is(type, KIND.persistent)) {
    type = heap.list(heap.field(type, 0), 2)[1];
  }
  return (type !== undefined && heap.global(type)) || '';
}

/** What a dict, list or record has by key, as Python would go through it. */
function* entriesOf(heap: Heap, value: Value): Generator<readonly [Value | undefined, Value]> {
  if (heap.is(value, KIND.dict)) yield* heap.pairs(value);
  if (heap.is(value, KIND.tuple, KIND.list, KIND.set)) {
    for (const item of heap.items(value)) yield [undefined, item];
  }
  if (!heap.is(value, KIND.record)) return;
  // Python 2 gives the items of an OrderedDict as a list of pairs.
  if (ORDERED.has(typeOf(heap, value))) {
    const [given] = heap.list(heap.args(value), 1);
    if (given !== undefined && heap.is(given, KIND.list, KIND.tuple)) {
      for (const item of heap.items(given)) {
        const [key, own] = heap.list(item, 2);
        if (own !== undefined) yield [key, own];
      }
    }
  }
  for (const [key, item] of heap.pairs(value)) yield [key === NONE ? undefined : key, item];
}

/** A dict of attributes: the state of a record, or its first half where there are slots. */
function attributesOf(heap: Heap, record: Value): Value | undefined {
  const state = heap.state(record);
  if (heap.is(state, KIND.dict)) return state;
  const [first] = heap.list(state, 1);
  return first !== undefined && heap.is(first, KIND.dict) ? first : undefined;
}

/** Whether a dict is the state of an optimizer. */
function isOptimizer(heap: Heap, dict: Value): boolean {
  return (
    heap.get(dict, 'param_groups', 32) !== undefined && heap.get(dict, 'state', 32) !== undefined
  );
}

class Walker {
  readonly tensors = new Map<string, FileTensor>();
  readonly modules = new Map<string, ModuleRecord>();
  readonly #archive: Archive;
  readonly #seen: Uint8Array;

  constructor(archive: Archive) {
    this.#archive = archive;
    this.#seen = new Uint8Array(archive.heap.count);
  }

  walk(value: Value, path: string, depth: number): void {
    const { heap } = this.#archive;
    if (depth > MAX_DEPTH) return;
    if (!heap.is(value, KIND.dict, KIND.list, KIND.tuple, KIND.set, KIND.record)) return;
    const tensor = tensorOf(this.#archive, value);
    if (tensor) return this.#add(path.slice(0, -1) || 'tensor', tensor);
    // What is met again has its names already; so does what holds itself.
    if (this.#seen[value]) return;
    this.#seen[value] = 1;
    if (isOptimizer(heap, value)) return;
    this.#all(value, path, depth);
    if (!heap.is(value, KIND.record) || ORDERED.has(typeOf(heap, value))) return;
    const state = attributesOf(heap, value);
    // Every object has a state of its own.
    if (state === undefined || this.#seen[state] || isOptimizer(heap, state)) return;
    this.#seen[state] = 1;
    const parts = ['_parameters', '_buffers', '_modules'].map((key) => heap.get(state, key));
    const isModule = parts[0] !== undefined && parts[2] !== undefined;
    const type = typeOf(heap, value);
    // Other objects hold modules, and are none.
    if ((isModule || depth === 0 || SCRIPTED.test(type)) && this.modules.size < MAX_MODULES) {
      this.modules.set(path.slice(0, -1), new StateRecord(heap, type, state));
    }
    if (!isModule) return this.#all(state, path, depth);
    for (const part of parts) if (part !== undefined) this.#all(part, path, depth);
  }

  #all(value: Value, path: string, depth: number): void {
    const { heap } = this.#archive;
    let index = 0;
    for (const [key, item] of entriesOf(heap, value)) {
      const place = index++;
      if (item < 0 || heap.kind(item) < KIND.tuple) continue;
      const name = key === undefined ? String(place) : nameOf(heap, key);
      if (name === undefined || AGAIN.has(name)) continue;
      if (path.length + name.length > MAX_NAME) damaged('a tensor has a name that is too long');
      this.walk(item, `${path}${name}.`, depth + 1);
    }
  }

  #add(name: string, tensor: FileTensor): void {
    if (this.tensors.has(name)) damaged(`it has "${name.slice(0, 80)}" twice`);
    if (this.tensors.size === MAX_TENSORS) damaged(`it holds more than ${MAX_TENSORS} tensors`);
    this.tensors.set(name, tensor);
  }
}

function nameOf(heap: Heap, key: Value): string | undefined {
  if (key < 0) return String(-1 - key);
  if (!heap.is(key, KIND.text)) return undefined;
  if (heap.field(key, 1) > MAX_NAME) damaged('a tensor has a name that is too long');
  return heap.text(key);
}

class StateRecord implements ModuleRecord {
  readonly type: string;
  readonly #heap: Heap;
  readonly #state: Value;

  constructor(heap: Heap, type: string, state: Value) {
    this.#heap = heap;
    this.type = type;
    this.#state = state;
  }

  #get(name: string): Value | undefined {
    return this.#heap.get(this.#state, name, MAX_KEYS);
  }

  number(name: string): number | undefined {
    const value = this.#get(name);
    return value === undefined ? undefined : this.#heap.number(value);
  }

  first(name: string): number | undefined {
    const value = this.#get(name);
    const [first = value] = value === undefined ? [] : this.#heap.list(value, 1);
    return first === undefined ? undefined : this.#heap.number(first);
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    return value === TRUE ? true : value === FALSE ? false : undefined;
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    const isShort = value !== undefined && this.#heap.is(value, KIND.text);
    return isShort && this.#heap.field(value, 1) < MAX_NAME ? this.#heap.text(value) : undefined;
  }
}

/** What a file may say beside its tensors, so that ours can keep it; a key of more is left out. */
const MOST = { values: 10_000, text: 100_000, depth: 5, keys: 256 } as const;

/** Numbers, texts and lists of a file's dict, or of the attributes of its object. */
function plainOf({ heap, root }: Archive): Record<string, unknown> {
  let [values, characters] = [MOST.values, MOST.text];
  const seen = new Uint8Array(heap.count);
  /** `undefined` of what is not plain, or too much. */
  const plain = (value: Value, depth: number): unknown => {
    if (--values < 0 || depth > MOST.depth || value === NONE) return undefined;
    if (value === TRUE || value === FALSE) return value === TRUE;
    if (value >= 0 && heap.is(value, KIND.text)) {
      characters -= heap.field(value, 1);
      return characters < 0 ? undefined : heap.text(value);
    }
    if (value < 0 || heap.kind(value) < KIND.text) {
      const number = heap.number(value);
      return Number.isFinite(number) ? number : undefined;
    }
    if (!heap.is(value, KIND.dict, KIND.list, KIND.tuple, KIND.record)) return undefined;
    // What is met again is left out, like what holds itself.
    if (seen[value]) return undefined;
    seen[value] = 1;
    if (heap.is(value, KIND.dict) && isOptimizer(heap, value)) return undefined;
    const isList = heap.is(value, KIND.list, KIND.tuple);
    const found = new Map<string, unknown>();
    const takeAll = (of: Value): void => {
      for (const [key, item] of entriesOf(heap, of)) {
        if (values < 0 || characters < 0) return;
        const own = plain(item, depth + 1);
        const name = key === undefined ? String(found.size) : keyOf(key);
        if (own !== undefined && name !== undefined) found.set(name, own);
      }
    };
    takeAll(value);
    if (heap.is(value, KIND.record) && !ORDERED.has(typeOf(heap, value))) {
      const state = attributesOf(heap, value);
      if (state !== undefined && !isModule(state)) takeAll(state);
    }
    if (found.size === 0) return undefined;
    return isList ? [...found.values()] : Object.fromEntries(found);
  };
  const keyOf = (key: Value): string | undefined => {
    const name = plain(key, MOST.depth);
    const isName = typeof name === 'string' || typeof name === 'number';
    return isName && name !== '__proto__' ? String(name) : undefined;
  };
  const isModule = (state: Value): boolean => heap.get(state, '_parameters') !== undefined;
  const found = new Map<string, unknown>();
  if (!heap.is(root, KIND.dict, KIND.record)) return {};
  for (const [key, value] of topOf(heap, root)) {
    const before = [values, characters] as const;
    const name = key === undefined ? undefined : keyOf(key);
    if (name === undefined || name.startsWith('_') || name.length > MAX_NAME) continue;
    const own = plain(value, 0);
    if (values < 0 || characters < 0) [values, characters] = before;
    else if (own !== undefined) found.set(name, own);
    if (found.size === MOST.keys) break;
  }
  return Object.fromEntries(found);
}

function* topOf(heap: Heap, root: Value): Generator<readonly [Value | undefined, Value]> {
  yield* entriesOf(heap, root);
  if (!heap.is(root, KIND.record)) return;
  const state = attributesOf(heap, root);
  if (state !== undefined) yield* heap.pairs(state);
}
