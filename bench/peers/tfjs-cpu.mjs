/** TensorFlow.js on its backend of plain JavaScript. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfjs from './tfjs.mjs';

await tf.setBackend('cpu');

/** Operations beyond which a call takes seconds. */
const MOST = 5e8;

export const name = 'tfjs-cpu';
export const { prepare, version } = tfjs;

export function lacks(benchCase) {
  return tfjs.lacks(benchCase) ?? (benchCase.flops > MOST ? 'too slow' : undefined);
}
