/**
 * Threads change the time that a call takes and nothing else: every bit against an engine without
 * them.
 */
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Engine, Model, Trainer, wasmBytes, type LayerSpec } from '../../src/hosts/default.ts';
import type { Kernels } from '../../src/engine/kernels.ts';
import { attachModel, ThreadedEngine, shareModel } from '../../src/threads/index.ts';
import { forSharedMemory } from '../../src/threads/engine.ts';
import { CALLS } from '../../src/threads/calls.ts';
import { Team } from '../../src/threads/team.ts';
import { sameBits } from '../support/agreement.ts';
import { cellForms } from '../support/cells.ts';
import {
  cellConfiguration,
  layerConfiguration,
  largeConfigurations,
  maskedConfiguration,
  optionConfiguration,
  stackConfiguration,
  type Configuration,
} from '../support/configuration.ts';
import { requireSameCourse } from '../support/course.ts';
import { createEngine, variants } from '../support/engines.ts';
import { SUBJECTS } from '../support/layer-stacks.ts';
import { createWorker, startThreads } from '../support/threads.ts';

const PAGE = 65536;

describe.each(variants)('threads, %s SIMD', (variant) => {
  const plain = createEngine(variant);
  const engines: Engine[] = [];
  beforeAll(async () => {
    engines.push(await startThreads(variant, 2));
    // Also where work is cut into pieces, and while words that only rise go past 2^32.
    engines.push(await startThreads(variant, 3, { piece: 2000, first: -3 }));
  });
  afterAll(() => [plain, ...engines].forEach((engine) => engine.dispose()));

  function requireSameBits(configuration: Configuration): void {
    for (const [k, engine] of engines.entries())
      requireSameCourse(engine, plain, configuration, `${k + 2} threads`);
  }

  const check = (configurations: fc.Arbitrary<Configuration>, numRuns: number): void =>
    fc.assert(fc.property(configurations, requireSameBits), { seed: 5, numRuns });

  describe.each(Object.entries(cellForms))('%s', (_, form) => {
    it('plain', () => check(cellConfiguration(form), 2));
    it('with options', () => check(optionConfiguration(form), 3));
    it('large', () => requireSameBits(largeConfigurations(form, variant)[2]!));
  });

  it('stacks', () => {
    const forms = Object.values(cellForms);
    check(stackConfiguration(forms, false), 5);
    check(stackConfiguration(forms, true), 5);
  });

  it('masked steps', () => {
    for (const form of Object.values(cellForms)) check(maskedConfiguration(form), 2);
  });

  it.each(SUBJECTS)('models about %s', (subject) => check(layerConfiguration(subject), 2));

  it.each([
    ['linear', { type: 'linear', outFeatures: 72 }],
    ['gru', { type: 'gru', hiddenSize: 72 }],
    ['prelu', { type: 'prelu' }],
    ['delay', { type: 'delay', steps: 7 }],
  ] as const)('a %s layer on a linear one, whose outputs give way to gradients', (_, upper) => {
    const layers: LayerSpec[] = [
      { type: 'embedding', numEmbeddings: 13, embeddingDim: 72 },
      { type: 'linear', name: 'lower', outFeatures: 72 },
      upper,
    ];
    const x = Int32Array.from({ length: 6 * 20 }, (_, k) => (7 * k) % 13);
    const target = Float32Array.from({ length: 6 * 20 * 72 }, (_, k) => Math.sin(k));
    const [wanted, ...found] = [plain, ...engines].map((engine) => {
      const model = Model.create(engine, { layers }, { seed: 1 });
      const trainer = Trainer.create(model, { batch: 6, steps: 20, loss: 'mse' });
      for (let k = 0; k < 5; k++) trainer.trainOn(x, target);
      return [...model.stateDict().values()].map(({ data }) => data);
    });
    for (const parameters of found) {
      parameters.forEach((data, k) => expect(sameBits(data, wanted![k]!)).toBe(true));
    }
  });

  // Node 20 has relaxed SIMD only behind a flag, and refuses these weights there.
  const isRefused = variant === 'relaxed' && Number.parseInt(process.versions.v8) < 12;
  const host = isRefused ? ', left out: this host multiplies them wrongly' : '';
  it.skipIf(isRefused)(`weights of 8 bits, which no threads share${host}`, () => {
    const x = Int32Array.from({ length: 12 * 40 }, (_, k) => k % 7);
    const outputs = [plain, ...engines].map((engine) => {
      const layers: LayerSpec[] = [
        { type: 'embedding', numEmbeddings: 7, embeddingDim: 64 },
        { type: 'gru', hiddenSize: 64 },
        { type: 'linear', outFeatures: 7 },
      ];
      const model = Model.create(engine, { layers }).quantize();
      return model.forward(x, { steps: 12, batch: 40 }).output;
    });
    for (const output of outputs) expect(output).toEqual(outputs[0]);
    // Nor where the inputs of the layer have float32 ones.
    const mixed = [plain, ...engines].map((engine) => {
      const layers: LayerSpec[] = [{ type: 'lstm', inputSize: 64, hiddenSize: 128 }];
      const small = Model.create(engine, { layers }).quantize({ inputs: 'float32' });
      const features = Float32Array.from({ length: 20 * 8 * 64 }, (_, k) => Math.sin(k));
      return small.forward(features, { steps: 20, batch: 8 }).output;
    });
    for (const output of mixed) expect(output).toEqual(mixed[0]);
  });
});

