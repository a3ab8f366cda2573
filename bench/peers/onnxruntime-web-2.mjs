import * as ort from 'onnxruntime-web';
import { createOnnxruntimePeer } from './onnxruntime.mjs';

ort.env.wasm.numThreads = 2;

export const { name, version, lacks, prepare } = createOnnxruntimePeer(
  ort,
  'onnxruntime-web-2',
  `${ort.env.versions.web}, 2 threads`,
  { executionProviders: ['wasm'] },
);
