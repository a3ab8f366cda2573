/**
 * What a budget of memory costs full backpropagation through time: a character model of 64 units, N
 * = 1, trained over all its steps at once and under budgets. Prints the engine's bytes, the time of
 * an update, and whether the parameters are the same bits.
 *
 *     npm run build && node bench/start.mjs budget.mjs
 */
import * as gatefold from '../dist/index.js';
import { buildOf } from '../test/support/builds.ts';
import { createRandom } from '../test/support/random.ts';

const build = buildOf(gatefold);

const CHARACTERS = 96;
const UPDATES = 5;
const CASES = [
  { steps: 10_000, budgets: [undefined, 8e6, 3e6, 1.2e6] },
  { steps: 100_000, budgets: [undefined, 60e6, 8e6, 3e6] },
];

async function start(steps, memory) {
  const engine = await build.createEngine({ maxBytes: 2 ** 30 });
  const layers = [
    { type: 'embedding', numEmbeddings: CHARACTERS, embeddingDim: 64 },
    { type: 'lstm', hiddenSize: 64 },
    { type: 'linear', outFeatures: CHARACTERS },
  ];
  const model = build.createModel(engine, { layers });
  const options = { batch: 1, steps, loss: 'cross-entropy', maxBytes: memory };
  return { engine, model, ...build.createTrainer(model, options), memory, times: [] };
}

const bitsOf = ({ model }) =>
  Buffer.concat([...model.stateDict().values()].map(({ data }) => Buffer.from(data.buffer)));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

for (const { steps, budgets } of CASES) {
  const random = createRandom(steps);
  const tokens = Int32Array.from({ length: steps + 1 }, () => random.integer(0, CHARACTERS - 1));
  const runs = await Promise.all(budgets.map((memory) => start(steps, memory)));
  for (let update = 0; update < UPDATES; update++) {
    for (const { trainOn, times } of runs) {
      const before = performance.now();
      trainOn(tokens.subarray(0, steps), tokens.subarray(1));
      times.push(performance.now() - before);
    }
  }
  const [whole] = runs;
  for (const { engine, memory, times, model } of runs) {
    // Neighbours in time suffer the same disturbances: the quotient is taken update by update.
    const ratio = median(times.map((time, k) => time / whole.times[k])).toFixed(2);
    const same = bitsOf({ model }).equals(bitsOf(whole)) ? 'same bits' : 'OTHER BITS';
    const budget = memory ? `budget ${megabytes(memory)}` : 'no budget';
    console.log(
      `T = ${steps}  ${budget.padEnd(14)}  ${megabytes(engine.bytes).padStart(8)}  ${median(times).toFixed(0).padStart(5)} ms  x ${ratio}  ${same}`,
    );
  }
}
