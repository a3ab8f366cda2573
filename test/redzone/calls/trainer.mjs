/** Trainers. */

import * as problem from '../problems.mjs';
import { Random } from '../random.mjs';
import * as wrong from '../spoil.mjs';
import { call, kind } from './call.mjs';
import { isFloat, ofModel, sequence, sequenceSpots } from './model.mjs';

/** A budget between what a trainer takes in the fewest and in one segment, of this build. */
function withMemory(side, model, options, factor) {
  try {
    side.face.main.Trainer.create(model, { ...options, maxBytes: 1 }).dispose();
  } catch (error) {
    const least = / at least (\d+)/.exec(error.message);
    if (!least) throw error;
    return { ...options, maxBytes: Math.ceil(Number(least[1]) * factor) };
  }
  return options;
}

ofModel('Trainer.create', 1.5, (model, random, world) => {
  const { sizes } = model;
  const options = problem.trainerOptions(random, sizes);
  const isWhole = options.bptt || options.loss.type === 'ctc' || !sizes.causal || sizes.pooled;
  const factor = !isWhole && sizes.segments && random.chance(0.3) ? 1 + random.next() : 0;
  const isBounded = factor > 0;
  const spots = [
    [[0], wrong.options],
    [[0, 'batch'], wrong.size],
    [[0, 'steps'], wrong.size],
    [[0, 'seed'], wrong.count(0, 2 ** 53 - 1)],
    [[0, 'loss', 'type'], wrong.choice],
    [[0, 'loss'], wrong.options],
    [[0, 'loss', 'blank'], wrong.count(0, sizes.outputs - 1)],
    [[0, 'loss', 'ignoreIndex'], wrong.count(1 - 2 ** 31)],
    [[0, 'loss', 'classWeights'], wrong.weights],
    [[0, 'optimizer'], wrong.options],
    [[0, 'optimizer', 'lr'], wrong.number()],
    [[0, 'optimizer', 'type'], wrong.choice],
    [[0, 'optimizer', 'form'], wrong.choice],
    [[0, 'gradClip'], wrong.options],
    [[0, 'groups'], wrong.kind],
    [[0, 'groups', 0], wrong.options],
    [[0, 'groups', 0, 'lr'], wrong.number()],
    [[0, 'groups', 0, 'parameters', 0], wrong.choice],
    [[0, 'bptt'], wrong.options],
    [[0, 'bptt', 'back'], wrong.count(1, options.steps)],
    [[0, 'bptt', 'every'], wrong.count(1, options.bptt?.steps)],
    [[0, 'onNonFinite'], wrong.choice],
  ];
  const drawn = call(random, [options], spots, {
    keep: (sides) => {
      // What came of an odd option is not known.
      if (drawn.spoiled) for (const side of sides) side.dispose();
      else world.keep('trainer', sides, { model, options: structuredClone(options), isBounded });
    },
  });
  return {
    ...drawn,
    ...(!isFloat(model) && { expect: 'bad' }),
    run(side, given) {
      const own = side.of(model);
      if (drawn.spoiled || !isFloat(model)) return side.face.main.Trainer.create(own, given);
      // Each build has an object of its own, which the user may change later.
      const mine = isBounded ? withMemory(side, own, given, factor) : given;
      return side.face.main.Trainer.create(own, structuredClone(mine));
    },
  };
});

export const ofTrainer = (name, weight, draw, where) =>
  kind(name, weight, (world, random) => {
    const trainer = world.any('trainer', random, where);
    return trainer && draw(trainer, random, world);
  });

/** A window for `step` or `evaluate`. */
function windowOf(random, { model: { sizes }, options: own }, most, mayVary = true) {
  const { batch } = own;
  const steps = random.from(1, most);
  const x = problem.inputs(random, sizes, batch * steps);
  const { target, targetLengths } = problem.targets(random, own, sizes, batch, steps);
  const options = { steps };
  if (targetLengths) options.targetLengths = targetLengths;
  if (mayVary && random.chance(0.3)) options.lengths = problem.lengths(random, batch, steps);
  return { x, target, options };
}

function windowSpots({ model: { sizes }, options: { loss } }, { target, options }) {
  const isLabels = loss.type === 'ctc';
  const limit = loss.type === 'cross-entropy' ? sizes.outputs : undefined;
  const width = options.targetLengths && target.length / options.targetLengths.length;
  return [
    [[0], wrong.array(sizes.tokens)],
    [[0], wrong.array(sizes.tokens)],
    isLabels ? [[1], wrongLabels(target, options.targetLengths)] : [[1], wrong.array(limit)],
    isLabels ? [[2, 'targetLengths'], wrong.list(width)] : [[1], wrong.array(limit)],
    [[2], wrong.options],
    [[2, 'steps'], wrong.size],
    [[2, 'lengths'], wrong.list(options.steps)],
  ];
}

