/** Sequences of 8 inputs made from their index; the longer ones are those of `bench/score.mjs`. */

const WIDTH = 8;
const NUMBERS = 2 ** 16;

// Random numbers of which every sequence is a stretch: making them costs next to nothing.
const noise = new Float32Array(NUMBERS + WIDTH * 500);
let state = 1;
for (let k = 0; k < noise.length; k++) {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  noise[k] = state / 2 ** 31;
}

const source = (least, most) => ({
  count: 10_000_000,
  record(index) {
    const steps = least + ((Math.imul(index, 2654435761) >>> 0) % (most - least + 1));
    const from = (Math.imul(index, 40503) >>> 0) % NUMBERS;
    return noise.subarray(from, from + WIDTH * steps);
  },
});

export const sequences = source(20, 500);
/** So short that what a record costs beside the model counts. */
export const short = source(1, 24);
