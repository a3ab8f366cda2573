import { isOf, owned } from '../base/arrays.ts';
import { checkFloats } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { Plan, part } from '../engine/plan.ts';
import { roundUp } from '../engine/arena.ts';
import type { Block } from '../engine/arena.ts';
import type { Fields, Kernels } from '../engine/kernels.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import { int8Fields, packInt8, scaleName, unpackInt8 } from '../engine/int8.ts';
import { int8Length, plainPanels } from '../engine/panels.ts';
import type { Panels } from '../engine/panels.ts';
import { derivedLength, parametersOf, savedTensors } from '../ops/units.ts';
import type { LinearUnit, Parameter, RecurrentUnit, Unit } from '../ops/units.ts';
import type { Int8Tensor, StateDict, Tensor } from '../ops/specs.ts';

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
  readonly units: readonly Unit[];
  readonly parameters: readonly Parameter[];
  /** All parameters. Gradients and moments are vectors of the same form. */
  readonly values: Slot;
  /** Whether every output depends on steps before it alone. */
  readonly causal: boolean;
  /**
   * Index of the first unit whose outputs are one row a sequence, behind the last one where there
   * is none.
   */
  readonly pooledFrom: number;
  /** Whether matrices have weights of 8 bits: for inference alone. */
  readonly int8: boolean;
  /** Whether a run of `fit` is under way, which alone may change the parameters. */
  isHeld = false;
  /** Counts the changes that did not come through a trainer's own update. */
  version = 0;
  readonly #bias = new Map<Unit, Slot>();
  /**
   * The weight of all tied units in panels: a model has one table at most. The unit is any of them.
   */
  readonly #tied: { readonly unit: LinearUnit; readonly panels: Slot } | undefined;
  readonly #roles = new Map<Unit, Map<Parameter['role'], Parameter>>();
  readonly #descriptors: Descriptor<'Sequence'>[] = [];
  readonly #release: () => void;
  #disposed = false;

  /** Where everything is that is derived from the units: of the arena, unless it is given. */
  readonly block: Block;

  constructor(
    kernels: Kernels,
    units: readonly Unit[],
    owner: object,
    int8: boolean,
    shared?: SharedParameters,
  ) {
    const { parameters, length } = parametersOf(units, int8);
    const plan = new Plan();
    const recurrent = units.filter((unit) => unit.kind === 'recurrent');
    this.kernels = kernels;
    this.units = units;
    this.int8 = int8;
    this.causal = !units.some((unit) => unit.kind === 'recurrent' && unit.reverse);
    const pool = units.findIndex((unit) => unit.kind === 'pool');
    this.pooledFrom = pool < 0 ? units.length : pool;
    this.parameters = parameters;
    for (const parameter of parameters) {
      const { unit, role } = parameter;
      this.#roles.set(unit, (this.#roles.get(unit) ?? new Map()).set(role, parameter));
    }
    this.values = plan.reserve(length);
    const summed = recurrent.filter((unit) => derivedLength(unit).bias > 0);
    for (const unit of summed) {
      this.#bias.set(unit, plan.reserve(derivedLength(unit).bias));
      this.#descriptors.push(plan.descriptor('Sequence'));
    }
    const tied = units.find((unit) => unit.kind === 'linear' && unit.tied) as
      LinearUnit | undefined;
    this.#tied = tied && {
      unit: tied,
      panels: plan.reserve(int8 ? int8Length(tiedPanels(tied)) : derivedLength(tied).w),
    };
    const { arena } = kernels;
    const bytes = roundUp(plan.bytes);
    if (shared && shared.block.bytes !== bytes) {
      const message = `"parameters" expected the ${bytes} bytes of the description, got ${shared.block.bytes}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const block =
      shared?.block ?? arena.allocate(plan.bytes, `a model of ${length} parameters`, owner);
    this.block = block;
    plan.place(block);
    this.#release = shared?.release ?? (() => arena.free(block));
    summed.forEach((unit, i) => this.#describeBias(unit, this.#descriptors[i]!));
  }

  #describeBias(unit: RecurrentUnit, descriptor: Descriptor<'Sequence'>): void {
    this.kernels.write(descriptor, {
      cell: unit.form.code,
      columns: unit.columns,
      bias: this.bias(unit),
      biasInput: this.slot(unit, 'biasInput'),
      biasHidden: this.slot(unit, 'biasHidden'),
    });
  }

  /** What the input product of a recurrent unit starts from. */
  bias(unit: Unit): Slot {
    return this.#bias.get(unit) ?? this.slot(unit, 'biasInput');
  }

  /** The panels that a linear unit multiplies by. */
  weight(unit: LinearUnit): Slot {
    return unit.tied ? this.#tied!.panels : this.slot(unit, 'input');
  }

  /** The matrix of a unit with weights of 8 bits; `undefined` for a vector. */
  int8Fields(unit: Unit, role: 'input' | 'recurrent'): Fields<'Int8Product'> | undefined {
    if (unit.kind === 'linear' && unit.tied) {
      return int8Fields(tiedPanels(unit), this.#tied!.panels);
    }
    const { form, offset } = this.#parameter(unit, role);
    return 'int8' in form ? int8Fields(form.int8, part(this.values, offset)) : undefined;
  }

  /**
   * Brings the table to the panels of the units that are tied to it. Those of 8 bits never change.
   */
  prepareTied(): void {
    if (this.int8 || !this.#tied) return;
    this.moveTied(this.#tied.unit, this.#tied.panels, this.values, false);
  }

  /** Panels of a tied unit from its table in a vector, or `back` added to it; they become zero. */
  moveTied({ tied, outputs, inputs }: LinearUnit, panels: Slot, vector: Slot, back: boolean): void {
    const table = this.slot(tied!, 'table', vector);
    const row = tied!.outputRow * 4;
    this.kernels.run.panels_of_table(panels.address, table.address, row, outputs, inputs, back);
  }

  /** Where the parameter of a role is, in the values or in a vector of the same form. */
  slot(unit: Unit, role: Parameter['role'], vector: Slot = this.values): Slot {
    return part(vector, this.#parameter(unit, role).offset);
  }

  #parameter(unit: Unit, role: Parameter['role']): Parameter {
    return this.#roles.get(unit)!.get(role)!;
  }

  /** Derives what the forward pass needs; to be called after every change of the values. */
  prepare(): void {
    this.prepareTied();
    for (const descriptor of this.#descriptors)
      this.kernels.run.sequence_prepare(descriptor.address);
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
        const { form, name, shape, offset } = parameter;
        const inner = part(vector, offset);
        const length = sizeOf(parameter);
        if ('int8' in form) {
          const data = saved ? new Int8Array(length) : new Float32Array(length);
          const scales = unpackInt8(this.kernels, form.int8, inner, staging.slot, data);
          found.set(name, { shape, data } as Tensor | Int8Tensor);
          if (saved) found.set(scaleName(name), { shape: [shape[0]!], data: scales });
        } else {
          this.#move(parameter, inner, staging, false);
          found.set(name, { shape, data: this.kernels.floats(staging.slot, 0, length).slice() });
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
    for (const { name, form } of this.parameters) {
      if ('int8' in form) checkWeights(name, given, saved);
    }
    return { tensors: given, saved };
  }

  /** Writes what `check` has let through into a vector. */
  write(vector: Slot, { tensors, saved }: CheckedTensors): void {
    const staging = this.#staging();
    try {
      for (const parameter of this.parameters) {
        const { name, form, offset } = parameter;
        const { data } = tensors.get(name)!;
        const inner = part(vector, offset);
        if ('int8' in form) {
          const { depth } = form.int8;
          const row = (index: number): Slot => {
            const values = data.subarray(index * depth, (index + 1) * depth);
            this.kernels.floats(staging.slot, 0, depth).set(values);
            return staging.slot;
          };
          const scales = saved ? tensors.get(scaleName(name))!.data : undefined;
          packInt8(this.kernels, form.int8, inner, row, scales);
        } else {
          this.kernels.floats(staging.slot, 0, sizeOf(parameter)).set(data);
          this.#move(parameter, inner, staging, true);
        }
      }
    } finally {
      staging.free();
    }
    if (this.int8) this.#packTied();
  }

  /** The weight of tied units from their table. */
  #packTied(): void {
    if (!this.#tied) return;
    const { unit, panels } = this.#tied;
    const table = this.slot(unit.tied!, 'table');
    const row = (index: number): Slot => part(table, index * unit.tied!.outputRow);
    packInt8(this.kernels, tiedPanels(unit), panels, row);
  }

  /** Room for the largest parameter in its plain form. */
  #staging(): { slot: Slot; free: () => void } {
    const plan = new Plan();
    const slot = plan.reserve(
      this.parameters.reduce((most, { form, shape }) => {
        return Math.max(most, 'int8' in form ? form.int8.depth : sizeOf({ shape }));
      }, 0),
    );
    const block = this.kernels.arena.allocate(plan.bytes, 'copying parameters');
    plan.place(block);
    return { slot, free: () => this.kernels.arena.free(block) };
  }

  #move({ form, shape }: Parameter, inner: Slot, staging: { slot: Slot }, into: boolean): void {
    const { run } = this.kernels;
    const plain = staging.slot.address;
    if ('panels' in form) {
      const { cell, gates, hidden, padded, depth, vectors } = form.panels;
      run.panels_rearrange(inner.address, plain, cell, gates, hidden, padded, depth, vectors, into);
      return;
    }
    const [rows, width] = shape as [number, number];
    const { row } = form as { row: number };
    const [a, aRow, b, bRow] = into
      ? [inner.address, row * 4, plain, width * 4]
      : [plain, width * 4, inner.address, row * 4];
    run.rows_copy(a, 0, aRow, b, 0, bRow, 1, rows, width * 4);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Refuses weights that have no gradient. */
  checkTrainable(): void {
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

/** The weight of a tied unit as a matrix of its own. */
function tiedPanels({ outputs, outputRow, inputs }: LinearUnit): Panels {
  return plainPanels(outputs, outputRow, inputs);
}

/** Numbers that 8 bits can stand for, or whole ones with scales. */
function checkWeights(name: string, tensors: ReadonlyMap<string, Tensor>, saved: boolean): void {
  const isScale = (scale: number): boolean => scale >= 0 && scale < Infinity;
  const isWhole = (w: number): boolean => Number.isInteger(w) && Math.abs(w) <= 127;
  const { data } = tensors.get(name)!;
  if (!saved) {
    if (data.every(Number.isFinite)) return;
    const message = `"${name}" holds NaN or infinity, which int8 weights cannot say`;
    throw new GatefoldError('ERR_NON_FINITE', message);
  }
  if (data.every(isWhole) && tensors.get(scaleName(name))!.data.every(isScale)) return;
  const message = `"${name}" expected whole numbers from -127 to 127 and finite scales`;
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
    const { shape, data } = (tensor ?? {}) as Partial<Tensor>;
    if (typeof name !== 'string') return refuse('another kind of collection');
    if (!Array.isArray(shape) || !isOf('Float32Array', data)) return refuse(`another "${name}"`);
    own.set(name, { shape: Array.from(shape as readonly number[]), data });
  }
  // Getters of the caller may have run so far; from here on nothing of his does.
  for (const [name, { shape, data }] of own) {
    own.set(name, { shape, data: owned('Float32Array', data) });
  }
  return own;
}

export function sizeOf({ shape }: Pick<Tensor, 'shape'>): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** The entries whose names begin with the prefix, without it. */
export function below<T>(tensors: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  const found = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
