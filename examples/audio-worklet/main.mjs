// An effect that an LSTM learns while it plays: serves the page, or trains here.
import { Engine, Model, Trainer, cosineDecay } from 'gatefold';
import { serve } from '../common/serve.mjs';
import { percent, readOptions } from '../common/terminal.mjs';
import { LAYERS, RATE, applyEffect, errorOf, learn, makeSound } from './filter.mjs';

const USAGE = `
A page where an LSTM in the audio thread learns an effect while it plays: it is trained in a Worker, which sends what it has learned after every pass.

  node examples/audio-worklet/main.mjs

  --port N      where the page is served, to this machine alone (8080)
  --epochs N    of a training here, in Node, instead of the page (0)
  --quick       a run of a few seconds: 6 epochs in Node
`;
const options = readOptions(USAGE, { port: 8080, epochs: 0 }, { epochs: 6 });

if (options.epochs === 0) {
  serve('audio-worklet', {}, 'learns an effect while it plays', options.port);
} else {
  const knobs = { drive: 6, cutoff: 1500 };
  const sound = makeSound();
  const model = Model.create(await Engine.create(), { layers: LAYERS }, { seed: 1 });
  const target = applyEffect(sound, knobs);
  const plan = { epochs: options.epochs };
  for await (const { epoch, error } of learn(
    { Trainer, cosineDecay },
    model,
    sound,
    target,
    plan,
  )) {
    console.log(`epoch ${epoch}  error to signal ${percent(error)}`);
  }
  const other = makeSound(2);
  const output = new Float32Array(other.length);
  const stream = model.stream();
  stream.warmUp();
  const started = performance.now();
  for (let t = 0; t < other.length; t += 128) {
    stream.run(other.subarray(t), output.subarray(t), Math.min(128, other.length - t));
  }
  const share = ((performance.now() - started) / 1000 / other.length) * RATE;
  console.log(
    `of a sound that it has not heard: ${percent(errorOf(output, applyEffect(other, knobs)))}`,
  );
  console.log(`in blocks of 128 samples: ${percent(share)} of real time`);
}
