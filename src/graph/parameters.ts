import { isOf, owned } from '../base/arrays.ts';
import { checkFloats, checkNumber, toFloats } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import type { Int8Tensor, StateDict, Tensor } from '../base/tensor.ts';
import { roundUp } from '../engine/arena.ts';
import type { Block } from '../engine/arena.ts';
import {
  describeInt8,
  factorName,
  int8Fields,
  outlierName,
  packInt8,
  scaleName,
  unpackInt8,
} from '../engine/int8.ts';
import type { Int8Scales } from '../engine/int8.ts';
import type { Fields, Kernels } from '../engine/kernels.ts';
import { panelsLength, permuteTaps } from '../engine/panels.ts';
import { Plan, part } from '../engine/plan.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import type { Derived, Node, ParameterPlaces } from '../ops/op.ts';
import type { Graph } from './graph.ts';
import { int8Nodes, parametersOf, savedTensors, sizeOf } from './layout.ts';
import type { Parameter, WeightForms } from './layout.ts';

/** Tensors of exactly the names and shapes of a model's parameters, which nobody can change. */
export interface CheckedTensors {
  readonly tensors: StateDict;
  /** Whether they are as a file keeps them: see `Store.readSaved`. */
  readonly saved: boolean;
}

/** The block of a store of the same units, which has the parameters. */
export interface SharedParameters {
  readonly block: Block;
  /** To be called when this store needs it no longer. */
  readonly release: () => void;
}

/**
 * The parameters of a model in an engine's memory: one flat vector, in the order and layout that
 * the kernels read.
 */
export class Store {
  readonly kernels: Kernels;
  readonly graph: Graph;
  readonly parameters: readonly Parameter[];
  /** All parameters. Gradients and moments are vectors of the same form. */
  readonly values: Slot;
  /** Whether matrices have weights of 8 bits: for inference alone. */
  readonly int8: boolean;
  /** Whether a run of `fit` is under way, which alone may change the parameters. */
  isHeld = false;
  /** Counts the changes that did not come through a trainer's own update. */
  version = 0;
  /** What nodes derive from the parameters alone. */
  readonly #derivedOf = new Map<Node, Derived>();
  /** The same, each once: nodes may share it. */
  readonly #derived = new Set<Derived>();
  readonly #roles = new Map<Node, Map<string, Parameter>>();
  readonly #int8Nodes: ReadonlySet<Node>;
  readonly #release: () => void;
  #disposed = false;

  /** Where everything is that is derived from the nodes: of the arena, unless it is given. */
  readonly block: Block;

