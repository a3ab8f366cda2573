import { GatefoldError, shorten } from '../../base/errors.ts';
import type { StateDict } from '../../base/tensor.ts';
import { lower } from '../../graph/graph.ts';
import { parametersOf } from '../../graph/layout.ts';
import { complete } from '../../ops/description.ts';
import type { ModelDescription } from '../../ops/index.ts';
import { isFloat } from './tensors.ts';
import type { FileTensor, TensorReader } from './tensors.ts';

/** Names to show of a list that may be long. */
const NAMES_SHOWN = 6;

/**
 * Other names of tensors: what the file calls a tensor or a module, and what the model does. Of a
 * list each has its columns in turn.
 */
export type Rename = Readonly<Record<string, string | readonly string[]>>;

/** How `Trainer.fit` goes over the data. */
export interface FitOptions {
  /** Whether the tensors are those below a prefix, rather than of the whole file. */
  readonly isBelow: boolean;
  readonly rename: Rename;
  readonly strict: boolean;
  /** Where the file keeps its model. */
  readonly root: string;
}

/** A parameter of a model. */
interface Wanted {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layer: string;
}

/** Where a file has a parameter: under a name, or in some columns of what is there. */
interface Source {
  readonly from: string;
  /** Parameters side by side, of which it is one. */
  readonly beside?: readonly string[];
}

function foreign(problem: string, fix: string): never {
  throw new GatefoldError('ERR_FORMAT', `not a file this package can use: ${problem}; ${fix}`);
}

/** The first of names that may be many and long. */
function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map(shorten);
  const more = names.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** What a name tells about layers that this package cannot build. */
function hintFor(unexpected: readonly string[], missing: readonly string[]): string {
  if (unexpected.some((name) => name.endsWith('_reverse')))
    return 'describe the layers with bidirectional: true';
  if (unexpected.some((name) => name.includes('weight_hr_')))
    return 'describe the layers with projSize';
  if (missing.length > 0 && missing.every((name) => name.includes('bias'))) {
    return 'describe the layers with bias: false';
  }
  if (unexpected.length > 0 && unexpected.every((name) => name.includes('bias'))) {
    return 'describe the layers with bias: true';
  }
  if (missing.length === 0) return 'pass { strict: false } to leave them out';
  return 'name the layers as the modules of the state_dict, or pass { rename }, and { prefix } for a part of it';
}

/** Finds the parameters of a description among the tensors of a file. */
class Fit {
  readonly wanted: readonly Wanted[];
  readonly #tensors: ReadonlyMap<string, FileTensor>;
  readonly #rename: readonly (readonly [string, string | readonly string[]])[];
  /** Other names of tied tables. */
  readonly #aliases = new Map<string, string>();
  /** The layer that alone has parameters: a file may have them without a name. */
  readonly #only: string | undefined;

