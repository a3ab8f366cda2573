// The next word: an LSTM over the words of a text, whose state is carried from window to window.
import { readFileSync } from 'node:fs';
import { Engine, Model, TextBatches, Trainer, cosineDecay } from 'gatefold';
import { percent, readOptions, table, train } from '../common/terminal.mjs';
import { UNKNOWN, WordList, bigramPerplexity, makeText, wordsOf } from './words.mjs';

const USAGE = `
Learns to say the next word of a text, and suggests some.

  node examples/next-word/main.mjs
  node examples/next-word/main.mjs --text novel.txt --after "it was the" --epochs 10

  --text FILE    what to learn from; default a made-up text
  --after TEXT   what to go on from; default beginnings from the end of the text
  --cell NAME    lstm or gru (lstm)
  --hidden N     units, and numbers that stand for a word (128)
  --least N      how often a word must come to be known (2)
  --epochs N     passes over the text (6)
  --made N       words of the made-up text (60000)
  --seed N       of the made-up text and the weights (1)
  --quick        a run of a few seconds
`;
const FULL = {
  text: '',
  after: '',
  cell: 'lstm',
  hidden: 128,
  least: 2,
  epochs: 6,
  made: 60_000,
  seed: 1,
};
const QUICK = { hidden: 48, epochs: 8, made: 12_000 };
const STEPS = 32;
const RATE = 0.004;
const SUGGESTIONS = 4;

const options = readOptions(USAGE, FULL, QUICK);
if (!['lstm', 'gru'].includes(options.cell)) throw new Error('--cell is lstm or gru');
const { hidden, seed } = options;
const { text, floor } = options.text
  ? { text: readFileSync(options.text, 'utf8') }
  : makeText({ words: options.made, seed });
const words = wordsOf(text);
const cut = Math.floor(0.9 * words.length);
// Only what is learned from may say which words there are.
const list = new WordList(words.slice(0, cut), options.least);
const tokens = list.encode(words);
const [training, held] = [tokens.subarray(0, cut), tokens.subarray(cut)];
const unknown = held.filter((token) => token === UNKNOWN).length / held.length;
console.log(
  `${words.length} words, ${list.size} of them known; ${percent(unknown)} of the held-out words are not\n`,
);

const batch = Math.max(1, Math.min(32, Math.floor(training.length / 500)));
const engine = await Engine.create();
const model = Model.create(
  engine,
  {
    layers: [
      { type: 'embedding', name: 'words', numEmbeddings: list.size, embeddingDim: hidden },
      { type: options.cell, name: 'memory', hiddenSize: hidden },
      // The same table says what a word means and which word is meant.
      { type: 'linear', outFeatures: list.size, tied: 'words' },
    ],
  },
  { seed },
);
const trainer = Trainer.create(model, {
  batch,
  steps: STEPS,
  loss: 'cross-entropy',
  optimizer: { type: 'adam', lr: RATE },
  gradClip: { norm: 1 },
});
const validation = new TextBatches(held, { batch, steps: STEPS });
const seconds = await train(
  trainer,
  new TextBatches(training, { batch, steps: STEPS }),
  { epochs: options.epochs, learningRate: cosineDecay(RATE), validation },
  options.cell,
);

const { perplexity: own } = trainer.evaluate(validation, ['perplexity']);
const rows = [
  ['every word alike', list.size.toFixed(1)],
  ['pairs counted', bigramPerplexity(training, held, list.size).toFixed(1)],
  [options.cell.toUpperCase(), own.toFixed(1)],
];
if (floor) rows.push(['the choices that made the text', floor.toFixed(1)]);
console.log(table(['', 'perplexity on held-out words'], rows));
console.log(`\n${model.parameterCount} parameters, trained in ${seconds.toFixed(1)} s\n`);

/** The likeliest words after some, with their shares. */
function suggest(beginning) {
  const stream = model.stream();
  const scores = new Float32Array(list.size);
  for (const token of list.encode(beginning)) stream.step(Int32Array.of(token), scores);
  stream.dispose();
  const most = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const order = [...weights.keys()].filter((token) => token !== UNKNOWN);
  order.sort((a, b) => weights[b] - weights[a]);
  return order
    .slice(0, SUGGESTIONS)
    .map((token) => `${list.word(token)} ${percent(weights[token] / total)}`);
}

/** Beginnings out of the held-out text: whole sentences but for their end. */
function beginnings() {
  const later = words.slice(cut);
  const ends = [...later.keys()].filter((i) => later[i] === '.').slice(0, 5);
  return ends.slice(0, -1).map((end, k) => {
    const next = ends[k + 1];
    return later.slice(end, Math.max(end + 2, next - 1));
  });
}

const asked = options.after ? [wordsOf(options.after)] : beginnings();
for (const beginning of asked) {
  const shown = beginning.filter((word) => word !== '.').join(' ');
  console.log(`... ${shown} ...\n      ${suggest(beginning).join('   ')}`);
}