describe('an engine of threads', () => {
  afterEach(() => vi.unstubAllGlobals());

  /** Losses of a few updates that are large enough to be shared out. */
  function losses(engine: Engine): number[] {
    const model = Model.create(engine, {
      layers: [{ type: 'lstm', inputSize: 16, hiddenSize: 64 }],
    });
    const trainer = Trainer.create(model, { batch: 8, steps: 20, loss: 'mse' });
    const x = Float32Array.from({ length: 8 * 20 * 16 }, (_, k) => Math.sin(k));
    const target = new Float32Array(8 * 20 * 64);
    return Array.from({ length: 4 }, () => trainer.trainOn(x, target).loss);
  }
  const expected = losses(createEngine('baseline'));
  const create = (worker: () => Worker, threads = 2): Promise<ThreadedEngine> =>
    ThreadedEngine.create({ simd: 'deterministic', threads, worker });

  it('has the threads that it is asked for until it is disposed of', async () => {
    const engine = await create(createWorker, 3);
    expect(engine.threads).toBe(3);
    expect(engine.threadsReason).toBeUndefined();
    expect(engine).toBeInstanceOf(Engine);
    expect(losses(engine)).toEqual(expected);
    engine.dispose();
    expect(engine.threads).toBe(1);
    expect(() => engine.bytes).toThrow(/has been disposed/);
  });

  it('runs on one thread where there is no shared memory', async () => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    const engine = await create(createWorker);
    expect(engine.threads).toBe(1);
    expect(engine.threadsReason).toBe('this host has no shared memory');
    expect(losses(engine)).toEqual(expected);
  });

  it.each([
    ['cannot be made', 'not here', () => expect.fail('not here')],
    ['fail at once', 'no', () => new Worker('throw new Error("no")', { eval: true })],
    ['end at once', 'has ended', () => new Worker('process.exit()', { eval: true })],
    [
      'say nothing',
      'does not answer',
      () => new Worker('setTimeout(() => 0, 9999)', { eval: true }),
    ],
  ])('runs on one thread where workers %s', async (_, reason, worker) => {
    const start = performance.now();
    const engine = await create(worker);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(engine.threads).toBe(1);
    expect(engine.threadsReason).toBe(`a worker from "worker": ${reason}`);
    expect(losses(engine)).toEqual(expected);
  });

  it('goes on with one thread where a worker has ended', async () => {
    const workers: Worker[] = [];
    const engine = await create(() => workers[workers.push(createWorker()) - 1]!);
    expect(engine.threads).toBe(2);
    await workers[0]!.terminate();
    await vi.waitFor(() => expect(engine.threads).toBe(1));
    expect(losses(engine)).toEqual(expected);
    engine.dispose();
  });

  it('says what failed in a worker', async () => {
    const team = new Team(2, 2, { least: 0 });
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    await team.begin(1, createWorker, {
      bytes: forSharedMemory(wasmBytes()),
      imports: { env: { memory, tiles: 0 } },
    });
    const nothing = (): void => undefined;
    const idle = { part_work: () => 1, part_seat: nothing, part_run: nothing };
    const index = CALLS.findIndex(({ name }) => name === 'optimizer_update');
    const run = (): void => team.run(idle as unknown as Kernels['run'], index, [PAGE, PAGE]);
    expect(run).toThrow(/thread 1: RuntimeError: .*out of bounds/);
    expect(team.isWhole).toBe(false);
  });

  it('refuses a number of threads that makes no sense', async () => {
    for (const threads of [0, 1.5, 65]) {
      await expect(ThreadedEngine.create({ threads })).rejects.toThrow(/"threads" expected/);
    }
  });

  it.each(['engine.dispose();', ''])('lets the process end: %s', (last) => {
    const program = `
      import { ThreadedEngine } from '${new URL('../../dist/threads.js', import.meta.url)}';
      const engine = await ThreadedEngine.create({ threads: 2 });
      process.stdout.write(String(engine.threads));
      ${last}`;
    const options = { encoding: 'utf8', timeout: 20_000 } as const;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toBe(
      '2',
    );
  });
});

