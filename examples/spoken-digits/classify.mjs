// One digit a recording: a recurrent layer, a pool over its steps, a linear layer.
import { Model, Trainer, cosineDecay } from 'gatefold';
import { SequenceBuckets } from 'gatefold/data';
import { percent, table, train } from '../common/terminal.mjs';
import { featuresOf } from './corpus.mjs';
import { BANDS } from './features.mjs';

const DIGITS = 10;

/** The networks that are compared. */
const NETWORKS = {
  GRU: { type: 'gru', pool: 'last' },
  'GRU, mean over steps': { type: 'gru', pool: 'mean' },
  'bidirectional LSTM': { type: 'lstm', bidirectional: true, pool: 'mean' },
};

export async function classify(engine, parts, options) {
  const sounds = Object.entries(parts).map(([name, recordings]) => [
    name,
    recordings.map(({ samples, digit }) => ({ samples, target: digit })),
  ]);
  const features = featuresOf(Object.fromEntries(sounds), options);
  const { batch } = options;
  const data = Object.entries(features).map(([name, sequences]) => [
    name,
    new SequenceBuckets(sequences, { batch, features: BANDS, seed: options.seed }),
  ]);
  const { training, unseen, strangers } = Object.fromEntries(data);
  const steps = Math.max(training.steps, unseen.steps, strangers.steps);

  const rows = [];
  let strangersHeard;
  for (const [name, { pool, ...cell }] of Object.entries(NETWORKS)) {
    const layers = [
      { ...cell, inputSize: BANDS, hiddenSize: options.hidden },
      { type: 'pool', mode: pool },
      { type: 'linear', outFeatures: DIGITS },
    ];
    const model = Model.create(engine, { layers }, { seed: options.seed });
    const trainer = Trainer.create(model, {
      batch,
      steps,
      loss: 'cross-entropy',
      optimizer: { type: 'adamw', lr: options.rate, weightDecay: 0.01 },
      gradClip: { norm: 1 },
    });
    const learningRate = cosineDecay(options.rate);
    const plan = { epochs: options.epochs, learningRate };
    const seconds = await train(trainer, training, plan, name);
    trainer.dispose();
    strangersHeard = count(model, strangers);
    const accuracies = [count(model, unseen), strangersHeard].map(accuracy).map(percent);
    rows.push([name, model.parameterCount, `${seconds.toFixed(1)} s`, ...accuracies]);
    model.dispose();
  }
  const headline = ['network', 'parameters', 'training', 'unseen takes', 'new speakers'];
  console.log(table(headline, rows));
  console.log(`\n${rows.at(-1)[0]}, new speakers: digits said (rows) and heard (columns)\n`);
  console.log(confusionTable(strangersHeard));
}

/** How often each digit was heard as each. */
function count(model, data) {
  const counts = Array.from({ length: DIGITS }, () => Array.from({ length: DIGITS }, () => 0));
  for (let index = 0; index < data.length; index++) {
    const { inputs, targets, steps, lengths } = data.window(index);
    const { output } = model.forward(inputs, { steps, batch: data.batch, lengths });
    lengths.forEach((length, row) => {
      if (!length) return;
      const scores = output.subarray(row * DIGITS, (row + 1) * DIGITS);
      counts[targets[row]][scores.indexOf(Math.max(...scores))]++;
    });
  }
  return counts;
}

function accuracy(counts) {
  const right = counts.reduce((sum, row, digit) => sum + row[digit], 0);
  return right / counts.flat().reduce((sum, n) => sum + n, 0);
}

function confusionTable(counts) {
  const shown = counts.map((row, digit) => [digit, ...row.map((n) => n || '.')]);
  return table(['', ...counts.keys()], shown);
}
