/**
 * `gatefold/browser`: what pages need around a model. Files in IndexedDB and from the network, a
 * model in a Worker, a model in the audio thread. It takes and gives the bytes of files, so that it
 * brings no more of this package than its kernels.
 */

export { ByteStore } from './store.ts';
export { fetchBytes } from './fetch.ts';
export type { FetchOptions, FetchProgress } from './fetch.ts';
export { createWorkerModel } from './worker-model.ts';
export type {
  WorkerForwardOptions,
  WorkerModel,
  WorkerModelOptions,
  WorkerStream,
} from './worker-model.ts';
export { createWorkletNode } from './worklet-node.ts';
export type { ModelNode, WorkletFacts, WorkletNodeOptions } from './worklet-node.ts';
export { GatefoldError } from '../base/errors.ts';
export type { ErrorCode } from '../base/errors.ts';
