/** The sequences of `bench/score.mjs`: 8 inputs, 20 to 500 steps, made from their index. */

const WIDTH = 8;
const NUMBERS = 2 ** 16;

// Random numbers of which every sequence is a stretch: making them costs next to nothing.
const noise = new Float32Array(NUMBERS + WIDTH * 500);
let state = 1;
for (let k = 0; k < noise.length; k++) {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  noise[k] = state / 2 ** 31;
}

export const sequences = {
  count: 10_000_000,
  record(index) {
    const steps = 20 + ((Math.imul(index, 2654435761) >>> 0) % 481);
    const from = (Math.imul(index, 40503) >>> 0) % NUMBERS;
    return noise.subarray(from, from + WIDTH * steps);
  },
};
