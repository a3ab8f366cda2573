import { checkFloats } from './check.ts';
import { GatefoldError } from './errors.ts';
import { Plan, part } from './kernels.ts';
import type { Descriptor, Kernels, Slot } from './kernels.ts';
import { derivedLength, parametersOf } from './units.ts';
import type { LinearUnit, Parameter, RecurrentUnit, Unit } from './units.ts';
import type { StateDict, Tensor } from './types.ts';

/** The parameters of a model in an engine's memory: one flat vector, in the order and layout that the kernels read. */
export class Store {
  readonly kernels: Kernels;
  readonly units: readonly Unit[];
  readonly parameters: readonly Parameter[];
  /** All parameters. Gradients and moments are vectors of the same form. */
  readonly values: Slot;
  /** Whether every output depends on steps before it alone. */
  readonly causal: boolean;
  /** Index of the first unit whose outputs are one row a sequence, behind the last one where there is none. */
  readonly pooledFrom: number;
  /** Counts the changes that did not come through a trainer's own update. */
  version = 0;
  readonly #bias = new Map<Unit, Slot>();
  /** Weights of the tied units in panels. */
  readonly #tied = new Map<LinearUnit, Slot>();
  readonly #descriptors: Descriptor<'Sequence'>[] = [];
  readonly #release: () => void;
  #disposed = false;

  constructor(kernels: Kernels, units: readonly Unit[], owner: object) {
    const { parameters, length } = parametersOf(units);
    const plan = new Plan();
    const recurrent = units.filter((unit) => unit.kind === 'recurrent');
    this.kernels = kernels;
    this.units = units;
    this.causal = !units.some((unit) => unit.kind === 'recurrent' && unit.reverse);
    const pool = units.findIndex((unit) => unit.kind === 'pool');
    this.pooledFrom = pool < 0 ? units.length : pool;
    this.parameters = parameters;
    this.values = plan.reserve(length);
    const summed = recurrent.filter((unit) => derivedLength(unit).bias > 0);
    for (const unit of summed) {
      this.#bias.set(unit, plan.reserve(derivedLength(unit).bias));
      this.#descriptors.push(plan.descriptor('Sequence'));
    }
    for (const unit of units) {
      if (unit.kind === 'linear' && unit.tied)
        this.#tied.set(unit, plan.reserve(derivedLength(unit).w));
    }
    const block = kernels.arena.allocate(plan.bytes, `a model of ${length} parameters`, owner);
    plan.place(block);
    this.#release = () => kernels.arena.free(block);
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
    return this.#tied.get(unit) ?? this.slot(unit, 'input');
  }

  /** Brings the tables to the panels of the units that are tied to them. */
  prepareTied(): void {
    for (const [unit, panels] of this.#tied) this.moveTied(unit, panels, this.values, false);
  }

  /** Panels of a tied unit from its table in a vector, or `back` added to it; they become zero. */
  moveTied({ tied, outputs, inputs }: LinearUnit, panels: Slot, vector: Slot, back: boolean): void {
    const table = this.slot(tied!, 'table', vector);
    const row = tied!.outputRow * 4;
    this.kernels.run.panels_of_table(panels.address, table.address, row, outputs, inputs, back);
  }

  /** Where the parameter of a role is, in the values or in a vector of the same form. */
  slot(unit: Unit, role: Parameter['role'], vector: Slot = this.values): Slot {
    const parameter = this.parameters.find((p) => p.unit === unit && p.role === role)!;
    return part(vector, parameter.offset);
  }

  /** Derives what the forward pass needs; to be called after every change of the values. */
  prepare(): void {
    this.prepareTied();
    for (const descriptor of this.#descriptors)
      this.kernels.run.sequence_prepare(descriptor.address);
  }

  /** A copy of a vector by name, in the shapes that people know. */
  read(vector: Slot): StateDict {
    const staging = this.#staging();
    try {
      return new Map(
        this.parameters.map((parameter) => {
          this.#move(parameter, part(vector, parameter.offset), staging, false);
          const data = this.kernels.floats(staging.slot, 0, sizeOf(parameter)).slice();
          return [parameter.name, { shape: parameter.shape, data }];
        }),
      );
    } finally {
      staging.free();
    }
  }

  /** Refuses all but exactly the names and shapes of the parameters. */
  check(tensors: ReadonlyMap<string, Tensor>): void {
    const missing = this.parameters
      .filter(({ name }) => !tensors.has(name))
      .map(({ name }) => name);
    const known = new Set(this.parameters.map(({ name }) => name));
    const unexpected = [...tensors.keys()].filter((name) => !known.has(name));
    if (missing.length || unexpected.length) {
      const list = (names: string[]): string => names.slice(0, 8).join(', ') || 'none';
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"tensors" expected exactly the parameters of the model; missing: ${list(missing)}; unexpected: ${list(unexpected)}`,
      );
    }
    for (const parameter of this.parameters) {
      const { shape, data } = tensors.get(parameter.name)!;
      const wanted = `[${parameter.shape.join(', ')}]`;
      if (shape.join() !== parameter.shape.join()) {
        throw new GatefoldError(
          'ERR_SHAPE',
          `"${parameter.name}" expected shape ${wanted}, got [${shape.join(', ')}]`,
        );
      }
      checkFloats(parameter.name, data, sizeOf(parameter), wanted);
    }
  }

  /** The other way. Everything is checked before the first number is written. */
  write(vector: Slot, tensors: ReadonlyMap<string, Tensor>): void {
    this.check(tensors);
    const staging = this.#staging();
    for (const parameter of this.parameters) {
      this.kernels
        .floats(staging.slot, 0, sizeOf(parameter))
        .set(tensors.get(parameter.name)!.data);
      this.#move(parameter, part(vector, parameter.offset), staging, true);
    }
    staging.free();
  }

  /** Room for the largest parameter in its plain form. */
  #staging(): { slot: Slot; free: () => void } {
    const plan = new Plan();
    const slot = plan.reserve(Math.max(...this.parameters.map(sizeOf)));
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
    const [a, aRow, b, bRow] = into
      ? [inner.address, form.row * 4, plain, width * 4]
      : [plain, width * 4, inner.address, form.row * 4];
    run.rows_copy(a, 0, aRow, b, 0, bRow, 1, rows, width * 4);
  }

  get disposed(): boolean {
    return this.#disposed;
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

export function sizeOf({ shape }: Pick<Tensor, 'shape'>): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** The entries whose names begin with the prefix, without it. */
export function below(tensors: ReadonlyMap<string, Tensor>, prefix: string): StateDict {
  const found = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
