import type { Draw } from '../draw.ts';
import { argmax, oneHot } from './task.ts';
import type { Batch, Settings, Task } from './task.ts';

const LETTERS = 8;
const [BLANK, RECALL] = [LETTERS, LETTERS + 1];
const SYMBOLS = LETTERS + 2;
const OUTPUTS = LETTERS + 1;

/** Letters, `lag - 1` blanks, the sign to recall, blanks in which to do so. */
function generate(draw: Draw, letters: number, lag: number, batch: number): Batch {
  const steps = lag + 2 * letters;
  const target = new Int32Array(steps * batch).fill(BLANK);
  const sequences = Array.from({ length: batch }, (_, row) => {
    const sequence = Array.from({ length: steps }, () => BLANK);
    for (let k = 0; k < letters; k++) {
      sequence[k] = draw.integer(0, LETTERS - 1);
      target[(lag + letters + k) * batch + row] = sequence[k];
    }
    sequence[lag + letters - 1] = RECALL;
    return sequence;
  });
  return { steps, x: oneHot(sequences, SYMBOLS), target };
}

export function copyMemory(letters: number, lag: number, settings: Settings): Task {
  return {
    id: `copy-${lag}`,
    title: `Copy memory, lag ${lag}`,
    rules:
      `In the form of Arjovsky, Shah & Bengio 2016: ${letters} letters out of 8, ${lag - 1} blanks, a sign, and then the letters have to ` +
      'be said in order; before that the net says blanks. The loss is the cross-entropy over all steps. ' +
      'The paper has 10 letters and lags from 100 on.',
    criterion: 'fewer than 1 % of the letters of 10,000 fresh sequences wrong (guessing: 87.5 %)',
    measure: 'letters wrong',
    inputs: SYMBOLS,
    outputs: OUTPUTS,
    steps: lag + 2 * letters,
    once: false,
    loss: 'cross-entropy',
    settings,
    generate: (draw, batch) => generate(draw, letters, lag, batch),
    test: {
      count: 10_000,
      batch: 100,
      below: 0.01,
      // Two letters in a hundred, none of them certain, spread over all steps.
      fromLoss: (0.1 * letters) / (lag + 2 * letters),
      wrong(output, { target, steps }) {
        let sum = 0;
        for (let at = target.length - (letters * target.length) / steps; at < target.length; at++) {
          if (argmax(output, at * OUTPUTS, OUTPUTS) !== target[at]) sum++;
        }
        return { sum, count: (letters * target.length) / steps };
      },
    },
  };
}
