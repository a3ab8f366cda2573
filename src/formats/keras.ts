/** Models of Keras, in `.h5` and `.keras` files. */
export { loadKeras, readKeras } from './keras/read.ts';
export type { KerasOptions } from './keras/read.ts';
export type { OwnLayers } from './keras/network.ts';
export type { ImportedModel } from './shared/imported.ts';
