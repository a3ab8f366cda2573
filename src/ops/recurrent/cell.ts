import { CELL_GRU_AFTER, CELL_GRU_BEFORE, CELL_OPTIONS } from '../../../assembly/shared/codes.ts';
import type { CellForm, RecurrentLayerSpec } from './form.ts';
import { gruForm } from './gru.ts';
import { lstmForm } from './lstm.ts';
import { optionsOf } from './options.ts';
import { rnnForm } from './rnn.ts';

/** Of one direction of a layer. */
export function cellForm(spec: RecurrentLayerSpec, reverse: boolean): CellForm {
  const form = plainForm(spec);
  const options = optionsOf(spec, reverse);
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

function plainForm(spec: RecurrentLayerSpec): CellForm {
  if (spec.type === 'lstm') return lstmForm(spec);
  return spec.type === 'gru' ? gruForm(spec) : rnnForm(spec);
}
