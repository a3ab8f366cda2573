import { roundUp } from '../../base/check.ts';
import { NONE } from '../../engine/plan.ts';
import type { Fields } from '../../engine/kernels.ts';
import type { Descriptor, Plan, Slot } from '../../engine/plan.ts';
import { MASK_RECURRENT, MASK_ZONEOUT, Mask } from '../masks.ts';
import type { Draw } from '../masks.ts';
import type { PassSize, Places } from '../op.ts';
import type { Extent } from '../pass.ts';
import type { CellForm } from './form.ts';

/** Buffers of what a layer has beyond its cell; see `Options` in assembly/base/structs.ts. */
export interface OptionBuffers {
  readonly descriptor: Descriptor<'Options'>;
  /** Writes the descriptors, without masks. */
  describe(): void;
  /** Draws the masks of a pass; without a draw nothing is masked. */
  mask(extent: Extent, draw: Draw | undefined): void;
}

/** Sizes of the layer. */
interface Sizes {
  readonly form: CellForm;
  readonly outputs: number;
  readonly hidden: number;
  readonly depth: number;
  readonly stateRow: number;
  readonly gateRow: number;
}

/** Parameters of the options, the matrix first: their fields, and those of their gradients. */
const PARAMETERS: readonly [string, keyof Fields<'Options'>, keyof Fields<'Options'>][] = [
  ['projection', 'projection', 'dProjection'],
  ['normInput', 'gammaInput', 'dGammaInput'],
  ['normHidden', 'gammaHidden', 'dGammaHidden'],
  ['normCell', 'gammaCell', 'dGammaCell'],
];

/** Reserves them; `undefined` where the cell has no option. */
export function reserveOptions(
  plan: Plan,
  at: Places,
  { form, outputs, hidden, depth, stateRow, gateRow }: Sizes,
  { batch, steps, mode }: PassSize,
): OptionBuffers | undefined {
  const { options } = form;
  if (!options) return undefined;
  const { kernels } = at;
  const { projected, layerNorm, zoneout, recurrentDropout, keepsSums } = options;
  const isTraining = mode === 'train';
  const room = (wanted: unknown, length: number): Slot => (wanted ? plan.reserve(length) : NONE);
  const rows = batch * steps;
  const states = rows * stateRow;
  const step = batch * stateRow;
  const isNormalCell = layerNorm && form.hasCellState;
  const isMasked = isTraining && recurrentDropout > 0;
  const descriptor = plan.descriptor('Options');
  const activations = [0, 1, 2].map(() => plan.descriptor('Activation'));
  const slots = {
    sums: room(isTraining && keepsSums, rows * gateRow),
    operands: room(isMasked, states + step),
    dOperand: room(isMasked, step),
    projectionTransposed: room(
      isTraining && projected,
      roundUp(hidden, 16) * roundUp(projected, 4),
    ),
    unprojected: room(projected, states),
    dUnprojected: room(isTraining && (projected || zoneout), step),
    hatInput: room(layerNorm, rows * gateRow),
    hatHidden: room(layerNorm, rows * gateRow),
    inverseInput: room(layerNorm, rows),
    inverseHidden: room(layerNorm, rows),
    hatCell: room(isNormalCell, states),
    inverseCell: room(isNormalCell, rows),
    dCell: room(isTraining && form.hasCellState, step),
  };
  const mask = (kind: number, rate: number, width: number, value: number, fixed: boolean) =>
    isTraining && rate
      ? new Mask(plan, batch, steps, {
          width,
          row: stateRow,
          stream: at.stream + kind,
          fixed,
          rate,
          value,
        })
      : undefined;
  const zone = mask(MASK_ZONEOUT, zoneout, outputs, 1, false);
  const isThere = [projected > 0, layerNorm, layerNorm, isNormalCell];
  const dProjectionRest = isTraining && projected ? at.rest('projection') : NONE;
  const gradients = PARAMETERS.map(([role], k) =>
    isTraining && k && isThere[k] ? at.sums(role) : undefined,
  );
  const rate = recurrentDropout;
  const recurrent = mask(MASK_RECURRENT, rate, depth, 1 / (1 - rate), true);
  return {
    descriptor,
    describe() {
      const { gate, candidate, output } = options;
      const { preactClip, cellClip, projClip } = options;
      [gate, candidate, output].forEach((code, k) => kernels.write(activations[k]!, { ...code }));
      kernels.write(descriptor, {
        ...slots,
        gate: activations[0]!,
        candidate: activations[1]!,
        output: activations[2]!,
        preactClip,
        cellClip,
        projClip,
        renewed: 1 - zoneout,
        projected,
        dProjectionRest,
      });
      PARAMETERS.forEach(([role, value, gradient], k) => {
        if (!isThere[k]) return;
        kernels.write(descriptor, { [value]: at.parameter(role) });
        if (!isTraining) return;
        kernels.write(descriptor, { [gradient]: gradients[k] ?? at.gradient(role) });
      });
      zone?.describe(kernels);
      recurrent?.describe(kernels);
    },
    mask(extent, draw) {
      if (draw) zone?.draw(kernels, extent, draw);
      if (draw) recurrent?.draw(kernels, extent, draw);
      const zoneMask = (draw && zone?.slot) ?? NONE;
      kernels.write(descriptor, { zoneMask, recurrentMask: (draw && recurrent?.slot) ?? NONE });
    },
  };
}
