import * as ort from 'onnxruntime-node';
import { createOnnxruntimePeer } from './onnxruntime.mjs';

export const { name, version, lacks, prepare } = createOnnxruntimePeer(
  ort,
  'onnxruntime-node',
  ort.env.versions.node,
  { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 },
);
