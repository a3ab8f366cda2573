// Sequence to sequence: a GRU reads the typed letters, its last state is the first state of another
// GRU, which writes the word. With attention, the writer looks at all letters again before each
// that it writes.
import { Model, Trainer } from 'gatefold';

/** 0 ends a word (and starts one), a is 1, b 2, ... */
export const END = 0;
const LETTERS = 27;
export const encode = (word) => Int32Array.from(word, (letter) => letter.charCodeAt(0) - 96);
const decode = (tokens) => tokens.map((token) => String.fromCharCode(token + 96)).join('');

/** Reader and writer as one model of two sequences. */
function describe(hiddenSize, hasAttention) {
  const letters = { type: 'embedding', numEmbeddings: LETTERS, embeddingDim: 24 };
  const attention = [
    { type: 'linear', name: 'query', outFeatures: hiddenSize, bias: false },
    { type: 'linear', name: 'key', inputs: ['reader'], outFeatures: hiddenSize },
    { type: 'attention', name: 'seen', inputs: ['query', 'reader', 'key'], score: 'additive' },
    { type: 'concat', inputs: ['writer', 'seen'] },
  ];
  return {
    inputs: ['typed', { name: 'written', stepsOf: 'written' }],
    layers: [
      { ...letters, inputs: ['typed'] },
      // What was read last is remembered best, and the first letter is wanted first: it reads
      // backwards.
      { type: 'gru', name: 'reader', hiddenSize, direction: 'backward' },
      { ...letters, inputs: ['written'] },
      { type: 'gru', name: 'writer', hiddenSize, initialState: { h: 'reader.h' } },
      ...(hasAttention ? attention : []),
      { type: 'linear', outFeatures: LETTERS },
    ],
  };
}

export class Corrector {
  #model;
  #trainer;
  #batch;
  #longest;

  /**
   * @param longest letters of the longest word; a correction may have one more than it, its end.
   */
  constructor(engine, { hidden, batch, steps, longest, seed, lr, attention }) {
    this.#model = Model.create(engine, describe(hidden, attention), { seed });
    this.#trainer = Trainer.create(this.#model, {
      batch,
      steps: { typed: steps, written: longest + 1 },
      loss: { type: 'cross-entropy', ignoreIndex: -1 },
      optimizer: { type: 'adam', lr },
      gradClip: { norm: 1 },
    });
    this.#batch = batch;
    this.#longest = longest;
  }

  get parameterCount() {
    return this.#model.parameterCount;
  }

  set learningRate(rate) {
    this.#trainer.learningRate = rate;
  }

  /**
   * One update; returns the loss.
   *
   * @param window Of `SequenceBuckets`: typed letters, and as labels the letters of the words.
   */
  learn({ inputs: typed, steps, lengths, targets, targetLengths }) {
    const words = this.#shift(targets, targetLengths);
    const { loss } = this.#trainer.trainOn({ typed, written: words.inputs }, words.targets, {
      steps: { typed: steps, written: words.steps },
      lengths: { typed: lengths, written: words.lengths },
    });
    return loss;
  }

  /**
   * What the writer reads, END and the word, and what it is to say, the word and END, both [T, B].
   */
  #shift(labels, labelLengths) {
    const batch = this.#batch;
    const longest = labels.length / batch;
    const steps = longest + 1;
    const inputs = new Int32Array(steps * batch);
    const targets = new Int32Array(steps * batch);
    for (let row = 0; row < batch; row++) {
      for (let t = 0; t < labelLengths[row]; t++) {
        const letter = labels[row * longest + t];
        inputs[(t + 1) * batch + row] = letter;
        targets[t * batch + row] = letter;
      }
    }
    return { inputs, targets, steps, lengths: labelLengths.map((length) => length && length + 1) };
  }

  /** The word that each row of typed letters was meant to be: the likeliest letter after each. */
  correct({ inputs: typed, steps, lengths }) {
    const batch = this.#batch;
    // The reader has all letters at once; the writer goes on from letter to letter.
    const stream = this.#model.stream({
      batch,
      given: { typed },
      steps: { typed: steps },
      lengths: { typed: lengths },
    });
    const scores = new Float32Array(batch * LETTERS);
    let written = new Int32Array(batch).fill(END);
    const words = Array.from({ length: batch }, () => []);
    const isDone = Array.from(lengths, (length) => length === 0);
    for (let t = 0; t <= this.#longest && isDone.includes(false); t++) {
      stream.step({ written }, scores);
      written = written.map((_, row) => {
        const own = scores.subarray(row * LETTERS, (row + 1) * LETTERS);
        return own.indexOf(Math.max(...own));
      });
      written.forEach((letter, row) => {
        if (letter === END) isDone[row] = true;
        if (!isDone[row]) words[row].push(letter);
      });
    }
    stream.dispose();
    return words.map(decode);
  }
}