/** Labels of the wrong kind, in an odd array, or one that counts and is none. */
const wrongLabels = (target, lengths) => (random) => {
  if (random.chance(0.3)) return { ...wrong.array()(random, target), expect: 'either' };
  const row = [...lengths].findIndex((count) => count > 0);
  if (row < 0 || random.chance(0.4)) {
    const junk = [null, 'text', 7, ['1'], new Float32Array(target.length).fill(0.5)];
    return { value: random.pick(junk), expect: 'bad' };
  }
  const value = target.slice();
  value[(row * target.length) / lengths.length] = random.pick([-1, 1000, 2 ** 31 - 1, -(2 ** 31)]);
  return { value, expect: 'bad' };
};

const nonFinite = ({ options }) =>
  options.onNonFinite === 'skip' ? {} : { may: 'ERR_NON_FINITE' };
/** The steps of one update, and whether its lengths may differ. */
const stepsOf = ({ options: { steps, bptt } }) => bptt?.every ?? steps;
const mayVary = ({ options: { bptt } }) => !bptt || bptt.every === bptt.back;

ofTrainer('Trainer.trainOn', 8, (trainer, random) => {
  const window = windowOf(random, trainer, stepsOf(trainer), mayVary(trainer));
  const { x, target, options } = window;
  if (random.chance(0.04)) return changedOptions(trainer, random, window);
  return call(random, [x, target, options], windowSpots(trainer, window), {
    disposes: trainer,
    optionsAt: 2,
    touches: [trainer, trainer.model],
    ...nonFinite(trainer),
    prepare: forget(trainer),
    run: (side, ...given) => side.of(trainer).trainOn(...given),
  });
});

/** Whether or not `backward` has left gradients, which `trainOn` does not throw away by itself. */
const forget = (trainer) => (side) => side.of(trainer).zeroGradients();

/**
 * A step after the guarded build's options were changed where it lets them: nothing comes of it.
 */
function changedOptions(trainer, random, { x, target, options }) {
  const change = (value) => {
    for (const key of Object.keys(value ?? {})) {
      if (typeof value[key] === 'object') change(value[key]);
      else if (typeof value[key] === 'number') Reflect.set(value, key, value[key] * 100 + 1);
      else Reflect.set(value, key, random.pick(['skip', 'mse', 'adam']));
    }
  };
  return {
    touches: [trainer, trainer.model],
    ...nonFinite(trainer),
    given: [x, target, options],
    args: [x, target, options],
    prepare(side) {
      forget(trainer)(side);
      if (side.index === 0) change(side.of(trainer).options);
    },
    run: (side, ...given) => side.of(trainer).trainOn(...given),
  };
}

ofTrainer('Trainer.evaluateWindow', 5, (trainer, random) => {
  const window = windowOf(random, trainer, trainer.options.steps);
  const { x, target, options } = window;
  return call(random, [x, target, options], windowSpots(trainer, window), {
    disposes: trainer,
    optionsAt: 2,
    run: (side, ...given) => side.of(trainer).evaluateWindow(...given),
  });
});

/** A sequence for `forward`, of steps that every trainer has room for. */
function sequenceOf(random, { model, options: { batch, steps }, isBounded }) {
  const drawn = sequence(random, model, { batch, steps: isBounded ? 1 : random.from(1, steps) });
  delete drawn.options.batch;
  if (random.chance(0.2)) drawn.options.padding = random.pick(['zero', 'repeat']);
  return drawn;
}

