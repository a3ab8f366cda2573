/** TensorFlow.js layers on one of its backends. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  applyTfjsLayers,
  createTfjsLayers,
  missingInTfjs,
  variablesOf,
} from '../../test/peers/tfjs-layer.ts';
import { lacksKind, training } from '../cases.mjs';

export const version = tf.version_core;

export function lacks(benchCase) {
  const { kind, layer } = benchCase;
  const lacking = lacksKind(benchCase);
  if (lacking) return lacking;
  const missing = kind === 'stack' ? 'stack of both directions in one call' : missingInTfjs(layer);
  return missing && `no ${missing}`;
}

/** [T, N, width] to [N, T, width] */
const batchMajor = (values, steps, batch) =>
  tf.tidy(() =>
    tf.transpose(tf.tensor3d(values, [steps, batch, values.length / steps / batch]), [1, 0, 2]),
  );

function inference(layers, initial, { keepsState, steps, batch }, { x }) {
  const input = batchMajor(x, steps, batch);
  let states = initial;
  let output;
  let shape;
  return {
    run() {
      tf.engine().startScope();
      const after = applyTfjsLayers(layers, input, states);
      ({ shape } = after.output);
      output = after.output.dataSync();
      if (keepsState) {
        tf.dispose(states);
        states = after.states.map((state) => tf.keep(state));
      }
      tf.engine().endScope();
    },
    /** Time-major, as everybody else's. */
    result: () => tf.tidy(() => tf.transpose(tf.tensor(output, shape), [1, 0, 2]).dataSync()),
  };
}

function trainingStep(layers, initial, { steps, batch, layer }, data) {
  const x = batchMajor(data.x, steps, batch);
  const target = batchMajor(data.target, steps, batch);
  const variables = variablesOf(layers, layer, layer.type).map(({ variable }) => variable);
  const { learningRate, betas, eps, clipNorm } = training;
  const optimizer = tf.train.adam(learningRate, ...betas, eps);
  let loss;
  return {
    run() {
      tf.engine().startScope();
      const { value, grads } = tf.variableGrads(
        () => tf.losses.meanSquaredError(target, applyTfjsLayers(layers, x, initial).output),
        variables,
      );
      const gradients = Object.values(grads);
      const squares = tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient))));
      const scale = tf.minimum(1, tf.div(clipNorm, tf.add(tf.sqrt(squares), 1e-6)));
      const clipped = Object.entries(grads).map(([key, gradient]) => [
        key,
        tf.mul(gradient, scale),
      ]);
      optimizer.applyGradients(Object.fromEntries(clipped));
      [loss] = value.dataSync();
      tf.engine().endScope();
    },
    result: () => [loss],
  };
}

export function prepare(benchCase, data) {
  const { kind, layer, batch, hiddenSize } = benchCase;
  const layers = createTfjsLayers({ core: tf, layers: tfl }, layer, layer.type, data.parameters);
  const letters = layer.type === 'lstm' ? 2 : 1;
  const initial = Array.from({ length: letters }, () => tf.zeros([batch, hiddenSize]));
  const create = kind === 'training' ? trainingStep : inference;
  const prepared = create(layers, initial, benchCase, data);
  return { ...prepared, dispose: () => layers.forEach((one) => one.dispose()) };
}
