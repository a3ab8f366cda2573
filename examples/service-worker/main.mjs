// Trains a small model on a wave, and serves a page whose service worker runs it, offline too.
import { Engine, Model, Trainer, cosineDecay } from 'gatefold';
import { SequenceBuckets } from 'gatefold/data';
import { saveModel } from 'gatefold/formats/safetensors';
import { serve } from '../common/serve.mjs';
import { readOptions, train } from '../common/terminal.mjs';
import { HORIZON, SEEN, makeWave } from './wave.mjs';

const USAGE = `
A page whose service worker answers requests for forecasts by a model, with or without a network.

  node examples/service-worker/main.mjs

  --port N    where the page is served, to this machine alone (8080)
  --epochs N  of the training before that (40)
  --quick     a run of a few seconds: trains, and serves nothing
`;
const options = readOptions(USAGE, { port: 8080, epochs: 40 }, { epochs: 8 });
const layers = [
  { type: 'gru', inputSize: 1, hiddenSize: 32 },
  { type: 'pool', mode: 'last' },
  { type: 'linear', outFeatures: HORIZON },
];
const model = Model.create(await Engine.create(), { layers }, { seed: 1 });
const [batch, steps] = [16, SEEN];
/** Pieces of the wave with what follows them. */
const pieces = (count, from) =>
  new SequenceBuckets(
    Array.from({ length: count }, (_, k) => {
      const values = makeWave(SEEN + HORIZON, from + 53 * k);
      return { input: values.subarray(0, SEEN), target: values.subarray(SEEN) };
    }),
    { batch },
  );
const optimizer = { type: 'adam', learningRate: 0.01 };
const trainer = Trainer.create(model, { batch, steps, loss: 'mse', optimizer });
const plan = { epochs: options.epochs, learningRate: cosineDecay(0.01) };
await train(trainer, pieces(320, 0), plan, 'GRU');

if (process.argv.includes('--quick')) {
  const { loss } = trainer.evaluate(pieces(32, 50_000));
  console.log(`root mean square error of ${HORIZON} values: ${Math.sqrt(loss).toFixed(3)}`);
} else {
  serve(
    'service-worker',
    { 'model.bin': saveModel(model) },
    'forecasts, offline too',
    options.port,
  );
}
