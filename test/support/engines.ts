import { setFlagsFromString } from 'node:v8';
import { DEFAULT_MAX_BYTES } from '../../src/engine/engine.ts';
import { Engine } from '../../src/hosts/default.ts';

// Node 20 has relaxed SIMD behind this flag, later versions have it without.
setFlagsFromString('--experimental-wasm-relaxed-simd');

export type Variant = Engine['variant'];
export const variants: readonly Variant[] = ['baseline', 'relaxed'];

/** What is made on a host of another V8: tiles go by its version. */
export function onV8<T>(v8: string, make: () => T): T {
  const { versions } = process;
  const value = (own: unknown): PropertyDescriptor => ({ value: own, configurable: true });
  Object.defineProperty(process, 'versions', value({ ...versions, v8 }));
  try {
    return make();
  } finally {
    Object.defineProperty(process, 'versions', value(versions));
  }
}

/**
 * An engine of exactly that variant: a host that cannot run it must fail a test, not quietly run
 * the other one twice.
 */
export function createEngine(
  variant: Variant,
  maxBytes: number = DEFAULT_MAX_BYTES,
  tiles: 'usual' | 'wide' | 'small' = 'usual',
): Engine {
  const simd = variant === 'baseline' ? 'deterministic' : 'auto';
  const create = (): Engine => Engine.createSync({ simd, maxBytes, wide: tiles === 'wide' });
  const engine = onV8(tiles === 'small' ? '12.4' : '13.6', create);
  if (engine.variant !== variant)
    throw new Error(`this host gave ${engine.variant} SIMD, not ${variant}`);
  return engine;
}
