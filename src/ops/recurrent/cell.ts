import type { CellForm, CellKind } from './form.ts';
import { optionsOf } from './options.ts';
import type { CellSpec } from './specs.ts';

/** Of one direction of a layer. */
export function cellForm(cell: CellKind, spec: CellSpec, reverse: boolean): CellForm {
  const form = cell.form(spec);
  const { policy, options } = optionsOf(cell, spec, reverse);
  if (!options) return { ...form, policy };
  return { ...form, policy, options, products: options.layerNorm ? 'gates' : form.products };
}
