/**
 * The entry for an AudioWorkletGlobalScope, which has no `fetch`, `atob`, `TextDecoder`, `URL` or
 * `performance`: `core`, and the models that the page sends as bytes.
 */

export * from './core.ts';
export { loadModel } from '../formats/gatefold.ts';
