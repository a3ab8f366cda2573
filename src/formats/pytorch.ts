export { describeModule, loadPytorch, readPytorch } from './pytorch/read.ts';
export type { PytorchFile, PytorchOptions, PytorchSource } from './pytorch/read.ts';
export type { Rename } from './pytorch/fit.ts';
export type { PytorchModule } from './pytorch/modules.ts';
