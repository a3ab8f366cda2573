import { NONE, Plan, part } from './kernels.ts';
import type { Descriptor, Fields, Kernels, Slot } from './kernels.ts';
import { shifted } from './states.ts';
import type { StatePlace } from './states.ts';
import type { Store } from './store.ts';
import { derivedLength } from './units.ts';
import type { LinearUnit, RecurrentUnit, Unit } from './units.ts';

export interface WorkspaceOptions {
  readonly batch: number;
  /** Most steps of one pass. */
  readonly steps: number;
  /** A vector like the parameters that gradients are added to; the workspace then keeps what the backward pass needs. */
  readonly gradients?: Slot;
}

/** Buffers of one unit. What it does not have, or the pass does not need, is NONE. */
interface Buffers {
  readonly unit: Unit;
  readonly sequence: Descriptor<'Sequence'> | undefined;
  readonly dense: Descriptor<'Dense'> | undefined;
  /** [T + 1, B, Hp] of a recurrent unit: the initial state, then that of every step. */
  readonly h: Slot;
  readonly c: Slot;
  readonly gates: Slot;
  readonly products: Slot;
  /** [T, B, row] of other units. */
  readonly rows: Slot;
  /** Of an embedding: its parameter. */
  readonly table: Slot;
  /** Bytes from row to row of the outputs. */
  readonly row: number;
  /** [T, B, row]: gradient of the outputs; a linear unit's takes the place of the outputs. */
  readonly gradient: Slot;
  /** [B, Hp]: gradient of the last, then of the initial state. */
  readonly dh: Slot;
  readonly dc: Slot;
  /** Zeros, where a kernel reads a recurrent bias that the unit does not have. */
  readonly noBias: Slot;
  readonly wTransposed: Slot;
  readonly rTransposed: Slot;
}

/** Room for passes over a model: the buffers and descriptors of every unit, for a batch and a number of steps fixed at creation. */
export class Workspace {
  readonly batch: number;
  readonly steps: number;
  /** Of the engine's memory. */
  readonly bytes: number;
  /** [T, B, I], or tokens [T, B]. */
  readonly input: Slot;
  /** [T, B, I padded to four], gradient of the inputs. */
  readonly inputGradient: Slot;
  /** Dense outputs or inputs [T, B, *], on their way out or in another order. */
  readonly staging: Slot;
  readonly #offsets: Slot;
  readonly #buffers: readonly Buffers[];
  readonly #recurrent: readonly Buffers[];
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #gradients: Slot | undefined;
  readonly #release: () => void;
  /** Steps that the descriptors are written for. */
  #described = 0;

  constructor(store: Store, options: WorkspaceOptions, purpose: string, owner: object) {
    const { batch, steps, gradients } = options;
    const plan = new Plan();
    const { kernels, units } = store;
    const inputs = units[0]!.inputs;
    this.batch = batch;
    this.steps = steps;
    this.#store = store;
    this.#kernels = kernels;
    this.#gradients = gradients;
    this.input = plan.reserve(steps * batch * inputs);
    this.inputGradient = gradients ? plan.reserve(steps * batch * roundUp4(inputs)) : NONE;
    this.staging = plan.reserve(steps * batch * Math.max(inputs, units.at(-1)!.outputs));
    this.#offsets = plan.reserve(steps + 1);
    const product = plan.descriptor('Product');
    this.#buffers = units.map((unit) =>
      reserve(plan, store, unit, batch, steps, gradients !== undefined),
    );
    this.#recurrent = this.#buffers.filter(({ sequence }) => sequence);
    const block = kernels.arena.allocate(plan.bytes, purpose, owner);
    plan.place(block);
    this.bytes = block.bytes;
    this.#release = () => kernels.arena.free(block);
    kernels.integers(this.#offsets).forEach((_, t, offsets) => (offsets[t] = t * batch));
    this.#buffers.forEach((buffers, index) => this.#describe(buffers, index, product));
    this.prepare();
  }

  dispose(): void {
    this.#release();
  }

  /** The outputs [T, B, row] of the last unit, and the gradient that its backward pass starts from. */
  get output(): Slot {
    return this.#outputOf(this.#buffers.length - 1);
  }

  get outputGradient(): Slot {
    return this.#buffers.at(-1)!.gradient;
  }

