import { GatefoldError } from '../errors.ts';
import { BASELINE, RELAXED } from '../generated/wasm-bytes.ts';
import { decodeBase64 } from './base64.ts';
import { mayRelax } from './options.ts';
import type { EngineOptions } from './options.ts';

/**
 * The carried kernels that these options ask for: relaxed SIMD where the engine takes the whole module. Asked anew every time,
 * because Node 20 can be told to take it while it runs; V8 compiles the same bytes once.
 */
export function inlineBytes(options: EngineOptions): Uint8Array<ArrayBuffer> {
  const relaxes = mayRelax(options);
  if (typeof WebAssembly !== 'object') {
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      'this host has no WebAssembly (Lockdown Mode and some embedded browsers switch it off)',
    );
  }
  if (relaxes) {
    const bytes = decodeBase64(RELAXED);
    if (WebAssembly.validate(bytes)) return bytes;
  }
  return decodeBase64(BASELINE);
}