  constructor(
    kernels: Kernels,
    graph: Graph,
    owner: object,
    forms: WeightForms,
    shared?: SharedParameters,
  ) {
    const { parameters, length } = parametersOf(graph, forms);
    const plan = new Plan();
    this.kernels = kernels;
    this.graph = graph;
    this.int8 = forms.weights === 'int8';
    this.#int8Nodes = int8Nodes(graph, forms);
    this.parameters = parameters;
    for (const parameter of parameters) {
      const { node, role } = parameter;
      this.#roles.set(node, (this.#roles.get(node) ?? new Map()).set(role, parameter));
    }
    this.values = plan.reserve(length);
    for (const node of graph.nodes) {
      const derived = node.derive?.(plan, this.places(node));
      if (!derived) continue;
      this.#derivedOf.set(node, derived);
      this.#derived.add(derived);
    }
    const { arena } = kernels;
    const bytes = roundUp(plan.bytes);
    if (shared && shared.block.bytes !== bytes) {
      const message = `"parameters" expected the ${bytes} bytes of the description, got ${shared.block.bytes}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const block =
      shared?.block ??
      arena.allocate(
        plan.bytes,
        `a model of ${length} parameters`,
        owner,
        'describe a smaller model',
      );
    this.block = block;
    plan.place(block);
    this.#release = shared?.release ?? (() => arena.free(block));
    for (const { layout, offset } of parameters) {
      if ('int8' in layout) describeInt8(kernels, layout.int8, part(this.values, offset));
    }
    for (const derived of this.#derived) derived.describe?.();
  }

  /** Where a node finds its parameters. */
  places(node: Node): ParameterPlaces {
    return new ParametersOf(this, node);
  }

  /** The product of a parameter with weights of 8 bits; `undefined` where it has float32 ones. */
  int8Fields(node: Node, role: string): Fields<'Int8Product'> | undefined {
    const parameter = this.#roles.get(node)?.get(role);
    if (!parameter || !('int8' in parameter.layout)) return undefined;
    return int8Fields(parameter.layout.int8, part(this.values, parameter.offset));
  }

  /** Whether a node multiplies its inputs in 8 bits. */
  isInt8(node: Node): boolean {
    return this.#int8Nodes.has(node);
  }

  derived(node: Node): Derived | undefined {
    return this.#derivedOf.get(node);
  }

  /** Names of layers with parameters: those some of which have 8 bits, or all others. */
  layers(wanted: 'int8' | 'float32'): string[] {
    const isInt8 = new Map<string, boolean>();
    for (const { node, layout } of this.parameters) {
      // A layer that is tied multiplies by the table of an embedding, in 8 bits of its own.
      const own = 'int8' in layout || this.derived(node)?.int8 !== undefined;
      isInt8.set(node.layer, own || isInt8.get(node.layer) === true);
    }
    return [...isInt8.keys()].filter((layer) => isInt8.get(layer) === (wanted === 'int8'));
  }

  /** Where the parameter of a role is, in the values or in a vector of the same form. */
  slot(node: Node, role: string, vector: Slot = this.values): Slot {
    return part(vector, this.#roles.get(node)!.get(role)!.offset);
  }

  /** Elements of the parameter of a role. */
  lengthOf(node: Node, role: string): number {
    return this.#roles.get(node)!.get(role)!.length;
  }

  /** Derives what the forward pass needs; to be called after every change of the values. */
  prepare(): void {
    for (const derived of this.#derived) derived.prepare?.();
  }

  /** A copy of a vector by name, in the shapes that people know. */
  read(vector: Slot): StateDict {
    return this.#read(vector, false) as StateDict;
  }

  /** All values as a file keeps them: matrices of 8 bits as they are, with their scales. */
  readSaved(): Map<string, Tensor | Int8Tensor> {
    return this.#read(this.values, true);
  }

  #read(vector: Slot, saved: boolean): Map<string, Tensor | Int8Tensor> {
    const found = new Map<string, Tensor | Int8Tensor>();
    const staging = this.#staging();
    try {
      for (const parameter of this.parameters) {
        const { layout, name, shape, offset } = parameter;
        const inner = part(vector, offset);
        const length = sizeOf(parameter);
        if ('int8' in layout) {
          const data = saved ? new Int8Array(length) : new Float32Array(length);
          const own = unpackInt8(this.kernels, layout.int8, inner, staging.slot, data);
          found.set(name, { shape, data } as Tensor | Int8Tensor);
          if (!saved) continue;
          found.set(scaleName(name), { shape: [shape[0]!], data: own.scales });
          found.set(factorName(name), { shape: [shape[1]!], data: own.factors });
          if (!own.outliers) continue;
          found.set(outlierName(name), { shape: [shape[0]!, 2], data: own.outliers });
        } else {
          const data = new Float32Array(length);
          this.#move(parameter, inner, staging, data, false);
          found.set(name, { shape, data });
        }
      }
      return found;
    } finally {
      staging.free();
    }
  }

  /**
   * The tensors, of exactly the names and shapes of the parameters, where nobody can change them;
   * refuses all others. `saved` says whether they are as `readSaved` gives them.
   */
  check(tensors: ReadonlyMap<string, Tensor>, saved = false): CheckedTensors {
    const given = ownTensors(tensors);
    const wanted = saved ? savedTensors(this.parameters) : this.parameters;
    const missing = wanted.filter(({ name }) => !given.has(name)).map(({ name }) => name);
    const known = new Set(wanted.map(({ name }) => name));
    const unexpected = [...given.keys()].filter((name) => !known.has(name));
    if (missing.length || unexpected.length) {
      const list = (names: string[]): string => names.slice(0, 8).join(', ') || 'none';
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"tensors" expected exactly the parameters of the model; missing: ${list(missing)}; unexpected: ${list(unexpected)}`,
      );
    }
    for (const parameter of wanted) {
      const { shape, data } = given.get(parameter.name)!;
      const size = `[${parameter.shape.join(', ')}]`;
      if (shape.join() !== parameter.shape.join()) {
        throw new GatefoldError(
          'ERR_SHAPE',
          `"${parameter.name}" expected shape ${size}, got [${shape.join(', ')}]`,
        );
      }
      checkFloats(parameter.name, data, sizeOf(parameter), size);
    }
    for (const { name, layout, low } of this.parameters) {
      if ('int8' in layout) checkWeights(name, given, saved);
      if (low === undefined) continue;
      for (const value of given.get(name)!.data) checkNumber(name, value, low);
    }
    return { tensors: given, saved };
  }

  /** Writes what `check` has let through into a vector. */
  write(vector: Slot, { tensors, saved }: CheckedTensors): void {
    const staging = this.#staging();
    try {
      for (const parameter of this.parameters) {
        const { name, layout, offset } = parameter;
        const { data } = tensors.get(name)!;
        const inner = part(vector, offset);
        if ('int8' in layout) {
          const { depth } = layout.int8;
          const row = (index: number): Float32Array =>
            data.subarray(index * depth, (index + 1) * depth);
          const scales = saved ? scalesOf(name, tensors) : undefined;
          packInt8(this.kernels, layout.int8, inner, staging.slot, row, scales);
        } else {
          this.#move(parameter, inner, staging, data, true);
        }
      }
    } finally {
      staging.free();
    }
    for (const derived of this.#derived) derived.pack?.();
  }

  /** Memory for some rows of a parameter in their plain form, and for moving them. */
  #staging(): Staging {
    const plan = new Plan();
    const slot = plan.reserve(
      this.parameters.reduce((most, parameter) => {
        if ('int8' in parameter.layout) return Math.max(most, parameter.layout.int8.depth + 2);
        const { row, rows } = rowsOf(parameter);
        return Math.max(most, Math.min(row * rows, Math.max(row, MAX_STAGED)));
      }, 0),
    );
    const [panels, rows] = [plan.descriptor('Panels'), plan.descriptor('Rows')];
    const block = this.kernels.arena.allocate(plan.bytes, 'copying parameters');
    plan.place(block);
    return { slot, panels, rows, free: () => this.kernels.arena.free(block) };
  }

  /** Between a parameter and its plain form, some rows at a time: a second copy takes memory. */
  #move(
    parameter: Parameter,
    inner: Slot,
    staging: Staging,
    data: Float32Array,
    into: boolean,
  ): void {
    const { layout, shape } = parameter;
    if ('int8' in layout) return;
    const { kernels } = this;
    const { run } = kernels;
    const { row, rows, group } = rowsOf(parameter);
    const most = Math.max(1, Math.floor(MAX_STAGED / row));
    let count = 0;
    for (let at = 0; at < rows; at += count) {
      // No piece has rows of two groups.
      count = Math.min(most, rows - at, group - (at % group));
      const plain = kernels.floats(staging.slot, 0, count * row);
      const piece = data.subarray(at * row, (at + count) * row);
      if (into) plain.set(piece);
      if ('panels' in layout) {
        const { taps = 1, panels } = layout;
        if (into) permuteTaps(plain, shape[1]!, taps, into);
        kernels.write(staging.panels, {
          ...panels,
          panels: part(inner, Math.floor(at / group) * panelsLength(panels)),
          first: at % group,
          rows: count,
          plain: staging.slot,
        });
        run.panels_rearrange(staging.panels.address, into);
        if (!into) permuteTaps(plain, shape[1]!, taps, into);
      } else {
        const stored = { slot: part(inner, at * layout.row), row: layout.row * 4 };
        const own = { slot: staging.slot, row: row * 4 };
        const [to, from] = into ? [stored, own] : [own, stored];
        const [toRow, fromRow] = [to.row, from.row];
        const moved = { to: to.slot, toRow, from: from.slot, fromRow, rows: count, width: row * 4 };
        kernels.write(staging.rows, moved);
        run.rows_gather(staging.rows.address);
      }
      if (!into) piece.set(plain);
    }
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Refuses weights that have no gradient. */
  checkTrainable(): void {
    const fixed = this.graph.nodes.find(({ noTraining }) => noTraining);
    if (fixed) throw new GatefoldError('ERR_UNSUPPORTED', fixed.noTraining!);
    if (!this.int8) return;
    const message = 'int8 weights have no gradient: use the float32 model that they come from';
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }

  /** Refuses a change while a run of `fit` is under way. */
  checkFree(): void {
    if (!this.isHeld) return;
    const message = 'a run of fit() is under way: await it, or leave its loop, first';
    throw new GatefoldError('ERR_STATE', message);
  }

  checkAlive(): void {
    if (this.#disposed) {
      throw new GatefoldError(
        'ERR_DISPOSED',
        'the model has been disposed; create or load it again',
      );
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#release();
  }
}

/** Where a node finds its parameters. */
export class ParametersOf implements ParameterPlaces {
  readonly kernels: Kernels;
  readonly isInt8: boolean;
  protected readonly store: Store;
  protected readonly node: Node;

  constructor(store: Store, node: Node) {
    this.kernels = store.kernels;
    this.isInt8 = store.isInt8(node);
    this.store = store;
    this.node = node;
  }

  parameter(role: string): Slot {
    return this.store.slot(this.node, role);
  }

  of(node: Node, role: string): Slot {
    return this.store.slot(node, role);
  }

  int8(role: string): Fields<'Int8Product'> | undefined {
    return this.store.int8Fields(this.node, role);
  }
}

/** Elements that are moved at a time, unless a row has more: 1 MiB. */
const MAX_STAGED = 2 ** 18;

/** The rows of a parameter's plain form, and how many of them have panels of their own. */
function rowsOf({ layout, shape }: Parameter): { row: number; rows: number; group: number } {
  if ('row' in layout) {
    const row = shape.at(-1)!;
    const rows = sizeOf({ shape }) / row;
    return { row, rows, group: rows };
  }
  const panels = 'int8' in layout ? layout.int8 : layout.panels;
  const group = panels.gates * panels.hidden;
  const groups = 'int8' in layout ? 1 : (layout.groups ?? 1);
  return { row: panels.depth, rows: groups * group, group };
}

interface Staging {
  readonly slot: Slot;
  readonly panels: Descriptor<'Panels'>;
  readonly rows: Descriptor<'Rows'>;
  free(): void;
}

/** What a file keeps beside the whole numbers of a matrix. */
function scalesOf(name: string, tensors: ReadonlyMap<string, Tensor>): Int8Scales {
  const outliers = tensors.get(outlierName(name))?.data;
  return {
    scales: tensors.get(scaleName(name))!.data,
    factors: tensors.get(factorName(name))!.data,
    ...(outliers && { outliers }),
  };
}

/** Numbers that 8 bits can stand for, or whole ones with scales. */
function checkWeights(name: string, tensors: ReadonlyMap<string, Tensor>, saved: boolean): void {
  const isScale = (scale: number): boolean => scale >= 0 && scale < Infinity;
  const isFactor = (factor: number): boolean => factor >= 0 && factor <= 1;
  const isWhole = (w: number): boolean => Number.isInteger(w) && Math.abs(w) <= 127;
  const { data } = tensors.get(name)!;
  if (!saved) {
    if (data.every(Number.isFinite)) return;
    const message = `"${name}" holds NaN or infinity, which int8 weights cannot say`;
    throw new GatefoldError('ERR_NON_FINITE', message);
  }
  const { scales, factors, outliers = new Float32Array(0) } = scalesOf(name, tensors);
  const depth = factors.length;
  const isOutlier = (x: number, k: number): boolean =>
    k % 2 ? Number.isFinite(x) : Number.isInteger(x) && x >= -1 && x < depth;
  const isFit = scales.every(isScale) && factors.every(isFactor) && outliers.every(isOutlier);
  if (isFit && data.every(isWhole)) return;
  const message = `"${name}" expected whole numbers from -127 to 127, finite scales, of columns up to 1, and outliers in its columns`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

/** Tensors by name as a caller gives them, each read once, where nobody can change them. */
export function ownTensors(tensors: unknown): StateDict {
  const refuse = (what: string): never => {
    const message = `"tensors" expected a Map from names to { shape, data }, data a Float32Array, got ${what}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  };
  const own: StateDict = new Map();
  if (typeof (tensors as Partial<StateDict> | null | undefined)?.[Symbol.iterator] !== 'function') {
    refuse(`a ${typeof tensors}`);
  }
  for (const entry of tensors as Iterable<unknown>) {
    const [name, tensor] = Array.isArray(entry) ? (entry as [unknown, unknown]) : [];
    const { shape, data: given } = (tensor ?? {}) as Partial<Tensor>;
    if (typeof name !== 'string') return refuse('another kind of collection');
    const data = toFloats(name, given);
    if (!Array.isArray(shape) || !isOf('Float32Array', data)) return refuse(`another "${name}"`);
    own.set(name, { shape: Array.from(shape as readonly number[]), data });
  }
  // Getters of the caller may have run so far; from here on nothing of his does.
  for (const [name, { shape, data }] of own) {
    own.set(name, { shape, data: owned('Float32Array', data) });
  }
  return own;
}

/** The entries whose names begin with the prefix, without it. */
export function below<T>(tensors: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  const found = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
