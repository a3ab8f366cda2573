// Sequence to sequence: a GRU reads the typed letters, its last state is the first state of another
// GRU, which writes the word.
import { Model, Trainer } from 'gatefold';

/** 0 ends a word (and starts one), a is 1, b 2, ... */
export const END = 0;
const LETTERS = 27;
export const encode = (word) => Int32Array.from(word, (letter) => letter.charCodeAt(0) - 96);
const decode = (tokens) => tokens.map((token) => String.fromCharCode(token + 96)).join('');

export class Corrector {
  #encoder;
  #decoder;
  #encoderTrainer;
  #decoderTrainer;
  #batch;
  #longest;

  /**
   * @param longest letters of the longest word; a correction may have one more than it, its end.
   */
  constructor(engine, { hidden, batch, steps, longest, seed, lr }) {
    const embedding = { type: 'embedding', numEmbeddings: LETTERS, embeddingDim: 24 };
    // What was read last is remembered best, and the first letter is wanted first: the encoder
    // reads backwards.
    const reader = { type: 'gru', name: 'reader', hiddenSize: hidden, direction: 'backward' };
    const writer = { type: 'gru', name: 'writer', hiddenSize: hidden };
    const letters = { type: 'linear', outFeatures: LETTERS };
    this.#encoder = Model.create(engine, { layers: [embedding, reader] }, { seed });
    this.#decoder = Model.create(
      engine,
      { layers: [embedding, writer, letters] },
      { seed: seed + 1 },
    );
    const common = { batch, optimizer: { type: 'adam', lr }, gradClip: { norm: 1 } };
    this.#encoderTrainer = Trainer.create(this.#encoder, { ...common, steps });
    const loss = { type: 'cross-entropy', ignoreIndex: -1 };
    this.#decoderTrainer = Trainer.create(this.#decoder, { ...common, steps: longest + 1, loss });
    this.#batch = batch;
    this.#longest = longest;
  }

  get parameterCount() {
    return this.#encoder.parameterCount + this.#decoder.parameterCount;
  }

  set learningRate(rate) {
    this.#encoderTrainer.learningRate = rate;
    this.#decoderTrainer.learningRate = rate;
  }

  /**
   * One update.
   *
   * @param window Of `SequenceBuckets`: typed letters, and as labels the letters of the words.
   */
  learn({ inputs, steps, lengths, targets, targetLengths }) {
    const words = this.#shift(targets, targetLengths);
    this.#encoderTrainer.zeroGradients();
    this.#decoderTrainer.zeroGradients();
    const { state } = this.#encoderTrainer.forward(inputs, { steps, lengths });
    this.#decoderTrainer.forward(words.inputs, {
      steps: words.steps,
      lengths: words.lengths,
      state: { writer: state.reader },
    });
    // The gradient of the decoder's first state is that of the encoder's last.
    const back = this.#decoderTrainer.backward({ target: words.targets });
    this.#encoderTrainer.backward({ state: { reader: back.state.writer } });
    this.#decoderTrainer.update();
    this.#encoderTrainer.update();
    return back.loss;
  }

  /**
   * What the decoder reads, END and the word, and what it is to say, the word and END, both [T, B].
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
  correct({ inputs, steps, lengths }) {
    const batch = this.#batch;
    const read = this.#encoder.forward(inputs, { steps, batch, lengths });
    let state = { writer: read.state.reader };
    let last = new Int32Array(batch).fill(END);
    const words = Array.from({ length: batch }, () => []);
    const isDone = Array.from(lengths, (length) => length === 0);
    for (let t = 0; t <= this.#longest && isDone.includes(false); t++) {
      const said = this.#decoder.forward(last, { steps: 1, batch, state });
      ({ state } = said);
      last = last.map((_, row) => {
        const scores = said.output.subarray(row * LETTERS, (row + 1) * LETTERS);
        return scores.indexOf(Math.max(...scores));
      });
      last.forEach((letter, row) => {
        if (letter === END) isDone[row] = true;
        if (!isDone[row]) words[row].push(letter);
      });
    }
    return words.map(decode);
  }
}
