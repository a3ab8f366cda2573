import { BASELINE, RELAXED } from '../generated/wasm-bytes.ts';
import { mayRelax } from './options.ts';
import type { EngineOptions } from './options.ts';
import { decodeBytes } from './text.ts';

/**
 * The carried kernels that these options ask for: relaxed SIMD where the engine takes the whole module. Asked anew every time,
 * because Node 20 can be told to take it while it runs; V8 compiles the same bytes once.
 */
export function inlineBytes(options: EngineOptions): Uint8Array<ArrayBuffer> {
  if (mayRelax(options) && typeof WebAssembly === 'object') {
    const bytes = decodeBytes(RELAXED);
    if (WebAssembly.validate(bytes)) return bytes;
  }
  return decodeBytes(BASELINE);
}
