// Sound to features: log-mel spectra, as speech recognisers see it. F = BANDS numbers every 10 ms.

export const RATE = 8000;
export const BANDS = 26;
const FRAME = 256;
const HOP = 80;
const LOW_HZ = 60;
const HIGH_HZ = 3800;

/** Samples in -1 ... 1 of a WAV file: PCM of 16 bits, one channel, 8 kHz. */
export function readWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (name(0) !== 'RIFF' || name(8) !== 'WAVE') throw new Error('no WAV file');
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (name(at) === 'fmt ') {
      const [format, channels] = [view.getUint16(body, true), view.getUint16(body + 2, true)];
      const [rate, bits] = [view.getUint32(body + 4, true), view.getUint16(body + 14, true)];
      if (format !== 1 || channels !== 1 || rate !== RATE || bits !== 16) {
        throw new Error(
          `expected 16-bit PCM, mono, ${RATE} Hz; got ${channels} x ${bits} at ${rate} Hz`,
        );
      }
    }
    if (name(at) === 'data') {
      const count = Math.min(size, bytes.length - body) >> 1;
      return Float32Array.from(
        { length: count },
        (_, i) => view.getInt16(body + 2 * i, true) / 32768,
      );
    }
    at = body + size + (size % 2);
  }
  throw new Error('no sound in it');
}

/** In place: the Fourier transform of FRAME complex numbers (Cooley and Tukey). */
function transform(real, imaginary) {
  for (let i = 1, j = 0; i < FRAME; i++) {
    let bit = FRAME >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let half = 1; half < FRAME; half *= 2) {
    for (let k = 0; k < half; k++) {
      const [c, s] = [COSINES[(k * FRAME) / (2 * half)], SINES[(k * FRAME) / (2 * half)]];
      for (let a = k; a < FRAME; a += 2 * half) {
        const b = a + half;
        const re = real[b] * c + imaginary[b] * s;
        const im = imaginary[b] * c - real[b] * s;
        real[b] = real[a] - re;
        imaginary[b] = imaginary[a] - im;
        real[a] += re;
        imaginary[a] += im;
      }
    }
  }
}

const angles = Array.from({ length: FRAME }, (_, k) => (2 * Math.PI * k) / FRAME);
const COSINES = angles.map(Math.cos);
const SINES = angles.map(Math.sin);
const WINDOW = COSINES.map((cosine) => 0.5 - 0.5 * cosine);

const mel = (hz) => 1127 * Math.log(1 + hz / 700);
const hertz = (m) => 700 * (Math.exp(m / 1127) - 1);

/**
 * Triangles over the spectrum, equally wide to the ear: first line and weights of each. `warp`
 * shifts them as a longer throat would.
 */
function melBands(warp) {
  const step = (mel(HIGH_HZ) - mel(LOW_HZ)) / (BANDS + 1);
  const edges = Array.from({ length: BANDS + 2 }, (_, k) =>
    Math.min((hertz(mel(LOW_HZ) + k * step) * warp * FRAME) / RATE, FRAME / 2),
  );
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, centre, high] = edges.slice(band, band + 3);
    const first = Math.ceil(low);
    const weights = [];
    for (let line = first; line <= Math.floor(high) && line < FRAME / 2; line++) {
      const rise = (line - low) / (centre - low || 1);
      weights.push(Math.max(0, Math.min(rise, (high - line) / (high - centre || 1))));
    }
    return { first, weights };
  });
}

/**
 * Log-mel spectra [T, BANDS] of a sound, less their mean over time: what a room and a microphone
 * add stays out.
 *
 * @param {number} warp 1 as it is; 0.9 to 1.1 sounds like another speaker.
 */
export function logMel(samples, warp = 1) {
  const bands = melBands(warp);
  const steps = Math.max(1, Math.floor((samples.length - FRAME) / HOP) + 1);
  const features = new Float32Array(steps * BANDS);
  const real = new Float64Array(FRAME);
  const imaginary = new Float64Array(FRAME);
  for (let t = 0; t < steps; t++) {
    for (let i = 0; i < FRAME; i++) {
      const at = t * HOP + i;
      // Pre-emphasis: voices are weaker towards high frequencies.
      const sample = (samples[at] ?? 0) - 0.97 * (samples[at - 1] ?? 0);
      real[i] = sample * WINDOW[i];
      imaginary[i] = 0;
    }
    transform(real, imaginary);
    bands.forEach(({ first, weights }, band) => {
      let energy = 1e-6;
      weights.forEach((weight, k) => {
        const line = first + k;
        energy += weight * (real[line] ** 2 + imaginary[line] ** 2);
      });
      features[t * BANDS + band] = Math.log(energy);
    });
  }
  return lessMean(features, steps);
}

function lessMean(features, steps) {
  const mean = new Float64Array(BANDS);
  features.forEach((value, i) => (mean[i % BANDS] += value / steps));
  return features.map((value, i) => value - mean[i % BANDS]);
}

/** The same sound faster (above 1) or slower. */
export function resample(samples, speed) {
  return Float32Array.from({ length: Math.floor(samples.length / speed) }, (_, i) => {
    const at = Math.floor(i * speed);
    const part = i * speed - at;
    return samples[at] * (1 - part) + (samples[at + 1] ?? 0) * part;
  });
}
