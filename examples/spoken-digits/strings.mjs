// Several digits in one sound, and nobody says where one ends: connectionist temporal
// classification (CTC).
import { Model, Trainer, cosineDecay, greedyCtc, labelErrorRate } from 'gatefold';
import { SequenceBuckets } from 'gatefold/data';
import { createRandom } from '../common/random.mjs';
import { percent, table, train } from '../common/terminal.mjs';
import { featuresOf, joined } from './corpus.mjs';
import { BANDS, RATE } from './features.mjs';

/** Label 0 is the blank of CTC, digit d is label d + 1. */
const LABELS = 11;
/** Steps of 10 ms that the network reads at once. */
const STACK = 3;
const SHOWN = 8;

/** Recordings of one speaker, 2 to 5 of them joined with short pauses: { samples, target }. */
function joinDigits(recordings, count, random) {
  const bySpeaker = {};
  for (const one of recordings) (bySpeaker[one.speaker] ??= []).push(one);
  const pause = () => {
    const length = Math.round(RATE * random.between(0.02, 0.2));
    return Float32Array.from({ length }, () => 1e-3 * random.normal());
  };
  return Array.from({ length: count }, () => {
    const own = random.pick(Object.values(bySpeaker));
    const said = Array.from({ length: 2 + random.below(4) }, () => random.pick(own));
    return {
      samples: joined(said.flatMap(({ samples }) => [samples, pause()])),
      target: Int32Array.from(said, ({ digit }) => digit + 1),
    };
  });
}

/** Some steps side by side are one step; a rest at the end is left out. */
function stacked({ input, target }) {
  const width = BANDS * STACK;
  return { input: input.subarray(0, Math.floor(input.length / width) * width), target };
}

export async function recogniseStrings(engine, parts, options) {
  const { batch, rate, copies, strings, hidden, epochs, seed } = options;
  const random = createRandom(seed);
  const counts = {
    training: strings,
    unseen: Math.ceil(strings / 4),
    strangers: Math.ceil(strings / 4),
  };
  const sounds = Object.entries(parts).map(([name, recordings]) => [
    name,
    joinDigits(recordings, counts[name], random),
  ]);
  const features = featuresOf(Object.fromEntries(sounds), { copies, seed });
  const data = Object.entries(features).map(([name, sequences]) => [
    name,
    new SequenceBuckets(sequences.map(stacked), { batch, features: BANDS * STACK, seed }),
  ]);
  const { training, unseen, strangers } = Object.fromEntries(data);
  const layers = [
    { type: 'lstm', inputSize: BANDS * STACK, hiddenSize: hidden, bidirectional: true },
    { type: 'linear', outFeatures: LABELS },
  ];
  const model = Model.create(engine, { layers }, { seed });
  const trainer = Trainer.create(model, {
    batch,
    steps: Math.max(training.steps, unseen.steps, strangers.steps),
    // A string that is too long for its few steps counts for nothing.
    loss: { type: 'ctc', zeroInfinity: true },
    optimizer: { type: 'adam', lr: rate },
    gradClip: { norm: 1 },
  });
  const plan = { epochs, learningRate: cosineDecay(rate) };
  const seconds = await train(trainer, training, plan, 'bidirectional LSTM with CTC');

  const rows = [
    ['unseen takes', unseen],
    ['new speakers', strangers],
  ].map(([name, own]) => ({ name, heard: hear(model, own) }));
  const figures = rows.map(({ name, heard }) => {
    const [said, written] = [heard.map((one) => one.said), heard.map((one) => one.written)];
    const whole = heard.filter((one) => String(one.said) === String(one.written)).length;
    const rates = [labelErrorRate(written, said), whole / heard.length].map(percent);
    return [name, heard.length, said.flat().length, ...rates];
  });
  console.log(table(['', 'strings', 'digits', 'label errors', 'strings right'], figures));
  console.log(
    `\n${model.parameterCount} parameters, trained in ${seconds.toFixed(1)} s on ${strings} strings and ${copies} altered copies of each\n`,
  );
  const text = (labels) => labels.map((label) => label - 1).join(' ');
  const shown = rows[1].heard.filter((_, i, { length }) => i % Math.ceil(length / SHOWN) === 0);
  console.log(
    table(
      ['said (new speakers)', 'heard'],
      shown.map(({ said, written }) => [text(said), text(written)]),
    ),
  );
}

/** What was said and what the likeliest label of every step makes of it. */
function hear(model, data) {
  const heard = [];
  for (let index = 0; index < data.length; index++) {
    const { inputs, targets, targetLengths, steps, lengths } = data.window(index);
    const { batch } = data;
    const { output } = model.forward(inputs, { steps, batch, lengths });
    const written = greedyCtc(output, { steps, batch, lengths });
    const longest = targets.length / batch;
    lengths.forEach((length, row) => {
      if (!length) return;
      const said = [...targets.subarray(row * longest, row * longest + targetLengths[row])];
      heard.push({ said, written: written[row] });
    });
  }
  return heard;
}
