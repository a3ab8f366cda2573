// The same weights in TensorFlow.js, from the files that were written for it.
import { gzipSync } from 'node:zlib';
import { Trainer } from 'gatefold';

const root = new URL('../..', import.meta.url).pathname;

/** The median milliseconds of calls that take about so long together. */
async function median(call, totalMs = 500) {
  const times = [];
  for (let spent = 0; spent < totalMs || times.length < 5; spent += times.at(-1)) {
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** What a program weighs in a page that imports it so, with all of it in one file. */
async function weigh(contents) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    external: ['node:*'],
    logLevel: 'error',
    write: false,
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

/** [T, B, F] to [B, T, F] */
function batchMajor(x, steps, batch, features) {
  return Float32Array.from(x, (_, i) => {
    const [row, step, k] = [
      Math.floor(i / features / steps),
      Math.floor(i / features),
      i % features,
    ];
    return x[((step % steps) * batch + row) * features + k];
  });
}

/** Forecasts, training and size of gatefold and of TensorFlow.js, and how far they are apart. */
export async function compare({ model, future, features, steps, last }, files) {
  const tf = await import('@tensorflow/tfjs-core');
  const tfl = await import('@tensorflow/tfjs-layers');
  await import('@tensorflow/tfjs-backend-cpu');
  tf.env().set('IS_TEST', true);
  await tf.setBackend('cpu');
  const { modelTopology, weightsManifest } = JSON.parse(Buffer.from(files['model.json']));
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  const weightData = Uint8Array.from(files['weights.bin']).buffer;
  const artifacts = { modelTopology, weightSpecs, weightData };
  const other = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));

  const { batch } = future;
  const { inputs, targets } = future.window(0);
  const x = batchMajor(inputs, steps, batch, features);
  const [one, all] = [x.subarray(0, steps * features), tf.tensor(x, [batch, steps, features])];
  const single = tf.tensor(one, [1, steps, features]);
  const { output } = model.forward(x, { steps, batch, batchFirst: true });
  const theirs = other.predict(all).dataSync();
  const difference = output.reduce((most, y, k) => Math.max(most, Math.abs(y - theirs[k])), 0);
  const forecasts = [
    await median(() => model.forward(one, { steps })),
    await median(() => tf.tidy(() => other.predict(single).dataSync())),
  ];

  // Training changes the weights: it comes last.
  const rows = last ? targets : batchMajor(targets, steps, batch, model.outputSize);
  const target = tf.tensor(rows, [batch, ...(last ? [] : [steps]), model.outputSize]);
  other.compile({ optimizer: 'adam', loss: 'meanAbsoluteError' });
  const trainer = Trainer.create(model, { batch, steps, loss: 'mae' });
  const trainings = [
    await median(() => trainer.trainOn(inputs, targets)),
    await median(() => other.trainOnBatch(all, target)),
  ];
  const sizes = [
    await weigh(`export { Engine, Trainer } from 'gatefold';
      export { loadKeras } from 'gatefold/formats/keras';`),
    await weigh(`import '@tensorflow/tfjs-backend-cpu';
      export { loadLayersModel } from '@tensorflow/tfjs-layers';`),
  ];
  const programs = ['gatefold', 'TensorFlow.js, cpu'].map((name, k) => ({
    name,
    forecastMs: forecasts[k],
    trainingMs: trainings[k] / batch,
    bytes: sizes[k],
  }));
  return { programs, difference };
}
