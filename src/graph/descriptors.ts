import type { Buffers } from './buffers.ts';
import type { Fields, Kernels } from '../engine/kernels.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import { describeOptions } from './option-buffers.ts';
import type { Store } from './parameters.ts';
import type { LinearUnit, RecurrentUnit } from '../ops/units.ts';
import type { WorkspaceLayout } from './workspace-plan.ts';

/** What the units of a workspace have in common. */
export interface Surroundings {
  readonly kernels: Kernels;
  readonly store: Store;
  readonly layout: WorkspaceLayout;
  readonly batch: number;
  /** Where gradients are added, like the parameters. */
  readonly gradients: Slot | undefined;
  /** Bound of the gradient of every gate's sum. */
  readonly gradientLimit: number;
}

/** What a unit reads, and where backwards it leaves the gradient of that; rows in bytes. */
export interface Reads {
  readonly x: Slot;
  readonly xRow: number;
  readonly dx: Slot;
  readonly dxRow: number;
}

/** Writes the descriptors of a unit: its sizes, its parameters, its buffers. */
export function describeUnit(around: Surroundings, buffers: Buffers, reads: Reads): void {
  const { unit, sequence, dense } = buffers;
  const common = { ...reads, inputs: unit.inputs, product: around.layout.product };
  if (unit.kind === 'recurrent') describeSequence(around, unit, buffers, sequence!, common);
  if (unit.kind === 'linear') describeDense(around, unit, buffers, dense!, common);
  describeInt8(around, buffers);
}

function describeSequence(
  { kernels, store, layout, batch, gradients, gradientLimit }: Surroundings,
  unit: RecurrentUnit,
  buffers: Buffers,
  sequence: Descriptor<'Sequence'>,
  common: Fields<'Sequence'>,
): void {
  const stateRow = unit.outputRow * 4;
  const gateRow = unit.gateRow * 4;
  const bias: Fields<'Sequence'> = unit.bias
    ? {
        bias: store.bias(unit),
        biasInput: store.slot(unit, 'biasInput'),
        biasHidden: store.slot(unit, 'biasHidden'),
      }
    : { biasHidden: buffers.noBias };
  kernels.write(sequence, {
    ...common,
    ...bias,
    cell: unit.form.code,
    operand: unit.form.operand,
    batch,
    until: batch,
    offsets: layout.offsets,
    hidden: unit.hidden,
    depth: unit.depth,
    padded: unit.padded,
    hiddenBytes: unit.padded * 4,
    columns: unit.columns,
    stateRow,
    gateRow,
    gatesAll: buffers.gates,
    productsAll: buffers.products,
    productRow: unit.form.products === 'gates' ? gateRow : stateRow,
    hAll: buffers.h,
    cAll: buffers.c,
    dyAll: buffers.stepGradient,
    dh: buffers.dh,
    dc: buffers.dc,
    gradientLimit,
    w: store.slot(unit, 'input'),
    r: store.slot(unit, 'recurrent'),
    wTransposed: buffers.wTransposed,
    rTransposed: buffers.rTransposed,
  });
  const { options } = buffers;
  if (options) {
    describeOptions(kernels, store, unit, options, gradients);
    kernels.write(sequence, { options: options.descriptor });
  }
  const peephole = unit.form.peepholes.length > 0;
  if (peephole) kernels.write(sequence, { peephole: store.slot(unit, 'peephole') });
  if (!gradients) return;
  const gradient = (role: Parameters<Store['slot']>[1]): Slot => store.slot(unit, role, gradients);
  kernels.write(sequence, { dw: gradient('input'), dr: gradient('recurrent') });
  if (peephole) kernels.write(sequence, { dPeephole: gradient('peephole') });
  if (!unit.bias) return;
  const dBiasInput = gradient('biasInput');
  kernels.write(sequence, { dBiasInput, dBiasHidden: gradient('biasHidden') });
}

function describeDense(
  { kernels, store, gradients }: Surroundings,
  unit: LinearUnit,
  buffers: Buffers,
  dense: Descriptor<'Dense'>,
  common: Fields<'Dense'>,
): void {
  kernels.write(dense, {
    ...common,
    outputs: unit.outputRow,
    yRow: unit.outputRow * 4,
    y: buffers.rows,
    w: store.weight(unit),
    wTransposed: buffers.wTransposed,
  });
  if (unit.bias) kernels.write(dense, { bias: store.slot(unit, 'biasInput') });
  if (!gradients) return;
  const dw = unit.tied ? buffers.dTied : store.slot(unit, 'input', gradients);
  kernels.write(dense, { dw });
  if (!unit.bias) return;
  kernels.write(dense, { dBias: store.slot(unit, 'biasInput', gradients) });
}

/** Points a unit at its products with weights of 8 bits, where it has them. */
function describeInt8(
  { kernels, store, layout }: Surroundings,
  { unit, sequence, dense, int8 }: Buffers,
): void {
  const [input, recurrent] = int8;
  if (!input) return;
  kernels.write(input, { ...store.int8Fields(unit, 'input'), ...layout.int8 });
  if (dense) kernels.write(dense, { int8: input });
  if (!sequence || !recurrent) return;
  const fields = store.int8Fields(unit, 'recurrent');
  kernels.write(recurrent, { ...fields, ...layout.int8 });
  kernels.write(sequence, { inputInt8: input, ...(fields && { recurrentInt8: recurrent }) });
}
