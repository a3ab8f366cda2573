export { loadModel, loadTrainer, saveModel, saveTrainer } from './gatefold.ts';
export type { Extras, Source, TrainerExtras } from './gatefold.ts';
export { readSafetensors } from './safetensors/read.ts';
export type {
  ReadOptions,
  SafetensorsFile,
  SafetensorsTensor,
  SkippedTensor,
} from './safetensors/read.ts';
export { writeSafetensors } from './safetensors/write.ts';
