/** The default entry: carries the kernels inside, so that nothing has to be found or fetched. */

import { DEFAULT_MAX_BYTES, Engine as CoreEngine } from '../engine/engine.ts';
import type { CoreEngineOptions } from '../engine/engine.ts';
import { inlineBytes } from './wasm/inline.ts';
import type { EngineOptions } from './wasm/options.ts';

export * from './public.ts';
export type { EngineOptions } from './wasm/options.ts';

function choose(options: EngineOptions): CoreEngineOptions {
  const module = inlineBytes(options);
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

  /** The same at once, for workers and worklets. */
  static override createSync(options: EngineOptions = {}): Engine {
    return super.createSync(choose(options));
  }
}

/**
 * The kernels that an engine with these options would run here: to send to a worker or worklet, as
 * `module` of its engine.
 */
export function wasmBytes(options: Pick<EngineOptions, 'simd'> = {}): Uint8Array<ArrayBuffer> {
  return inlineBytes(options);
}
