// A model that was trained in Keras, fine-tuned here on another series, and handed on.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import asciichart from 'asciichart';
import { Engine } from 'gatefold';
import { loadKeras } from 'gatefold/formats/keras';
import { saveModel } from 'gatefold/formats/safetensors';
import { writeTfjs } from 'gatefold/formats/tfjs';
import { serve } from '../common/serve.mjs';
import { generateSeries, readSeries } from '../common/series.mjs';
import { Progress, percent, readOptions, table } from '../common/terminal.mjs';
import { compare } from './compare.mjs';
import { Forecaster } from './forecaster.mjs';

const USAGE = `
Fine-tunes a Keras model (.h5 or .keras) on a series, and writes it for gatefold and for TensorFlow.js.

  node examples/keras-forecaster/main.mjs
  node examples/keras-forecaster/main.mjs --model lstm_model.h5 --series meter.csv --column power
  node examples/keras-forecaster/main.mjs --live

  --model FILE   reads a window of values and gives the next ones; default: household.h5, an LSTM that knows a household
  --series FILE  a CSV file, oldest row first; default: a made-up meter of an office, hourly
  --column NAME  its column, by headline or number; default the last
  --scale NAME   how the model's data was scaled: minmax or standard (minmax)
  --window N     steps that the model looks back on, where its file does not say (48)
  --epochs N     passes over the first 80 % of the series (10)
  --weeks N      of the made-up series (20.5)
  --seed N       of the made-up series (1)
  --live         serves a page that does all this with files that are dropped on it
  --quick        a run of a few seconds
`;
const FULL = {
  model: fileURLToPath(new URL('household.h5', import.meta.url)),
  series: '',
  column: '',
  scale: 'minmax',
  window: 48,
  epochs: 10,
  weeks: 20.5,
  seed: 1,
  live: false,
};
const QUICK = { weeks: 12.5, epochs: 4 };
/** Values that the chart shows before the forecasts. */
const SHOWN = 40;

const options = readOptions(USAGE, FULL, QUICK);
const bytes = readFileSync(options.model);
if (options.live) {
  serve('keras-forecaster', { 'model.h5': bytes }, 'fine-tunes Keras models');
} else {
  await run();
}

async function run() {
  const { series, column, epochs } = options;
  const values = series
    ? readSeries(readFileSync(series, 'utf8'), column, series)
    : generateSeries(options);
  const model = loadKeras(await Engine.create(), bytes);
  const forecaster = new Forecaster(model, values, options);
  const { horizon, length, cut } = forecaster;
  console.log(
    `${basename(options.model)}: ${model.parameterCount} parameters, ${length} values in, ${horizon} out\n` +
      `${values.length} values: ${cut} to learn from, the last ${values.length - cut} to be measured on\n`,
  );

  const count = Math.max(horizon, 24);
  const origin = values.length - count;
  const forecast = () => [
    ...forecaster.forecast(origin, count),
    ...forecaster.forecast(values.length, count),
  ];
  const before = { error: forecaster.error(), said: forecast() };
  const seconds = await tune(forecaster, epochs);
  const after = { error: forecaster.error(), said: forecast() };

  const naive = forecaster.naiveError();
  const rows = [
    [`repeating the last ${horizon}`, naive],
    ['as the file has it', before.error],
    ['fine-tuned', after.error],
  ].map(([name, error]) => [name, error.toFixed(3), percent(error / naive)]);
  console.log(table(['', 'mean absolute error', 'of the first'], rows));
  const drawn = { values, from: Math.max(0, origin - SHOWN), origin };
  console.log(`\nas the file has it\n\n${chart(drawn, before.said, after.said)}`);
  console.log(
    `\nfine-tuned in ${seconds.toFixed(1)} s\n\n${chart(drawn, after.said, before.said)}`,
  );

  const normalizer = JSON.stringify(forecaster.normalizer);
  writeFileSync('forecaster.safetensors', saveModel(model, { normalizer }));
  console.log('\nwritten: forecaster.safetensors');
  let files;
  try {
    files = writeTfjs(model);
  } catch (error) {
    console.log(`not written for TensorFlow.js: ${error.message}`);
    return;
  }
  mkdirSync('forecaster-tfjs', { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(`forecaster-tfjs/${name}`, content);
  }
  console.log('written: forecaster-tfjs/model.json and weights.bin\n');

  const { programs, difference } = await compare(forecaster, files);
  const headline = ['', 'ms a forecast', 'ms a window trained', 'KB of code, gzipped'];
  console.log(table(headline, programs));
  console.log(`\nlargest difference of their forecasts ${difference.toExponential(1)}`);
}

/** Trains and tells of it; the seconds that it took. */
async function tune(forecaster, epochs) {
  const progress = new Progress();
  const started = performance.now();
  for await (const { epoch, update, updates, loss } of forecaster.tune(epochs)) {
    const done = percent(update / updates);
    progress.show(`pass ${epoch}/${epochs}  ${done}  loss ${loss.toFixed(3)}`);
  }
  progress.end();
  return (performance.now() - started) / 1000;
}

/** The end of the series and what was said of it and of what comes next, on the scale of both. */
function chart({ values, from, origin }, said, other) {
  const truth = [...values.subarray(from)];
  const forecasts = [...values.subarray(from, origin), ...said];
  const all = [...truth, ...said, ...other];
  const [min, max] = [Math.min(...all), Math.max(...all)];
  const colors = process.stdout.isTTY ? [asciichart.red, asciichart.default] : undefined;
  return asciichart.plot([forecasts, truth], { height: 10, min, max, colors });
}
