/**
 * How much faster training is on two threads (or as many as the argument says) than on one: both in this process, by turns, after
 * their parameters have been compared bit by bit.
 *
 *     npm run build && node bench/start.mjs threads.mjs [threads]
 */
import { Model, Trainer } from '../dist/index.js';
import { createThreadedEngine } from '../dist/threads.js';

const CASES = [
  { inputSize: 64, hiddenSize: 128, rounds: 41 },
  { inputSize: 256, hiddenSize: 512, rounds: 9 },
];
const [batch, steps] = [32, 50];
const threads = Number(process.argv[2] ?? 2);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function create(count, { inputSize, hiddenSize }) {
  const engine = await createThreadedEngine({ threads: count });
  const layers = [{ type: 'lstm', inputSize, hiddenSize }];
  const model = Model.create(engine, { layers });
  const trainer = Trainer.create(model, { batch, steps, loss: 'mse', gradClip: { norm: 1 } });
  const x = Float32Array.from({ length: steps * batch * inputSize }, (_, k) => Math.sin(k));
  const target = new Float32Array(steps * batch * hiddenSize).fill(0.1);
  return { engine, model, times: [], step: () => trainer.step(x, target) };
}

const bitsOf = ({ model }) =>
  [...model.stateDict().values()].map(({ data }) => Buffer.from(data.buffer).toString('base64'));

console.log(`training, LSTM, N=${batch} T=${steps}; ms, medians`);
for (const sizes of CASES) {
  const sides = [await create(1, sizes), await create(threads, sizes)];
  for (let warm = 0; warm < 3; warm++) for (const { step } of sides) step();
  for (let round = 0; round < sizes.rounds; round++) {
    for (const { step, times } of sides) {
      const start = performance.now();
      step();
      times.push(performance.now() - start);
    }
  }
  const [one, many] = sides;
  if (bitsOf(one).join() !== bitsOf(many).join()) throw new Error('the parameters differ');
  const [slow, fast] = sides.map(({ times }) => median(times));
  const ratios = one.times.map((time, k) => time / many.times[k]);
  console.log(
    `${sizes.inputSize}/${sizes.hiddenSize}  1 thread ${slow.toFixed(2)}  ` +
      `${many.engine.threads} threads ${fast.toFixed(2)}  ratio ${median(ratios).toFixed(2)}`,
  );
  for (const { engine } of sides) engine.dispose();
}
