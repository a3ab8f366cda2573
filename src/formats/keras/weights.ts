/** Where the arrays of a model are, in each kind of file. */
import type { Tensor } from '../../base/tensor.ts';
import { GatefoldError } from '../../base/errors.ts';
import { floatsOf } from '../shared/hdf5.ts';
import type { Hdf5Dataset, Hdf5Object } from '../shared/hdf5.ts';
import { damaged, quoted } from './config.ts';

/** An array of a file, whose numbers are read when they are asked for. */
export interface Weight {
  /** Its path: names of layers and of the array itself. */
  readonly path: string;
  readonly shape: readonly number[];
  read(): Float32Array;
}

/** Where a layer is: its name and its path among the parts of a model, from the outermost on. */
export interface Address {
  readonly names: readonly string[];
  /** As a `.keras` file says it: classes with numbers, such as `layers/lstm_1`. */
  readonly saved: string;
}

/** The arrays of one layer. */
export interface LayerWeights {
  /** Last names of those that are left; none where a file has numbers in place of names. */
  readonly leaves: readonly string[];
  /** The next array, of a role such as `kernel`; `part` is the object of the layer that has it. */
  next(part: string, role: string): Weight | undefined;
  /** Those of a layer inside of this one, which may be known by its own name alone. */
  within(part: string, names: readonly string[]): LayerWeights;
}

export interface WeightStore {
  of(address: Address): LayerWeights;
}

/** The last name of a path, without what TensorFlow appends to it. */
const leafOf = (path: string): string => path.split('/').at(-1)!.replace(/:\d+$/, '');

/** Roles that tell an array from others. */
const ROLES: ReadonlySet<string> = new Set([
  'kernel',
  'recurrent_kernel',
  'bias',
  'embeddings',
  'gamma',
  'beta',
  'moving_mean',
  'moving_variance',
  'depthwise_kernel',
  'pointwise_kernel',
  'alpha',
  'mean',
  'variance',
]);
/** Arrays that no layer computes with. */
const ASIDE = /seed_generator|^count$|^iteration/;

/** Arrays in the order of a list: each layer takes the next ones. */
class ListedWeights implements LayerWeights {
  readonly #left: Weight[];
  readonly #find: (names: readonly string[]) => readonly Weight[];

  constructor(list: readonly Weight[], find: (names: readonly string[]) => readonly Weight[]) {
    this.#left = list.filter(({ path }) => !ASIDE.test(leafOf(path)));
    this.#find = find;
  }

  get leaves(): string[] {
    return this.#left.map(({ path }) => leafOf(path));
  }

  next(_: string, role: string): Weight | undefined {
    const isOther = (weight: Weight): boolean => {
      const leaf = leafOf(weight.path);
      return leaf !== role && ROLES.has(leaf);
    };
    // Where names do not tell, the order does.
    const place = this.#left.findIndex((weight) => !isOther(weight));
    return place < 0 ? undefined : this.#left.splice(place, 1)[0];
  }

  within(_: string, names: readonly string[]): LayerWeights {
    return this.#left.length ? this : new ListedWeights(this.#find(names), this.#find);
  }
}

/** Arrays that are named by the layers that they belong to: `.h5` files, TensorFlow.js. */
export class NamedStore implements WeightStore {
  readonly #ofLayer: (name: string) => readonly Weight[];
  /** Those of nested layers that no name tells apart: what no other layer has taken. */
  readonly #rest = new Map<string, LayerWeights>();

  /** @param ofLayer the arrays of a layer of the outermost model. */
  constructor(ofLayer: (name: string) => readonly Weight[]) {
    this.#ofLayer = ofLayer;
  }

