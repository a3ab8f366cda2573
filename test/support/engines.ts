import { setFlagsFromString } from 'node:v8';
import { DEFAULT_MAX_BYTES } from '../../src/engine/engine.ts';
import { Engine } from '../../src/hosts/default.ts';

// Node 20 has relaxed SIMD behind this flag, later versions have it without.
setFlagsFromString('--experimental-wasm-relaxed-simd');

export type Variant = Engine['variant'];
export const variants: readonly Variant[] = ['baseline', 'relaxed'];

/**
 * An engine of exactly that variant: a host that cannot run it must fail a test, not quietly run
 * the other one twice.
 */
export function createEngine(
  variant: Variant,
  maxBytes: number = DEFAULT_MAX_BYTES,
  wide = false,
): Engine {
  const simd = variant === 'baseline' ? 'deterministic' : 'auto';
  const engine = Engine.createSync({ simd, maxBytes, wide });
  if (engine.variant !== variant)
    throw new Error(`this host gave ${engine.variant} SIMD, not ${variant}`);
  return engine;
}
