/**
 * Threads that fail, end or stand still in the middle of a call: it becomes an error in time, and
 * the engine goes on with one.
 */
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SHARES, Seat, createControl, waitFor } from '../../src/threads/control.ts';
import { Model } from '../../src/hosts/default.ts';
import { ThreadedEngine } from '../../src/threads/index.ts';
import { createEngine } from '../support/engines.ts';
import { kill } from '../support/kill.ts';
import { courseOfThreads, sameCourse } from '../support/threads-course.ts';
import {
  createFaultyWorker,
  createWorker,
  startThreads,
  withFaultyKernels,
  type Fault,
} from '../support/threads.ts';

const plain = createEngine('baseline');
const expected = courseOfThreads(plain);

/**
 * The call fails with this code and text; afterwards fresh models give the bits of an engine
 * without threads.
 */
function requireFailure(engine: ThreadedEngine, text: RegExp): void {
  expect(() => courseOfThreads(engine)).toThrow(
    expect.objectContaining({ code: 'ERR_THREADS', message: expect.stringMatching(text) }),
  );
  expect(engine.threads).toBe(1);
  expect(sameCourse(courseOfThreads(engine), expected)).toBe(true);
}

/** All phases of all calls that threads share out: kernel, and the phase or direction. */
const PHASES = [
  'part_run 0',
  'part_run 1',
  'part_run 2',
  'part_run 3',
  'part_run 4',
  'part_run 5',
  'part_run 6',
  'part_run 7',
  'part_run 8',
  'part_run 9',
  'part_steps false',
  'part_steps true',
  'part_units',
];

describe('a thread that fails', () => {
  it('is tried in every phase that there is', async () => {
    const seen = new Set<string>();
    const nothing = { nth: 0, what: 'nothing' } as const;
    const note = (phase: string): unknown => seen.add(phase);
    const engine = await withFaultyKernels(nothing, note, () => startThreads('baseline', 2));
    expect(sameCourse(courseOfThreads(engine), expected)).toBe(true);
    expect([...seen].sort()).toEqual([...PHASES].sort());
    engine.dispose();
  });

  it.each(PHASES)('ends the call, in the owner and in a worker: %s', async (phase) => {
    for (const nth of phase === 'part_units' ? [1, 3] : [1]) {
      const fault: Fault = { nth, phase, what: 'throw' };
      const owner = await withFaultyKernels(
        fault,
        () => undefined,
        () => startThreads('baseline', 2),
      );
      expect(() => courseOfThreads(owner)).toThrow(/thread 0: RuntimeError: unreachable/);
      expect(owner.threads).toBe(1);
      owner.dispose();
      const engine = await startThreads('baseline', 2, {}, () => createFaultyWorker(fault));
      requireFailure(engine, /thread 1: RuntimeError: unreachable/);
      engine.dispose();
    }
  });

  it('before a barrier holds up nobody who comes to it later', () => {
    const control = createControl(0);
    control[SHARES] = 2;
    const place = { control, patience: 0.2, piece: 1 };
    new Seat({ ...place, share: 1 }).take(() => {
      throw new WebAssembly.RuntimeError('unreachable');
    }, {} as never);
    const owner = new Seat({ ...place, share: 0 }, 50);
    const start = performance.now();
    owner.take((_, __, seat) => seat.meet(), {} as never);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(owner.failure).toBe('thread 1: RuntimeError: unreachable');
  });
});

describe('a worker that is gone', () => {
  it('at one of ten random points ends the call in time', async () => {
    for (let seed = 1; seed <= 10; seed++) await kill(seed, expected);
  });

  it('in the same turn', async () => {
    const workers: Worker[] = [];
    const worker = (): Worker => workers[workers.push(createWorker()) - 1]!;
    const engine = await startThreads('baseline', 2, { stillMs: 300 }, worker);
    void workers[0]!.terminate();
    requireFailure(engine, /no thread went on for 0.3 seconds; a worker may have been ended/);
    engine.dispose();
  });

  it('or hangs', async () => {
    const fault: Fault = { nth: 2, what: 'hang' };
    const worker = (): Worker => createFaultyWorker(fault);
    const engine = await startThreads('baseline', 3, { stillMs: 300 }, worker);
    requireFailure(engine, /no thread went on/);
    engine.dispose();
  });
});

describe('a worker that is slow', () => {
  afterEach(() => vi.restoreAllMocks());

  it('is not taken for a dead one, however long the call', async () => {
    const fault: Fault = { nth: 0, what: 'nothing', delayMs: 40 };
    const worker = (): Worker => createFaultyWorker(fault);
    const engine = await startThreads('baseline', 2, { stillMs: 300 }, worker);
    const steps = 30;
    const x = Float32Array.from({ length: steps * 6 }, (_, k) => Math.cos(k));
    const [slow, quick] = [engine, plain].map((on) => {
      const model = Model.create(on, { layers: [{ type: 'lstm', inputSize: 6, hiddenSize: 32 }] });
      const start = performance.now();
      const { output } = model.forward(x, { steps });
      return { output, ms: performance.now() - start };
    });
    expect(slow!.ms).toBeGreaterThan(1000);
    expect(slow!.output).toEqual(quick!.output);
    expect(engine.threads).toBe(2);
    engine.dispose();
  });

  it.each([
    ['may sleep', false],
    ['may not', true],
  ])('has its time where the clock jumps and a thread %s', async (_, isPage) => {
    vi.resetModules();
    const control = (await import('../../src/threads/control.ts')) as { waitFor: typeof waitFor };
    if (isPage) {
      vi.spyOn(Atomics, 'wait').mockImplementation(() => {
        throw new TypeError('not here');
      });
    }
    const now = performance.now.bind(performance);
    let calls = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now() + (calls++ ? 3_600_000 : 0));
    const start = Date.now();
    expect(control.waitFor(createControl(0), 0, 0, 0.2, 3)).toBe(false);
    expect(Date.now() - start).toBeGreaterThan(200);
  });
});

describe('a worker that is not ready', () => {
  const options = { startMs: 500 };

  it('does not become so by other messages', async () => {
    const rogue = `const { parentPort } = require('node:worker_threads');
      parentPort.on('message', ({ number }) => parentPort.postMessage(number + 1));`;
    const { Worker } = await import('node:worker_threads');
    const worker = (): Worker => new Worker(rogue, { eval: true });
    await expect(startThreads('baseline', 2, options, worker)).rejects.toThrow(/got 1 threads/);
  });

  it('may say other things, and be told them', async () => {
    const worker = (): Worker => {
      const made = createWorker();
      queueMicrotask(() => made.emit('message', 'hello'));
      return made;
    };
    const engine = await ThreadedEngine.create({ simd: 'deterministic', threads: 2, worker });
    expect(engine.threads).toBe(2);
    expect(sameCourse(courseOfThreads(engine), expected)).toBe(true);
    engine.dispose();
  });
});
