/**
 * Kernels for edge runtimes of the `?module` convention (Vercel, Nitro): the baseline ones only.
 * An import that does not validate ends the whole program, and `next dev` on Node 20 would refuse
 * relaxed SIMD.
 */

import baseline from '../wasm/gatefold.wasm?module';
import { mayRelax } from './options.ts';
import type { EngineOptions } from './options.ts';

/** An isolate has 128 MB for everything. */
export const DEFAULT_MAX_BYTES: number = 32 * 2 ** 20;

export function kernelsFor(options: EngineOptions): WebAssembly.Module {
  mayRelax(options);
  return baseline;
}
