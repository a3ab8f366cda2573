// Text to words and back, and a text that is made up, so that the example runs without a file.
import { createRandom } from '../common/random.mjs';

/** Token of a word that the vocabulary lacks. */
export const UNKNOWN = 0;

/** Words in small letters, numbers, and marks that end or part sentences. */
export const wordsOf = (text) =>
  text.toLowerCase().match(/\p{L}+(?:['’]\p{L}+)*|\p{N}+|[.,;:!?]/gu) ?? [];

/** The words that come at least `least` times, the most frequent first. */
export class WordList {
  #words;
  #tokens;

  constructor(words, least) {
    const counts = new Map();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    const known = [...counts].filter(([, count]) => count >= least);
    // Equal counts in the order of their first place: sorting is stable.
    known.sort((a, b) => b[1] - a[1]);
    this.#words = ['<unknown>', ...known.map(([word]) => word)];
    this.#tokens = new Map(this.#words.map((word, token) => [word, token]));
  }

  get size() {
    return this.#words.length;
  }

  word(token) {
    return this.#words[token];
  }

  encode(words) {
    return Int32Array.from(words, (word) => this.#tokens.get(word) ?? UNKNOWN);
  }
}

const PEOPLE = {
  fisherman: ['fishermen', 'net boat rope'],
  baker: ['bakers', 'bread cake oven'],
  gardener: ['gardeners', 'rose hedge spade'],
  teacher: ['teachers', 'book pupil lesson'],
  smith: ['smiths', 'hammer sword horseshoe'],
  painter: ['painters', 'brush canvas portrait'],
  shepherd: ['shepherds', 'sheep dog meadow'],
  clerk: ['clerks', 'letter stamp ledger'],
};
const VERBS = {
  mend: 'mends',
  find: 'finds',
  sell: 'sells',
  like: 'likes',
  forget: 'forgets',
  need: 'needs',
};
const LOOKS = ['old', 'young', 'tired', 'cheerful', 'quiet', 'clever'];
const PLACES = ['harbour', 'market', 'village', 'mill', 'bridge'];
const TIMES = ['in the morning', 'at noon', 'every evening', 'on sundays', 'after the rain'];

/**
 * A made-up text in which words far apart belong together: the verb agrees with a person who was
 * named up to ten words before, and so does the thing that the verb is about. Counting neighbours
 * of words cannot see that.
 *
 * @returns The text, and the perplexity that nobody can stay below: that of the choices it was made
 *   by.
 */
export function makeText({ words, seed }) {
  const random = createRandom(seed);
  let nats = 0;
  const pick = (items) => {
    nats += Math.log(items.length);
    return random.pick(items);
  };
  const maybe = (share, text) => {
    const isSaid = random.uniform() < share;
    nats -= Math.log(isSaid ? share : 1 - share);
    return isSaid ? text() : '';
  };
  const sentence = () => {
    const person = pick(Object.keys(PEOPLE));
    const [many, things] = PEOPLE[person];
    const isMany = pick([false, true]);
    const verb = () => (isMany ? (one) => one : (one) => VERBS[one])(pick(Object.keys(VERBS)));
    const deed = () => `${verb()} the ${pick(things.split(' '))}`;
    return [
      maybe(1 / 3, () => 'some') || 'the',
      maybe(0.5, () => pick(LOOKS)),
      isMany ? many : person,
      maybe(0.6, () => `near the ${pick(LOOKS)} ${pick(PLACES)}`),
      maybe(0.4, () => `who ${isMany ? 'live' : 'lives'} by the ${pick(PLACES)}`),
      deed(),
      maybe(0.4, () => `and ${deed()}`),
      maybe(0.5, () => pick(TIMES)),
    ];
  };
  const sentences = [];
  let count = 0;
  while (count < words) {
    const text = `${sentence().filter(Boolean).join(' ')}.`;
    sentences.push(text);
    count += wordsOf(text).length;
  }
  return { text: sentences.join('\n'), floor: Math.exp(nats / count) };
}

/**
 * Perplexity of a bigram model with interpolated counts (Jelinek and Mercer): what counting pairs
 * of words achieves.
 */
export function bigramPerplexity(training, held, size) {
  const single = new Float64Array(size);
  const pairs = new Map();
  const followed = new Float64Array(size);
  for (const token of training) single[token]++;
  for (let i = 1; i < training.length; i++) {
    const pair = training[i - 1] * size + training[i];
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    followed[training[i - 1]]++;
  }
  let nats = 0;
  for (let i = 1; i < held.length; i++) {
    const [before, token] = [held[i - 1], held[i]];
    const alone = (single[token] + 0.5) / (training.length + 0.5 * size);
    const count = followed[before];
    // Frequent words say well what follows them; of rare ones less is believed.
    const trust = count / (count + 5);
    const together = count ? (pairs.get(before * size + token) ?? 0) / count : 0;
    nats -= Math.log(trust * together + (1 - trust) * alone);
  }
  return Math.exp(nats / (held.length - 1));
}
