import { checkList } from '../base/check.ts';
import type { LayerSpec } from './index.ts';

/**
 * Layers that stand outside of the call that takes them: the list itself, whose types stay as they
 * are written (`'lstm'` rather than `string`).
 *
 * @example
 *   const layers = defineLayers([{ type: 'gru', inputSize: 1, hiddenSize: 8 }]);
 *   const model = Model.create(engine, { layers });
 */
export function defineLayers<const Layers extends readonly LayerSpec[]>(layers: Layers): Layers {
  return checkList('layers', layers);
}