  of({ names }: Address): LayerWeights {
    const [first, ...inner] = names;
    const outer = this.#ofLayer(first!);
    const all = outer.length || !inner.length ? outer : this.#ofLayer(inner.at(-1)!);
    const find = (others: readonly string[]): readonly Weight[] =>
      others.flatMap((name) => this.#ofLayer(name));
    let list = all;
    for (const name of inner) {
      list = list.filter(({ path }) => path.split('/').slice(0, -1).includes(name));
    }
    if (list.length || !inner.length) return new ListedWeights(list, find);
    const rest = this.#rest.get(first!) ?? new ListedWeights(all, find);
    this.#rest.set(first!, rest);
    return rest;
  }
}

/** A dataset as an array of a model. */
function weightOf(path: string, dataset: Hdf5Dataset): Weight {
  return { path, shape: dataset.shape, read: () => floatsOf(dataset, path) };
}

/** The kernel of a convolution that Theano ran, which reads its taps from the last one on. */
function flipped({ shape, read, ...weight }: Weight): Weight {
  const [taps = 0] = shape;
  const turn = (data: Float32Array): Float32Array => {
    const size = data.length / taps;
    const out = new Float32Array(data.length);
    for (let k = 0; k < taps; k++) {
      out.set(data.subarray(k * size, (k + 1) * size), (taps - 1 - k) * size);
    }
    return out;
  };
  return { ...weight, shape, read: () => turn(read()) };
}

/** Texts that HDF5 had to cut into several attributes: `name`, or `name0`, `name1` and so on. */
function textsOf(group: Hdf5Object, name: string): string[] | undefined {
  const whole = group.texts(name);
  if (whole) return whole;
  const pieces: string[] = [];
  for (let k = 0; ; k++) {
    const piece = group.texts(name + k);
    if (!piece) return k ? pieces : undefined;
    pieces.push(...piece);
  }
}

/** What weights a file has, by the names of its layers. */
export interface NamedLayers {
  readonly layers: ReadonlyMap<string, () => LayerWeights>;
  /** Whether they stand in the order of the model. */
  readonly isOrdered: boolean;
}

/** The arrays of the layers of a `.h5` file; `undefined` where it has none. */
export function legacyLayers(group: Hdf5Object): Map<string, () => Weight[]> | undefined {
  const names = textsOf(group, 'layer_names');
  const isFlipped = group.texts('backend')?.[0] === 'theano';
  const read = (name: string) => (): Weight[] => {
    const layer = group.get(name) ?? damaged(`it has no group ${quoted(name)}`);
    const paths = textsOf(layer, 'weight_names') ?? [];
    return paths.map((path) => {
      const dataset = layer.get(path) ?? damaged(`${quoted(name)} has no ${quoted(path)}`);
      const weight = weightOf(path, dataset.read());
      const isKernel = weight.shape.length === 3 && leafOf(path) === 'kernel';
      return isFlipped && isKernel ? flipped(weight) : weight;
    });
  };
  return names && new Map(names.map((name) => [name, read(name)]));
}

/** The arrays of a `.h5` file by the names of its layers. */
export function legacyStore(layers: ReadonlyMap<string, () => Weight[]>): WeightStore {
  return new NamedStore((name) => layers.get(name)?.() ?? []);
}

/** Layers of a `.h5` file that have arrays, in its order. */
export function legacyNamed(layers: ReadonlyMap<string, () => Weight[]>): NamedLayers {
  const all = [...layers].filter(([, read]) => read().length > 0);
  const none = (): readonly Weight[] => [];
  return {
    layers: new Map(all.map(([name, read]) => [name, () => new ListedWeights(read(), none)])),
    isOrdered: true,
  };
}

/** The arrays of an object, and of those that it has, in a file of Keras 3. */
class SavedWeights implements LayerWeights {
  readonly leaves = [];
  readonly #root: Hdf5Object;
  readonly #path: string;
  /** How many arrays of each object have been taken. */
  readonly #taken = new Map<string, number>();

  constructor(root: Hdf5Object, path: string) {
    this.#root = root;
    this.#path = path;
  }

