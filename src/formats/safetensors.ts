export { loadModel, loadPytorch, loadTrainer, saveModel, saveTrainer } from './models.ts';
export type { Extras, Source, TrainerExtras } from './models.ts';
export { readSafetensors } from './safetensors-read.ts';
export type { ReadOptions, SafetensorsFile, SafetensorsTensor } from './safetensors-read.ts';
export { writeSafetensors } from './safetensors-write.ts';
