import { describe, expect, it } from 'vitest';
import { Model, Trainer, type TrainingData, type TrainingWindow } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';

const engine = createEngine('baseline');
const BATCH = 2;
const STEPS = 3;

function createTrainer(): Trainer {
  const layers = [
    { type: 'rnn', inputSize: 1, hiddenSize: 4 },
    { type: 'linear', outFeatures: 1 },
  ] as const;
  const model = Model.create(engine, { layers }, { seed: 3 });
  const optimizer = { type: 'sgd', lr: 0.05 } as const;
  return Trainer.create(model, { batch: BATCH, steps: STEPS, loss: 'mse', optimizer });
}

/** Data that writes down what it was asked for. */
function record(window: (index: number) => Partial<TrainingWindow>, length = 3) {
  const asked: (number | undefined)[][] = [];
  const data: TrainingData = {
    length,
    window(index, epoch) {
      asked.push([index, epoch]);
      const values = Float32Array.from({ length: BATCH * STEPS }, (_, i) => (i + index) % 5);
      return { inputs: values, targets: values.map((x) => x / 2), steps: STEPS, ...window(index) };
    },
  };
  return { data, asked };
}

async function losses(trainer: Trainer, data: TrainingData, epochs: number): Promise<number[]> {
  const all: number[] = [];
  for await (const { loss } of trainer.fit(data, { epochs })) all.push(loss);
  return all;
}

describe('fit', () => {
  it('names the pass to the data, and goes on in the middle of one', async () => {
    const { data, asked } = record(() => ({}));
    const numbers: number[][] = [];
    for await (const { epoch, update } of createTrainer().fit(data, { epochs: 3, from: 5 })) {
      numbers.push([epoch, update]);
    }
    expect(asked).toEqual([
      [2, 1],
      [0, 2],
      [1, 2],
      [2, 2],
    ]);
    expect(numbers).toEqual([
      [2, 6],
      [3, 7],
      [3, 8],
      [3, 9],
    ]);
  });

  it.each([false, true])('windows that are fresh (%s) start from zero states', async (fresh) => {
    const { data } = record(() => ({ fresh }));
    const oracle = createTrainer();
    const expected: number[] = [];
    for (let update = 0; update < 6; update++) {
      const { inputs, targets } = data.window(update % 3);
      if (fresh || update % 3 === 0) oracle.resetState();
      expected.push(oracle.trainOn(inputs, targets).loss);
    }
    expect(await losses(createTrainer(), data, 2)).toEqual(expected);
  });

  it('passes the lengths on, so that padding counts for nothing', async () => {
    const course = (padding: number): Promise<number[]> => {
      const { data } = record((index) => {
        const inputs = Float32Array.from([1, 2, 3, padding, padding, padding]);
        return { inputs, lengths: [2, 1], fresh: index > 0 };
      });
      return losses(createTrainer(), data, 1);
    };
    expect(await course(7)).toEqual(await course(0));
  });

  it('counts valid steps as targets, or what the data says', async () => {
    const { data } = record((index) => [{}, { lengths: [2, 1] }, { count: 1 }][index]!);
    const targets: number[] = [];
    for await (const progress of createTrainer().fit(data, { epochs: 1 })) {
      targets.push(progress.targetCount);
    }
    expect(targets).toEqual([6, 3, 1]);
  });
});

describe('validation', () => {
  it('tells loss and metrics after every epoch, and leaves training alone', async () => {
    const { data } = record(() => ({}));
    const { data: validation } = record(() => ({ lengths: [3, 1], fresh: true }), 2);
    const [trainer, oracle] = [createTrainer(), createTrainer()];
    const alone = oracle.fit(data, { epochs: 2 });
    const options = { epochs: 2, validation, metrics: ['mae'], yieldEvery: 0 } as const;
    for await (const { validationLoss, metrics, update, ...report } of trainer.fit(data, options)) {
      expect(report).toMatchObject({ loss: (await alone.next()).value!.loss });
      if (update % 3) expect([validationLoss, metrics]).toEqual([undefined, undefined]);
      else
        expect(metrics).toEqual({ ...oracle.evaluate(validation, ['mae']), loss: validationLoss });
    }
  });
});

describe('evaluate', () => {
  it('weighs windows by their targets', () => {
    const { data } = record((index) => [{}, { lengths: [2, 1] }, { count: 50 }][index]!);
    const trainer = createTrainer();
    const parts = [6, 3, 6].map((count, index) => {
      const { inputs, targets, lengths } = data.window(index);
      return count * trainer.evaluateWindow(inputs, targets, { lengths });
    });
    expect(trainer.evaluate(data).loss).toBeCloseTo((parts[0]! + parts[1]! + parts[2]!) / 15, 12);
  });

  it('starts fresh windows from zero states', () => {
    const { data } = record(() => ({ fresh: true }), 2);
    const trainer = createTrainer();
    const alone = [0, 1].map((index) => {
      const { inputs, targets } = data.window(index);
      trainer.resetEvaluation();
      return trainer.evaluateWindow(inputs, targets);
    });
    expect(trainer.evaluate(data).loss).toBeCloseTo((alone[0]! + alone[1]!) / 2, 12);
  });
});

describe('a run', () => {
  it('goes to its end when it is awaited, and gives the last report', async () => {
    const { data } = record(() => ({}));
    const [trainer, oracle] = [createTrainer(), createTrainer()];
    const expected = await losses(oracle, data, 2);
    const report = await trainer.fit(data, { epochs: 2 });
    expect(report).toMatchObject({ update: 6, updates: 6, epoch: 2, loss: expected.at(-1) });
    expect(await trainer.fit(data, { epochs: 2, from: 6 })).toBeUndefined();
    const failing = { ...data, window: () => expect.fail('no more data') };
    await expect(trainer.fit(failing, { epochs: 1 })).rejects.toThrow('no more data');
    expect((await trainer.fit(data, { epochs: 1 }))!.update).toBe(3);
  });

  it('checks its options at the call', () => {
    const { data } = record(() => ({}));
    expect(() => createTrainer().fit(data, { epochs: 0 })).toThrow(/"epochs"/);
  });

  it('has the parameters to itself', async () => {
    const { data } = record(() => ({}));
    const trainer = createTrainer();
    const { inputs, targets } = data.window(0);
    const snapshot = trainer.snapshot();
    const parameters = trainer.model.stateDict();
    const [run, waiting] = [trainer.fit(data, { epochs: 1 }), trainer.fit(data, { epochs: 1 })];
    for await (const { update } of run) {
      const changes: (() => unknown)[] = [
        () => trainer.trainOn(inputs, targets),
        () => trainer.restore(snapshot),
        () => trainer.model.loadStateDict(parameters),
        () => trainer.fit(data, { epochs: 1 }),
      ];
      for (const change of changes) expect(change).toThrow(/a run of fit\(\) is under way/);
      if (update === 1) await expect(waiting.next()).rejects.toThrow(/fit\(\) is under way/);
      trainer.evaluate(data);
      if (update === 2) break;
    }
    trainer.restore(snapshot);
    trainer.trainOn(inputs, targets);
    expect(trainer.updates).toBe(1);
  });
});

it('backward() goes over no forward() of other parameters', () => {
  const { data } = record(() => ({}));
  const trainer = createTrainer();
  const { inputs } = data.window(0);
  const output = new Float32Array(BATCH * STEPS).fill(1);
  trainer.forward(inputs);
  trainer.model.loadStateDict(trainer.model.stateDict());
  expect(() => trainer.backward({ output })).toThrow(/parameters have changed since forward/);
  trainer.forward(inputs);
  trainer.backward({ output });
  trainer.update();
});
