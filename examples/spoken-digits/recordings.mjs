// Where the spoken digits come from: recordings in a folder, or a synthesiser that needs no
// download.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '../common/random.mjs';
import { RATE, readWav } from './features.mjs';

/** Recordings named `digit_speaker_take.wav`, as those of the Free Spoken Digit Dataset. */
export function loadRecordings(folder) {
  const names = readdirSync(folder).map((file) => file.match(/^(\d)_(\w+)_(\d+)\.wav$/));
  const found = names.filter(Boolean).map(([file, digit, speaker, take]) => ({
    samples: readWav(readFileSync(join(folder, file))),
    digit: Number(digit),
    speaker,
    take: Number(take),
  }));
  if (!found.length) throw new Error(`${folder} has no file like 0_george_0.wav`);
  return found.sort(
    (a, b) => a.take - b.take || a.digit - b.digit || (a.speaker < b.speaker ? -1 : 1),
  );
}

/**
 * Sounds of the digits: formants in Hz, and how loud the voice and the hiss around `hiss` Hz are.
 */
const SOUNDS = {
  i: { formants: [300, 2250, 2950], voice: 1 },
  I: { formants: [400, 1950, 2550], voice: 1 },
  e: { formants: [520, 1800, 2500], voice: 1 },
  a: { formants: [720, 1200, 2500], voice: 1 },
  o: { formants: [520, 880, 2450], voice: 1 },
  u: { formants: [320, 850, 2250], voice: 1 },
  r: { formants: [380, 1150, 1650], voice: 0.8 },
  n: { formants: [250, 1350, 2300], voice: 0.45 },
  v: { formants: [280, 1000, 2200], voice: 0.3, hiss: 2500, noise: 0.1 },
  z: { formants: [280, 1500, 2500], voice: 0.25, hiss: 3300, noise: 0.3 },
  s: { formants: [300, 1600, 2500], voice: 0, hiss: 3400, noise: 0.5 },
  f: { formants: [300, 1200, 2400], voice: 0, hiss: 2400, noise: 0.15 },
  t: { formants: [300, 1700, 2600], voice: 0, hiss: 3000, noise: 0.6 },
  k: { formants: [300, 1500, 2400], voice: 0, hiss: 1700, noise: 0.5 },
  ' ': { formants: [300, 1500, 2400], voice: 0 },
};
/** Sound, and milliseconds of it, in turn. */
const DIGITS = [
  'z80 i110 r70 o170',
  'u70 a130 n110',
  ' 30 t30 u220',
  'f90 r60 i190',
  'f100 o160 r90',
  'f90 a130 I80 v80',
  's110 I80  50 k30 s110',
  's100 e90 v60 e60 n90',
  'e110 I90  50 t40',
  'n80 a130 I70 n110',
].map((text) =>
  [...text.matchAll(/(\D)(\d+)(?: |$)/g)].map(([, sound, ms]) => [sound, Number(ms)]),
);

/** Two poles: what a cavity of that resonance makes of a signal. */
function resonator() {
  let [before, last] = [0, 0];
  return (x, hz, width) => {
    const radius = Math.exp((-Math.PI * width) / RATE);
    const b = 2 * radius * Math.cos((2 * Math.PI * hz) / RATE);
    const y = (1 - radius) * x + b * last - radius * radius * before;
    [before, last] = [last, y];
    return y;
  };
}

/**
 * A digit as one of many speakers might say it: a train of pulses and a hiss through three
 * resonators that glide from sound to sound.
 */
function speak(digit, voice, random) {
  const pace = voice.pace * random.between(0.85, 1.15);
  const plan = DIGITS[digit].map(([sound, ms]) => ({
    ...SOUNDS[sound],
    length: Math.round((ms / 1000) * RATE * pace * random.between(0.6, 1.4)),
    formants: SOUNDS[sound].formants.map((hz) => hz * voice.throat * random.between(0.9, 1.1)),
  }));
  const cavities = [resonator(), resonator(), resonator()];
  const hisser = resonator();
  const samples = [];
  let phase = 0;
  const pitch = voice.pitch * random.between(0.92, 1.08);
  plan.forEach((sound, k) => {
    const next = plan[k + 1] ?? sound;
    for (let i = 0; i < sound.length; i++) {
      // The second half of a sound already moves towards the next.
      const glide = Math.max(0, i / sound.length - 0.5);
      const mix = (a, b) => a * (1 - glide) + b * glide;
      phase += (pitch * (1.1 - 0.3 * (samples.length / RATE))) / RATE;
      const pulse = phase >= 1 ? 6 : 0;
      phase %= 1;
      const breath = random.between(-1, 1);
      const source = mix(sound.voice, next.voice) * pulse + 0.02 * breath;
      const voiced = cavities.reduce((sum, cavity, f) => {
        const hz = Math.min(mix(sound.formants[f], next.formants[f]), 3700);
        return sum + cavity(source, hz, 60 + 40 * f) / (1 + 0.7 * f);
      }, 0);
      const noise = mix(sound.noise ?? 0, next.noise ?? 0);
      const hiss = hisser(breath * noise, sound.hiss ?? next.hiss ?? 2500, 600);
      samples.push(voiced + hiss + voice.room * random.between(-1, 1));
    }
  });
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-9);
  const gain = random.between(0.3, 0.9) / peak;
  return Float32Array.from(samples, (sample) => sample * gain);
}

/** The digits by `speakers` made-up voices, `takes` times each. */
export function synthesise({ speakers, takes, seed }) {
  const random = createRandom(seed);
  const voices = Array.from({ length: speakers }, (_, k) => ({
    name: `voice${k}`,
    pitch: random.between(90, 240),
    throat: random.between(0.8, 1.25),
    pace: random.between(0.8, 1.25),
    room: random.between(0.01, 0.15),
  }));
  const recordings = [];
  for (let take = 0; take < takes; take++) {
    for (let digit = 0; digit < DIGITS.length; digit++) {
      for (const voice of voices) {
        recordings.push({ samples: speak(digit, voice, random), digit, speaker: voice.name, take });
      }
    }
  }
  return recordings;
}
