/**
 * Optimizers against float64 written from their documentation and against TensorFlow.js, gradient
 * by gradient, with rates that change; and parameters in groups.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { afterAll, describe, expect, it } from 'vitest';
import {
  Model,
  Trainer,
  type OptimizerOptions,
  type ParameterGroup,
} from '../../src/hosts/default.ts';
import { clipGradients, createOptimizer } from '../reference/optim.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const UPDATES = 20;
const layers = [
  { type: 'embedding', numEmbeddings: 4, embeddingDim: 3 },
  { type: 'gru', hiddenSize: 5 },
  { type: 'linear', outFeatures: 4 },
] as const;

const forms: Readonly<Record<string, OptimizerOptions & { readonly lr: number }>> = {
  sgd: { type: 'sgd', lr: 0.1, weightDecay: 0.1 },
  'sgd, momentum': { type: 'sgd', lr: 0.03, momentum: 0.8, dampening: 0.1, weightDecay: 0.01 },
  'sgd, nesterov': { type: 'sgd', lr: 0.02, momentum: 0.9, nesterov: true },
  rmsprop: { type: 'rmsprop', lr: 0.01, eps: 1e-3, weightDecay: 0.1 },
  'rmsprop, momentum': { type: 'rmsprop', lr: 0.01, alpha: 0.8, eps: 1e-3, momentum: 0.7 },
  adagrad: { type: 'adagrad', lr: 0.1, weightDecay: 0.1 },
  adam: { type: 'adam', lr: 0.01, eps: 1e-3, weightDecay: 0.1 },
  adamw: { type: 'adamw', lr: 0.01, eps: 1e-3 },
  'keras sgd': { type: 'sgd', form: 'keras', lr: 0.1, weightDecay: 0.1 },
  'keras sgd, momentum': { type: 'sgd', form: 'keras', lr: 0.03, momentum: 0.8, weightDecay: 0.1 },
  'keras sgd, nesterov': { type: 'sgd', form: 'keras', lr: 0.02, momentum: 0.9, nesterov: true },
  'keras rmsprop': { type: 'rmsprop', form: 'keras', lr: 0.01, eps: 1e-2, weightDecay: 0.1 },
  'keras rmsprop, momentum': { type: 'rmsprop', form: 'keras', lr: 0.01, momentum: 0.7 },
  'keras adagrad': { type: 'adagrad', form: 'keras', lr: 0.1, eps: 1e-2 },
  'keras adam': { type: 'adam', form: 'keras', lr: 0.01, eps: 1e-2, betas: [0.8, 0.95] },
  'keras adamw': { type: 'adamw', form: 'keras', lr: 0.01 },
};

const peers: Readonly<
  Record<string, [OptimizerOptions & { readonly lr: number }, (lr: number) => tf.Optimizer]>
> = {
  sgd: [{ type: 'sgd', form: 'keras', lr: 0.1 }, (lr) => tf.train.sgd(lr)],
  rmsprop: [
    { type: 'rmsprop', form: 'keras', lr: 0.01, eps: 1e-3 },
    (lr) => tf.train.rmsprop(lr, 0.9, 0, 1e-3),
  ],
  'rmsprop, momentum': [
    { type: 'rmsprop', form: 'keras', lr: 0.01, eps: 1e-3, alpha: 0.8, momentum: 0.7 },
    (lr) => tf.train.rmsprop(lr, 0.8, 0.7, 1e-3),
  ],
  adagrad: [{ type: 'adagrad', form: 'keras', lr: 0.1 }, (lr) => tf.train.adagrad(lr, 0.1)],
  // TensorFlow.js has PyTorch's momentum and, but for eps, PyTorch's Adam.
  momentum: [{ type: 'sgd', lr: 0.05, momentum: 0.9 }, (lr) => tf.train.momentum(lr, 0.9)],
  nesterov: [
    { type: 'sgd', lr: 0.05, momentum: 0.9, nesterov: true },
    (lr) => tf.train.momentum(lr, 0.9, true),
  ],
  adam: [{ type: 'adam', lr: 0.01, eps: 1e-4 }, (lr) => tf.train.adam(lr, 0.9, 0.999, 1e-4)],
};

describe.each(variants)('optimizers, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  interface Given {
    readonly optimizer: OptimizerOptions;
    readonly groups?: readonly ParameterGroup[];
    readonly norm?: number;
  }

  function create({ optimizer, groups, norm }: Given): { model: Model; trainer: Trainer } {
    const model = Model.create(engine, { layers }, { seed: 3 });
    const gradClip = norm === undefined ? undefined : { norm };
    const trainer = Trainer.create(model, { batch: 2, steps: 6, optimizer, groups, gradClip });
    return { model, trainer };
  }

  /**
   * One update of the trainer on gradients of an output drawn at random; those gradients, by name.
   */
  function update(
    trainer: Trainer,
    random: ReturnType<typeof createRandom>,
  ): Map<string, Float64Array> {
    const tokens = Int32Array.from({ length: 12 }, () => random.integer(0, 3));
    trainer.zeroGradients();
    trainer.forward(tokens);
    trainer.backward({ output: Float32Array.from(random.vector(48, 1)) });
    const gradients = [...trainer.gradients()].map(
      ([name, { data }]) => [name, Float64Array.from(data)] as const,
    );
    trainer.update();
    return new Map(gradients);
  }

  const parametersOf = (model: Model): Map<string, Float64Array> =>
    new Map([...model.stateDict()].map(([name, { data }]) => [name, Float64Array.from(data)]));

  function requireClose(
    model: Model,
    wanted: ReadonlyMap<string, Float64Array>,
    limit: number,
  ): void {
    for (const [name, values] of parametersOf(model)) {
      const errors = values.map((value, k) => Math.abs(value - wanted.get(name)![k]!));
      expect(Math.max(...errors), name).toBeLessThan(limit);
    }
  }

  it.each(Object.entries(forms))('%s is its definition, at rates that change', (_, optimizer) => {
    const { model, trainer } = create({ optimizer });
    const random = createRandom(1);
    const wanted = parametersOf(model);
    const start = parametersOf(model);
    const reference = createOptimizer([...wanted.values()], optimizer);
    for (let n = 0; n < UPDATES; n++) {
      const lr = optimizer.lr * (1 + 0.5 * Math.sin(n));
      trainer.learningRate = lr;
      reference([...update(trainer, random).values()], lr);
    }
    requireClose(model, wanted, 2e-5);
    const moved = [...wanted].map(([name, p]) =>
      Math.hypot(...p.map((v, k) => v - start.get(name)![k]!)),
    );
    expect(Math.min(...moved)).toBeGreaterThan(0.02);
  });

  it.each(Object.entries(peers))('%s is that of TensorFlow.js', (_, [options, createPeer]) => {
    const { model, trainer } = create({ optimizer: options });
    const random = createRandom(2);
    const peer = createPeer(options.lr);
    const variables = Object.fromEntries(
      [...model.stateDict()].map(([name, { data, shape }]) => [
        name,
        tf.variable(
          tf.tensor([...data], [...shape]),
          true,
          `${variant} ${options.type} ${random.unit()}`,
        ),
      ]),
    );
    const named = Object.fromEntries(Object.values(variables).map((v) => [v.name, v]));
    for (let n = 0; n < UPDATES; n++) {
      const gradients = update(trainer, random);
      peer.applyGradients(
        Object.fromEntries(
          Object.entries(variables).map(([name, v]) => [
            v.name,
            tf.tensor([...gradients.get(name)!], v.shape),
          ]),
        ),
      );
    }
    requireClose(
      model,
      new Map(
        Object.entries(variables).map(([name, v]) => [name, Float64Array.from(v.dataSync())]),
      ),
      2e-5,
    );
    for (const v of Object.values(named)) v.dispose();
    peer.dispose();
  });

  const groups: readonly ParameterGroup[] = [
    { parameters: ['embedding', 'gru.bias_hh_l0'], lr: 0 },
    { parameters: ['linear'], lr: 0.05 },
    { parameters: ['gru.weight_hh_l0'], weightDecay: 0.5 },
  ];
  const lrOf = (name: string, lr: number): number => {
    if (name.startsWith('embedding') || name === 'gru.bias_hh_l0') return 0;
    return name.startsWith('linear') ? 5 * lr : lr;
  };

  it.each(['adam', 'adamw', 'sgd'] as const)(
    'groups have rates and decays of their own: %s',
    (type) => {
      const optimizer = { type, lr: 0.01, weightDecay: 0.1 };
      const norm = 0.7;
      const { model, trainer } = create({ optimizer, groups, norm });
      const random = createRandom(4);
      const before = model.stateDict();
      const wanted = parametersOf(model);
      const references = [...wanted].map(([name, p]) => {
        const weightDecay = name === 'gru.weight_hh_l0' ? 0.5 : 0.1;
        return { name, step: createOptimizer([p], { ...optimizer, weightDecay }) };
      });
      for (let n = 0; n < UPDATES; n++) {
        const lr = n < 10 ? 0.01 : 0.004;
        trainer.learningRate = lr;
        const gradients = update(trainer, random);
        const trained = [...gradients].filter(([name]) => lrOf(name, 1) > 0);
        clipGradients(
          trained.map(([, g]) => g),
          norm,
        );
        for (const { name, step } of references) {
          if (lrOf(name, 1) > 0) step([gradients.get(name)!], lrOf(name, lr));
        }
      }
      requireClose(model, wanted, 2e-5);
      const after = model.stateDict();
      for (const [name, { data }] of before) {
        expect(sameBits(data, after.get(name)!.data), name).toBe(lrOf(name, 1) === 0);
      }
    },
  );

  it('a snapshot goes on with groups, and with what Keras starts from, bit for bit', () => {
    const optimizer = { type: 'adagrad', form: 'keras', lr: 0.1 } as const;
    const [one, two] = [create({ optimizer, groups }), create({ optimizer, groups })];
    const random = createRandom(5);
    for (let n = 0; n < 3; n++) update(one.trainer, random);
    two.trainer.restore(one.trainer.snapshot());
    for (let n = 0; n < 3; n++) {
      update(one.trainer, createRandom(n));
      update(two.trainer, createRandom(n));
    }
    const [a, b] = [one.trainer.snapshot().tensors, two.trainer.snapshot().tensors];
    for (const [name, { data }] of a) expect(sameBits(data, b.get(name)!.data), name).toBe(true);
  });

  it('a frozen gradient that is not finite stops nothing', () => {
    const { model, trainer } = create({ optimizer: { type: 'sgd', lr: 0.1 }, groups });
    const table = model.stateDict().get('embedding.weight')!.data;
    trainer.forward(new Int32Array(12));
    trainer.backward({ output: new Float32Array(48).fill(1) });
    expect(trainer.update().finite).toBe(true);
    expect(
      trainer
        .gradients()
        .get('embedding.weight')!
        .data.every((v) => v === 0),
    ).toBe(true);
    expect(sameBits(table, model.stateDict().get('embedding.weight')!.data)).toBe(true);
  });

  it.each([
    [[{ parameters: ['lstm'], lr: 0 }], /groups\[0\].*"lstm".*layers: embedding, gru, linear/],
    [[{ parameters: ['gru.weight'], lr: 0 }], /"gru.weight"/],
    [
      [{ parameters: ['gru'] }, { parameters: ['gru.bias_ih_l0'] }],
      /gru.bias_ih_l0 twice, in groups 0 and 1/,
    ],
    [[{ parameters: ['gru'], lr: -1 }], /groups\[0\].learningRate/],
    [[{ parameters: ['gru'], rate: 1 }], /rate/],
    [[{ lr: 1 }], /groups\[0\].parameters/],
    [[{ parameters: [7] }], /groups\[0\].parameters" expected a list of names/],
    [7, /"groups" expected a list of groups/],
  ] as unknown as [ParameterGroup[], RegExp][])('refuses %j', (wrong, message) => {
    expect(() => create({ optimizer: { type: 'sgd', lr: 0.1 }, groups: wrong })).toThrow(message);
  });

  it('refuses what a form does not have', () => {
    const keras = { type: 'sgd', form: 'keras', lr: 0.1, momentum: 0.5, dampening: 0.5 } as const;
    expect(() => create({ optimizer: keras })).toThrow(/dampening/);
    expect(() => create({ optimizer: { ...keras, form: 'Keras' as 'keras' } })).toThrow(
      /optimizer.form/,
    );
    const still = {
      optimizer: { type: 'sgd', lr: 0 },
      groups: [{ parameters: ['gru'], lr: 1 }],
    } as const;
    expect(() => create(still)).toThrow(/optimizer.learningRate/);
  });
});
