// Speech for the example: a voice that is made up, or espeak-ng's where it is installed. And other
// sample rates.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom } from '../common/random.mjs';
import { readWav } from '../guitar-amplifier/sound.mjs';

/** Resonances of a vocal tract in Hz: a, e, i, o, u. */
const VOWELS = [
  [730, 1090, 2440],
  [530, 1840, 2480],
  [270, 2290, 3010],
  [570, 840, 2410],
  [300, 870, 2240],
];
const WIDTHS = [60, 90, 130];

/** A resonance: a filter of two poles. */
function resonator(frequency, width, rate) {
  const radius = Math.exp((-Math.PI * width) / rate);
  const a = 2 * radius * Math.cos((2 * Math.PI * frequency) / rate);
  const gain = 1 - radius;
  let [last, before] = [0, 0];
  return (x) => {
    const y = gain * x + a * last - radius * radius * before;
    [before, last] = [last, y];
    return y;
  };
}

/** One syllable: a hiss, then a vowel whose pitch falls. */
function utter(output, start, { vowel, pitch, length, random, rate }) {
  const filters = VOWELS[vowel].map((frequency, k) => resonator(frequency, WIDTHS[k], rate));
  const hiss = resonator(3500, 1500, rate);
  const burst = Math.round(0.05 * rate);
  let phase = 0;
  for (let t = 0; t < length && start + t < output.length; t++) {
    const place = t / length;
    const loudness = Math.min(1, 12 * place, 6 * (1 - place));
    phase += (pitch * (1.1 - 0.25 * place) * (1 + 0.01 * random.between(-1, 1))) / rate;
    const pulse = phase >= 1 ? 1 : 0;
    phase -= pulse;
    // Pulses of the vocal folds with some breath.
    const source = 18 * pulse + 0.25 * random.between(-1, 1);
    const voice = filters.reduce((sum, filter, k) => sum + filter(source) / (k + 1), 0);
    const noise = t < burst ? hiss(random.between(-1, 1)) : 0;
    output[start + t] += 0.35 * loudness * voice + 0.15 * noise;
  }
}

/** Phrases of syllables with silence between them. */
export function babble({ seconds, rate, seed }) {
  const random = createRandom(seed);
  const output = Float32Array.from({ length: Math.round(seconds * rate) }, () =>
    random.between(-0.0005, 0.0005),
  );
  let at = Math.round(0.8 * rate);
  while (at < output.length) {
    const pitch = random.between(95, 200);
    for (let count = 6 + Math.floor(random.between(0, 8)); count > 0; count--) {
      const length = Math.round(random.between(0.12, 0.26) * rate);
      const vowel = Math.floor(random.between(0, VOWELS.length - 0.001));
      utter(output, at, { vowel, pitch: pitch * random.between(0.9, 1.1), length, random, rate });
      at += Math.round(0.9 * length);
    }
    at += Math.round(random.between(0.9, 1.6) * rate);
  }
  return output;
}

/** What espeak-ng says, phrase by phrase with silence between them; undefined without it. */
export function say(phrases, rate) {
  const folder = mkdtempSync(join(tmpdir(), 'voice-'));
  try {
    const parts = phrases.map((phrase, k) => {
      const path = join(folder, `${k}.wav`);
      writeFileSync(`${path}.txt`, phrase);
      const { status } = spawnSync('espeak-ng', ['-f', `${path}.txt`, '-w', path]);
      if (status !== 0) return undefined;
      const { samples, rate: own } = readWav(readFileSync(path));
      return resample(samples, own, rate);
    });
    if (parts.includes(undefined)) return undefined;
    const pause = new Float32Array(rate);
    return concatenated([pause, ...parts.flatMap((part) => [part, pause])]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function concatenated(parts) {
  const output = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    output.set(part, at);
    at += part.length;
  }
  return output;
}

/** Samples at another rate, by a sinc with a window that leaves out what the new rate has not. */
export function resample(samples, from, to) {
  if (from === to) return samples;
  const [step, scale] = [from / to, Math.min(1, to / from)];
  const reach = 16 / scale;
  return Float32Array.from({ length: Math.floor(samples.length / step) }, (_, k) => {
    const center = k * step;
    let sum = 0;
    for (let t = Math.ceil(center - reach); t <= center + reach; t++) {
      const x = scale * (t - center);
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      const window = 0.5 + 0.5 * Math.cos((Math.PI * (t - center)) / reach);
      sum += (samples[t] ?? 0) * sinc * window * scale;
    }
    return sum;
  });
}
