// Where a recording holds speech, by the files of @ricky0123/vad-web as they are, in gatefold and
// in onnxruntime-web.
import { readFileSync } from 'node:fs';
import { serve } from '../common/serve.mjs';
import { percent, readOptions, table } from '../common/terminal.mjs';
import { readWav } from '../guitar-amplifier/sound.mjs';
import { FILES, RATE, bytesOf, downloads, startGatefold, startRuntime } from './runtimes.mjs';
import { babble, resample, say } from './sound.mjs';

const USAGE = `
Finds speech in a recording, by the ONNX files of @ricky0123/vad-web as they are, and compares with onnxruntime-web.

  node examples/voice-activity/main.mjs
  node examples/voice-activity/main.mjs --wav recording.wav
  node examples/voice-activity/main.mjs --net legacy
  node examples/voice-activity/main.mjs --live

  --wav FILE      a recording; default: espeak-ng where it is installed, else a made-up voice
  --net NAME      which file: v5, v6 or legacy (v5)
  --onnx FILE     its path; default: that of the package
  --threshold N   probability from which a frame is speech (0.5)
  --seconds N     of the made-up voice (20)
  --seed N        of the made-up voice (1)
  --live          serves a page that listens to the microphone
  --quick         a run of a few seconds
`;
const FULL = { wav: '', net: 'v5', onnx: '', threshold: 0.5, seconds: 20, seed: 1, live: false };
const QUICK = { seconds: 6 };
/** Speech goes on over pauses of fewer frames than these. */
const PAUSE = 10;
const BARS = ' ▁▂▃▄▅▆▇█';
const WIDTH = 76;
/** Frames that one of both runs before the other takes its turn. */
const TURN = 25;

const options = readOptions(USAGE, FULL, QUICK);
const net = FILES[options.net];
if (!net) throw new Error(`--net expected ${Object.keys(FILES).join(', ')}`);

function recordingOf({ wav, seconds, seed }) {
  if (wav) {
    const { samples, rate } = readWav(readFileSync(wav));
    return { name: wav, samples: resample(samples, rate, RATE) };
  }
  const phrases = [
    'Is anybody there?',
    'The quick brown fox jumps over the lazy dog.',
    'Good night.',
  ];
  const spoken = say(phrases, RATE);
  if (spoken) return { name: 'espeak-ng', samples: spoken };
  return { name: 'a made-up voice', samples: babble({ seconds, rate: RATE, seed }) };
}

/** What a call reads: the last samples of the frame before, where the file wants them, and more. */
function framesOf(samples, { context, frame }) {
  const all = new Float32Array(context + samples.length);
  all.set(samples, context);
  return Array.from({ length: Math.floor(samples.length / frame) }, (_, k) =>
    all.slice(k * frame, k * frame + context + frame),
  );
}

/** Seconds from where to where there is speech. */
function segmentsOf(probabilities, threshold) {
  const seconds = (frames) => ((frames * net.frame) / RATE).toFixed(2);
  const found = [];
  probabilities.forEach((probability, k) => {
    if (probability < threshold) return;
    const last = found.at(-1);
    if (last && k - last[1] <= PAUSE) last[1] = k + 1;
    else found.push([k, k + 1]);
  });
  return found.map(([from, to]) => `${seconds(from)} to ${seconds(to)} s`);
}

/** Lines of bars, a bar for the largest of a few frames. */
function stripOf(probabilities) {
  const each = Math.max(1, Math.ceil(probabilities.length / (2 * WIDTH)));
  const bars = Array.from({ length: Math.ceil(probabilities.length / each) }, (_, k) => {
    const most = Math.max(...probabilities.slice(k * each, (k + 1) * each));
    return BARS[Math.min(BARS.length - 1, Math.floor(most * BARS.length))];
  });
  const secondsOf = (bar) => ((bar * each * net.frame) / RATE).toFixed(1).padStart(5);
  return Array.from({ length: Math.ceil(bars.length / WIDTH) }, (_, line) => {
    const at = line * WIDTH;
    return `${secondsOf(at)} s ${bars.slice(at, at + WIDTH).join('')}`;
  }).join('\n');
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const bytes = bytesOf(net, options.onnx);
if (options.live) {
  const files = { 'model.onnx': bytes, 'net.json': JSON.stringify(net) };
  serve('voice-activity', files, 'listens');
} else await compare();

/** Each from its import to the first probability, and then over the whole recording in turns. */
async function compared(frames) {
  const programs = [];
  for (const start of [startGatefold, startRuntime]) {
    const program = await start(bytes, net);
    await program.run(frames[0]);
    const startMs = performance.now() - program.started;
    program.restart();
    programs.push({ ...program, startMs, probabilities: [], micros: [] });
  }
  for (let from = 0; from < frames.length; from += TURN) {
    for (const { run, probabilities, micros } of programs) {
      for (const frame of frames.slice(from, from + TURN)) {
        const started = performance.now();
        probabilities.push(await run(frame));
        micros.push(1000 * (performance.now() - started));
      }
    }
  }
  return programs;
}

async function compare() {
  const { name, samples } = recordingOf(options);
  const frames = framesOf(samples, net);
  if (!frames.length) throw new Error(`${name} is shorter than a frame`);
  const [own, runtime] = await compared(frames);
  const found = [own, runtime].map(({ probabilities }) =>
    segmentsOf(probabilities, options.threshold),
  );
  console.log(`${name}, ${(samples.length / RATE).toFixed(1)} s; ${net.file} as it is\n`);
  console.log(`${stripOf(own.probabilities)}\n`);
  console.log(`speech: ${found[0].join(', ') || 'none'}\n`);

  const budget = (1e6 * net.frame) / RATE;
  const sizes = await downloads();
  const row = (label, { micros, startMs }) => [
    label,
    median(micros).toFixed(0),
    percent(median(micros) / budget),
    startMs.toFixed(0),
    Math.round(sizes[label] / 1024),
  ];
  console.log(
    table(
      ['', 'us a frame', 'of real time', 'ms to the first frame', 'KB gzip'],
      [row('onnxruntime-web', runtime), row('gatefold', own)],
    ),
  );
  const difference = Math.max(
    ...own.probabilities.map((p, k) => Math.abs(p - runtime.probabilities[k])),
  );
  console.log(
    `\n${(median(runtime.micros) / median(own.micros)).toFixed(1)} times as fast, ` +
      `${found[0].join() === found[1].join() ? 'the same segments' : `other segments: ${found[1].join(', ')}`}, ` +
      `largest difference ${difference.toExponential(1)}`,
  );
}
