// A spelling corrector that has read no dictionary: it learns from words and typos of them to write
// the word that was meant.
import { readFileSync } from 'node:fs';
import { Engine, cosineDecay } from 'gatefold';
import { SequenceBuckets } from 'gatefold/data';
import { createRandom } from '../common/random.mjs';
import { Progress, percent, readOptions, table } from '../common/terminal.mjs';
import { Corrector, encode } from './corrector.mjs';
import { distance, mistype } from './typos.mjs';
import { WORDS } from './words.mjs';

const USAGE = `
Learns to correct typos, letter by letter, and shows what it makes of some.

  node examples/spelling/main.mjs
  node examples/spelling/main.mjs --fix "definately seperate"

  --fix TEXT    words to correct when it has learned
  --words FILE  the words to know, one a line (a to z); default about a thousand common ones
  --known N     how many of them at most (1000)
  --hidden N    units of each GRU (128)
  --epochs N    passes; in each, every word is mistyped anew (40)
  --copies N    typos of each word in a pass (8)
  --seed N      of weights, order and typos (1)
  --quick       a run of a few seconds, with few words
`;
const FULL = { fix: '', words: '', known: 1000, hidden: 128, epochs: 40, copies: 8, seed: 1 };
const QUICK = { known: 40, hidden: 64, epochs: 40, copies: 20 };
const BATCH = 32;
const RATE = 0.003;
const TESTS = 2000;
const SHOWN = 12;

const options = readOptions(USAGE, FULL, QUICK);
const listed = options.words ? readFileSync(options.words, 'utf8').trim().split(/\s+/) : WORDS;
const strange = listed.find((word) => !/^[a-z]{2,}$/.test(word));
if (strange) throw new Error(`words are made of 2 or more letters from a to z, got '${strange}'`);
const words = [...new Set(listed)].slice(0, options.known);
const random = createRandom(options.seed);
const longest = Math.max(...words.map(({ length }) => length));

// Typos to be measured on come first, and are never learned from.
const tests = Array.from({ length: TESTS }, () => {
  const word = random.pick(words);
  return { word, typed: mistype(word, random) };
});
const reserved = new Set(tests.map(({ word, typed }) => `${typed} ${word}`));

/** The words as they may be typed, anew at every call. */
function lesson() {
  const sequences = [];
  for (const word of words) {
    for (let copy = 0; copy < options.copies; copy++) {
      const typed = mistype(word, random);
      if (typed !== word && reserved.has(`${typed} ${word}`)) continue;
      sequences.push({ input: encode(typed), target: encode(word) });
    }
  }
  return new SequenceBuckets(sequences, { batch: BATCH, seed: options.seed });
}

const engine = await Engine.create();
const create = (attention) =>
  new Corrector(engine, {
    hidden: options.hidden,
    batch: BATCH,
    steps: longest + 2,
    longest,
    seed: options.seed,
    lr: RATE,
    attention,
  });
const correctors = { GRU: create(false), 'GRU, attention': create(true) };
const counts = Object.entries(correctors).map(
  ([name, { parameterCount }]) => `${name} ${parameterCount} parameters`,
);
console.log(`${words.length} words; ${counts.join('; ')}\n`);

/** Returns the seconds that it took. */
function learn(name, corrector) {
  const progress = new Progress();
  const start = performance.now();
  const rateAt = cosineDecay(RATE);
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const data = lesson();
    let sum = 0;
    for (let index = 0; index < data.length; index++) {
      const share = (epoch + index / data.length) / options.epochs;
      corrector.learningRate = rateAt(share, 1);
      sum += corrector.learn(data.window(index, epoch));
      const seconds = (performance.now() - start) / 1000;
      const left = share ? `${Math.ceil(seconds / share - seconds)} s left` : '';
      const mean = (sum / (index + 1)).toFixed(3);
      progress.show(`${name}: pass ${epoch + 1}/${options.epochs}  loss ${mean}  ${left}`);
    }
  }
  progress.end();
  return (performance.now() - start) / 1000;
}

/** The words that are meant by what was typed, in its order. */
function corrected(typed, corrector) {
  const words = [];
  for (let first = 0; first < typed.length; first += BATCH) {
    const inputs = typed
      .slice(first, first + BATCH)
      .map((text, i) => ({ input: encode(text), target: i }));
    const window = new SequenceBuckets(inputs, { batch: BATCH }).window(0);
    const written = corrector.correct(window);
    inputs.forEach((_, row) => (words[first + window.targets[row]] = written[row]));
  }
  return words;
}

/** The known word of the fewest changes; the first of several. */
function nearest(typed) {
  const distances = words.map((word) => distance(typed, word));
  return words[distances.indexOf(Math.min(...distances))];
}

const seconds = Object.entries(correctors).map((entry) => learn(...entry).toFixed(1));
const typed = tests.map((test) => test.typed);
const answers = { uncorrected: typed, 'nearest word': typed.map(nearest) };
for (const [name, corrector] of Object.entries(correctors)) {
  answers[name] = corrected(typed, corrector);
}
const isSlipped = tests.map((test) => test.typed !== test.word);
const rows = Object.entries(answers).map(([name, written]) => {
  const isRight = written.map((word, i) => word === tests[i].word);
  const share = (wanted) => {
    const own = isRight.filter((_, i) => isSlipped[i] === wanted);
    return own.filter(Boolean).length / own.length;
  };
  return [
    name,
    percent(isRight.filter(Boolean).length / tests.length),
    percent(share(true)),
    percent(share(false)),
  ];
});
console.log(table(['', 'words right', 'of typos', 'of right ones'], rows));
console.log(
  `\ntrained in ${seconds.join(' and ')} s; ${tests.length} words as typed, whose typos it had not seen\n`,
);

const shown = tests.flatMap(({ word, typed: text }, i) => {
  const written = answers['GRU, attention'][i];
  return isSlipped[i] ? [[text, written, written === word ? '' : `meant ${word}`]] : [];
});
console.log(table(['typed', 'corrected', ''], shown.slice(0, SHOWN)));

if (options.fix) {
  const own = options.fix.toLowerCase().match(/[a-z]+/g) ?? [];
  console.log(`\n${own.join(' ')}\n${corrected(own, correctors['GRU, attention']).join(' ')}`);
}
