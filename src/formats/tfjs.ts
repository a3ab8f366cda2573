/** Layers models of TensorFlow.js. */
export { writeTfjs } from './tfjs/write.ts';
export type { TfjsFiles } from './tfjs/write.ts';
export { loadTfjs, readTfjs } from './tfjs/read.ts';
export type { Shards, TfjsOptions } from './tfjs/read.ts';
export type { OwnLayers } from './keras/network.ts';
export type { ImportedModel } from './shared/imported.ts';
