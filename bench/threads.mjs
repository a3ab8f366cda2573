/**
 * How much faster training, and one large sequence, are on two threads (or as many as the argument
 * says) than on one: both in this process, by turns; parameters and outputs are compared bit by
 * bit.
 *
 *     npm run build && node bench/start.mjs threads.mjs [threads]
 */
import { fileURLToPath } from 'node:url';
import { openBuild } from '../test/support/other-build.ts';

const build = await openBuild(fileURLToPath(new URL('..', import.meta.url)));

const CASES = [
  { kind: 'training', batch: 32, steps: 50, inputSize: 64, hiddenSize: 128, rounds: 15 },
  { kind: 'training', batch: 32, steps: 50, inputSize: 256, hiddenSize: 512, rounds: 5 },
  { kind: 'sequence', batch: 1, steps: 100, inputSize: 128, hiddenSize: 256, rounds: 61 },
  { kind: 'sequence', batch: 1, steps: 100, inputSize: 512, hiddenSize: 512, rounds: 21 },
  { kind: 'sequence', batch: 1, steps: 100, inputSize: 1024, hiddenSize: 1024, rounds: 15 },
  { kind: 'sequence', batch: 32, steps: 100, inputSize: 64, hiddenSize: 128, rounds: 15 },
];
/**
 * A turn is as many calls one after the other: between two the workers are awake, as they are in
 * training.
 */
const CALLS = 4;
const threads = Number(process.argv[2] ?? 2);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function create(count, { kind, batch, steps, inputSize, hiddenSize }) {
  const engine = await build.createEngine({ threads: count });
  const model = build.createModel(engine, { layers: [{ type: 'lstm', inputSize, hiddenSize }] });
  const x = Float32Array.from({ length: steps * batch * inputSize }, (_, k) => Math.sin(k));
  const side = {
    engine,
    model,
    times: [],
    run: () => (side.output = model.forward(x, { steps, batch }).output),
  };
  if (kind === 'sequence') return side;
  const options = { batch, steps, loss: 'mse', gradClip: { norm: 1 } };
  const { trainOn } = build.createTrainer(model, options);
  const target = new Float32Array(steps * batch * hiddenSize).fill(0.1);
  return { ...side, output: new Float32Array(0), run: () => trainOn(x, target) };
}

const bitsOf = ({ model, output }) =>
  [output, ...[...model.stateDict().values()].map(({ data }) => data)].map((data) =>
    Buffer.from(data.buffer).toString('base64'),
  );

console.log('LSTM; ms, medians');
for (const sizes of CASES) {
  const sides = [await create(1, sizes), await create(threads, sizes)];
  for (let warm = 0; warm < 3; warm++) for (const { run } of sides) run();
  for (let round = 0; round < sizes.rounds; round++) {
    for (const { run, times } of sides) {
      const start = performance.now();
      for (let call = 0; call < CALLS; call++) run();
      times.push((performance.now() - start) / CALLS);
    }
  }
  const [one, many] = sides;
  if (bitsOf(one).join() !== bitsOf(many).join()) throw new Error('the results differ');
  const [slow, fast] = sides.map(({ times }) => median(times));
  const ratio = median(one.times.map((time, k) => time / many.times[k]));
  const { kind, batch, steps, inputSize, hiddenSize } = sizes;
  console.log(
    `${kind} n${batch}-t${steps}-i${inputSize}-h${hiddenSize}  1 thread ${slow.toFixed(2)}  ` +
      `${threads} threads ${fast.toFixed(2)}  ratio ${ratio.toFixed(2)}`,
  );
  for (const { engine } of sides) engine.dispose();
}
