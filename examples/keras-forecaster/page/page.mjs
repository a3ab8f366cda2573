// The page: files in, a chart, training with progress, files out.
import { Engine } from 'gatefold';
import { loadKeras } from 'gatefold/formats/keras';
import { saveModel } from 'gatefold/formats/safetensors';
import { writeTfjs } from 'gatefold/formats/tfjs';
import { generateSeries, readSeries } from '/examples/common/series.mjs';
import { Forecaster } from '../forecaster.mjs';
import { draw } from '/examples/common/chart.mjs';

const at = (id) => document.getElementById(id);
const engine = await Engine.create();
const given = {
  model: { name: 'model.h5', bytes: await (await fetch('model.h5')).arrayBuffer() },
  series: { name: 'made-up meter of an office', values: generateSeries({ weeks: 20.5, seed: 1 }) },
};
let forecaster;
let lines = [];

/** Steps from the end of the series. */
const labelOf = (step) => (step === 0 ? 'now' : `${step > 0 ? '+' : ''}${step}`);

function say(text, failed = false) {
  at('state').textContent = text;
  at('state').classList.toggle('failed', failed);
}

/** What an element or a file asks for; says what goes wrong. */
const trying =
  (task) =>
  async (...what) => {
    try {
      await task(...what);
    } catch (error) {
      say(error.message, true);
    }
  };

/** The error of the model as it is, and what it says of the end of the series and of the future. */
function show(name) {
  const { values, horizon } = forecaster;
  const count = Math.max(horizon, 24);
  at(name).textContent = forecaster.error().toPrecision(3);
  lines = lines.filter((line) => line.name !== name);
  for (const start of [-count, 0]) {
    const origin = values.length + start;
    const said = [values[origin - 1], ...forecaster.forecast(origin, count)];
    lines.push({ name, start: start - 1, values: said });
  }
  draw(at('chart'), lines, labelOf);
}

/** Starts with another model or series; where they do not fit, all stays as it was. */
function load(change) {
  const { model: file, series } = { ...given, ...change };
  const model = loadKeras(engine, file.bytes);
  let next;
  try {
    next = new Forecaster(model, series.values);
  } catch (error) {
    model.dispose();
    throw error;
  }
  forecaster?.dispose();
  forecaster = next;
  Object.assign(given, change);
  const { values, length, horizon, cut } = forecaster;
  const layers = model.description.layers.map(({ type }) => type).join(', ');
  at('model').textContent =
    `${file.name}: ${layers}; ${model.parameterCount} parameters, ${length} values in, ${horizon} out`;
  at('series').textContent = `${series.name}: ${values.length} values`;
  at('measured').textContent =
    `Mean absolute errors over the last ${values.length - cut} values. ` +
    `Repeating the last ${horizon}: ${forecaster.naiveError().toPrecision(3)}`;
  at('after').textContent = '';
  at('progress').value = 0;
  const shown = [...values.subarray(-Math.max(3 * horizon, 96))];
  lines = [{ name: 'truth', start: -shown.length, values: shown }];
  say('');
  show('before');
}

async function tune() {
  const own = forecaster;
  const started = performance.now();
  at('tune').disabled = true;
  try {
    for await (const { epoch, update, updates, loss } of own.tune(Number(at('epochs').value))) {
      if (own !== forecaster) return;
      at('progress').value = update / updates;
      if (update % 10 === 0) say(`pass ${epoch}, loss ${loss.toFixed(4)}`);
    }
    show('after');
    say(`fine-tuned in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  } catch (error) {
    // One that has made way for another is gone.
    if (own === forecaster) throw error;
  } finally {
    at('tune').disabled = false;
  }
}

function download(name, bytes) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const takeText = (text, name) => load({ series: { name, values: readSeries(text, '', name) } });
const takeFiles = trying(async (files) => {
  for (const file of files) {
    const { name } = file;
    if (/\.(?:csv|tsv|txt)$/i.test(name)) takeText(await file.text(), name);
    else load({ model: { name, bytes: await file.arrayBuffer() } });
  }
});

for (const input of document.querySelectorAll('input[type=file]')) {
  input.onchange = () => takeFiles(input.files);
}
at('text').oninput = trying(
  ({ target }) => target.value.trim() && takeText(target.value, 'pasted'),
);
at('tune').onclick = trying(tune);
at('save').onclick = trying(() => {
  const normalizer = JSON.stringify(forecaster.normalizer);
  download('forecaster.safetensors', saveModel(forecaster.model, { normalizer }));
});
at('save-tfjs').onclick = trying(() => {
  for (const file of Object.entries(writeTfjs(forecaster.model))) download(...file);
});
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  takeFiles([...event.dataTransfer.files]);
};
new ResizeObserver(() => lines.length && draw(at('chart'), lines)).observe(at('chart'));
await trying(load)({});
