import { setFlagsFromString } from 'node:v8';
import { Engine } from '../hosts/default.ts';

/** Memory for the largest models that a command may hold. */
const MAX_BYTES = 2 ** 30;
/** The Node whose V8 has relaxed SIMD, finished but behind a flag. */
const NODE_WITH_FLAG = 20;

export function createEngine(simd: 'auto' | 'deterministic'): Promise<Engine> {
  if (simd === 'auto' && Number.parseInt(process.versions.node, 10) === NODE_WITH_FLAG) {
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  }
  return Engine.create({ simd, maxBytes: MAX_BYTES });
}