describe('a shared model', () => {
  const description = {
    layers: [
      { type: 'embedding', numEmbeddings: 30, embeddingDim: 12 },
      { type: 'lstm', hiddenSize: 24, bidirectional: true },
      { type: 'gru', hiddenSize: 12 },
      { type: 'linear', outFeatures: 30, tied: 'embedding' },
    ],
  } as const;
  const x = Int32Array.from({ length: 40 }, (_, k) => (7 * k) % 30);
  const sequence = { steps: 10, batch: 4 };
  const program = `
    const { parentPort } = require('node:worker_threads');
    parentPort.once('message', async (shared) => {
      const { attachModel } = await import('${new URL('../../dist/threads.js', import.meta.url)}');
      const model = attachModel(shared);
      parentPort.on('message', ({ x, sequence }) => parentPort.postMessage(model.forward(x, sequence).output));
      parentPort.postMessage('ready');
    });`;
  let engine: ThreadedEngine;
  beforeAll(async () => {
    engine = await ThreadedEngine.create({
      simd: 'deterministic',
      threads: 2,
      worker: createWorker,
    });
  });
  afterAll(() => engine.dispose());

  it.each([false, true])(
    'gives the same bits in workers, also after it has changed (int8: %s)',
    async (int8) => {
      const origin = Model.create(engine, description, { seed: 1 });
      const model = int8 ? origin.quantize() : origin;
      const workers = [0, 1].map(() => new Worker(program, { eval: true }));
      for (const worker of workers) {
        worker.postMessage(shareModel(model));
        await once(worker, 'message');
      }
      const requireSame = async (): Promise<void> => {
        const { output } = model.forward(x, sequence);
        const answers = workers.map((worker) => once(worker, 'message'));
        for (const worker of workers) worker.postMessage({ x, sequence });
        for (const [answer] of await Promise.all(answers)) {
          expect(sameBits(answer as Float32Array, output)).toBe(true);
        }
      };
      await requireSame();
      model.loadStateDict(Model.create(engine, description, { seed: 2 }).stateDict());
      await requireSame();
      if (!int8) {
        const trainer = Trainer.create(model, { ...sequence, loss: 'cross-entropy' });
        trainer.trainOn(x, x);
        trainer.dispose();
        await requireSame();
      }
      for (const worker of workers) await worker.terminate();
    },
  );

  it('keeps to the room that it has', () => {
    const model = Model.create(engine, description);
    const attached = [1, 2].map(() => attachModel(shareModel(model, { maxBytes: 2 ** 18 })));
    const before = model.forward(x, sequence).output;
    for (const one of attached) {
      expect(sameBits(one.forward(x, sequence).output, before)).toBe(true);
      const many = new Int32Array(10 * 2 ** 10);
      expect(() => one.forward(many, { steps: 10, batch: 2 ** 10 })).toThrow(/needs .* of memory/);
    }
    for (const one of attached) one.dispose();
    expect(sameBits(model.forward(x, sequence).output, before)).toBe(true);
  });

  it('needs an engine of shared memory', () => {
    const model = Model.create(createEngine('baseline'), description);
    expect(() => shareModel(model)).toThrow(/ThreadedEngine.create\(\)/);
  });
});
