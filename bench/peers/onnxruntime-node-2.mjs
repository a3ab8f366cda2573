import * as ort from 'onnxruntime-node';
import { createOnnxruntimePeer } from './onnxruntime.mjs';

export const { name, version, lacks, prepare } = createOnnxruntimePeer(
  ort,
  'onnxruntime-node-2',
  `${ort.env.versions.node}, 2 threads`,
  { executionProviders: ['cpu'], intraOpNumThreads: 2, interOpNumThreads: 1 },
);
