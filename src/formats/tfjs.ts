/** Layers models of TensorFlow.js. */
export { loadTfjs, readTfjs } from './tfjs/read.ts';
export type { Shards, TfjsOptions } from './tfjs/read.ts';
export type { OwnLayers } from './keras/network.ts';
export type { ImportedModel } from './shared/imported.ts';
