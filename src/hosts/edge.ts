/**
 * The entry for edge runtimes of the `?module` convention (Vercel, Nitro). It brings the baseline
 * kernels only: an import that does not validate ends the whole program, and `next dev` on Node 20
 * would refuse relaxed SIMD.
 */

import { Engine as CoreEngine } from '../engine/engine.ts';
import type { CoreEngineOptions } from '../engine/engine.ts';
import baseline from './wasm/gatefold.wasm?module';
import { mayRelax } from './wasm/options.ts';
import type { EngineOptions } from './wasm/options.ts';

export * from './public.ts';
export type { EngineOptions } from './wasm/options.ts';

/** An isolate has 128 MB for everything. */
const DEFAULT_MAX_BYTES = 32 * 2 ** 20;

function choose(options: EngineOptions): CoreEngineOptions {
  mayRelax(options);
  const { maxBytes = DEFAULT_MAX_BYTES, wide = false } = options;
  return { module: baseline, maxBytes, wide };
}

/**
 * One WebAssembly instance with its memory: the only owner of what models, streams and trainers
 * hold.
 */
export class Engine extends CoreEngine {
  static override async create(options: EngineOptions = {}): Promise<Engine> {
    return super.create(choose(options));
  }

  static override createSync(options: EngineOptions = {}): Engine {
    return super.createSync(choose(options));
  }
}
