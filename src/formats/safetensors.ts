export { readSafetensors } from './safetensors-read.ts';
export type { ReadOptions, SafetensorsFile, SafetensorsTensor } from './safetensors-read.ts';
export { writeSafetensors } from './safetensors-write.ts';
