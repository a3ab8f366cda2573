import { NONE } from '../engine/plan.ts';
import type { Descriptor, Plan, Slot } from '../engine/plan.ts';
import type { Store } from './parameters.ts';
import { reserveOptions } from './option-buffers.ts';
import type { OptionBuffers } from './option-buffers.ts';
import { derivedLength } from '../ops/units.ts';
import type { RecurrentUnit, Unit } from '../ops/units.ts';

/** Buffers of one unit for M rows. What it does not have, or the pass does not need, is NONE. */
export interface Buffers {
  readonly unit: Unit;
  readonly sequence: Descriptor<'Sequence'> | undefined;
  readonly dense: Descriptor<'Dense'> | undefined;
  /** Of weights of 8 bits: of the input, and of a recurrent unit the recurrent ones. */
  readonly int8: readonly Descriptor<'Int8Product'>[];
  readonly options: OptionBuffers | undefined;
  /** [B + M, Hp] of a recurrent unit: the initial state, then that of every step. */
  readonly h: Slot;
  readonly c: Slot;
  /** [B, Hp]: the last state of every row, where rows differ in length. */
  readonly lastH: Slot;
  readonly lastC: Slot;
  readonly gates: Slot;
  readonly products: Slot;
  /**
   * [M, row]: outputs of other units; of a reverse one its outputs at the places of their inputs.
   */
  readonly rows: Slot;
  /** [M, I] of a reverse unit: its inputs from the end, and their gradient. */
  readonly reversed: Slot;
  readonly reversedGradient: Slot;
  /** Of a dropout: [M, row] or [B, row]. */
  readonly mask: Slot;
  /** Of an embedding: its parameter. */
  readonly table: Slot;
  /** Bytes from row to row of the outputs. */
  readonly row: number;
  /** [M, row]: gradient of the outputs; a linear unit's takes the place of the outputs. */
  readonly gradient: Slot;
  /**
   * [M, row]: of a reverse unit the same in its own order, of other recurrent ones that very
   * gradient.
   */
  readonly stepGradient: Slot;
  /** [B, Hp]: gradient of the last, then of the initial state. */
  readonly dh: Slot;
  readonly dc: Slot;
  /** [B, Hp]: what `Workspace.flow` measures; [T, 2] f64 of it. */
  readonly dhSeen: Slot;
  readonly dcSeen: Slot;
  readonly norms: Slot;
  /** Zeros, where a kernel reads a recurrent bias that the unit does not have. */
  readonly noBias: Slot;
  readonly wTransposed: Slot;
  readonly rTransposed: Slot;
  /** Gradient of the weight of a tied unit, until it is added to that of the table. */
  readonly dTied: Slot;
}

const NOTHING = {
  sequence: undefined,
  dense: undefined,
  int8: [],
  options: undefined,
  h: NONE,
  c: NONE,
  lastH: NONE,
  lastC: NONE,
  gates: NONE,
  products: NONE,
  reversed: NONE,
  reversedGradient: NONE,
  mask: NONE,
  table: NONE,
  stepGradient: NONE,
  dh: NONE,
  dc: NONE,
  dhSeen: NONE,
  dcSeen: NONE,
  norms: NONE,
  noBias: NONE,
  wTransposed: NONE,
  rTransposed: NONE,
  dTied: NONE,
} as const;

/** Reserves what a unit needs for `batch` rows of `steps` steps. */
export function reserveBuffers(
  plan: Plan,
  store: Store,
  unit: Unit,
  batch: number,
  steps: number,
  training: boolean,
): Buffers {
  const rows = batch * steps;
  const forTraining = (length: number): Slot => (training && length ? plan.reserve(length) : NONE);
  if (unit.kind === 'recurrent') {
    const options = reserveOptions(plan, unit, batch, rows, training);
    const int8 = store.int8 ? [0, 1].map(() => plan.descriptor('Int8Product')) : [];
    return { ...reserveRecurrent(plan, unit, batch, rows, forTraining), options, int8 };
  }
  const isDropout = unit.kind === 'dropout';
  const length = rows * unit.outputRow;
  const output = isDropout ? forTraining(length) : plan.reserve(length);
  return {
    ...NOTHING,
    unit,
    dense: unit.kind === 'linear' ? plan.descriptor('Dense') : undefined,
    int8: unit.kind === 'linear' && store.int8 ? [plan.descriptor('Int8Product')] : [],
    rows: output,
    mask: isDropout ? forTraining(unit.fixed ? batch * unit.outputRow : length) : NONE,
    table: unit.kind === 'embedding' ? store.slot(unit, 'table') : NONE,
    row: unit.outputRow * 4,
    gradient: unit.kind === 'linear' ? output : forTraining(rows * unit.outputRow),
    wTransposed: forTraining(derivedLength(unit).wTransposed),
    dTied: forTraining(derivedLength(unit).w),
  };
}

function reserveRecurrent(
  plan: Plan,
  unit: RecurrentUnit,
  batch: number,
  rows: number,
  forTraining: (length: number) => Slot,
): Omit<Buffers, 'options' | 'int8'> {
  const { form, outputRow, gateRow, reverse, inputs } = unit;
  const { wTransposed, rTransposed } = derivedLength(unit);
  const states = (rows + batch) * outputRow;
  const cell = form.hasCellState ? 1 : 0;
  const width = { gates: gateRow, state: outputRow, none: 0 }[form.products];
  const gradient = forTraining(rows * outputRow);
  const optional = (length: number): Slot => (length ? plan.reserve(length) : NONE);
  return {
    unit,
    sequence: plan.descriptor('Sequence'),
    dense: undefined,
    h: plan.reserve(states),
    c: optional(cell * states),
    lastH: plan.reserve(batch * outputRow),
    lastC: optional(cell * batch * outputRow),
    gates: plan.reserve(rows * gateRow),
    products: optional(rows * width),
    rows: optional(reverse ? rows * outputRow : 0),
    reversed: optional(reverse ? rows * inputs : 0),
    reversedGradient: forTraining(reverse ? rows * roundUp4(inputs) : 0),
    mask: NONE,
    table: NONE,
    row: outputRow * 4,
    gradient,
    stepGradient: reverse ? forTraining(rows * outputRow) : gradient,
    dh: forTraining(batch * outputRow),
    dc: forTraining(batch * outputRow),
    dhSeen: forTraining(batch * outputRow),
    dcSeen: forTraining(cell * batch * outputRow),
    norms: forTraining((4 * rows) / batch),
    noBias: unit.bias ? NONE : plan.reserve(unit.columns),
    wTransposed: forTraining(wTransposed),
    rTransposed: forTraining(rTransposed),
    dTied: NONE,
  };
}

export function roundUp4(n: number): number {
  return Math.ceil(n / 4) * 4;
}
