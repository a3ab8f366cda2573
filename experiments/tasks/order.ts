import type { Draw } from '../draw.ts';
import { argmax, lengthsOf, oneHot } from './task.ts';
import type { Batch, Settings, Task } from './task.ts';

/** Symbols by number: a b c d E B X Y. */
const DISTRACTORS = 4;
const [BEGIN, END, X] = [4, 5, 6];
const SYMBOLS = 8;
const CLASSES = 4;

/** Hochreiter & Schmidhuber 1997, experiment 6a, with all times scaled by `length` / 100. */
function generate(draw: Draw, length: number, batch: number): Batch {
  const scaled = (t: number): number => Math.round((t * length) / 100);
  const target = new Int32Array(batch);
  const sequences = Array.from({ length: batch }, (_, row) => {
    const steps = draw.integer(length, scaled(110));
    const sequence = Array.from({ length: steps }, () => draw.integer(0, DISTRACTORS - 1));
    const [first, second] = [draw.integer(0, 1), draw.integer(0, 1)];
    sequence[0] = BEGIN;
    sequence[steps - 1] = END;
    sequence[draw.integer(scaled(10), scaled(20))] = X + first;
    sequence[draw.integer(scaled(50), scaled(60))] = X + second;
    target[row] = 2 * first + second;
    return sequence;
  });
  const lengths = lengthsOf(sequences);
  return { steps: Math.max(...lengths), x: oneHot(sequences, SYMBOLS), target, lengths };
}

export function temporalOrder(length: number, settings: Settings): Task {
  return {
    id: `order-${length}`,
    title: 'Temporal order',
    rules:
      `Hochreiter & Schmidhuber 1997, experiment 6a. Among ${length} to ${Math.round(1.1 * length)} random symbols out of a, b, c, d stand ` +
      'two out of X and Y, at 10 to 20 % and at 50 to 60 % of the length; after the last symbol the net says which of XX, XY, YX, YY ' +
      'they were, in order.',
    criterion: 'fewer than 0.1 % of 10,000 fresh sequences classified wrongly (guessing: 75 %)',
    measure: 'wrong',
    inputs: SYMBOLS,
    outputs: CLASSES,
    steps: Math.round(1.1 * length),
    once: true,
    loss: 'cross-entropy',
    settings,
    generate: (draw, batch) => generate(draw, length, batch),
    test: {
      count: 10_000,
      batch: 100,
      below: 0.001,
      fromLoss: 0.05,
      wrong(output, { target }) {
        let sum = 0;
        target.forEach((y, row) => (sum += argmax(output, row * CLASSES, CLASSES) === y ? 0 : 1));
        return { sum, count: target.length };
      },
    },
  };
}
