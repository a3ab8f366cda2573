// The sound, the effect that is to be learned, and the LSTM that learns it: for the page's Worker
// and for Node.
import { playGuitar } from '../guitar-amplifier/sound.mjs';

export const RATE = 48_000;
const SECONDS = 6;
const [BATCH, STEPS] = [32, 500];

/** A made-up guitar that can be played in a loop. */
export function makeSound(seed = 1) {
  return playGuitar({ seconds: SECONDS, rate: RATE, seed });
}

/**
 * The effect: drive into a bent curve, then a low-pass of two poles that rings a little.
 *
 * @param {{ drive: number, cutoff: number }} knobs Drive from 1 on, the cutoff in Hz.
 */
export function applyEffect(samples, { drive, cutoff }) {
  const output = new Float32Array(samples.length);
  const f = 2 * Math.sin((Math.PI * cutoff) / RATE);
  let [low, band] = [0, 0];
  samples.forEach((sample, t) => {
    const bent = Math.tanh(drive * sample + 0.2) - Math.tanh(0.2);
    low += f * band;
    band += f * (0.5 * bent - low - 0.7 * band);
    output[t] = low;
  });
  return output;
}

export const LAYERS = [
  { type: 'lstm', inputSize: 1, hiddenSize: 16 },
  { type: 'linear', outFeatures: 1 },
  { type: 'add', inputs: ['linear', 'input'] },
];

/** Windows one after the other of several parts of the sound: states go on to the next. */
function windowsOf(input, target) {
  const part = Math.floor(input.length / BATCH);
  const cut = (samples, index) =>
    Float32Array.from({ length: STEPS * BATCH }, (_, k) => {
      const [step, row] = [Math.floor(k / BATCH), k % BATCH];
      return samples[row * part + index * STEPS + step];
    });
  return {
    length: Math.floor(part / STEPS),
    window: (index) => ({
      inputs: cut(input, index),
      targets: cut(target, index),
      steps: STEPS,
      fresh: index === 0,
    }),
  };
}

/** Error to signal: 0 for the same sound, 1 for silence. */
export function errorOf(output, target) {
  const square = (values) => values.reduce((sum, value) => sum + value * value, 0);
  return square(target.map((value, t) => value - output[t])) / square(target);
}

/**
 * Trains and gives the error after each pass over the sound.
 *
 * @param {typeof import('gatefold')} gatefold What brings the classes: pages have them elsewhere.
 */
export async function* learn({ Trainer, cosineDecay }, model, input, target, { epochs, signal }) {
  const data = windowsOf(input, target);
  const learningRate = cosineDecay(0.01, { floor: 0.0005 });
  const optimizer = { type: 'adam', learningRate: 0.01 };
  const trainer = Trainer.create(model, { batch: BATCH, steps: STEPS, loss: 'mse', optimizer });
  const power = target.reduce((sum, value) => sum + value * value, 0) / target.length;
  let sum = 0;
  for await (const { update, loss } of trainer.fit(data, { epochs, signal, learningRate })) {
    sum += loss;
    if (update % data.length) continue;
    yield { epoch: update / data.length, error: sum / data.length / power };
    sum = 0;
  }
  trainer.dispose();
}
