import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { Model, Trainer, wasmBytes } from '../hosts/default.ts';
import { Engine } from '../engine/engine.ts';
import { allowRelaxed, enableFastLane } from '../node/fast-lane.ts';
import type { FastLane } from '../node/fast-lane.ts';
import { TeamEngine } from '../threads/engine.ts';
import { WORKERS } from '../threads/workers.ts';
import { MAX_BYTES, MAX_THREADS } from './engine.ts';
import { inTime, tableOf, wrapped } from './models/table.ts';
import { say } from './output.ts';

/** Milliseconds after which the first ways, and then all of them, have been measured. */
const [HALF_MS, ALL_MS] = [800, 1600];
const HIDDEN = 128;
const [BATCH, STEPS] = [16, 8];
const INPUTS = 64;
/** Steps that are timed at once: one is too short for the clock. */
const CALLS = 50;

/** A way to run, and what it costs. */
interface Way {
  readonly name: string;
  readonly engine: Engine;
  /** Seconds of the quickest call so far. */
  step: number;
  update: number;
}

/**
 * The kernels with an empty section behind them: V8 keeps one compiled module for the same bytes,
 * which flags that come later would not change.
 */
function kernels(simd: 'auto' | 'deterministic', mark: number): Uint8Array<ArrayBuffer> {
  const bytes = wasmBytes({ simd });
  const section = [0, 2, 1, 0x61 + mark];
  const marked = new Uint8Array(bytes.length + section.length);
  marked.set(bytes);
  marked.set(section, bytes.length);
  return marked;
}

/** Takes turns between ways, so that a moment in which the host is busy is no way's own. */
function measure(ways: readonly Way[], end: number): void {
  const calls = ways.map((way) => {
    const layers = [
      { type: 'lstm', inputSize: INPUTS, hiddenSize: HIDDEN },
      { type: 'linear', outFeatures: INPUTS },
    ] as const;
    const model = Model.create(way.engine, { layers });
    const stream = model.stream();
    const trainer = Trainer.create(model, { batch: BATCH, steps: STEPS, loss: 'mse' });
    const [x, y] = [new Float32Array(INPUTS).fill(0.5), new Float32Array(INPUTS)];
    const windows = new Float32Array(BATCH * STEPS * INPUTS).fill(0.5);
    const step = (): void => {
      for (let k = 0; k < CALLS; k++) stream.step(x, y);
    };
    const update = (): void => void trainer.trainOn(windows, windows);
    return { way, step, update };
  });
  const clock = (call: () => void): number => {
    const start = performance.now();
    call();
    return (performance.now() - start) / 1e3;
  };
  do {
    for (const { way, step, update } of calls) {
      way.step = Math.min(way.step, clock(step) / CALLS);
      way.update = Math.min(way.update, clock(update));
    }
  } while (performance.now() < end);
}

const wayOf = (name: string, engine: Engine): Way => ({
  name,
  engine,
  step: Infinity,
  update: Infinity,
});

/** Everything that this host has, one thing more from row to row. */
async function waysOf(
  cores: number,
  started: number,
): Promise<{ ways: Way[]; lane: FastLane; reason?: string }> {
  const options = { maxBytes: MAX_BYTES };
  const baseline = await Engine.create({ ...options, module: kernels('deterministic', 0) });
  const ways = [wayOf('baseline', baseline)];
  const relaxed = await Engine.create({ ...options, module: kernels('auto', 1) });
  if (relaxed.variant === 'relaxed') ways.push(wayOf('relaxed SIMD', relaxed));
  // What these are compiled to has to be there before V8 gets other flags.
  measure(ways, started + HALF_MS);
  const lane = enableFastLane();
  const later: Way[] = [];
  const more = { ...options, module: kernels('auto', 2), wide: lane.enabled };
  if (lane.enabled) later.push(wayOf('and the fast lane', await Engine.create(more)));
  let reason: string | undefined;
  if (cores > 1) {
    const team = await TeamEngine.start(more, Math.min(cores, MAX_THREADS), WORKERS);
    reason = team.threadsReason;
    if (team.threads > 1) later.push(wayOf(`and ${team.threads} threads`, team));
  }
  if (later.length > 0) measure(later, started + ALL_MS);
  return { ways: [...ways, ...later], lane, reason };
}

/** The command `gatefold info`; gives the exit status. */
export async function info(): Promise<number> {
  allowRelaxed();
  const cores = availableParallelism();
  const started = performance.now();
  const { ways, lane, reason } = await waysOf(cores, started);
  const seconds = ((performance.now() - started) / 1e3).toFixed(1);
  const [first] = ways;
  const threads = reason ?? (cores > 1 ? `one of ${cores} that run at once` : 'one core');
  const facts: [string, string][] = [
    ['host', hostOf()],
    ['processor', `${cpus()[0]?.model.trim() || 'unknown'}, ${process.arch}`],
    ['variant', ways.length > 1 && ways[1]!.name === 'relaxed SIMD' ? 'relaxed' : 'baseline'],
    ['fast lane', lane.reason ?? 'off until enableFastLane() of gatefold/node'],
    [
      'threads',
      `${threads}${cores > 1 && !reason ? '; more by ThreadedEngine of gatefold/threads' : ''}`,
    ],
  ];
  const rows = ways.map(({ name, step, update }, k) => [
    name,
    inTime(step),
    inTime(update),
    k ? `${(first!.update / update).toFixed(2)} x` : '',
  ]);
  const size = `LSTM ${HIDDEN}, and its training in windows of ${BATCH} x ${STEPS}`;
  const note = `${size}: the quickest of the calls within ${seconds} s, on a host that may be busy.`;
  say(`${facts.map(([name, value]) => indented(name, value)).join('\n')}\n\n`);
  say(`${tableOf(['what runs', 'a step', 'an update', 'training'], rows)}\n\n${wrapped(note)}\n`);
  for (const { engine } of ways) engine.dispose();
  return 0;
}

/** What runs this program. Deno and Bun have the versions of Node too. */
function hostOf(): string {
  const { versions } = process;
  const name = ['deno', 'bun', 'node'].find((key) => versions[key] !== undefined) ?? 'node';
  const title = { deno: 'Deno', bun: 'Bun', node: 'Node' }[name];
  const v8 = versions.v8 ? `, V8 ${versions.v8}` : '';
  return `${title} ${versions[name]}${v8}, ${process.platform}`;
}

const LABEL = 12;

/** A name, and its text in lines beside it. */
function indented(name: string, text: string): string {
  const lines = wrapped(text, LABEL).split('\n');
  return name.padEnd(LABEL) + lines.join(`\n${' '.repeat(LABEL)}`);
}
