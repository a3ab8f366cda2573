/** Models of ONNX. */
export { loadOnnx, readOnnx } from './onnx/read.ts';
export type { OnnxOptions, OnnxValue } from './onnx/read.ts';
export { writeOnnx } from './onnx/write.ts';
export type { OnnxWriteOptions } from './onnx/write.ts';
export type { ImportedModel } from './shared/imported.ts';
