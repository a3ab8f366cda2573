// What will the meter say tomorrow? Windows of a series, many steps ahead at once, against the same
// hour of last week.
import { readFileSync } from 'node:fs';
import asciichart from 'asciichart';
import { Engine, Model, Trainer, cosineDecay } from 'gatefold';
import { Normalizer, SeriesWindows, splitSeries } from 'gatefold/data';
import { generateSeries, readSeries } from '../common/series.mjs';
import { percent, readOptions, table, train } from '../common/terminal.mjs';

const USAGE = `
Forecasts a series with daily and weekly seasons, and compares with the seasonal-naive forecast: what was one season ago.

  node examples/forecast/main.mjs
  node examples/forecast/main.mjs --csv meter.csv --column power --season 168 --day 24 --horizon 24

  --csv FILE     a series, oldest row first; default: a made-up meter, hourly
  --column NAME  its column, by headline or number; default the last
  --season N     steps after which the series repeats (168: a week of hours)
  --day N        steps of a shorter season within it (24)
  --horizon N    how many steps ahead (24)
  --window N     steps that the network looks back on (168)
  --hidden N     units of the GRU (48)
  --epochs N     passes over the training part (40)
  --weeks N      of the made-up series (78)
  --seed N       of the made-up series, the weights and the order (1)
  --quick        a run of a few seconds
`;
const FULL = {
  csv: '',
  column: '',
  season: 168,
  day: 24,
  horizon: 24,
  window: 168,
  hidden: 48,
  epochs: 40,
  weeks: 78,
  seed: 1,
};
const QUICK = { weeks: 30, hidden: 24, epochs: 20, window: 72 };
const BATCH = 16;
const CHART_STEPS = 72;

const options = readOptions(USAGE, FULL, QUICK);
const { season, day, horizon, window: steps, seed } = options;
const horizons = Array.from({ length: horizon }, (_, i) => i + 1);
const values = options.csv
  ? readSeries(readFileSync(options.csv, 'utf8'), options.column, options.csv)
  : generateSeries({ weeks: options.weeks, seed });

/**
 * Of every step the mean over the season that ends there: what a drift moves. The first season has
 * that of its end.
 */
function levelsOf() {
  let sum = values.subarray(0, season).reduce((total, value) => total + value, 0);
  const levels = new Float64Array(values.length).fill(sum / season);
  for (let t = season; t < values.length; t++) {
    sum += values[t] - values[t - season];
    levels[t] = sum / season;
  }
  return levels;
}

/** [N, F]: how far above its level a value is, and where in day and season it stands. */
const FEATURES = 7;
const levels = levelsOf();
const rows = Float32Array.from({ length: values.length * FEATURES }, (_, i) => {
  const [t, feature] = [Math.floor(i / FEATURES), i % FEATURES];
  if (feature === 0) return values[t] - levels[t];
  const turn = [t / day, (2 * t) / day, t / season][(feature - 1) >> 1] * 2 * Math.PI;
  return feature % 2 ? Math.sin(turn) : Math.cos(turn);
});

// The past to learn from, the future to be measured on; what lies between is in neither.
const parts = splitSeries(rows, { features: FEATURES, steps, horizon });
const normalizer = Normalizer.fit(parts.training, FEATURES);
const [training, future] = [parts.training, parts.validation].map((part) => normalizer.apply(part));
const windowed = { batch: BATCH, steps, features: FEATURES, horizon: horizons, targets: [0], seed };
const data = new SeriesWindows(training, {
  ...windowed,
  order: 'shuffled',
  stride: Math.ceil(steps / 4),
});
console.log(
  `${values.length} steps: ${training.length / FEATURES} to learn from, the last ${future.length / FEATURES} to be measured on\n`,
);

const engine = await Engine.create();
const layers = [
  { type: 'gru', inputSize: FEATURES, hiddenSize: options.hidden },
  { type: 'linear', outFeatures: horizon },
];
const model = Model.create(engine, { layers }, { seed });
const trainer = Trainer.create(model, {
  batch: BATCH,
  steps,
  loss: 'mae',
  optimizer: { type: 'adam', lr: 0.005 },
  gradClip: { norm: 1 },
});
const plan = { epochs: options.epochs, learningRate: cosineDecay(0.005) };
const seconds = await train(trainer, data, plan, 'GRU');

// At every step of the future, what the network says of the next ones.
const futureSteps = future.length / FEATURES;
const { output } = model.forward(future, { steps: futureSteps });
const said = normalizer.undo(output, [0]);
const before = values.length - futureSteps;
const truth = values.subarray(before);
const network = (origin, ahead) => levels[before + origin] + said[origin * horizon + ahead - 1];
/** The same step of the last season that is known by then. */
const naive = (origin, ahead) => truth[origin + ahead - season * Math.ceil(ahead / season)];
const firstOrigin = Math.max(season, steps);
const lastOrigin = futureSteps - 1 - horizon;

/** Mean absolute error of the forecasts that many steps ahead, from every origin. */
function meanError(forecast, horizonsMeant) {
  let sum = 0;
  let count = 0;
  for (let origin = firstOrigin; origin <= lastOrigin; origin++) {
    for (const ahead of horizonsMeant) {
      sum += Math.abs(forecast(origin, ahead) - truth[origin + ahead]);
      count++;
    }
  }
  return sum / count;
}

/** What MASE divides by: how wrong the seasonal-naive forecast is on the training part. */
function naiveScale() {
  const known = values.subarray(0, training.length / FEATURES);
  const errors = known.subarray(season).map((value, t) => Math.abs(value - known[t]));
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
}

const scale = naiveScale();
const marks = [...new Set([1, Math.ceil(horizon / 4), Math.ceil(horizon / 2), horizon])];
const compared = [...marks.map((ahead) => [ahead, [ahead]]), [`1 to ${horizon}`, horizons]].map(
  ([name, meant]) => {
    const [own, other] = [network, naive].map((forecast) => meanError(forecast, meant));
    const figures = [other, own, other / scale, own / scale].map((x) => x.toFixed(3));
    return [name, ...figures, percent(1 - own / other)];
  },
);
const headline = ['steps ahead', 'naive MAE', 'GRU MAE', 'naive MASE', 'GRU MASE', 'GRU less by'];
console.log(table(headline, compared));
console.log(
  `\n${model.parameterCount} parameters, trained in ${seconds.toFixed(1)} s; ` +
    `${lastOrigin - firstOrigin + 1} forecasts of ${horizon} steps each\n`,
);

/** The end of the series, and what had been forecast for it a horizon at a time. */
function chart() {
  const blocks = Math.max(1, Math.floor(CHART_STEPS / horizon));
  const first = lastOrigin - (blocks - 1) * horizon;
  const origins = Array.from({ length: blocks }, (_, k) => first + k * horizon);
  const series = [
    origins.flatMap((origin) => horizons.map((ahead) => truth[origin + ahead])),
    origins.flatMap((origin) => horizons.map((ahead) => network(origin, ahead))),
  ];
  const colors = process.stdout.isTTY ? [asciichart.default, asciichart.red] : undefined;
  return asciichart.plot(series, { height: 12, colors });
}
const told = process.stdout.isTTY ? 'truth, and in red the forecasts' : 'truth and forecasts';
console.log(`the end of the series: ${told}, made every ${horizon} steps\n\n${chart()}`);