  #outputOf(index: number): Slot {
    const { unit, h, rows } = this.#buffers[index]!;
    return unit.kind === 'recurrent' ? part(h, this.batch * unit.outputRow) : rows;
  }

  /** What unit `index` reads and, backwards, where it leaves the gradient of that. */
  #inputOf(index: number): { x: Slot; xRow: number; dx: Slot; dxRow: number } {
    if (index === 0) {
      const { inputs } = this.#store.units[0]!;
      return { x: this.input, xRow: inputs * 4, dx: NONE, dxRow: roundUp4(inputs) * 4 };
    }
    const { unit, gradient } = this.#buffers[index - 1]!;
    const row = unit.outputRow * 4;
    return { x: this.#outputOf(index - 1), xRow: row, dx: gradient, dxRow: row };
  }

  /** Where the states after `step` steps are; step 0 is the initial state. */
  states(step: number): StatePlace[] {
    return this.#recurrent.map(({ unit, h, c }) => {
      const place = { unit: unit as RecurrentUnit, h, c };
      return shifted(place, step * this.batch * unit.outputRow);
    });
  }

  /** Gradients of the last states before `backward`, of the initial ones after it. */
  get stateGradients(): StatePlace[] {
    return this.#recurrent.map(({ unit, dh, dc }) => ({
      unit: unit as RecurrentUnit,
      h: dh,
      c: dc,
    }));
  }

  #describe(buffers: Buffers, index: number, product: Descriptor<'Product'>): void {
    const { unit, sequence, dense } = buffers;
    const common = { ...this.#inputOf(index), inputs: unit.inputs, product };
    if (unit.kind === 'recurrent') this.#describeSequence(unit, buffers, sequence!, common);
    if (unit.kind === 'linear') this.#describeDense(unit, buffers, dense!, common);
  }

  #describeSequence(
    unit: RecurrentUnit,
    buffers: Buffers,
    sequence: Descriptor<'Sequence'>,
    common: Fields<'Sequence'>,
  ): void {
    const stateRow = unit.outputRow * 4;
    const gateRow = unit.gateRow * 4;
    const bias: Fields<'Sequence'> = unit.bias
      ? {
          bias: this.#store.bias(unit),
          biasInput: this.#store.slot(unit, 'biasInput'),
          biasHidden: this.#store.slot(unit, 'biasHidden'),
        }
      : { biasHidden: buffers.noBias };
    this.#kernels.write(sequence, {
      ...common,
      ...bias,
      cell: unit.form.code,
      operand: unit.form.operand,
      batch: this.batch,
      offsets: this.#offsets,
      hidden: unit.hidden,
      padded: unit.padded,
      hiddenBytes: unit.padded * 4,
      columns: unit.columns,
      stateRow,
      operandRow: stateRow,
      gateRow,
      gatesAll: buffers.gates,
      productsAll: buffers.products,
      hAll: buffers.h,
      cAll: buffers.c,
      dyAll: buffers.gradient,
      dh: buffers.dh,
      dc: buffers.dc,
      w: this.#store.slot(unit, 'input'),
      r: this.#store.slot(unit, 'recurrent'),
      wTransposed: buffers.wTransposed,
      rTransposed: buffers.rTransposed,
    });
    const peephole = unit.form.peepholes.length > 0;
    if (peephole) this.#kernels.write(sequence, { peephole: this.#store.slot(unit, 'peephole') });
    if (!this.#gradients) return;
    const gradient = (role: Parameters<Store['slot']>[1]): Slot =>
      this.#store.slot(unit, role, this.#gradients);
    this.#kernels.write(sequence, { dw: gradient('input'), dr: gradient('recurrent') });
    if (peephole) this.#kernels.write(sequence, { dPeephole: gradient('peephole') });
    if (!unit.bias) return;
    const dBiasInput = gradient('biasInput');
    this.#kernels.write(sequence, { dBiasInput, dBiasHidden: gradient('biasHidden') });
  }

  #describeDense(
    unit: LinearUnit,
    buffers: Buffers,
    dense: Descriptor<'Dense'>,
    common: Fields<'Dense'>,
  ): void {
    this.#kernels.write(dense, {
      ...common,
      outputs: unit.outputRow,
      yRow: unit.outputRow * 4,
      y: buffers.rows,
      w: this.#store.slot(unit, 'input'),
      wTransposed: buffers.wTransposed,
    });
    if (unit.bias) this.#kernels.write(dense, { bias: this.#store.slot(unit, 'biasInput') });
    if (!this.#gradients) return;
    this.#kernels.write(dense, { dw: this.#store.slot(unit, 'input', this.#gradients) });
    if (!unit.bias) return;
    this.#kernels.write(dense, { dBias: this.#store.slot(unit, 'biasInput', this.#gradients) });
  }

  /** Derives what the passes need from the parameters; to be called after they have changed. */
  prepare(): void {
    for (const { sequence, dense } of this.#buffers) {
      if (sequence) this.#kernels.run.sequence_prepare(sequence.address);
      if (dense) this.#kernels.run.dense_prepare(dense.address);
    }
  }

  /** Runs `steps` steps from the inputs and initial states in place. Allocates nothing while `steps` stays the same. */
  forward(steps: number): void {
    const { run } = this.#kernels;
    if (steps !== this.#described) this.#describeSteps(steps);
    for (const { sequence, dense, rows, table, row } of this.#buffers) {
      if (sequence) run.sequence_forward(sequence.address);
      else if (dense) run.dense_forward(dense.address);
      else
        run.embedding_forward(
          rows.address,
          table.address,
          this.input.address,
          steps * this.batch,
          row,
        );
    }
  }

  #describeSteps(steps: number): void {
    for (const { sequence, dense } of this.#buffers) {
      if (sequence) this.#kernels.set(sequence, 'steps', steps);
      if (dense) this.#kernels.set(dense, 'rows', steps * this.batch);
    }
    this.#described = steps;
  }

  /** Goes back over the last `forward`, from the gradients of outputs and last states in place. */
  backward(wantsInput: boolean): void {
    const { run } = this.#kernels;
    const rows = this.#described * this.batch;
    for (let index = this.#buffers.length - 1; index >= 0; index--) {
      const { unit, sequence, dense, gradient, row } = this.#buffers[index]!;
      const dx = index > 0 ? this.#inputOf(index).dx : wantsInput ? this.inputGradient : NONE;
      if (sequence) {
        this.#kernels.write(sequence, { dx });
        run.sequence_backward(sequence.address);
      } else if (dense) {
        this.#kernels.write(dense, { dx });
        run.dense_backward(dense.address);
      } else {
        const table = this.#store.slot(unit, 'table', this.#gradients).address;
        run.embedding_backward(table, gradient.address, this.input.address, rows, row);
      }
    }
  }
}

