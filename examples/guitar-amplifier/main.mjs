// A guitar through an amplifier that is a small LSTM: files of audio plug-ins, WAV in and out.
import { readFileSync, writeFileSync } from 'node:fs';
import { Engine, Model, Trainer, cosineDecay } from 'gatefold';
import { loadAudio, writeRtneural } from 'gatefold/formats/audio';
import { percent, readOptions, table, train } from '../common/terminal.mjs';
import { serve } from './page/serve.mjs';
import { plainAmplifier } from './plain.mjs';
import { playGuitar, playThroughTube, readWav, writeWav } from './sound.mjs';

const USAGE = `
Plays a guitar through an amplifier that is a model: of a file (RTNeural, AIDA-X, GuitarML, NAM's LSTM), or one that it trains itself on a made-up tube.

  node examples/guitar-amplifier/main.mjs
  node examples/guitar-amplifier/main.mjs --model amplifier.json --in guitar.wav --out amplified.wav
  node examples/guitar-amplifier/main.mjs --live

  --model FILE   the amplifier; default: trained here, and written to amplifier.json
  --in FILE      a WAV file at the model's rate; default: a made-up guitar
  --out FILE     where the amplified sound goes (amplified.wav)
  --seconds N    of the made-up guitar that is amplified (10)
  --hidden N     units of the LSTM that is trained (12)
  --epochs N     passes over a made-up guitar of 20 seconds (30)
  --seed N       of the guitar and of the weights (1)
  --live         serves a page that plays the amplifier live, on a microphone or a made-up guitar
  --quick        a run of a few seconds
`;
const FULL = {
  model: '',
  in: '',
  out: 'amplified.wav',
  seconds: 10,
  hidden: 12,
  epochs: 30,
  seed: 1,
  live: false,
};
const QUICK = { seconds: 2, epochs: 4, hidden: 8 };
const RATE = 48_000;
/** What an AudioWorklet has at a time. */
const BLOCK = 128;
const [BATCH, STEPS] = [32, 500];

const options = readOptions(USAGE, FULL, QUICK);
const engine = await Engine.create();

/** Windows one after the other of several parts of the sound: states go on to the next. */
function windowsOf(input, target) {
  const part = Math.floor(input.length / BATCH);
  const length = Math.floor(part / STEPS);
  return {
    length,
    window(index) {
      const cut = (samples) =>
        Float32Array.from({ length: STEPS * BATCH }, (_, k) => {
          const [step, row] = [Math.floor(k / BATCH), k % BATCH];
          return samples[row * part + index * STEPS + step];
        });
      return { inputs: cut(input), targets: cut(target), steps: STEPS, fresh: index === 0 };
    },
  };
}

/** An amplifier that has learned the tube, as the text of a file. */
async function trainAmplifier({ hidden, epochs, seed }) {
  const input = playGuitar({ seconds: 20, rate: RATE, seed: seed + 1 });
  const data = windowsOf(input, playThroughTube(input, RATE));
  const layers = [
    { type: 'lstm', inputSize: 1, hiddenSize: hidden },
    { type: 'linear', outFeatures: 1 },
    { type: 'add', inputs: ['linear', 'input'] },
  ];
  const model = Model.create(engine, { layers }, { seed, metadata: { sampleRate: RATE } });
  const optimizer = { type: 'adam', lr: 0.01 };
  const trainer = Trainer.create(model, { batch: BATCH, steps: STEPS, loss: 'mse', optimizer });
  await train(trainer, data, { epochs, learningRate: cosineDecay(0.01) }, 'LSTM');
  trainer.dispose();
  return writeRtneural(model);
}

const isTrained = options.model === '';
const bytes = isTrained ? await trainAmplifier(options) : readFileSync(options.model);
if (isTrained) writeFileSync('amplifier.json', bytes);
const model = loadAudio(engine, bytes);
const rate = model.metadata.sampleRate ?? RATE;
if (model.inputSize !== 1 || model.outputSize !== 1) {
  throw new Error(`the model has ${model.inputSize} inputs: this example has one channel`);
}

if (options.live) {
  serve(bytes);
} else {
  amplify();
}

/** Runs a program over the sound in blocks, as it would be live; the nanoseconds a sample. */
function run(program, input, output) {
  const started = performance.now();
  for (let at = 0; at < input.length; at += BLOCK) {
    const length = Math.min(BLOCK, input.length - at);
    program(input.subarray(at, at + length), output.subarray(at, at + length), length);
  }
  return ((performance.now() - started) * 1e6) / input.length;
}

/** The fastest of a few runs over the sound, each from the beginning. */
function measure(make, input, output) {
  return Math.min(...Array.from({ length: 5 }, () => run(make(), input, output)));
}

function amplify() {
  const file = options.in ? readWav(readFileSync(options.in)) : undefined;
  const input = file?.samples ?? playGuitar({ seconds: options.seconds, rate, seed: options.seed });
  if (file && file.rate !== rate) {
    console.log(`${options.in} has ${file.rate} samples a second, the model was made for ${rate}`);
  }
  const output = new Float32Array(input.length);
  const own = measure(
    () => {
      const stream = model.stream();
      return (x, y, length) => stream.run(x, y, length);
    },
    input,
    output,
  );
  writeFileSync(options.out, writeWav(output, file?.rate ?? rate));
  const seconds = (input.length / rate).toFixed(1);
  console.log(`${options.out}: ${seconds} s, ${model.parameterCount} parameters\n`);
  if (isTrained && !file) {
    const truth = playThroughTube(input, rate);
    const square = (values) => values.reduce((sum, value) => sum + value * value, 0);
    const error = square(truth.map((value, t) => value - output[t])) / square(truth);
    console.log(`error to signal, of a guitar that it has not heard: ${percent(error)}\n`);
  }
  const rows = [['gatefold', own]];
  let difference;
  try {
    const plain = new Float32Array(input.length);
    const json = JSON.parse(new TextDecoder().decode(bytes));
    rows.unshift(['plain JavaScript', measure(() => plainAmplifier(json), input, plain)]);
    difference = plain.reduce((most, value, t) => Math.max(most, Math.abs(value - output[t])), 0);
  } catch (error) {
    console.log(`without a comparison: ${error.message}\n`);
  }
  const share = (ns) => percent((ns * rate) / 1e9);
  const printed = rows.map(([name, ns]) => [
    name,
    ns.toFixed(0),
    share(ns),
    (rows[0][1] / ns).toFixed(1),
  ]);
  console.log(table(['', 'ns a sample', 'of real time', 'times as fast'], printed));
  if (difference !== undefined) console.log(`\nlargest difference ${difference.toExponential(1)}`);
}
