/** Models. */

import * as problem from '../problems.mjs';
import * as wrong from '../spoil.mjs';
import { SPOILED, call, kind, out, wrongOut } from './call.mjs';

export const keepModel = (world) => (sides) => {
  const twin = world.keep('model', sides);
  twin.sizes = problem.sizesOf(sides[0]);
};

kind('Model.create', 2, (world, random) => {
  const description = problem.description(random);
  if (random.chance(0.1)) description.weights = 'int8';
  const init = random.pick(['pytorch', 'keras', 'zeros']);
  const args = [description, { init, seed: random.from(0, 99) }];
  const layerSpots = description.layers.flatMap((layer, k) =>
    Object.keys(layer).flatMap((key) => {
      const path = [0, 'layers', k, key];
      if (/clip$/i.test(key)) return [[path, wrong.number()]];
      if (key === 'numLayers') return [[path, wrong.count(1, 4096)]];
      if (key === 'projSize') return [[path, wrong.count(1, layer.hiddenSize - 1)]];
      // A reduction of any width has no parameters and one output.
      if (layer.type.startsWith('reduce')) return [];
      if (typeof layer[key] === 'number' && Number.isInteger(layer[key]))
        return [[path, wrong.size]];
      if (['type', 'merge', 'direction', 'mode', 'peephole', 'tied'].includes(key)) {
        return [[path, wrong.choice]];
      }
      return [];
    }),
  );
  const spots = [
    ...layerSpots,
    [[0, 'layers', random.from(0, description.layers.length - 1)], wrong.options],
    [[0], wrong.options],
    [[1], wrong.options],
    [[1, 'init'], wrong.choice],
    [[1, 'seed'], wrong.count(0, 2 ** 53 - 1)],
  ];
  return call(random, args, spots, {
    run: (side, ...given) => side.face.main.Model.create(side.of(world.all.engine[0]), ...given),
    keep: keepModel(world),
  });
});

/** A kind of call that needs a model. */
export const ofModel = (name, weight, draw, where) =>
  kind(name, weight, (world, random) => {
    const model = world.any('model', random, where);
    return model && draw(model, random, world);
  });

export const isFloat = ({ sides }) => !sides[0].description.weights;

ofModel('Model.quantize', 0.4, (model, random, world) => ({
  expect: isFloat(model) ? 'ok' : 'bad',
  // Parameters may be what 8 bits cannot say.
  may: 'ERR_NON_FINITE',
  run: (side) => side.of(model).quantize(),
  keep: keepModel(world),
}));
ofModel('summary', 0.09, (model) => ({
  run: ({ face, of }) => [false, true].map((svg) => face.main.summary(of(model), { svg })),
}));
ofModel('Model.stateDict', 0.6, (model) => ({ run: (side) => side.of(model).stateDict() }));
ofModel('Model.quantization', 0.15, (model) => ({
  run: (side) => JSON.stringify(side.of(model).quantization),
}));
ofModel('Model.loadStateDict', 1.5, (model, random) => {
  const tensors = new Map();
  for (const [name, { shape, data }] of model.sides[0].stateDict()) {
    tensors.set(name, { shape, data: problem.parameter(random, name, data) });
  }
  // Not every number is a variance.
  const name = random.pick([...tensors.keys()].filter((key) => !key.endsWith('running_var')));
  const { shape, data } = tensors.get(name);
  const other = new Map(tensors);
  let expect = 'ok';
  if (random.chance(SPOILED)) {
    expect = 'bad';
    const ways = [
      () => other.delete(name),
      () => other.set('nonsense', { shape: [1], data: new Float32Array(1) }),
      () => other.set(name, { shape: [...shape, 1], data }),
      () => other.set(name, null),
      () => {
        const { value, expect: verdict } = wrong.array()(random, data);
        other.set(name, { shape, data: value });
        // Int8 weights cannot say NaN; others can.
        expect = verdict;
      },
    ];
    random.pick(ways)();
  }
  return {
    expect,
    args: [random.chance(0.02) ? undefined : other],
    ...(random.chance(0.02)
      ? { expect: 'bad', args: [random.pick([null, {}, [], 7])] }
      : { args: [other] }),
    given: [...tensors.values()],
    touches: [model],
    run: (side, given) => side.of(model).loadStateDict(given),
  };
});

