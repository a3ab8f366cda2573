import { GatefoldError, shorten } from '../../base/errors.ts';
import { parametersOf } from '../../graph/layout.ts';
import { lower } from '../../graph/graph.ts';
import { complete } from '../../ops/description.ts';
import type { ImportedModel } from './imported.ts';

/** Refuses a model whose tensors are not those of its layers, before an engine takes any memory. */
export function checkImported({ description, tensors }: ImportedModel): void {
  const { parameters } = parametersOf(lower(complete(description)), description);
  const wanted = new Set<string>();
  for (const { name, shape } of parameters) {
    wanted.add(name);
    const tensor = tensors.get(name);
    if (!tensor) throw misfit(`"${shorten(name)}" is missing`);
    const isSame =
      tensor.shape.length === shape.length && shape.every((n, k) => n === tensor.shape[k]);
    const [own, want] = [tensor.shape, shape].map((sizes) => `[${sizes.join(', ')}]`);
    if (!isSame) throw misfit(`"${shorten(name)}" expected the shape ${want}, got ${own}`);
  }
  for (const name of tensors.keys()) {
    if (!wanted.has(name)) throw misfit(`no layer has "${shorten(name)}"`);
  }
}

const misfit = (problem: string): GatefoldError => new GatefoldError('ERR_SHAPE', problem);
