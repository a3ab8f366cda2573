import { lengthsOf, oneHot } from './task.ts';
import type { Batch, Settings, Task } from './task.ts';

/** Inputs by number: S (start) a b c; outputs: a b c T (end). */
const SYMBOLS = 4;
const OUTPUTS = 4;
const [A, B, C, END] = [0, 1, 2, 3];

/** S a^n b^n c^n for each n, and which symbols may follow each. */
function stringsOf(counts: readonly number[]): Batch {
  const batch = counts.length;
  const sequences = counts.map((n) =>
    Array.from({ length: 3 * n + 1 }, (_, t) => Math.ceil(t / n)),
  );
  const lengths = lengthsOf(sequences);
  const steps = Math.max(...lengths);
  const target = new Float32Array(steps * batch * OUTPUTS);
  counts.forEach((n, row) => {
    for (let t = 0; t <= 3 * n; t++) {
      const follow = t === 0 ? [A] : t <= n ? [A, B] : t < 2 * n ? [B] : t < 3 * n ? [C] : [END];
      for (const symbol of follow) target[(t * batch + row) * OUTPUTS + symbol] = 1;
    }
  });
  return { steps, x: oneHot(sequences, SYMBOLS), target, lengths };
}

export function counting(trained: number, asked: number, settings: Settings): Task {
  return {
    id: 'counting',
    title: 'Counting, aⁿ bⁿ cⁿ',
    rules:
      `Gers & Schmidhuber 2001. Strings S aⁿ bⁿ cⁿ T with n from 1 to ${trained}; at each symbol the net says, by a yes or no for each of a, b, c ` +
      'and T, which symbols may follow: a or b while there are a, and from the first b on exactly one. The loss is the binary cross-entropy.',
    criterion: `every string of n = 1 ... ${asked} foretold without a mistake, twice the longest n of training`,
    measure: 'strings wrong',
    inputs: SYMBOLS,
    outputs: OUTPUTS,
    steps: 3 * trained + 1,
    once: false,
    loss: 'bce',
    settings,
    generate: (draw, batch) =>
      stringsOf(Array.from({ length: batch }, () => draw.integer(1, trained))),
    test: {
      count: asked,
      batch: asked,
      below: 0.5 / asked,
      generate: () => stringsOf(Array.from({ length: asked }, (_, k) => k + 1)),
      wrong(output, { target, lengths }) {
        const rows = lengths!.length;
        let sum = 0;
        lengths!.forEach((length, row) => {
          const mistakes = Array.from({ length: length * OUTPUTS }, (_, k) => {
            const at = (Math.floor(k / OUTPUTS) * rows + row) * OUTPUTS + (k % OUTPUTS);
            return output[at]! > 0 === target[at]! > 0.5;
          });
          if (mistakes.includes(false)) sum++;
        });
        return { sum, count: rows };
      },
    },
  };
}
