/**
 * The life of a shared model: neither its parameters nor the memory of a worker goes to anybody
 * else while a worker may use it, and both come back afterwards.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Model, Trainer } from '../../src/hosts/default.ts';
import { attachModel, ThreadedEngine, releaseModel, shareModel } from '../../src/threads/index.ts';
import type { SharedModel } from '../../src/threads/index.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine } from '../support/engines.ts';
import { liveHeap } from '../support/heap.ts';

const MIB = 2 ** 20;
const description = {
  layers: [
    { type: 'gru', inputSize: 8, hiddenSize: 16 },
    { type: 'linear', outFeatures: 4 },
  ],
} as const;
const x = Float32Array.from({ length: 5 * 8 }, (_, k) => Math.sin(k));
const outputOf = (model: Model): Float32Array => model.forward(x, { steps: 5 }).output;
const expected = outputOf(Model.create(createEngine('baseline'), description, { seed: 1 }));

/** The garbage collector has had its turns. */
async function collect(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    liveHeap();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

let engine: ThreadedEngine;
beforeAll(async () => {
  engine = await ThreadedEngine.create({ simd: 'deterministic', threads: 1, maxBytes: 16 * MIB });
});
afterAll(() => engine.dispose());

/** Rooms of 4 MiB that the engine still has. */
function countRooms(): number {
  const model = Model.create(engine, description);
  const shared: SharedModel[] = [];
  try {
    for (;;) shared.push(shareModel(model, { maxBytes: 4 * MIB }));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_MEMORY' });
    shared.forEach(releaseModel);
    model.dispose();
    return shared.length;
  }
}

/** Takes what memory is free and writes into it. */
function overwrite(): void {
  const others = Array.from({ length: 50 }, (_, k) =>
    Model.create(engine, description, { seed: 50 + k }),
  );
  for (const other of others) other.dispose();
}

describe('a shared model', () => {
  it.each<[string, (model: Model, shared: SharedModel) => void | Promise<void>]>([
    ['is disposed of', (attached) => attached.dispose()],
    ['and its engine is', (attached) => attached.engine.dispose()],
    ['is released by its owner', (_, shared) => releaseModel(shared)],
  ])('gives its memory back when it %s', async (_, end) => {
    const rooms = countRooms();
    expect(rooms).toBeGreaterThan(1);
    for (let turn = 0; turn < 3; turn++) {
      const model = Model.create(engine, description, { seed: 1 });
      const shared = shareModel(model, { maxBytes: 4 * MIB });
      const attached = attachModel(shared);
      expect(sameBits(outputOf(attached), expected)).toBe(true);
      expect(countRooms()).toBe(rooms - 1);
      await end(attached, shared);
      model.dispose();
      expect(countRooms()).toBe(rooms);
    }
  });

  it('gives it back when it is collected, but not while anything in it runs', async () => {
    const rooms = countRooms();
    const model = Model.create(engine, description, { seed: 1 });
    let running: Model | undefined = attachModel(
      shareModel(model, { maxBytes: 4 * MIB }),
    ).quantize();
    await collect();
    expect(countRooms()).toBe(rooms - 1);
    expect(outputOf(running)).toHaveLength(20);
    running = undefined;
    await vi.waitFor(async () => {
      await collect();
      expect(countRooms()).toBe(rooms);
    });
  });

  it('keeps its parameters where the owner has disposed of its model', () => {
    const model = Model.create(engine, description, { seed: 1 });
    const attached = [0, 1].map(() => attachModel(shareModel(model, { maxBytes: MIB })));
    model.dispose();
    for (const one of attached) {
      overwrite();
      expect(sameBits(outputOf(one), expected)).toBe(true);
      one.dispose();
    }
    overwrite();
  });

  it('keeps them where the model of the owner is collected', async () => {
    const attached = attachModel(
      shareModel(Model.create(engine, description, { seed: 1 }), { maxBytes: MIB }),
    );
    await collect();
    overwrite();
    expect(sameBits(outputOf(attached), expected)).toBe(true);
    attached.dispose();
  });

  it('ends all that is in its memory when it is disposed of', () => {
    const attached = attachModel(shareModel(Model.create(engine, description), { maxBytes: MIB }));
    const stream = attached.stream();
    const trainer = Trainer.create(attached, { batch: 1, steps: 2, loss: 'mse' });
    const copy = attached.quantize();
    attached.dispose();
    const disposed = expect.objectContaining({ code: 'ERR_DISPOSED' });
    expect(() => stream.run(x, new Float32Array(20), 5)).toThrow(disposed);
    expect(() => trainer.trainOn(x.subarray(0, 16), new Float32Array(8))).toThrow(disposed);
    expect(() => outputOf(copy)).toThrow(disposed);
  });

  it('may be attached once', () => {
    const model = Model.create(engine, description, { seed: 1 });
    const shared = shareModel(model, { maxBytes: MIB });
    const attached = attachModel(shared);
    expect(() => attachModel(shared)).toThrow(
      /"shared" has been attached already: call shareModel\(\) once for each attachModel\(\)/,
    );
    expect(sameBits(outputOf(attached), expected)).toBe(true);
    attached.dispose();
    expect(() => attachModel(shared)).toThrow(/"shared" has been given back to its owner/);
  });

  it('is released for a worker that was terminated', async () => {
    const rooms = countRooms();
    const program = `
      const { parentPort } = require('node:worker_threads');
      parentPort.once('message', async (shared) => {
        const { attachModel } = await import('${new URL('../../dist/threads.js', import.meta.url)}');
        parentPort.postMessage(attachModel(shared).parameterCount);
        setInterval(() => undefined, 1e6);
      });`;
    const worker = new Worker(program, { eval: true });
    const model = Model.create(engine, description);
    const shared = shareModel(model, { maxBytes: 4 * MIB });
    worker.postMessage(shared);
    expect(await once(worker, 'message')).toEqual([model.parameterCount]);
    await worker.terminate();
    expect(countRooms()).toBe(rooms - 1);
    releaseModel(shared);
    expect(countRooms()).toBe(rooms);
  });
});

describe('attachModel refuses', () => {
  it.each<[string, (shared: SharedModel) => unknown, RegExp]>([
    ['nothing', () => null, /"shared" expected an object, got null/],
    ['a number', () => 5, /"shared" expected an object, got 5/],
    ['an empty object', () => ({}), /"shared.kernels" expected a Uint8Array/],
    ['other keys', (s) => ({ ...s, seed: 1 }), /"shared" has no option "seed"/],
    [
      'bytes that are no kernels',
      (s) => ({ ...s, kernels: new Uint8Array(4) }),
      /"shared.kernels" expected kernels that this host takes/,
    ],
    [
      'another program',
      (s) => ({ ...s, kernels: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0) }),
      /"shared.kernels" expected the kernels of this package/,
    ],
    ['no imports', (s) => ({ ...s, imports: undefined }), /"shared.imports.env.memory" expected/],
    [
      'memory that is not shared',
      (s) => ({
        ...s,
        imports: { env: { memory: new WebAssembly.Memory({ initial: 1 }), wide: 0 } },
      }),
      /"shared.imports.env.memory" expected a shared WebAssembly.Memory/,
    ],
    ['a life of its own', (s) => ({ ...s, life: new Int32Array(1) }), /"shared.life" expected/],
    [
      'a room behind the memory',
      (s) => ({ ...s, room: { address: 2 ** 31, bytes: 64 } }),
      /"shared.room.address" expected/,
    ],
    [
      'a room that is too long',
      (s) => ({ ...s, room: { ...s.room, bytes: 2 ** 31 } }),
      /"shared.room.bytes" expected/,
    ],
    [
      'a room between lines',
      (s) => ({ ...s, room: { ...s.room, address: s.room.address + 4 } }),
      /"shared.room" expected a block of whole lines/,
    ],
    ['a room over the parameters', (s) => ({ ...s, room: s.parameters }), /"shared.room" expected/],
    [
      'a room over the kernels',
      (s) => ({ ...s, room: { address: 64, bytes: 64 } }),
      /"shared.room.address" expected/,
    ],
    [
      'a broken description',
      (s) => ({ ...s, description: { layers: [{ type: 'conv' }] } }),
      /"layers\[0\].type" expected/,
    ],
    [
      'another description',
      (s) => ({ ...s, description: { layers: [{ type: 'gru', inputSize: 8, hiddenSize: 400 }] } }),
      /"parameters" expected the \d+ bytes of the description, got \d+/,
    ],
  ])('%s', (_, change, text) => {
    const shared = shareModel(Model.create(engine, description, { seed: 1 }), {
      maxBytes: 2 ** 18,
    });
    expect(() => attachModel(change(shared) as SharedModel)).toThrow(
      expect.objectContaining({ name: 'GatefoldError', message: expect.stringMatching(text) }),
    );
    // What was refused has changed nothing.
    const attached = attachModel(shared);
    expect(sameBits(outputOf(attached), expected)).toBe(true);
    attached.dispose();
  });
});

it.each([0, 4095, 1.5, 2 ** 32, NaN, '9'])('shareModel refuses a room of %s bytes', (maxBytes) => {
  const model = Model.create(engine, description);
  expect(() => shareModel(model, { maxBytes: maxBytes as number })).toThrow(
    /"maxBytes" expected a whole number from 4096/,
  );
  expect(() => shareModel({} as Model)).toThrow(/"model" expected a Model/);
});
