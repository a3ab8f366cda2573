import { CELL_LSTM } from '../../assembly/shared/codes.ts';
import { NONE } from '../engine/plan.ts';
import type { Fields, Kernels } from '../engine/kernels.ts';
import type { Descriptor, Plan, Slot } from '../engine/plan.ts';
import type { Store } from './parameters.ts';
import type { RecurrentUnit, Role } from '../ops/units.ts';

/** Buffers of what a layer has beyond its cell; see `Options` in assembly/base/structs.ts. */
export interface OptionBuffers {
  readonly descriptor: Descriptor<'Options'>;
  readonly activations: readonly Descriptor<'Activation'>[];
  readonly slots: Fields<'Options'>;
  /** NONE where nothing is masked. */
  readonly zoneMask: Slot;
  readonly recurrentMask: Slot;
}

/** Reserves them for `batch` rows and M rows of steps. */
export function reserveOptions(
  plan: Plan,
  unit: RecurrentUnit,
  batch: number,
  rows: number,
  training: boolean,
): OptionBuffers | undefined {
  const { options } = unit.form;
  if (!options) return undefined;
  const { kind, projected, layerNorm, zoneout, recurrentDropout } = options;
  const { outputRow, gateRow, padded } = unit;
  const room = (wanted: unknown, length: number): Slot => (wanted ? plan.reserve(length) : NONE);
  const states = rows * outputRow;
  const step = batch * outputRow;
  const isNormalLstm = layerNorm && kind === CELL_LSTM;
  const isMasked = training && recurrentDropout > 0;
  return {
    descriptor: plan.descriptor('Options'),
    activations: [0, 1, 2].map(() => plan.descriptor('Activation')),
    slots: {
      sums: room(training, rows * gateRow),
      operands: room(isMasked, states + step),
      dOperand: room(training, step),
      projectionTransposed: room(training && projected, padded * (projected + 3)),
      unprojected: room(projected, states),
      dUnprojected: room(training, step),
      hatInput: room(layerNorm, rows * gateRow),
      hatHidden: room(layerNorm, rows * gateRow),
      inverseInput: room(layerNorm, rows),
      inverseHidden: room(layerNorm, rows),
      hatCell: room(isNormalLstm, states),
      inverseCell: room(isNormalLstm, rows),
      dCell: room(training, step),
    },
    zoneMask: room(training && zoneout, states),
    recurrentMask: room(isMasked, step),
  };
}

/** Writes the descriptors, without masks. */
export function describeOptions(
  kernels: Kernels,
  store: Store,
  unit: RecurrentUnit,
  { descriptor, activations, slots }: OptionBuffers,
  gradients: Slot | undefined,
): void {
  const { gate, candidate, output, projected, layerNorm, ...rest } = unit.form.options!;
  const { kind, coupled, preactClip, cellClip, projClip, zoneout } = rest;
  [gate, candidate, output].forEach((code, k) => kernels.write(activations[k]!, { ...code }));
  kernels.write(descriptor, {
    ...slots,
    kind,
    coupled: Number(coupled),
    gate: activations[0]!,
    candidate: activations[1]!,
    output: activations[2]!,
    preactClip,
    cellClip,
    projClip,
    renewed: 1 - zoneout,
    projected,
  });
  const parameters: [Role, keyof Fields<'Options'>, keyof Fields<'Options'>, boolean][] = [
    ['projection', 'projection', 'dProjection', projected > 0],
    ['normInput', 'gammaInput', 'dGammaInput', layerNorm],
    ['normHidden', 'gammaHidden', 'dGammaHidden', layerNorm],
    ['normCell', 'gammaCell', 'dGammaCell', layerNorm && kind === CELL_LSTM],
  ];
  for (const [role, value, gradient, isThere] of parameters) {
    if (!isThere) continue;
    kernels.write(descriptor, { [value]: store.slot(unit, role) });
    if (gradients) kernels.write(descriptor, { [gradient]: store.slot(unit, role, gradients) });
  }
}
