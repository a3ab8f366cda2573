import type { Draw } from '../draw.ts';
import { lengthsOf, oneHot } from './task.ts';
import type { Batch, Settings, Task } from './task.ts';

export const LETTERS = 'BTPSXVE';
/** Longer strings (fewer than one in a million) are drawn anew. */
const LONGEST = 64;

/**
 * Reber 1967, as Fahlman 1991 and the LSTM paper draw it: from each node two arcs, each a letter
 * and the node that it leads to.
 */
const ARCS: readonly (readonly (readonly [letter: string, node: number])[])[] = [
  [
    ['T', 1],
    ['P', 2],
  ],
  [
    ['S', 1],
    ['X', 3],
  ],
  [
    ['T', 2],
    ['V', 4],
  ],
  [
    ['X', 2],
    ['S', 5],
  ],
  [
    ['P', 3],
    ['V', 5],
  ],
];

/** A string of the embedded grammar; `next[t]` are the letters that may follow letter t. */
export function reberString(draw: Draw): { text: string; next: string[] } {
  const branch = draw.integer(0, 1) === 0 ? 'T' : 'P';
  let text = `B${branch}B`;
  const next = ['TP', 'B', 'TP'];
  for (let node = 0; node < ARCS.length;) {
    const [letter, to] = ARCS[node]![draw.integer(0, 1)]!;
    text += letter;
    next.push(ARCS[to]?.map(([follower]) => follower).join('') ?? 'E');
    node = to;
  }
  return { text: `${text}E${branch}E`, next: [...next, branch, 'E'] };
}

/** Inputs are all letters but the last, targets all but the first; -1 behind the end. */
function generate(draw: Draw, batch: number): Batch & { next: readonly string[][] } {
  const strings = Array.from({ length: batch }, () => {
    let string = reberString(draw);
    while (string.text.length > LONGEST) string = reberString(draw);
    return string;
  });
  const letters = strings.map(({ text }) => [...text].map((letter) => LETTERS.indexOf(letter)));
  const inputs = letters.map((string) => string.slice(0, -1));
  const lengths = lengthsOf(inputs);
  const steps = Math.max(...lengths);
  const target = new Int32Array(steps * batch);
  letters.forEach((string, row) =>
    string.slice(1).forEach((letter, t) => (target[t * batch + row] = letter)),
  );
  return {
    steps,
    x: oneHot(inputs, LETTERS.length),
    target,
    lengths,
    next: strings.map(({ next }) => next),
  };
}

/** Whether the outputs of the letters that may follow are the largest. */
function foretells(output: Float32Array, at: number, next: string): boolean {
  const may: number[] = [];
  const mayNot: number[] = [];
  for (const [k, letter] of [...LETTERS].entries()) {
    (next.includes(letter) ? may : mayNot).push(output[at + k]!);
  }
  return Math.min(...may) > Math.max(...mayNot);
}

export function embeddedReber(settings: Settings): Task {
  return {
    id: 'reber',
    title: 'Embedded Reber grammar',
    rules:
      'Hochreiter & Schmidhuber 1997, experiment 1. Letter by letter the net foretells the next of a string B[TP]B...E[TP]E, whose ' +
      'second letter comes again as the last but one. Every string is drawn afresh; the loss is the cross-entropy of the letter that comes.',
    criterion:
      'in at least 99.9 % of 10,000 fresh strings, the outputs of all letters that may follow are the largest at every step (the paper ' +
      'asks for all of 256)',
    measure: 'strings wrong',
    inputs: LETTERS.length,
    outputs: LETTERS.length,
    steps: LONGEST,
    once: false,
    loss: 'cross-entropy',
    settings,
    generate,
    test: {
      count: 10_000,
      batch: 100,
      below: 0.001,
      wrong(output, given) {
        const { next } = given as ReturnType<typeof generate>;
        const batch = next.length;
        const right = next.filter((steps, row) =>
          steps.every((letters, t) =>
            foretells(output, (t * batch + row) * LETTERS.length, letters),
          ),
        );
        return { sum: batch - right.length, count: batch };
      },
    },
  };
}
