/**
 * A voice-activity net (test/support/voice-activity.ts) as a stream, one frame of 32 ms a step: what
 * a frame takes, and what share of one core's peak its layers reach. The probe of the peak
 * (probe/roofline.ts) takes turns with the net, in samples so short that other load misses most of
 * them; a figure is a median over all rounds. Layers are timed by their kernel calls in their order,
 * so the caches hold what they hold in a frame: for that the sources are imported, not `dist`.
 *
 *     npm run build && node bench/start.mjs voice-activity.mjs
 */
import { loadavg } from 'node:os';
import { kernelsOf } from '../src/engine/engine.ts';
import { Engine, Model } from '../src/hosts/default.ts';
import { createRandom } from '../test/support/random.ts';
import { liveHeap } from '../test/support/heap.ts';
import {
  SAMPLES,
  decision,
  encoder,
  spectrum,
  voiceActivity,
} from '../test/support/voice-activity.ts';
import { quantile } from './harness.mjs';
import { createProbe } from './roofline.mjs';

const ROUNDS = 3000;
const WARM_UP_MS = 500;
/** Frames before a sample, which bring the weights into the caches, and in it. */
const [BEFORE, SAMPLE] = [2, 4];
const PROBE_CALLS = 50;
const PROBE_LOOPS = 1000;
const HEAP_FRAMES = 100_000;
/** A frame may take so many microseconds where the probe says so many GFLOP/s. */
const BOUND = { us: 38, gflops: 57 };
/** Share of the probe that the convolutions are to reach. */
const SHARE = 0.7;

const engine = await Engine.create();
const kernels = kernelsOf(engine);
const probe = createProbe();
const x = Float32Array.from(createRandom(1).vector(SAMPLES, 1));
const out = new Float32Array(1);

const warmUp = (call) => {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end;) call();
};
const median = (values) => quantile(values, 0.5);

/** Microseconds of a call. */
function timed(call, count, before = 0) {
  for (let k = 0; k < before; k++) call();
  const start = performance.now();
  for (let k = 0; k < count; k++) call();
  return ((performance.now() - start) / count) * 1000;
}

/** The net as a chain of layers, and the same with a name for everything that a graph names. */
function twins() {
  const layers = [...spectrum, { type: 'slice', from: 0, to: 129 }, ...encoder, ...decision].map(
    (layer, k) => ({ ...layer, name: `layer${k}` }),
  );
  const named = layers.map((layer, k) => ({
    ...layer,
    inputs: [k ? `layer${k - 1}` : 'audio'],
  }));
  const end = layers.at(-1).name;
  const graph = { inputs: ['audio'], layers: named, outputs: [end] };
  const [chained, graphed] = [{ layers }, graph].map((description) =>
    Model.create(engine, description, { seed: 1 }).stream(),
  );
  const [audio, outputs] = [{ audio: x }, { [end]: out }];
  return { chain: () => chained.step(x, out), graph: () => graphed.step(audio, outputs) };
}

/** The calls of kernels that a frame makes, in their order. */
function callsOf(model) {
  const { run } = kernels;
  let calls = [];
  const recorded =
    (name) =>
    (...args) => {
      calls.push({ name, call: () => run[name](...args) });
      return run[name](...args);
    };
  kernels.run = Object.fromEntries(
    Object.entries(run).map(([name, value]) => {
      return [name, typeof value === 'function' ? recorded(name) : value];
    }),
  );
  // A node takes its kernels when a stream is made.
  const stream = model.stream();
  stream.step(x, out);
  calls = [];
  stream.step(x, out);
  kernels.run = run;
  return calls;
}

/** [multiply-adds, bytes of weights] of a layer with this weight, which is used `rows` times. */
const workOf = ({ shape }, rows) => {
  const weights = shape.reduce((a, b) => a * b, 1);
  return { work: rows * weights, bytes: 4 * weights };
};

const model = Model.create(engine, { layers: voiceActivity }, { seed: 1 });
const weights = model.stateDict();
const stream = model.stream();
const frame = () => stream.step(x, out);
const { chain, graph } = twins();
const calls = callsOf(model);
const peak = () => {
  for (let k = 0; k < PROBE_CALLS; k++) probe.fusedMultiplyAdd(PROBE_LOOPS);
};
for (const call of [frame, chain, graph, peak]) warmUp(call);
warmUp(() => calls.forEach(({ call }) => call()));

