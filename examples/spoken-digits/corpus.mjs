// Recordings as sequences to learn from: split by take and by speaker, altered copies, features.
import { Normalizer } from 'gatefold/data';
import { createRandom } from '../common/random.mjs';
import { BANDS, logMel, resample } from './features.mjs';

/**
 * Takes of known speakers that nothing is learned from, and speakers of whom nothing is learned.
 */
export function split(recordings, hold) {
  const speakers = [...new Set(recordings.map(({ speaker }) => speaker))].sort();
  const held = hold ? hold.split(',') : speakers.slice(-2);
  const unknown = held.filter((speaker) => !speakers.includes(speaker));
  if (unknown.length) throw new Error(`--hold: no speaker ${unknown}; there are ${speakers}`);
  const last = Math.max(...recordings.map(({ take }) => take));
  const isHeld = ({ speaker }) => held.includes(speaker);
  const isUnseen = ({ take }) => take < (last + 1) / 5;
  return {
    held,
    training: recordings.filter((one) => !isHeld(one) && !isUnseen(one)),
    unseen: recordings.filter((one) => !isHeld(one) && isUnseen(one)),
    strangers: recordings.filter(isHeld),
  };
}

/**
 * The features of a sound as it is, and of `copies` that sound like other speakers and rooms:
 * faster or slower, another throat, noise.
 */
function variants(samples, copies, random) {
  const altered = Array.from({ length: copies }, () => {
    const noise = 10 ** random.between(-4, -2);
    const sound = resample(samples, random.between(0.8, 1.25));
    const noisy = sound.map((x) => x + noise * random.normal());
    return logMel(noisy, random.between(0.85, 1.15));
  });
  return [logMel(samples), ...altered];
}

/**
 * Labelled sequences of features, normalised by those of the training part.
 *
 * @param parts { training, unseen, strangers }: lists of { samples, target }.
 */
export function featuresOf(parts, { copies, seed }) {
  const random = createRandom(seed);
  const measured = Object.entries(parts).map(([name, sounds]) => {
    const own = name === 'training' ? copies : 0;
    const sequences = sounds.flatMap(({ samples, target }) =>
      variants(samples, own, random).map((input) => ({ input, target })),
    );
    return [name, sequences];
  });
  const { training } = Object.fromEntries(measured);
  const normalizer = Normalizer.fit(joined(training.map(({ input }) => input)), BANDS);
  const normal = ({ input, target }) => ({ input: normalizer.apply(input), target });
  return Object.fromEntries(measured.map(([name, sequences]) => [name, sequences.map(normal)]));
}

/** Arrays one after another. */
export function joined(arrays) {
  const whole = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}