  constructor(
    description: ModelDescription,
    tensors: ReadonlyMap<string, FileTensor>,
    rename: Rename,
  ) {
    const completed = complete(description);
    const { parameters } = parametersOf(lower(completed), description);
    this.wanted = parameters.map(({ name, shape, node }) => ({ name, shape, layer: node.layer }));
    this.#tensors = tensors;
    this.#rename = Object.entries(rename);
    for (const layer of completed.layers) {
      if ('tied' in layer) this.#aliases.set(`${layer.tied}.weight`, `${layer.name}.weight`);
    }
    const layers = new Set(this.wanted.map(({ layer }) => layer));
    this.#only = layers.size === 1 ? [...layers][0] : undefined;
    for (const to of this.#rename.flatMap(([, names]) => names)) {
      const isThere = this.wanted.some(({ name }) => name === to || name.startsWith(`${to}.`));
      if (isThere) continue;
      const message = `"options.rename" names "${shorten(to)}", which the description has not`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
  }

  /** Under which names a file may have a parameter, without a prefix. */
  sources(name: string, isBare: boolean): Source[] {
    const own = this.#source(name, isBare);
    const alias = this.#aliases.get(name);
    return alias === undefined ? [own] : [own, this.#source(alias, isBare)];
  }

  #source(name: string, isBare: boolean): Source {
    for (const [from, to] of this.#rename) {
      if (typeof to !== 'string') {
        if (to.includes(name)) return { from, beside: to };
      } else if (name === to) return { from };
      else if (name.startsWith(`${to}.`))
        return { from: from + name.slice(to.length + (from ? 0 : 1)) };
    }
    const isOwn = isBare && this.#only !== undefined;
    return { from: isOwn ? name.slice(this.#only!.length + 1) : name };
  }

  /** Whether all parameters are below a prefix. */
  isBelow(prefix: string, isBare: boolean): boolean {
    return this.wanted.every(({ name }) =>
      this.sources(name, isBare).some(({ from }) => this.#tensors.has(prefix + from)),
    );
  }

  /** The prefixes below which the file has all parameters. */
  prefixes(isBare: boolean): string[] {
    const [first] = this.wanted;
    if (first === undefined || (isBare && this.#only === undefined)) return [];
    const found = new Set<string>();
    for (const { from } of this.sources(first.name, isBare)) {
      for (const name of this.#tensors.keys()) {
        if (!name.endsWith(from)) continue;
        const prefix = name.slice(0, name.length - from.length);
        if (prefix === '' || prefix.endsWith('.')) found.add(prefix);
      }
    }
    return [...found].filter((prefix) => this.isBelow(prefix, isBare));
  }
}

/** Below which prefix the model is, and whether its layer has no name there. */
function place(fit: Fit, { isBelow, root }: FitOptions): { prefix: string; isBare: boolean } {
  for (const isBare of [false, true]) {
    const found = fit.prefixes(isBare).filter((prefix) => !isBelow || prefix === '');
    const [first] = found;
    if (first === undefined) continue;
    if (found.length === 1) return { prefix: first, isBare };
    if (found.includes(root)) return { prefix: root, isBare };
    const names = found.map((name) => `'${name}'`);
    foreign(`it has ${found.length} models of this description`, `pass { prefix }: ${list(names)}`);
  }
  return { prefix: isBelow ? '' : root, isBare: false };
}

/** The tensors of a description by the names of its parameters. */
export function fitTensors(
  description: ModelDescription,
  tensors: ReadonlyMap<string, FileTensor>,
  reader: TensorReader,
  options: FitOptions,
): StateDict {
  const fit = new Fit(description, tensors, options.rename);
  const { prefix, isBare } = place(fit, options);
  const shapes = new Map(fit.wanted.map(({ name, shape }) => [name, shape]));
  const used = new Set<string>();
  const missing: string[] = [];
  const differ: string[] = [];
  const found: (Wanted & { sources: Source[] })[] = [];
  for (const wanted of fit.wanted) {
    const all = fit.sources(wanted.name, isBare);
    const sources = all
      .map((source) => ({ ...source, from: prefix + source.from }))
      .filter(({ from }) => tensors.has(from));
    if (sources.length === 0) missing.push(wanted.name);
    for (const { from, beside } of sources) {
      used.add(from);
      const { shape, dtype } = tensors.get(from)!;
      if (dtype === 'I8') {
        const fix = 'save the model without quantising it';
        foreign('it has int8 tensors where float32 ones belong', fix);
      }
      const expected = beside ? sumOf(beside, shapes) : wanted.shape;
      if (expected.join() === shape.join()) continue;
      differ.push(`${from} [${shape.join(', ')}] for [${expected.join(', ')}]`);
    }
    found.push({ ...wanted, sources });
  }
  const isLeft = ([name, tensor]: readonly [string, FileTensor]): boolean =>
    name.startsWith(prefix) && !used.has(name) && isFloat(tensor);
  const left = [...tensors].filter(isLeft).map(([name]) => name.slice(prefix.length));
  const unexpected = options.strict ? left : [];
  if (missing.length > 0 || unexpected.length > 0) {
    const parts = ['the state_dict does not fit the model'];
    if (missing.length > 0) parts.push(`missing: ${list(missing)}`);
    if (unexpected.length > 0) parts.push(`unexpected: ${list(unexpected)}`);
    throw new GatefoldError('ERR_FORMAT', [...parts, hintFor(left, missing)].join('; '));
  }
  if (differ.length > 0) {
    const message = `the state_dict has other sizes than the model: ${list(differ)}; describe the sizes it was trained with`;
    throw new GatefoldError('ERR_FORMAT', message);
  }
  return new Map(
    found.map(({ name, shape, sources }) => {
      const read = ({ from, beside }: Source): Float32Array => {
        const tensor = tensors.get(from)!;
        const data = reader.read(from, tensor);
        return beside ? columnsOf(data, tensor.shape, name, beside, shapes) : data;
      };
      const [data, copy] = sources.map(read);
      // A tied weight has two names in PyTorch; a file has it under both or one of them.
      if (copy && copy !== data && copy.some((value, k) => value !== data![k])) {
        const [first, second] = sources.map(({ from }) => `"${shorten(from)}"`);
        foreign(`${second} and ${first} differ`, 'describe the layers without "tied"');
      }
      return [name, { shape, data: data! }];
    }),
  );
}

/** The shape of parameters side by side. */
function sumOf(
  names: readonly string[],
  shapes: ReadonlyMap<string, readonly number[]>,
): readonly number[] {
  const [first] = names;
  const columns = names.map((name) => shapes.get(name)?.at(-1) ?? 0);
  const rows = shapes.get(first!)?.slice(0, -1) ?? [];
  return [...rows, columns.reduce((sum, n) => sum + n, 0)];
}

/** The columns of one of the parameters that a tensor has side by side. */
function columnsOf(
  data: Float32Array,
  shape: readonly number[],
  name: string,
  beside: readonly string[],
  shapes: ReadonlyMap<string, readonly number[]>,
): Float32Array {
  const all = shape.at(-1)!;
  const width = shapes.get(name)!.at(-1)!;
  const before = beside.slice(0, beside.indexOf(name));
  const start = before.reduce((sum, other) => sum + shapes.get(other)!.at(-1)!, 0);
  const rows = data.length / all;
  const out = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const from = row * all + start;
    out.set(data.subarray(from, from + width), row * width);
  }
  return out;
}
