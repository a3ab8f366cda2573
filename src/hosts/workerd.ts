/**
 * The entry for Cloudflare Workers, which compile no bytes at run time: the kernels are modules of
 * the deployment.
 */

import { Engine as CoreEngine } from '../engine/engine.ts';
import type { CoreEngineOptions } from '../engine/engine.ts';
import relaxed from './wasm/gatefold-relaxed.wasm';
import baseline from './wasm/gatefold.wasm';
import { mayRelax } from './wasm/options.ts';
import type { EngineOptions } from './wasm/options.ts';

export * from './public.ts';
export type { EngineOptions } from './wasm/options.ts';

/** An isolate has 128 MB for everything. */
const DEFAULT_MAX_BYTES = 32 * 2 ** 20;

function choose(options: EngineOptions): CoreEngineOptions {
  const module = mayRelax(options) ? relaxed : baseline;
  const { maxBytes = DEFAULT_MAX_BYTES, wide = false } = options;
  return { module, maxBytes, wide };
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
