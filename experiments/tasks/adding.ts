import type { Draw } from '../draw.ts';
import type { Batch, Settings, Task } from './task.ts';

/**
 * Hochreiter & Schmidhuber 1997, experiment 4: pairs of a number in [-1, 1] and a marker. One of
 * the first ten pairs and one of the first T/2 - 1 others are marked by 1; the first and last pair
 * by -1, all others by 0. Lengths are T to T + T/10. Where the first pair is drawn, its number is
 * 0.
 */
function generate(draw: Draw, lag: number, batch: number): Batch {
  const lengths = Int32Array.from({ length: batch }, () =>
    draw.integer(lag, lag + Math.floor(lag / 10)),
  );
  const steps = Math.max(...lengths);
  const x = new Float32Array(steps * batch * 2);
  const target = new Float32Array(batch);
  lengths.forEach((length, row) => {
    const place = (t: number): number => (t * batch + row) * 2;
    for (let t = 0; t < length; t++) x[place(t)] = 2 * draw.unit() - 1;
    const first = draw.integer(0, Math.min(10, Math.floor(lag / 2)) - 1);
    const other = draw.integer(0, Math.floor(lag / 2) - 2);
    const second = other < first ? other : other + 1;
    for (const t of [first, second]) {
      if (t === 0) x[place(t)] = 0;
      x[place(t) + 1] = 1;
      target[row]! += x[place(t)]!;
    }
    x[place(0) + 1] = -1;
    x[place(length - 1) + 1] = -1;
  });
  return { steps, x, target, lengths };
}

export function adding(lag: number, settings: Settings): Task {
  return {
    id: `adding-${lag}`,
    title: `Adding problem, lag ${lag}`,
    rules:
      'Hochreiter & Schmidhuber 1997, experiment 4. Pairs of a number, uniform in [-1, 1], and a marker; one of the first ten pairs and ' +
      'one of the first T/2 - 1 others are marked. T is the lag of the title, sequences have T to 1.1 T steps: the first number has to ' +
      'be kept for about T steps, the second for T/2 at least. Asked for is the sum itself, after the last step; the paper asks for ' +
      '0.5 + sum / 4, in which the same criterion would be 16 times weaker.',
    criterion:
      'mean squared error of the sum below 0.01 on 10,000 fresh sequences (always saying 0 gives 0.67)',
    measure: 'MSE',
    inputs: 2,
    outputs: 1,
    steps: lag + Math.floor(lag / 10),
    once: true,
    loss: 'mse',
    settings,
    generate: (draw, batch) => generate(draw, lag, batch),
    test: {
      count: 10_000,
      batch: 50,
      below: 0.01,
      fromLoss: 0.02,
      wrong(output, { target }) {
        let sum = 0;
        output.forEach((y, row) => (sum += (y - target[row]!) ** 2));
        return { sum, count: output.length };
      },
    },
  };
}
