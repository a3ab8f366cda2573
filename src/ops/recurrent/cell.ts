import { CELL_GRU_AFTER, CELL_GRU_BEFORE, CELL_OPTIONS } from '../../../assembly/shared/codes.ts';
import type { CellForm, CellKind } from './form.ts';
import { optionsOf } from './options.ts';
import type { RecurrentLayerSpec } from './specs.ts';

/** Of one direction of a layer. */
export function cellForm(cell: CellKind, spec: RecurrentLayerSpec, reverse: boolean): CellForm {
  const form = cell.form(spec);
  const options = optionsOf(cell, spec, reverse);
  if (!options) return form;
  const { kind, layerNorm } = options;
  const isAfter = kind === CELL_GRU_AFTER;
  const narrow = kind === CELL_GRU_BEFORE ? 'state' : 'none';
  return {
    ...form,
    code: CELL_OPTIONS,
    unit: 16,
    panelVectors: 4,
    products: isAfter || layerNorm ? 'gates' : narrow,
    biasApart: isAfter,
    options,
  };
}
