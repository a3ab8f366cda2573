/** Sessions of a pool step together, and give the bits of a stream of their own. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, seededRandom } from '../../src/hosts/default.ts';
import type { ModelDescription, Stream } from '../../src/hosts/default.ts';
import { SessionPool } from '../../src/model/session-pool.ts';
import type { Session } from '../../src/model/session-pool.ts';
import { createEngine, variants } from '../support/engines.ts';

const MODELS: Readonly<Record<string, ModelDescription>> = {
  lstm: {
    layers: [
      { type: 'lstm', inputSize: 3, hiddenSize: 7, numLayers: 2 },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: 5 },
    ],
  },
  'convolution and GRU': {
    layers: [
      { type: 'conv1d', inChannels: 3, outChannels: 4, kernelSize: 5, padding: 'causal' },
      { type: 'gru', hiddenSize: 6, initialState: 'learned' },
    ],
  },
  int8: {
    weights: 'int8',
    layers: [
      { type: 'gru', inputSize: 3, hiddenSize: 8 },
      { type: 'linear', outFeatures: 2 },
    ],
  },
};
const LSTM = MODELS['lstm']!;

const engines = new Map(variants.map((variant) => [variant, createEngine(variant)]));
const engine = engines.get('baseline')!;
afterAll(() => engines.forEach((own) => own.dispose()));

const modelOf = (description: ModelDescription, variant: (typeof variants)[number]): Model => {
  const { weights, ...rest } = description;
  const model = Model.create(engines.get(variant)!, rest, { seed: 3 });
  return weights ? model.quantize() : model;
};

describe.each(variants)('%s sessions', (variant) => {
  it.each(Object.keys(MODELS))('have the bits of a stream alone, %s', async (name) => {
    const model = modelOf(MODELS[name]!, variant);
    const random = seededRandom(11);
    const pool = SessionPool.create(model, { slots: 9, maxLatency: 0 });
    const frame = (): Float32Array =>
      Float32Array.from({ length: model.inputSize }, () => 2 * random() - 1);
    const running: { session: Session; stream: Stream }[] = [];
    for (let turn = 0; turn < 120; turn++) {
      if (running.length > 0 && random() < 0.15) {
        const [gone] = running.splice(Math.floor(random() * running.length), 1);
        gone!.session.close();
        gone!.stream.dispose();
      }
      if (running.length < 9 && random() < 0.3) {
        const state = running[0] && random() < 0.5 ? running[0].session.save() : undefined;
        const session = await pool.open(state);
        running.push({ session, stream: model.stream(state && { state }) });
      }
      const chosen = running.filter(() => random() < 0.6).sort(() => random() - 0.5);
      const steps = chosen.map(async ({ session, stream }) => {
        const [x, out] = [frame(), new Float32Array(model.outputSize)];
        const given = await session.step(
          x,
          random() < 0.5 ? undefined : new Float32Array(out.length),
        );
        stream.step(x, out);
        expect(given).toEqual(out);
      });
      await Promise.all(steps);
      for (const { session, stream } of running) expect(session.save()).toEqual(stream.save());
      expect(pool.size).toBe(running.length);
    }
    pool.dispose();
    model.dispose();
  });
});

describe('SessionPool', () => {
  const model = modelOf(LSTM, 'baseline');
  const x = Float32Array.of(1, 2, 3);

  it('takes tokens and several inputs and outputs by name', async () => {
    const description: ModelDescription = {
      inputs: [{ name: 'word' }, { name: 'sound', size: 2 }],
      layers: [
        { type: 'embedding', name: 'table', inputs: ['word'], numEmbeddings: 5, embeddingDim: 3 },
        { type: 'concat', name: 'both', inputs: ['table', 'sound'] },
        { type: 'rnn', name: 'cell', hiddenSize: 4 },
        { type: 'linear', name: 'head', outFeatures: 2 },
      ],
      outputs: ['cell', 'head'],
    };
    const own = Model.create(engine, description, { seed: 5 });
    const pool = SessionPool.create(own, { slots: 2 });
    const given = { word: [3], sound: [0.5, -1] };
    const named = { cell: new Float32Array(4), head: new Float32Array(2) };
    own.stream().step(given, named);
    const session = await pool.open();
    const out = { cell: new Float32Array(4), head: new Float32Array(2) };
    expect(await session.step(given, out)).toEqual(named);
    expect(out).toEqual(named);
    await expect(session.step({ word: [5], sound: [0, 0] }, out)).rejects.toThrow(/tokens/);
    pool.dispose();
  });

  it('lets a step wait for others, but not for longer than it may', async () => {
    const pool = SessionPool.create(model, { slots: 3, maxLatency: 20 });
    const [a, b] = [await pool.open(), await pool.open()];
    let isDone = false;
    const first = a.step(x).then(() => (isDone = true));
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(isDone).toBe(false);
    // All sessions have a step now.
    await Promise.all([first, b.step(x)]);
    const start = performance.now();
    await a.step(x);
    expect(performance.now() - start).toBeGreaterThan(10);
    const waiting = a.step(x);
    b.close();
    await waiting;
    pool.dispose();
  });

  it('bounds its sessions: an error, or a wait', async () => {
    const pool = SessionPool.create(model, { slots: 1 });
    const session = await pool.open();
    await expect(pool.open()).rejects.toThrow(/all 1 slots are taken/);
    session.close();
    await pool.open();
    pool.dispose();
    const patient = SessionPool.create(model, { slots: 1, overflow: 'wait' });
    const one = await patient.open();
    const other = patient.open();
    const never = patient.open();
    one.close();
    expect(await (await other).step(x)).toHaveLength(5);
    patient.dispose();
    await expect(never).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  it('refuses what a step does not take, and changes nothing', async () => {
    const pool = SessionPool.create(model, { slots: 2, maxLatency: 0 });
    const session = await pool.open();
    const before = session.save();
    await expect(session.step(new Float32Array(4))).rejects.toMatchObject({ code: 'ERR_SHAPE' });
    await expect(session.step(x, new Float32Array(4))).rejects.toMatchObject({ code: 'ERR_SHAPE' });
    expect(session.save()).toEqual(before);
    const step = session.step(x);
    const again = session.step(x);
    session.close();
    await expect(again).rejects.toThrow(/await it before the next/);
    await expect(step).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    await expect(session.step(x)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    await expect(pool.open({ cell: { h: x } })).rejects.toThrow(/"state" has no option "cell"/);
    pool.dispose();
    await expect(pool.open()).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    const whole: ModelDescription = {
      layers: [{ type: 'gru', inputSize: 2, hiddenSize: 2, bidirectional: true }],
    };
    const own = Model.create(engine, whole);
    expect(() => SessionPool.create(own, { slots: 2 })).toThrow(/backwards|stream/);
    expect(() => SessionPool.create(model, { slots: 0 })).toThrow(/"slots"/);
  });

  it('says how many steps ran together', async () => {
    const sizes: number[] = [];
    const onBatch = (steps: number): void => void sizes.push(steps);
    const pool = SessionPool.create(modelOf(LSTM, 'baseline'), {
      slots: 3,
      maxLatency: 0,
      onBatch,
    });
    const sessions = [await pool.open(), await pool.open(), await pool.open()];
    await Promise.all(sessions.map((session) => session.step([1, 2, 3])));
    await sessions[1]!.step([1, 2, 3]);
    expect(sizes).toEqual([3, 1]);
    pool.dispose();
    const wrong = { slots: 1, onBatch: 3 } as never;
    expect(() => SessionPool.create(modelOf(LSTM, 'baseline'), wrong)).toThrow(/"onBatch"/);
  });
});