ofTrainer('Trainer.forward', 3, (trainer, random) => {
  const { x, options } = sequenceOf(random, trainer);
  const spots = [
    ...sequenceSpots(trainer.model, { ...options, batch: 1 }),
    [[1, 'padding'], wrong.choice],
  ];
  return call(random, [x, options], spots, {
    disposes: trainer,
    optionsAt: 1,
    touches: [trainer],
    run: (side, ...given) => side.of(trainer).forward(...given),
  });
});
ofTrainer('Trainer.backward', 3, (trainer, random) => {
  const { model, options: own } = trainer;
  const { x, options } = sequenceOf(random, trainer);
  const { batch } = own;
  const { steps } = options;
  const { sizes } = model;
  const given = {};
  const rows = batch * (sizes.pooled ? 1 : steps);
  if (random.chance(0.6)) Object.assign(given, problem.targets(random, own, sizes, batch, steps));
  if (random.chance(0.6)) given.output = random.floats(rows * sizes.outputs);
  if (random.chance(0.4)) given.state = problem.state(random, sizes, batch);
  if (random.chance(0.3)) given.flow = true;
  const limit = own.loss.type === 'cross-entropy' ? sizes.outputs : undefined;
  const isTwice = random.chance(0.05);
  const targetSpot = given.targetLengths
    ? wrongLabels(given.target, given.targetLengths)
    : wrong.array(limit);
  const spots = [
    [[0], wrong.options],
    [[0, 'target'], targetSpot],
    [[0, 'output'], wrong.array()],
    [[0, 'state'], wrong.state],
  ];
  const drawn = call(random, [given], spots, {
    ...(isTwice ? {} : { disposes: Object.keys(given).length ? trainer : undefined, optionsAt: 0 }),
    touches: [trainer],
    prepare(side) {
      side.of(trainer).forward(x, options);
      if (isTwice) side.of(trainer).backward({});
    },
    run: (side, gradients) => side.of(trainer).backward(gradients),
  });
  return { ...drawn, ...(isTwice && { expect: 'bad' }) };
});
ofTrainer('Trainer.zeroGradients', 0.3, (trainer) => ({
  touches: [trainer],
  run: (side) => side.of(trainer).zeroGradients(),
}));
ofTrainer('Trainer.gradients', 0.5, (trainer) => ({ run: (side) => side.of(trainer).gradients() }));
ofTrainer('Trainer.update', 1.5, (trainer) => ({
  touches: [trainer, trainer.model],
  ...nonFinite(trainer),
  run: (side) => side.of(trainer).update(),
}));
ofTrainer('Trainer.resetState', 0.3, (trainer) => ({
  touches: [trainer],
  run: (side) => side.of(trainer).resetState(),
}));
ofTrainer('Trainer.resetEvaluation', 0.3, (trainer) => ({
  run: (side) => side.of(trainer).resetEvaluation(),
}));
ofTrainer('Trainer.updates', 0.15, (trainer) => ({ run: (side) => side.of(trainer).updates }));
ofTrainer('Trainer.skipped', 0.15, (trainer) => ({ run: (side) => side.of(trainer).skipped }));
ofTrainer('Trainer.learningRate', 0.3, (trainer, random) =>
  call(random, [0.01], [[[0], wrong.number()]], {
    touches: [trainer],
    run(side, rate) {
      side.of(trainer).learningRate = rate;
      return side.of(trainer).learningRate;
    },
  }),
);

/** Some windows as data. */
function dataOf(random, trainer, most) {
  const list = Array.from({ length: random.from(1, 3) }, () => {
    const { x, target, options } = windowOf(random, trainer, most, mayVary(trainer));
    return { inputs: x, targets: target, ...options, fresh: random.chance(0.3) };
  });
  return {
    length: list.length,
    list,
    window(index) {
      return this.list[index];
    },
  };
}

function dataSpots(trainer, { list: [{ inputs, targets, ...options }] }) {
  return windowSpots(trainer, { x: inputs, target: targets, options })
    .filter(([path]) => path.length > 1 || path[0] < 2)
    .map(([[place, ...path], way]) => [
      [0, 'list', 0, ...(place === 0 ? ['inputs'] : place === 1 ? ['targets'] : path)],
      way,
    ]);
}

/** An empty window is one of all steps. */
const weighs = (metrics, { loss: { type, classWeights } }) =>
  metrics.filter((name) =>
    name === 'perplexity' ? !classWeights && type === 'cross-entropy' : true,
  );
const metricsOf = (options) => {
  const { type } = options.loss;
  if (type === 'ctc') return [];
  const first = type === 'cross-entropy' || type === 'bce' ? 'accuracy' : 'mae';
  return weighs([first, ...(type === 'cross-entropy' ? ['perplexity'] : [])], options);
};

ofTrainer('Trainer.evaluate', 1, (trainer, random) => {
  const data = dataOf(random, trainer, trainer.options.steps);
  const spots = [...dataSpots(trainer, data), [[1, 0], wrong.choice]];
  return call(random, [data, metricsOf(trainer.options)], spots, {
    run: (side, ...given) => side.of(trainer).evaluate(...given),
  });
});
ofTrainer('Trainer.fit', 0.8, (trainer, random) => {
  const data = dataOf(random, trainer, stepsOf(trainer));
  const options = { epochs: random.from(1, 2) };
  if (random.chance(0.4)) options.validation = dataOf(random, trainer, trainer.options.steps);
  if (random.chance(0.3)) options.learningRate = () => 0.01;
  if (options.validation && random.chance(0.3)) options.keepBest = true;
  if (options.validation && random.chance(0.3)) options.metrics = metricsOf(trainer.options);
  if (options.validation && random.chance(0.3)) options.earlyStopping = { patience: 1 };
  const keeps = random.chance(0.2);
  const spots = [
    ...dataSpots(trainer, data),
    [[0, 'windows'], wrong.count(1)],
    [[1], wrong.options],
    [[1, 'epochs'], wrong.count(1)],
    [[1, 'earlyStopping'], wrong.options],
    [[1, 'earlyStopping', 'patience'], wrong.count(1)],
  ];
  return call(random, [data, options], spots, {
    touches: [trainer, trainer.model],
    loose: true,
    given: [data.list],
    ...nonFinite(trainer),
    prepare: forget(trainer),
    async run(side, source, given) {
      const seen = [];
      const checkpoint =
        keeps && given ? { save: ({ tensors }) => void seen.push(tensors) } : undefined;
      const all = checkpoint ? { ...given, checkpoint } : given;
      for await (const progress of side.of(trainer).fit(source, all)) seen.push(progress);
      return seen;
    },
  });
});
ofTrainer('Trainer.snapshot', 0.4, (trainer) => ({ run: (side) => side.of(trainer).snapshot() }));