const times = {
  frame: [],
  chain: [],
  graph: [],
  gflops: [],
  clock: [],
  calls: calls.map(() => []),
};
for (let round = 0; round < ROUNDS; round++) {
  times.gflops.push((96 * PROBE_LOOPS * PROBE_CALLS) / timed(peak, 1) / 1000);
  times.frame.push(timed(frame, SAMPLE, BEFORE));
  for (const name of round % 2 ? ['graph', 'chain'] : ['chain', 'graph']) {
    times[name].push(timed(name === 'chain' ? chain : graph, SAMPLE, BEFORE));
  }
  for (const { call } of calls) call();
  for (const [k, { call }] of calls.entries()) times.calls[k].push(timed(call, 1));
  times.clock.push(timed(() => undefined, 1));
}

const gflops = median(times.gflops);
const clock = median(times.clock);
const each = calls.map(({ name }, k) => ({ name, us: median(times.calls[k]) - clock }));
const rows = [4, 4, 2, 1, 1];
const convolutions = ['spectrum', 'conv1d', 'conv1d2', 'conv1d3', 'conv1d4'];
const layers = each
  .filter(({ name }) => name === 'conv1d_forward')
  .slice(0, convolutions.length)
  .map(({ us }, k) => {
    const weight = weights.get(`${convolutions[k]}.weight`);
    return { layer: convolutions[k], us, ...workOf(weight, rows[k]) };
  });
const total = (list, key) => list.reduce((sum, row) => sum + row[key], 0);
const all = {
  layer: 'all five',
  us: total(layers, 'us'),
  work: total(layers, 'work'),
  bytes: total(layers, 'bytes'),
};
const lstm = {
  layer: 'lstm',
  us: each.find(({ name }) => name === 'sequence_forward').us,
  work: 2 * 4 * 128 * 128,
  bytes: 2 * 4 * 4 * 128 * 128,
};
const others = total(each, 'us') - all.us - lstm.us;
const rateOf = ({ work, us }) => (2 * work) / us / 1000;

console.log(
  `${engine.variant} SIMD, Node ${process.versions.node}, load ${loadavg()[0].toFixed(1)}`,
);
console.log(`probe: ${gflops.toFixed(1)} GFLOP/s\n`);
console.table(
  [...layers, all, lstm].map(({ layer, us, work, bytes }) => ({
    layer,
    'multiply-adds': work,
    us: us.toFixed(2),
    'GFLOP/s': rateOf({ work, us }).toFixed(1),
    'of the probe': `${((100 * rateOf({ work, us })) / gflops).toFixed(0)} %`,
    'GB/s of weights': (bytes / us / 1000).toFixed(1),
  })),
);
const streamed = (kilobytes) => {
  const call = () => probe.stream(65536, kilobytes * 1024);
  warmUp(call);
  return (1.024 * kilobytes) / median(Array.from({ length: 500 }, () => timed(call, 4)));
};
console.log(
  `reading alone: ${[256, 512, 1280].map((n) => `${streamed(n).toFixed(0)} GB/s of ${n} KB`).join(', ')}`,
);
console.log(`other kernels: ${others.toFixed(2)} us`);
for (const { name, us } of each) {
  if (!/^(conv1d|sequence)_forward/.test(name)) console.log(`  ${name} ${us.toFixed(2)}`);
}
const us = median(times.frame);
const bound = (BOUND.us * BOUND.gflops) / gflops;
const share = rateOf(all) / gflops;
const verdict = (isMet) => (isMet ? 'met' : 'MISSED');
console.log(
  `\nconvolutions: ${(100 * share).toFixed(0)} % of the probe, ${verdict(share >= SHARE)}`,
);
console.log(
  `a frame: ${us.toFixed(1)} us (quartiles ${[0.25, 0.75].map((q) => quantile(times.frame, q).toFixed(1)).join(', ')}) of ${bound.toFixed(1)}, ${verdict(us <= bound)}`,
);
const ratio = median(times.graph.map((time, k) => time / times.chain[k]));
console.log(
  `a chain: ${median(times.chain).toFixed(1)} us, as a graph ${median(times.graph).toFixed(1)} us, ratio ${ratio.toFixed(3)}`,
);

const bytes = engine.bytes;
const heap = liveHeap();
for (let k = 0; k < HEAP_FRAMES; k++) frame();
const used = process.memoryUsage().heapUsed;
console.log(
  `heap after ${HEAP_FRAMES} frames: ${used - heap} bytes, ${liveHeap() - heap} of them live; engine ${engine.bytes - bytes}`,
);