  next(part: string): Weight | undefined {
    const k = this.#taken.get(part) ?? 0;
    const path = part ? `${this.#path}/${part}` : this.#path;
    const dataset = childAt(this.#root, path)?.get(`vars/${k}`);
    if (!dataset) return undefined;
    this.#taken.set(part, k + 1);
    return weightOf(`${path}/vars/${k}`, dataset.read());
  }

  within(part: string): LayerWeights {
    return new SavedWeights(this.#root, `${this.#path}/${part}`);
  }
}

/** Keras 2 called the list of layers by another name; on Windows it wrote a path as one name. */
function childAt(root: Hdf5Object, path: string): Hdf5Object | undefined {
  const older = path.replaceAll(/(^|\/)layers\//g, '$1_layer_checkpoint_dependencies/');
  for (const written of new Set([path, older])) {
    // Private attributes have a line before their names.
    const hidden = written.replace(/\/(\w+_dense)$/, '/_$1');
    for (const one of new Set([written, hidden])) {
      const found = root.get(one) ?? root.child(one.replaceAll('/', '\\'));
      if (found) return found;
    }
  }
  return undefined;
}

/** The arrays of a file of Keras 3, by what the layers are. */
export function savedStore(root: Hdf5Object): WeightStore {
  return { of: ({ saved }) => new SavedWeights(root, saved) };
}

/** Layers of a file of Keras 3, whose names are those of their classes. */
export function savedNamed(root: Hdf5Object): NamedLayers {
  const parts = ['layers', '_layer_checkpoint_dependencies'];
  const group = parts.flatMap((part) => root.get(part) ?? [])[0];
  const names = group?.names ?? [];
  const flat = root.names.filter((name) => name.startsWith('layers\\') && !/\\.*\\/.test(name));
  const all = [...names, ...flat.map((name) => name.slice(7))];
  return {
    layers: new Map(all.map((name) => [name, () => new SavedWeights(root, `layers/${name}`)])),
    isOrdered: false,
  };
}

const list = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** Takes arrays of a layer, each of a shape that is known. */
export class Taker {
  readonly #layer: string;
  readonly #weights: LayerWeights;
  readonly #taken: (length: number) => void;
  readonly #part: string | undefined;

  /** @param part the object that has the arrays, whatever is asked for. */
  constructor(
    layer: string,
    weights: LayerWeights,
    taken: (length: number) => void,
    part?: string,
  ) {
    this.#layer = layer;
    this.#weights = weights;
    this.#taken = taken;
    this.#part = part;
  }

  /** Takes all arrays of one object of the layer. */
  at(part: string): Taker {
    return new Taker(this.#layer, this.#weights, this.#taken, part);
  }

  get leaves(): readonly string[] {
    return this.#weights.leaves;
  }

  within(part: string, names: readonly string[] = []): Taker {
    return new Taker(this.#layer, this.#weights.within(part, names), this.#taken);
  }

  /** The next array of the layer, of one of these shapes; a dimension of 0 is any. */
  take(part: string, role: string, ...shapes: readonly (readonly number[])[]): Tensor {
    const weight = this.#weights.next(this.#part ?? part, role);
    const [shape] = shapes;
    if (!weight) {
      const needs = `needs ${quoted(role)} ${list(shape!)}`;
      damaged(`${quoted(this.#layer)} ${needs}, which the file does not have`);
    }
    const { path, shape: found } = weight;
    const isOf = (sizes: readonly number[]): boolean =>
      found.length === sizes.length && sizes.every((size, k) => !size || size === found[k]);
    if (!shapes.some(isOf)) {
      const message = `${quoted(path)} of ${quoted(this.#layer)} is ${list(found)}, but ${list(shape!)} by the configuration`;
      throw new GatefoldError('ERR_FORMAT', message);
    }
    const data = weight.read();
    this.#taken(data.length);
    return { shape: found, data };
  }
}
