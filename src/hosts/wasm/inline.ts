import { KERNELS } from '../../engine/generated/wasm-bytes.ts';
import { mayRelax } from './options.ts';
import type { EngineOptions } from './options.ts';
import { decodeBytes } from './text.ts';

export { DEFAULT_MAX_BYTES } from '../../engine/engine.ts';

/** Of the baseline (0) or the relaxed variant (1). */
function kernels(variant: 0 | 1): Uint8Array<ArrayBuffer> {
  return decodeBytes(KERNELS.filter((_, k) => k % 2 === variant).join(''));
}

/**
 * The carried kernels that these options ask for: relaxed SIMD where the engine takes the whole
 * module. Asked every time, because Node 20 can be told to take it while it runs; V8 compiles
 * the same bytes once.
 */
export function kernelsFor(options: EngineOptions): Uint8Array<ArrayBuffer> {
  if (mayRelax(options) && typeof WebAssembly === 'object') {
    const bytes = kernels(1);
    if (WebAssembly.validate(bytes)) return bytes;
  }
  return kernels(0);
}
