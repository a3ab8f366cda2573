/** Models of ONNX. */
import { register } from '../ops/index.ts';
import { program } from '../ops/program/program.ts';

export { loadOnnx, readOnnx } from './onnx/read.ts';
export type { OnnxOptions, OnnxValue } from './onnx/read.ts';
export { writeOnnx } from './onnx/write.ts';
export type { OnnxWriteOptions } from './onnx/write.ts';
export type { ImportedModel } from './shared/imported.ts';

// Models that were programs when they were saved need this kind of layer too.
register(program);