/** Inputs and options of a call over whole sequences. */
export function sequence(random, model, { batch, steps = random.from(1, 9) } = {}) {
  const { sizes } = model;
  // Mostly of the batch before, whose memory is still there.
  model.batch = batch ??= random.chance(0.8) && model.batch ? model.batch : random.from(1, 4);
  const x = problem.inputs(random, sizes, batch * steps);
  const options = { steps, batch };
  if (random.chance(0.3)) options.batchFirst = random.chance(0.5);
  if (random.chance(0.3)) options.state = problem.state(random, sizes, batch);
  if (random.chance(0.3)) options.lengths = problem.lengths(random, batch, steps);
  return { x, options };
}

export const sequenceSpots = ({ sizes }, { steps, batch }, at = 1, xAt = [0]) => [
  [xAt, wrong.array(sizes.tokens)],
  [xAt, wrong.array(sizes.tokens)],
  [[at], wrong.options],
  [[at, 'steps'], wrong.size],
  [[at, 'batch'], batch === 1 ? wrong.count(1) : wrong.size],
  [[at, 'batchFirst'], wrong.flag],
  [[at, 'lengths'], wrong.list(steps)],
  [[at, 'state'], wrong.state],
];

ofModel('Model.forward', 12, (model, random) => {
  const { x, options } = sequence(random, model);
  if (random.chance(0.3)) options.padding = random.pick(['zero', 'repeat']);
  const spots = [...sequenceSpots(model, options), [[1, 'padding'], wrong.choice]];
  return call(random, [x, options], spots, {
    disposes: model,
    optionsAt: 1,
    run: (side, ...given) => side.of(model).forward(...given),
  });
});
ofModel('Model.forward into', 3, (model, random) => {
  const { x, options } = sequence(random, model);
  const { outputs, pooled } = model.sizes;
  const length = (pooled ? 1 : options.steps) * options.batch * outputs;
  const spots = [
    [[0], wrong.array(model.sizes.tokens)],
    [[2], wrongOut(length, true)],
  ];
  return call(random, [x, options, out(length)], spots, {
    run: (side, input, given, place) =>
      side.of(model).forward(input, { ...given, out: place }).output,
  });
});
ofModel('Model.gates', 1, (model, random) => {
  const { x, options } = sequence(random, model);
  return call(random, [x, options], sequenceSpots(model, options), {
    disposes: model,
    optionsAt: 1,
    run: (side, ...given) => side.of(model).gates(...given),
  });
});
ofModel('Model.warmUp', 0.085, (model, random) => {
  const { parameterCount } = model.sides[0];
  // So many rows that a few passes are enough.
  const rows = Math.ceil(4e5 / parameterCount);
  const options = { batch: 64, steps: Math.ceil(rows / 64) };
  const spots = [
    [[0], wrong.options],
    [[0, 'batch'], wrong.size],
    [[0, 'steps'], wrong.size],
  ];
  // A valid call takes a hundred milliseconds.
  const share = 0.75;
  return call(
    random,
    [options],
    spots,
    { run: (side, given) => side.of(model).warmUp(given) },
    share,
  );
});
ofModel('gradientFlow', 1, (model, random) => {
  const { x, options } = sequence(random, model);
  const { sizes } = model;
  let loss = problem.loss(random, sizes);
  if (loss.type === 'ctc') loss = { type: 'mae' };
  const { target } = problem.targets(random, { loss }, sizes, options.batch, options.steps);
  const limit = loss.type === 'cross-entropy' ? sizes.outputs : undefined;
  const spots = [
    ...sequenceSpots(model, options, 0, [0, 'x']),
    [[0, 'target'], wrong.array(limit)],
    [[0, 'loss', 'type'], wrong.choice],
  ];
  return call(random, [{ x, target, loss, ...options }], spots, {
    disposes: model,
    optionsAt: 0,
    run: (side, given) => side.face.main.gradientFlow(side.of(model), given),
    ...(!isFloat(model) && { expect: 'bad' }),
  });
});
ofModel('Model.dispose', 0.09, (model, random) => {
  const { x, options } = sequence(random, model);
  const use = random.pick(['forward', 'stateDict', 'stream', 'quantize', 'dispose']);
  return {
    expect: use === 'dispose' ? 'ok' : 'bad',
    touches: [model],
    loose: true,
    run(side) {
      const own = side.of(model);
      own.dispose();
      return use === 'forward' ? own.forward(x, options) : own[use]();
    },
    ends: model,
  };
});
