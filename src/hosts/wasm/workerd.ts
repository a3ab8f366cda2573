/**
 * Kernels for Cloudflare Workers, which compile no bytes at run time: they are modules of the
 * deployment.
 */

import relaxed from '../wasm/gatefold-relaxed.wasm';
import baseline from '../wasm/gatefold.wasm';
import { mayRelax } from './options.ts';
import type { EngineOptions } from './options.ts';

/** An isolate has 128 MB for everything. */
export const DEFAULT_MAX_BYTES: number = 32 * 2 ** 20;

export function kernelsFor(options: EngineOptions): WebAssembly.Module {
  return mayRelax(options) ? relaxed : baseline;
}
