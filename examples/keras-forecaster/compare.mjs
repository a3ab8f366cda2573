// The same weights in TensorFlow.js, from the files that were written for it.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Trainer } from 'gatefold';

/** The median milliseconds of calls that take half a second together. */
async function median(call) {
  const times = [];
  for (let spent = 0; spent < 500 || times.length < 5; spent += times.at(-1)) {
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** The kilobytes of a program as one file for a page. */
async function weigh(contents) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['node:*'],
    logLevel: 'error',
    write: false,
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length / 1024;
}

/** The files of a layers model, as `tf.loadLayersModel('model.json')` would load them in a page. */
async function loadLayers({ 'model.json': json, 'weights.bin': weights }) {
  const tf = await import('@tensorflow/tfjs-core');
  const { loadLayersModel } = await import('@tensorflow/tfjs-layers');
  await import('@tensorflow/tfjs-backend-cpu');
  tf.env().set('IS_TEST', true); // Else it advertises its native package.
  await tf.setBackend('cpu');
  const { modelTopology, weightsManifest } = JSON.parse(Buffer.from(json));
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const weightData = Uint8Array.from(weights).buffer;
  const layers = await loadLayersModel(
    tf.io.fromMemory({ modelTopology, weightSpecs, weightData }),
  );
  return { tf, layers };
}

/** Forecasts, training and size of gatefold and of TensorFlow.js, and how far they are apart. */
export async function compare({ model, future, features, steps, horizon }, files) {
  const { tf, layers } = await loadLayers(files);
  const { batch } = future;
  const { inputs, targets } = future.window(0);
  /** [T, B, F], as gatefold has it, to [B, T, F] */
  const turned = (values, size) =>
    tf.tidy(() =>
      tf.transpose(tf.tensor(values, [values.length / batch / size, batch, size]), [1, 0, 2]),
    );
  const x = turned(inputs, features);
  const [one, row] = [tf.slice(x, 0, 1), Float32Array.from(tf.slice(x, 0, 1).dataSync())];
  const { output } = model.forward(x.dataSync(), { steps, batch, batchFirst: true });
  const theirs = layers.predict(x).dataSync();
  const difference = output.reduce((most, y, k) => Math.max(most, Math.abs(y - theirs[k])), 0);
  const forecasts = [
    await median(() => model.forward(row, { steps })),
    await median(() => tf.tidy(() => layers.predict(one).dataSync())),
  ];

  // Training changes the weights: it comes last.
  const target = model.pooled ? tf.tensor(targets, [batch, horizon]) : turned(targets, horizon);
  layers.compile({ optimizer: 'adam', loss: 'meanAbsoluteError' });
  const trainer = Trainer.create(model, { batch, steps, loss: 'mae' });
  const trainings = [
    await median(() => trainer.trainOn(inputs, targets)),
    await median(() => layers.trainOnBatch(x, target)),
  ];
  const sizes = [
    await weigh(`export { Engine, Trainer } from 'gatefold';
      export { loadKeras } from 'gatefold/formats/keras';`),
    await weigh(`import '@tensorflow/tfjs-backend-cpu';
      export { loadLayersModel } from '@tensorflow/tfjs-layers';`),
  ];
  const programs = ['gatefold', 'TensorFlow.js, cpu'].map((name, k) => {
    return [name, forecasts[k].toFixed(3), (trainings[k] / batch).toFixed(3), sizes[k].toFixed(0)];
  });
  return { programs, difference };
}
