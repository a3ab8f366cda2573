// A guitar and an amplifier that are made up: strings by Karplus and Strong, and a tube that clips
// one side before the other. And WAV files.
import { createRandom } from '../common/random.mjs';

/** Notes of a riff in E, by their distance from the low E in half tones. */
const RIFF = [0, 12, 10, 7, 3, 5, 0, -2, 0, 7, 5, 3];
const LOW_E = 82.41;

/** A plucked string: a delay line whose ends are averaged. */
function pluck(output, start, frequency, rate, random, loudness) {
  const line = Float64Array.from({ length: Math.round(rate / frequency) }, () =>
    random.between(-loudness, loudness),
  );
  for (let t = start, at = 0; t < output.length; t++) {
    const next = (at + 1) % line.length;
    output[t] += line[at];
    line[at] = 0.4985 * (line[at] + line[next]);
    at = next;
  }
}

/** A riff of that many seconds, single notes and power chords, softer and louder. */
export function playGuitar({ seconds, rate, seed }) {
  const random = createRandom(seed);
  const output = new Float32Array(Math.round(seconds * rate));
  const beat = Math.round(0.24 * rate);
  for (let start = 0, note = 0; start < output.length; start += beat, note++) {
    // A hand damps what rings on: the notes before fade away.
    const frequency = LOW_E * 2 ** (RIFF[note % RIFF.length] / 12);
    const end = Math.min(start + 5 * beat, output.length);
    const piece = output.subarray(start, end);
    const loudness = random.between(0.05, 0.4);
    pluck(piece, 0, frequency, rate, random, loudness);
    if (random.uniform() < 0.4) pluck(piece, 0, 1.5 * frequency, rate, random, loudness);
  }
  return output.map((value) => Math.max(-1, Math.min(1, value)));
}

/** What there is to be learned: tight bass, a tube with a bias that sags, a cabinet's darkness. */
export function playThroughTube(input, rate) {
  const pole = (hertz) => 1 - Math.exp((-2 * Math.PI * hertz) / rate);
  const [bass, sag, dark] = [pole(90), pole(8), pole(5000)];
  let [low, bias, first, second] = [0, 0, 0, 0];
  const clip = (x) => (x > 0 ? Math.tanh(x) : 0.8 * Math.tanh(1.4 * x));
  return input.map((x) => {
    low += bass * (x - low);
    const driven = 6 * (x - low) - 0.6 * bias;
    bias += sag * (Math.abs(driven) - bias);
    first += dark * (clip(driven) - first);
    second += dark * (first - second);
    return 0.6 * second;
  });
}

const text = (view, at, length) =>
  Array.from({ length }, (_, k) => String.fromCharCode(view.getUint8(at + k))).join('');

/** The first channel of a WAV file: whole numbers of 16 or 24 bits, or float32. */
export function readWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (text(view, 0, 4) !== 'RIFF' || text(view, 8, 4) !== 'WAVE') throw new Error('no WAV file');
  let format;
  for (let at = 12; at + 8 <= view.byteLength;) {
    const [kind, size] = [text(view, at, 4), view.getUint32(at + 4, true)];
    if (kind === 'fmt ') {
      const [channels, bits] = [view.getUint16(at + 10, true), view.getUint16(at + 22, true)];
      format = { channels, bits, rate: view.getUint32(at + 12, true) };
    } else if (kind === 'data' && format) {
      const { channels, bits, rate } = format;
      const read = {
        16: (k) => view.getInt16(k, true) / 2 ** 15,
        24: (k) => (view.getInt8(k + 2) * 2 ** 16 + view.getUint16(k, true)) / 2 ** 23,
        32: (k) => view.getFloat32(k, true),
      }[bits];
      if (!read) throw new Error(`a WAV file of ${bits} bits; 16, 24 or float32 are read`);
      const frame = (channels * bits) / 8;
      const length = Math.floor(Math.min(size, view.byteLength - at - 8) / frame);
      return { rate, samples: Float32Array.from({ length }, (_, t) => read(at + 8 + t * frame)) };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error('a WAV file without sound');
}

/** A WAV file of 16 bits, one channel. */
export function writeWav(samples, rate) {
  const bytes = new Uint8Array(44 + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const put = (at, letters) => bytes.set(Buffer.from(letters, 'latin1'), at);
  put(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  put(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  put(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, t) => {
    const bounded = Math.max(-1, Math.min(1, value));
    view.setInt16(44 + 2 * t, Math.round(bounded * 32767), true);
  });
  return bytes;
}
