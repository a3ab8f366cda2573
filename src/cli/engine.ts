import { Engine } from '../hosts/default.ts';
import { allowRelaxed } from '../node/fast-lane.ts';

/** Memory for the largest models that a command may hold. */
const MAX_BYTES = 2 ** 30;

export function createEngine(simd: 'auto' | 'deterministic'): Promise<Engine> {
  if (simd === 'auto') allowRelaxed();
  return Engine.create({ simd, maxBytes: MAX_BYTES });
}
