import * as ort from 'onnxruntime-web';
import { createOnnxruntimePeer } from './onnxruntime.mjs';

ort.env.wasm.numThreads = 1;

export const { name, version, lacks, prepare } = createOnnxruntimePeer(
  ort,
  'onnxruntime-web',
  ort.env.versions.web,
  { executionProviders: ['wasm'] },
);
