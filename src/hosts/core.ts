/**
 * The entry without kernels: `Engine.create({ module })` takes one of the package's `.wasm` files,
 * compiled or as bytes.
 */

export { Engine } from '../engine/engine.ts';
export type { CoreEngineOptions } from '../engine/engine.ts';
export * from './public.ts';