function reserve(
  plan: Plan,
  store: Store,
  unit: Unit,
  batch: number,
  steps: number,
  training: boolean,
): Buffers {
  const rows = batch * steps;
  const { wTransposed, rTransposed } = derivedLength(unit);
  const forTraining = (length: number): Slot => (training && length ? plan.reserve(length) : NONE);
  if (unit.kind !== 'recurrent') {
    const output = plan.reserve(rows * unit.outputRow);
    return {
      unit,
      sequence: undefined,
      dense: unit.kind === 'linear' ? plan.descriptor('Dense') : undefined,
      h: NONE,
      c: NONE,
      gates: NONE,
      products: NONE,
      rows: output,
      table: unit.kind === 'embedding' ? store.slot(unit, 'table') : NONE,
      row: unit.outputRow * 4,
      gradient: unit.kind === 'linear' ? output : forTraining(rows * unit.outputRow),
      dh: NONE,
      dc: NONE,
      noBias: NONE,
      wTransposed: forTraining(wTransposed),
      rTransposed: NONE,
    };
  }
  const { form, outputRow, gateRow } = unit;
  const states = (rows + batch) * outputRow;
  const width = { gates: gateRow, state: outputRow, none: 0 }[form.products];
  return {
    unit,
    sequence: plan.descriptor('Sequence'),
    dense: undefined,
    h: plan.reserve(states),
    c: form.hasCellState ? plan.reserve(states) : NONE,
    gates: plan.reserve(rows * gateRow),
    products: width ? plan.reserve(rows * width) : NONE,
    rows: NONE,
    table: NONE,
    row: unit.outputRow * 4,
    gradient: forTraining(rows * outputRow),
    dh: forTraining(batch * outputRow),
    dc: forTraining(batch * outputRow),
    noBias: unit.bias ? NONE : plan.reserve(unit.columns),
    wTransposed: forTraining(wTransposed),
    rTransposed: forTraining(rTransposed),
  };
}

function roundUp4(n: number): number {
  return Math.ceil(n / 4) * 4;
}
