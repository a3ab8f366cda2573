// A model of Keras and a series: forecasts, their error, and training on the series. The same code
// in Node and in the page.
import { Trainer, cosineDecay } from 'gatefold';
import { Normalizer, SeriesWindows } from 'gatefold/data';

const BATCH = 32;
const LEARNING_RATE = 0.005;
/** Windows of one pass over the series, at most. */
const MOST_WINDOWS = 4000;

/** What brings values to the range that a model was trained in; notebooks like the first. */
const SCALES = {
  minmax(values) {
    const low = values.reduce((least, value) => Math.min(least, value));
    const high = values.reduce((most, value) => Math.max(most, value));
    return new Normalizer({ mean: [low], deviation: [high - low || 1] });
  },
  standard: (values) => Normalizer.fit(values),
};

export class Forecaster {
  #rows;
  #trainer;

  /**
   * @param {import('gatefold').Model} model Reads a window of values, as so many steps or as the
   *   features of one, and gives the next ones.
   * @param {Float32Array} values The series. Its first 80 % are learned from.
   * @param {{ window?: number, scale?: keyof SCALES }} options The steps of a model whose file does
   *   not say them, and how the values were scaled that it has learned from.
   */
  constructor(model, values, { window = 48, scale = 'minmax' } = {}) {
    const { inputSize: features, outputSize: horizon } = model;
    const [shape] = Object.values(model.metadata.shapes ?? {});
    const steps = shape?.at(-2) ?? window;
    if (model.inputs.length > 1 || model.outputs.length > 1 || model.takesTokens) {
      throw new Error('a forecaster has one input, of numbers, and one output');
    }
    if (model.description.layers.at(-1).activation === 'softmax') {
      throw new Error('the model ends in a softmax: it tells classes, and forecasts nothing');
    }
    if (features > 1 && steps > 1) {
      throw new Error(`the model reads ${features} series side by side, and this example has one`);
    }
    if (!SCALES[scale]) throw new Error(`a scale is one of ${Object.keys(SCALES).join(', ')}`);
    const length = steps + features - 1;
    const least = Math.ceil(Math.max((5 * (length + horizon)) / 4, 5 * horizon));
    if (values.length < least) {
      throw new Error(`${values.length} values are too few: this model wants ${least} or more`);
    }
    const cut = Math.floor(0.8 * values.length);
    Object.assign(this, { model, values, features, horizon, steps, length, cut });
    this.normalizer = SCALES[scale](values.subarray(0, cut));
    const scaled = this.normalizer.apply(values);
    // [N, F]: one value a step, or a window as the features of each.
    const rowAt = (t) => [...scaled.subarray(t, t + features)];
    const count = values.length - features + 1;
    this.#rows = Array.from({ length: count }, (_, t) => rowAt(t)).flat();
    const options = { batch: BATCH, steps, loss: 'mae', gradClip: { norm: 1 } };
    this.#trainer = Trainer.create(model, options);
  }

  #windows(from, to, stride) {
    const { features, horizon, steps, model } = this;
    return new SeriesWindows(this.#rows.slice(from * features, to * features), {
      batch: BATCH,
      steps,
      features,
      horizon: Array.from({ length: horizon }, (_, k) => k + 1),
      targets: [features - 1],
      last: model.pooled,
      order: 'shuffled',
      stride,
    });
  }

  /** Windows whose targets are all in the part that is not learned from. */
  get future() {
    return this.#windows(this.cut - this.length, Infinity, 1);
  }

  /** Mean absolute error over the future, in the units of the series. */
  error() {
    return this.#trainer.evaluate(this.future, ['mae']).mae * this.normalizer.deviation[0];
  }

  /** The error of saying as many of the last values again. */
  naiveError() {
    const { values, cut, horizon } = this;
    const errors = values.subarray(cut).map((value, t) => value - values[cut + t - horizon]);
    return errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;
  }

  /** What follows the first `origin` values; what is said first is read for what comes after it. */
  forecast(origin, count) {
    const { horizon, steps, length, normalizer } = this;
    const known = [...normalizer.apply(this.values.subarray(origin - length, origin))];
    while (known.length < length + count) {
      const { output } = this.model.forward(Float32Array.from(known.slice(-length)), { steps });
      known.push(...output.subarray(-horizon));
    }
    return normalizer.undo(known.slice(length, length + count));
  }

  /** Trains on the past: a run of `Trainer.fit`. */
  tune(epochs) {
    const { cut, steps, features } = this;
    const stride = Math.min(steps, Math.ceil(cut / MOST_WINDOWS));
    const past = this.#windows(0, cut - features + 1, stride);
    return this.#trainer.fit(past, { epochs, learningRate: cosineDecay(LEARNING_RATE) });
  }

  dispose() {
    this.#trainer.dispose();
    this.model.dispose();
  }
}
