// A model of Keras and a series: forecasts, their error, and training on the series. The same code
// in Node and in the page.
import { Trainer, cosineDecay } from 'gatefold';
import { Normalizer, SeriesWindows } from 'gatefold/data';

const BATCH = 32;
/** The share of the series that is learned from; the rest is for measuring. */
const PAST = 0.8;
const LEARNING_RATE = 0.005;
/** Windows of one pass over the series, at most. */
const MOST_WINDOWS = 4000;

/** What brings values to the range that the model was trained in. */
const SCALES = {
  minmax: (values) => {
    const low = values.reduce((least, value) => Math.min(least, value));
    const high = values.reduce((most, value) => Math.max(most, value));
    return new Normalizer({ mean: [low], deviation: [high - low || 1] });
  },
  standard: (values) => Normalizer.fit(values),
  none: () => new Normalizer({ mean: [0], deviation: [1] }),
};

export class Forecaster {
  #rows;
  #trainer;

  /**
   * @param {import('gatefold').Model} model Reads a window of values, as so many steps or as the
   *   features of one, and gives the next ones.
   * @param {Float32Array} values The series.
   * @param {{ window?: number, scale?: string }} options The steps of a model whose file does not
   *   say them; a name of SCALES.
   */
  constructor(model, values, { window = 48, scale = 'minmax' } = {}) {
    const { inputSize: features, outputSize: horizon, pooled } = model;
    const steps = Object.values(model.metadata.shapes ?? {})[0]?.at(-2) ?? window;
    if (model.inputs.length > 1 || model.outputs.length > 1 || model.takesTokens) {
      throw new Error('a forecaster has one input, of numbers, and one output');
    }
    if (features > 1 && steps > 1) {
      throw new Error(`the model reads ${features} series side by side, and this example has one`);
    }
    if (!SCALES[scale]) throw new Error(`a scale is one of ${Object.keys(SCALES).join(', ')}`);
    const length = steps + features - 1;
    const cut = Math.floor(PAST * values.length);
    const least = Math.ceil(Math.max((length + horizon) / PAST, horizon / (1 - PAST)));
    if (values.length < least) {
      throw new Error(`${values.length} values are too few: this model wants ${least} or more`);
    }
    Object.assign(this, { model, values, features, horizon, steps, length, cut });
    this.normalizer = SCALES[scale](values.subarray(0, cut));
    const scaled = this.normalizer.apply(values);
    // [N, F]: at every step the last values, of which there is one but for windows as features.
    const count = values.length - features + 1;
    this.#rows = Float32Array.from({ length: count * features }, (_, i) => {
      return scaled[Math.floor(i / features) + (i % features)];
    });
    this.#trainer = Trainer.create(model, {
      batch: BATCH,
      steps,
      loss: 'mae',
      optimizer: { type: 'adam', learningRate: LEARNING_RATE },
      gradClip: { norm: 1 },
    });
    this.last = pooled;
  }

  #windows(from, to, stride) {
    const { features, horizon, steps, last } = this;
    return new SeriesWindows(this.#rows.subarray(from * features, to * features), {
      batch: BATCH,
      steps,
      features,
      horizon: Array.from({ length: horizon }, (_, k) => k + 1),
      targets: [features - 1],
      last,
      order: 'shuffled',
      stride,
    });
  }

  /** Windows whose targets are in the part that is not learned from. */
  get future() {
    const { cut, length } = this;
    return this.#windows(cut - length, Infinity, 1);
  }

  /** Mean absolute error over the future, in the units of the series. */
  error() {
    return this.#trainer.evaluate(this.future, ['mae']).mae * this.normalizer.deviation[0];
  }

  /** The error of saying the last values again, as many as are forecast. */
  naiveError() {
    const { cut, horizon } = this;
    const future = this.values.subarray(cut);
    const errors = future.map((value, t) => Math.abs(value - this.values[cut + t - horizon]));
    return errors.reduce((sum, error) => sum + error, 0) / errors.length;
  }

  /** The next values after the first `origin`; what is said is read for what comes after it. */
  forecast(origin, count) {
    const { features, horizon, steps, length, normalizer } = this;
    const known = [...normalizer.apply(this.values.subarray(origin - length, origin))];
    while (known.length < length + count) {
      const x = Float32Array.from(known.slice(-length));
      const { output } = this.model.forward(x, { steps: features > 1 ? 1 : steps });
      known.push(...output.subarray(-horizon));
    }
    return normalizer.undo(known.slice(length, length + count));
  }

  /** Trains on the past: a run of `Trainer.fit`. */
  tune(epochs) {
    const { cut, steps, length, horizon } = this;
    const count = cut - length - horizon;
    const stride = Math.min(steps, Math.ceil(count / MOST_WINDOWS));
    const data = this.#windows(0, cut - this.features + 1, stride);
    return this.#trainer.fit(data, { epochs, learningRate: cosineDecay(LEARNING_RATE) });
  }

  dispose() {
    this.#trainer.dispose();
  }
}