const TAMPERED = ['-1', 'NaN', '1e99', '1.5', '', 'text', '9007199254740993'];

/**
 * A snapshot with something in it that no trainer can go on from; `either` where the numbers alone
 * are odd.
 */
export function tampered(random, { tensors, metadata }, { model: { sizes }, options: { bptt } }) {
  const copy = { tensors: new Map(tensors), metadata: { ...metadata } };
  const name = random.pick([...tensors.keys()]);
  const { shape, data } = tensors.get(name);
  const ways = [
    () => void copy.tensors.delete(name),
    () =>
      void copy.tensors.set(name, {
        shape: [data.length + 1],
        data: new Float32Array(data.length + 1),
      }),
    () => void copy.tensors.set(name, { shape, data: Array.from(data, String) }),
    () => void copy.tensors.set('model.nonsense', { shape: [1], data: new Float32Array(1) }),
    () =>
      void (copy.metadata[random.pick(['updates', 'passes'])] = random.pick(TAMPERED.slice(0, 4))),
    () => void (copy.metadata.learningRate = random.pick(['-1', 'NaN', 'text', 'Infinity'])),
    () =>
      void (copy.metadata.replay = random.pick([
        '2000',
        '-1',
        '1.5',
        String((bptt?.back ?? 0) + 1),
      ])),
    () => void delete copy.metadata[random.pick(['updates', 'passes', 'learningRate', 'replay'])],
    () => void (copy.metadata = random.pick([null, undefined, 7])),
    () => void (copy.tensors = random.pick([null, undefined, {}, []])),
  ];
  const inputs = tensors.get('carry.inputs');
  if (inputs && sizes.tokens && inputs.data.length && metadata.replay !== '0') {
    const poison = () => {
      const bits = new Int32Array(inputs.data.length).fill(random.pick([-1, 600, 1 << 24, -1200]));
      copy.tensors.set('carry.inputs', { ...inputs, data: new Float32Array(bits.buffer) });
    };
    ways.push(poison, poison, poison, poison, poison);
  }
  random.pick(ways)();
  return copy;
}

/** Whether a trainer keeps tokens for its next window, which a snapshot may hold other ones of. */
export const keepsTokens = ({ model: { sizes }, options: { bptt } }) =>
  sizes.tokens !== undefined && bptt !== undefined && bptt.every < bptt.back;

/** One update of a trainer, so that it has something to keep or to go back from. */
export function updateOnce(side, trainer, { x, target, options }) {
  side.of(trainer).zeroGradients();
  try {
    side.of(trainer).trainOn(x, target, options);
  } catch (error) {
    if (error.code !== 'ERR_NON_FINITE') throw error;
  }
}

ofTrainer('Trainer.restore', 1, (any, random, world) => {
  const isWrong = random.chance(0.5);
  const trainer = (isWrong && world.any('trainer', random, keepsTokens)) || any;
  const junk = random.chance(0.05) ? random.pick([null, undefined, 7, {}, 'text']) : false;
  const isJunk = junk !== false;
  const window = windowOf(random, trainer, stepsOf(trainer), mayVary(trainer));
  const seed = random.from(0, 2 ** 31 - 1);
  const kept = [];
  return {
    expect: isJunk || isWrong ? 'bad' : 'ok',
    touches: [trainer, trainer.model],
    prepare(side) {
      updateOnce(side, trainer, window);
      kept[side.index] = side.of(trainer).snapshot();
      updateOnce(side, trainer, window);
    },
    run(side) {
      const snapshot = kept[side.index];
      const given = isWrong ? tampered(new Random(seed), snapshot, trainer) : snapshot;
      side.of(trainer).restore(isJunk ? junk : given);
      return side.of(trainer).snapshot();
    },
  };
});
ofTrainer('Trainer.dispose', 0.15, (trainer, random) => {
  const { x, target, options } = windowOf(random, trainer, 1);
  return {
    expect: 'bad',
    touches: [trainer],
    loose: true,
    run(side) {
      side.of(trainer).dispose();
      side.of(trainer).dispose();
      side.of(trainer).trainOn(x, target, options);
    },
    ends: trainer,
  };
});
