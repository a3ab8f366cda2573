/**
 * The default entry. It carries the kernels inside, so that nothing has to be found or fetched;
 * for hosts that compile no bytes, the build puts their modules in the place of `wasm/inline.ts`
 * (build/hosts.mjs).
 */

import { GatefoldError } from '../base/errors.ts';
import { Engine as CoreEngine } from '../engine/engine.ts';
import type { CoreEngineOptions } from '../engine/engine.ts';
import { DEFAULT_MAX_BYTES, kernelsFor } from './wasm/inline.ts';
import type { EngineOptions } from './wasm/options.ts';

export * from './public.ts';
export type { EngineOptions } from './wasm/options.ts';

function choose(options: EngineOptions): CoreEngineOptions {
  const module = kernelsFor(options);
  const { maxBytes = DEFAULT_MAX_BYTES, wide = false } = options;
  return { module, maxBytes, wide };
}

/**
 * One WebAssembly instance with its memory: the only owner of what models, streams and trainers
 * hold.
 */
export class Engine extends CoreEngine {
  /**
   * An engine with the kernels that suit this host, or with those that `simd` asks for.
   *
   * @example
   *   const engine = await Engine.create({ simd: 'deterministic', maxBytes: 64 * 2 ** 20 });
   */
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
  const module: CoreEngineOptions['module'] = kernelsFor(options);
  if (ArrayBuffer.isView(module)) return module as Uint8Array<ArrayBuffer>;
  const message = 'this host has modules: import gatefold/wasm/gatefold.wasm';
  throw new GatefoldError('ERR_UNSUPPORTED', message);
}
