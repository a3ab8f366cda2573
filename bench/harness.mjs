/** Seeded data, timing and the figures made of it. Nothing here knows a peer. */
import { Bench } from 'tinybench';
import { parameterShapes } from '../test/reference/layers.ts';
import { createRandom } from '../test/support/random.ts';

/** FNV-1a, so that every case has a seed of its own that no other row changes. */
function seedOf(id) {
  let hash = 0x811c9dc5;
  for (const char of id) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

/** Parameters by gatefold's names, `x` [T, N, I] and a target [T, N, H] for training. */
export function createData({ id, layer, batch, steps, inputSize, hiddenSize }) {
  const random = createRandom(seedOf(id));
  const uniform = (length, scale) => Float32Array.from(random.vector(length, scale));
  const parameters = new Map();
  for (const [name, shape] of parameterShapes({ layers: [layer] })) {
    const length = shape.reduce((a, b) => a * b, 1);
    parameters.set(name, { shape, data: uniform(length, 1 / Math.sqrt(hiddenSize)) });
  }
  return {
    parameters,
    x: uniform(steps * batch * inputSize, 1),
    target: uniform(steps * batch * hiddenSize, 1),
  };
}

const isPromise = (value) => typeof value?.then === 'function';

/** A sample must be long against the clock's resolution and the cost of taking it. */
const SAMPLE_MS = 0.5;

/**
 * Runs until code and caches are warm, and gives what `timeRound` then times: a function of as many
 * calls as make a sample. V8 compiles a function of WebAssembly anew once it has run a while, so
 * warming up is a matter of time more than of calls.
 */
export async function warmUp(run, warmUpMs) {
  const first = run();
  const isAsync = isPromise(first);
  await first;
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  for (; elapsed < warmUpMs || calls < 1; elapsed = performance.now() - start) {
    if (isAsync) await run();
    else run();
    calls++;
  }
  const perSample = Math.max(1, Math.ceil((SAMPLE_MS * calls) / elapsed));
  const sample = isAsync
    ? async () => {
        for (let i = 0; i < perSample; i++) await run();
      }
    : () => {
        for (let i = 0; i < perSample; i++) run();
      };
  return { sample, perSample, isAsync };
}

/** Median time of one call in milliseconds. */
export async function timeRound({ sample, perSample, isAsync }, roundMs) {
  const bench = new Bench({ time: roundMs, iterations: 1, warmup: false, throws: true });
  bench.add('sample', sample);
  const [task] = isAsync ? await bench.run() : bench.runSync();
  return task.result.latency.p50 / perSample;
}

/** Linear interpolation between order statistics. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/** Median and quartiles over all rounds of all processes. */
export function summarise(values) {
  return { ms: quantile(values, 0.5), q1: quantile(values, 0.25), q3: quantile(values, 0.75) };
}

/** Median of the quotients of the same round: what disturbs a round disturbs both. */
export function pairedRatio(theirs, ours) {
  return quantile(
    theirs.map((ms, i) => ms / ours[i]),
    0.5,
  );
}

/** Largest difference, in units of the largest magnitude. */
export function largestError(actual, expected) {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let magnitude = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i] - expected[i]);
    if (!(d <= difference)) difference = Number.isNaN(d) ? Infinity : d;
    magnitude = Math.max(magnitude, Math.abs(expected[i]));
  }
  return difference / magnitude;
}
