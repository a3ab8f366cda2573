/**
 * Every public function: how to draw a call of it, valid or not. A call says what has to come of it (`expect`), which twins a valid one
 * changes (`touches`), and runs once in each build.
 */

import * as problem from './problems.mjs';
import * as wrong from './spoil.mjs';
import { Each, spoil } from './spoil.mjs';
import { digest } from './world.mjs';

/** Share of the calls that have an argument spoiled. */
const SPOILED = 0.35;
/** Share of the calls with options one of which disposes what is in use when it is read. */
const DISPOSING = 0.01;

/** A call with some arguments, one of which may be spoiled at one of `spots`. */
function call(random, args, spots, rest, share = SPOILED) {
  const { disposes, optionsAt } = rest;
  if (disposes && random.chance(DISPOSING)) return disposing(random, args, optionsAt, rest);
  const spoiled = random.chance(share) ? spoil(random, args, spots) : undefined;
  return { given: args, args, ...rest, ...(spoiled && { spoiled, expect: spoiled.expect }) };
}

const FILLER = { layers: [{ type: 'linear', inFeatures: 16, outFeatures: 16 }] };

/** The call with an option whose getter disposes the twin, and has models made where it was. */
function disposing(random, args, optionsAt, rest) {
  const twin = rest.disposes;
  const given = args[optionsAt];
  const key = random.pick(Object.keys(given));
  const options = new Each((side) => {
    let fillers;
    const begin = () => {
      const owner = side.of(twin);
      const { engine } = owner.model ?? owner;
      owner.dispose();
      fillers = [1, 2, 3, 4].map((seed) => side.face.main.Model.create(engine, FILLER, { seed }));
      const before = fillers.map((model) => digest(parametersOf(side, model)));
      side.later.push(() => {
        const isSame = fillers.every((model, k) => digest(parametersOf(side, model)) === before[k]);
        for (const model of fillers) model.dispose();
        return isSame ? undefined : 'what took the place of something disposed was changed';
      });
    };
    return Object.defineProperty({ ...given }, key, {
      get() {
        if (!fillers) begin();
        return given[key];
      },
      enumerable: true,
    });
  });
  const changed = args.map((value, k) => (k === optionsAt ? options : value));
  const { world, ...own } = rest;
  return {
    ...own,
    args: changed,
    expect: 'either',
    touches: [...(rest.touches ?? []), twin],
    loose: true,
    ends: twin,
    keep: undefined,
  };
}

const parametersOf = ({ face }, model) => {
  const { kernels, values } = face.storeOf(model);
  return kernels.floats(values);
};

/** An array for a function to write to, one for each build. */
const out = (length) => new Each(() => new Float32Array(length));

export const callKinds = [];

function kind(name, weight, draw) {
  callKinds.push({ name, weight, draw });
}

/** A function that needs nothing of the world: arguments, and which of them may be spoiled. */
function pure(name, weight, make, run) {
  kind(name, weight, (world, random) => {
    const { args, spots = [] } = make(random);
    return call(random, args, spots, { run });
  });
}

// Engines.

const engineArgs = (random) => ({
  args: [{ simd: random.pick(['auto', 'deterministic']), maxBytes: random.from(1, 30) * 65536 }],
  spots: [
    [[0], wrong.options],
    [[0, 'simd'], wrong.choice],
    [[0, 'maxBytes'], wrong.count(65536, 2 ** 32 - 65536)],
  ],
});
/** What an engine is, before it goes. */
const lookAt = (engine) => {
  const { simd, maxBytes, bytes } = engine;
  engine.dispose();
  return { simd, maxBytes, bytes };
};
pure('Engine.createSync', 0.09, engineArgs, ({ face }, options) => {
  return lookAt(face.main.Engine.createSync(options));
});
pure('Engine.create', 0.09, engineArgs, async ({ face }, options) => {
  return lookAt(await face.main.Engine.create(options));
});
pure(
  'wasmBytes',
  0.09,
  (random) => ({
    args: [{ simd: random.pick(['auto', 'deterministic']) }],
    spots: [
      [[0], wrong.options],
      [[0, 'simd'], wrong.choice],
    ],
  }),
  ({ face }, options) => face.main.wasmBytes(options).length,
);
kind('Engine.bytes', 0.09, (world) => ({
  run: (side) => side.of(world.all.engine[0]).bytes > 0,
}));
kind('Engine.dispose', 0.09, (world, random) => {
  // Of an engine of its own: all that is in it says so from then on.
  const what = random.pick(['model', 'stream', 'trainer', 'bytes']);
  const { inputs } = problem;
  return {
    expect: 'bad',
    run({ face }) {
      const module = face.main.wasmBytes({ simd: 'deterministic' });
      const engine = face.core.Engine.createSync({ module, maxBytes: 2 ** 20 });
      const layers = [{ type: 'gru', inputSize: 2, hiddenSize: 3 }];
      const model = face.main.Model.create(engine, { layers });
      const stream = model.stream();
      const trainer = face.main.Trainer.create(model, { batch: 1, steps: 2, loss: 'mse' });
      const x = new Float32Array(4);
      engine.dispose();
      engine.dispose();
      if (what === 'model') return model.forward(x, { steps: 2 });
      if (what === 'stream') return stream.run(x, new Float32Array(6), 2);
      if (what === 'trainer') return trainer.step(x, new Float32Array(6));
      return engine.bytes;
    },
    given: inputs(random, { inputs: 2 }, 2),
  };
});

// Models.

const keepModel = (world) => (sides) => {
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
      if (key.endsWith('Clip')) return [[path, wrong.number()]];
      if (key === 'numLayers') return [[path, wrong.count(1, 1024)]];
      if (key === 'projSize') return [[path, wrong.count(1, layer.hiddenSize - 1)]];
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
const ofModel = (name, weight, draw, where) =>
  kind(name, weight, (world, random) => {
    const model = world.any('model', random, where);
    return model && draw(model, random, world);
  });

const isFloat = ({ sides }) => !sides[0].description.weights;

ofModel('Model.quantize', 0.4, (model, random, world) => ({
  expect: isFloat(model) ? 'ok' : 'bad',
  run: (side) => side.of(model).quantize(),
  keep: keepModel(world),
}));
ofModel('Model.stateDict', 0.6, (model) => ({ run: (side) => side.of(model).stateDict() }));
ofModel('Model.loadStateDict', 1.5, (model, random) => {
  const tensors = new Map();
  for (const [name, { shape, data }] of model.sides[0].stateDict()) {
    tensors.set(name, { shape, data: random.floats(data.length, 0.5) });
  }
  const name = random.pick([...tensors.keys()]);
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
function sequence(random, model, { batch, steps = random.from(1, 9) } = {}) {
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

const sequenceSpots = ({ sizes }, { steps, batch }, at = 1, xAt = [0]) => [
  [xAt, wrong.array(sizes.tokens)],
  [xAt, wrong.array(sizes.tokens)],
  [[at], wrong.options],
  [[at, 'steps'], wrong.size],
  [[at, 'batch'], batch === 1 ? wrong.count(1) : wrong.size],
  [[at, 'batchFirst'], wrong.flag],
  [[at, 'lengths'], wrong.list(steps)],
  [[at, 'state'], wrong.state],
];

ofModel('Model.forward', 12, (model, random, world) => {
  const { x, options } = sequence(random, model);
  if (random.chance(0.3)) options.padding = random.pick(['zero', 'repeat']);
  const spots = [...sequenceSpots(model, options), [[1, 'padding'], wrong.choice]];
  return call(random, [x, options], spots, {
    ...{ disposes: model, optionsAt: 1, world },
    run: (side, ...given) => side.of(model).forward(...given),
  });
});
ofModel('Model.gates', 1, (model, random, world) => {
  const { x, options } = sequence(random, model);
  return call(random, [x, options], sequenceSpots(model, options), {
    ...{ disposes: model, optionsAt: 1, world },
    run: (side, ...given) => side.of(model).gates(...given),
  });
});
ofModel('Model.warmup', 0.085, (model, random) => {
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
    { run: (side, given) => side.of(model).warmup(given) },
    share,
  );
});
ofModel('Model.gradientFlow', 1, (model, random, world) => {
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
    ...{ disposes: model, optionsAt: 0, world },
    run: (side, given) => side.of(model).gradientFlow(given),
    ...(!isFloat(model) && { expect: 'bad' }),
  });
});
ofModel('Model.dispose', 0.09, (model, random, world) => {
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

// Streams.

const isStream = ({ sizes }) => sizes.causal && sizes.streams;

ofModel('Model.stream', 1, (model, random, world) => {
  const batch = random.pick([1, 1, 2, 3]);
  const options = { batch };
  if (random.chance(0.5)) options.state = problem.state(random, model.sizes, batch);
  const spots = [
    [[0], wrong.options],
    [[0, 'batch'], wrong.size],
    [[0, 'state'], wrong.state],
  ];
  return call(random, [options], spots, {
    expect: isStream(model) ? 'ok' : 'bad',
    run: (side, given) => side.of(model).stream(given),
    keep: (sides) => world.keep('stream', sides, { model, batch }),
  });
});

const ofStream = (name, weight, draw) =>
  kind(name, weight, (world, random) => {
    const stream = world.any('stream', random);
    return stream && draw(stream, random, world);
  });

/** Steps of a stream: inputs and a place for the outputs. */
function advance(random, { model: { sizes }, batch }, steps) {
  const x = problem.inputs(random, sizes, steps * batch);
  return { x, length: steps * batch * sizes.outputs };
}

/** The kinds of a place for outputs: one gone wrong is one for each build. */
const wrongOut = (length) => (random) => {
  const { value, expect } = wrong.array()(random, new Float32Array(length));
  return { value, expect };
};

ofStream('Stream.step', 7, (stream, random) => {
  const { x, length } = advance(random, stream, 1);
  const spots = [
    [[0], wrong.array(stream.model.sizes.tokens)],
    [[1], wrongOut(length)],
  ];
  return call(random, [x, out(length)], spots, {
    touches: [stream],
    run(side, input, place) {
      side.of(stream).step(input, place);
      return place;
    },
  });
});
ofStream('Stream.run', 5, (stream, random) => {
  const steps = random.pick([1, 2, 5, 16, 17, 33]);
  const { x, length } = advance(random, stream, steps);
  if (random.chance(0.05)) return overlapping(stream, x, length, steps);
  const spots = [
    [[0], wrong.array(stream.model.sizes.tokens)],
    [[1], wrongOut(length)],
    [[2], wrong.size],
  ];
  return call(random, [x, out(length), steps], spots, {
    touches: [stream],
    run(side, input, place, frames) {
      side.of(stream).run(input, place, frames);
      return place;
    },
  });
});

/** Inputs and outputs in one buffer, where the ones begin within the others: the outputs are those of arrays apart. */
function overlapping(stream, x, length, steps) {
  return {
    expect: 'either',
    touches: [stream],
    run(side) {
      const own = side.of(stream);
      const apart = own.clone();
      const wanted = new Float32Array(length);
      apart.run(x, wanted, steps);
      apart.dispose();
      const buffer = new ArrayBuffer(4 * (x.length + length));
      const input = new x.constructor(buffer, 0, x.length);
      const place = new Float32Array(buffer, 4 * Math.floor(x.length / 2), length);
      input.set(x);
      own.run(input, place, steps);
      side.later.push(() =>
        digest(place) === digest(wanted)
          ? undefined
          : 'inputs and outputs in one place change the outputs',
      );
      return place;
    },
  };
}

ofStream('Stream.reset', 0.3, (stream) => ({
  touches: [stream],
  run: (side) => side.of(stream).reset(),
}));
ofStream('Stream.clone', 0.3, (stream, random, world) => ({
  run: (side) => side.of(stream).clone(),
  keep: (sides) => world.keep('stream', sides, { model: stream.model, batch: stream.batch }),
}));
ofStream('Stream.save', 0.3, (stream) => ({ run: (side) => side.of(stream).save() }));
ofStream('Stream.restore', 0.8, (stream, random) => {
  const args = [problem.state(random, stream.model.sizes, stream.batch)];
  return call(random, args, [[[0], wrong.state]], {
    touches: [stream],
    run: (side, given) => side.of(stream).restore(given),
  });
});
ofStream('Stream.dispose', 0.09, (stream, random, world) => {
  const { x, length } = advance(random, stream, 1);
  return {
    expect: 'bad',
    touches: [stream],
    loose: true,
    run(side) {
      side.of(stream).dispose();
      side.of(stream).dispose();
      side.of(stream).step(x, new Float32Array(length));
    },
    ends: stream,
  };
});

// Trainers.

/** A budget between what a trainer takes in the fewest and in one segment, of this build. */
function withMemory(side, model, options, factor) {
  try {
    side.face.main.Trainer.create(model, { ...options, memory: 1 }).dispose();
  } catch (error) {
    const least = / at least (\d+)/.exec(error.message);
    if (!least) throw error;
    return { ...options, memory: Math.ceil(Number(least[1]) * factor) };
  }
  return options;
}

ofModel('Trainer.create', 1.5, (model, random, world) => {
  const { sizes } = model;
  const options = problem.trainerOptions(random, sizes);
  const isCut = options.bptt || options.loss.type === 'ctc' || !sizes.causal || sizes.pooled;
  const factor = !isCut && random.chance(0.3) ? 1 + random.next() : 0;
  const spots = [
    [[0], wrong.options],
    [[0, 'batch'], wrong.size],
    [[0, 'steps'], wrong.size],
    [[0, 'seed'], wrong.count(0, 2 ** 53 - 1)],
    [[0, 'loss', 'type'], wrong.choice],
    [[0, 'loss'], wrong.options],
    [[0, 'loss', 'blank'], wrong.count(0, sizes.outputs - 1)],
    [[0, 'loss', 'ignoreIndex'], wrong.count(1 - 2 ** 31)],
    [[0, 'optimizer'], wrong.options],
    [[0, 'optimizer', 'lr'], wrong.number()],
    [[0, 'optimizer', 'type'], wrong.choice],
    [[0, 'optimizer', 'form'], wrong.choice],
    [[0, 'gradClip'], wrong.options],
    [[0, 'groups', 0], wrong.options],
    [[0, 'groups', 0, 'lr'], wrong.number()],
    [[0, 'groups', 0, 'parameters', 0], wrong.choice],
    [[0, 'bptt'], wrong.options],
    [[0, 'bptt', 'steps'], wrong.count(1, options.steps)],
    [[0, 'bptt', 'every'], wrong.count(1, options.bptt?.steps)],
    [[0, 'onNonFinite'], wrong.choice],
  ];
  const drawn = call(random, [options], spots, {
    keep: (sides) => {
      const own = structuredClone(options);
      world.keep('trainer', sides, { model, options: own, isBounded: factor > 0 });
    },
  });
  return {
    ...drawn,
    ...(!isFloat(model) && { expect: 'bad' }),
    run(side, given) {
      const own = side.of(model);
      if (drawn.spoiled || !isFloat(model)) return side.face.main.Trainer.create(own, given);
      // Each build has an object of its own, which the user may change later.
      const mine = factor ? withMemory(side, own, given, factor) : given;
      return side.face.main.Trainer.create(own, structuredClone(mine));
    },
  };
});

const ofTrainer = (name, weight, draw, where) =>
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

/** Labels of the wrong kind, or one that counts and is none. */
const wrongLabels = (target, lengths) => (random) => {
  const row = [...lengths].findIndex((count) => count > 0);
  if (row < 0 || random.chance(0.4)) {
    return {
      value: random.pick([null, 'text', 7, [1], new Float32Array(target.length)]),
      expect: 'bad',
    };
  }
  const value = target.slice();
  value[(row * target.length) / lengths.length] = random.pick([-1, 1000, 2 ** 31 - 1, -(2 ** 31)]);
  return { value, expect: 'bad' };
};

const nonFinite = ({ options }) =>
  options.onNonFinite === 'skip' ? {} : { may: 'ERR_NON_FINITE' };
/** The steps of one update, and whether its lengths may differ. */
const stepsOf = ({ options: { steps, bptt } }) => bptt?.every ?? steps;
const mayVary = ({ options: { bptt } }) => !bptt || bptt.every === bptt.steps;

ofTrainer('Trainer.step', 8, (trainer, random, world) => {
  const window = windowOf(random, trainer, stepsOf(trainer), mayVary(trainer));
  const { x, target, options } = window;
  if (random.chance(0.04)) return changedOptions(trainer, random, window);
  return call(random, [x, target, options], windowSpots(trainer, window), {
    ...{ disposes: trainer, optionsAt: 2, world },
    touches: [trainer, trainer.model],
    ...nonFinite(trainer),
    run: (side, ...given) => side.of(trainer).step(...given),
  });
});

/** A step after the guarded build's options were changed where it lets them: nothing comes of it. */
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
      if (side.index === 0) change(side.of(trainer).options);
    },
    run: (side, ...given) => side.of(trainer).step(...given),
  };
}

ofTrainer('Trainer.evaluate', 5, (trainer, random, world) => {
  const window = windowOf(random, trainer, trainer.options.steps);
  const { x, target, options } = window;
  return call(random, [x, target, options], windowSpots(trainer, window), {
    ...{ disposes: trainer, optionsAt: 2, world },
    run: (side, ...given) => side.of(trainer).evaluate(...given),
  });
});

/** A sequence for `forward`, of steps that every trainer has room for. */
function sequenceOf(random, { model, options: { batch, steps }, isBounded }) {
  const drawn = sequence(random, model, { batch, steps: isBounded ? 1 : random.from(1, steps) });
  delete drawn.options.batch;
  if (random.chance(0.2)) drawn.options.padding = random.pick(['zero', 'repeat']);
  return drawn;
}

ofTrainer('Trainer.forward', 3, (trainer, random, world) => {
  const { x, options } = sequenceOf(random, trainer);
  const spots = [
    ...sequenceSpots(trainer.model, { ...options, batch: 1 }),
    [[1, 'padding'], wrong.choice],
  ];
  return call(random, [x, options], spots, {
    ...{ disposes: trainer, optionsAt: 1, world },
    touches: [trainer],
    run: (side, ...given) => side.of(trainer).forward(...given),
  });
});
ofTrainer('Trainer.backward', 3, (trainer, random, world) => {
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
    ...(isTwice
      ? {}
      : { disposes: Object.keys(given).length ? trainer : undefined, optionsAt: 0, world }),
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
ofTrainer('Trainer.updates', 0.09, (trainer) => ({ run: (side) => side.of(trainer).updates }));
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
    windows: list.length,
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

ofTrainer('Trainer.measure', 0.6, (trainer, random) => {
  const data = dataOf(random, trainer, trainer.options.steps);
  return call(random, [data, metricsOf(trainer.options)], dataSpots(trainer, data), {
    run: (side, ...given) => side.of(trainer).measure(...given),
  });
});
ofTrainer('Trainer.meanLoss', 0.4, (trainer, random) => {
  const data = dataOf(random, trainer, trainer.options.steps);
  return call(random, [data], dataSpots(trainer, data), {
    run: (side, given) => side.of(trainer).meanLoss(given),
  });
});
ofTrainer('Trainer.fit', 0.8, (trainer, random, world) => {
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
  const { validation, learningRate, ...plain } = options;
  return call(random, [data, options], spots, {
    world,
    touches: [trainer, trainer.model],
    loose: true,
    given: [data.list, plain, learningRate],
    ...nonFinite(trainer),
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

/** A snapshot with something in it that no trainer can go on from; `either` where the numbers alone are odd. */
function tampered(random, { tensors, metadata }, { model: { sizes }, options: { bptt } }) {
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
    () => void copy.tensors.set(name, { shape, data: [...data] }),
    () => void copy.tensors.set('model.nonsense', { shape: [1], data: new Float32Array(1) }),
    () =>
      void (copy.metadata[random.pick(['updates', 'passes'])] = random.pick(TAMPERED.slice(0, 4))),
    () => void (copy.metadata.learningRate = random.pick(['-1', 'NaN', 'text', 'Infinity'])),
    () =>
      void (copy.metadata.replay = random.pick([
        '2000',
        '-1',
        '1.5',
        String((bptt?.steps ?? 0) + 1),
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

ofTrainer('Trainer.restore', 1, (trainer, random) => {
  const isWrong = random.chance(0.5);
  const snapshots = trainer.sides.map((side) => side.snapshot());
  const wrongOne = isWrong && tampered(random, snapshots[0], trainer);
  const junk = random.chance(0.05) ? random.pick([null, undefined, 7, {}, 'text']) : false;
  const isJunk = junk !== false;
  const { x, target, options } = windowOf(random, trainer, stepsOf(trainer), mayVary(trainer));
  return {
    expect: isJunk || isWrong ? 'bad' : 'ok',
    touches: [trainer, trainer.model],
    prepare(side) {
      // So that there is something to go back to.
      if (isJunk || isWrong) return;
      try {
        side.of(trainer).step(x, target, options);
      } catch (error) {
        if (error.code !== 'ERR_NON_FINITE') throw error;
      }
    },
    run(side) {
      const snapshot = wrongOne || snapshots[side.index];
      side.of(trainer).restore(isJunk ? junk : snapshot);
      return side.of(trainer).snapshot();
    },
  };
});
ofTrainer('Trainer.dispose', 0.09, (trainer, random, world) => {
  const { x, target, options } = windowOf(random, trainer, 1);
  return {
    expect: 'bad',
    touches: [trainer],
    loose: true,
    run(side) {
      side.of(trainer).dispose();
      side.of(trainer).dispose();
      side.of(trainer).step(x, target, options);
    },
    ends: trainer,
  };
});

// Files.

ofModel('saveModel', 0.5, (model, random) =>
  call(random, [{ note: 'x' }], [[[0, 'note'], () => ({ value: 7, expect: 'bad' })]], {
    run: (side, metadata) => side.face.safetensors.saveModel(side.of(model), metadata),
  }),
);
ofModel('loadModel', 0.6, (model, random, world) => {
  const file = world.faces[0].safetensors.saveModel(model.sides[0]);
  return call(random, [file], [[[0], wrong.bytes]], {
    run: (side, bytes) => side.face.safetensors.loadModel(side.of(world.all.engine[0]), bytes),
    keep: keepModel(world),
  });
});
ofModel('loadPytorch', 0.8, (model, random, world) => {
  const { safetensors } = world.faces[0];
  const prefix = random.pick(['', 'net.']);
  const tensors = new Map();
  for (const [name, { shape, data }] of model.sides[0].stateDict()) {
    tensors.set(prefix + name, { shape, data: random.floats(data.length, 0.5) });
  }
  const file = safetensors.writeSafetensors(tensors);
  const spots = [
    [[0], wrong.bytes],
    [[1, 'prefix'], () => ({ value: 'other.', expect: 'bad' })],
  ];
  return call(random, [file, { prefix }], spots, {
    touches: [model],
    run: (side, ...given) => side.face.safetensors.loadPytorch(side.of(model), ...given),
  });
});
ofTrainer('saveTrainer', 0.5, (trainer) => ({
  run: (side) => side.face.safetensors.saveTrainer(side.of(trainer)).length > 0,
}));

/** The checksum of a trainer's file, so that a tampered one passes for whole: FNV-1a over words. */
function checksumOf(tensors, metadata) {
  let hash = 0x811c9dc5;
  const add = (word) => (hash = Math.imul(hash ^ word, 0x01000193));
  const addText = (text) => [...text].forEach((character) => add(character.charCodeAt(0)));
  for (const [name, { shape, data }] of tensors) {
    addText(`${name} ${shape.join()};`);
    new Int32Array(data.buffer, data.byteOffset, data.length).forEach(add);
  }
  for (const [key, text] of Object.entries(metadata)) {
    if (key !== 'gatefold.checksum') addText(`${key} ${text};`);
  }
  return String(hash >>> 0);
}

/** A file whose snapshot was tampered with, with the checksum that it then has. */
function forged(random, { readSafetensors, writeSafetensors }, file, trainer) {
  const { tensors, metadata } = readSafetensors(file);
  const kept = JSON.parse(metadata['gatefold.trainer']);
  const snapshot = tampered(random, { tensors, metadata: kept }, trainer);
  if (!(snapshot.tensors instanceof Map) || !snapshot.metadata) return undefined;
  for (const tensor of snapshot.tensors.values()) tensor.data = Float32Array.from(tensor.data);
  const texts = { ...metadata, 'gatefold.trainer': JSON.stringify(snapshot.metadata) };
  texts['gatefold.checksum'] = checksumOf(snapshot.tensors, texts);
  return writeSafetensors(snapshot.tensors, texts);
}

ofTrainer('loadTrainer', 0.8, (trainer, random, world) => {
  const { safetensors } = world.faces[0];
  const files = trainer.sides.map((side, k) => world.faces[k].safetensors.saveTrainer(side));
  const isForged = random.chance(0.3);
  const forgery = isForged && forged(random, safetensors, files[0], trainer);
  const drawn = call(random, [files[0]], [[[0], wrong.bytes]], {
    touches: [trainer, trainer.model],
    run: (side, bytes) => {
      const own = bytes === files[0] ? files[side.index] : bytes;
      const extras = side.face.safetensors.loadTrainer(side.of(trainer), own);
      return extras.metadata;
    },
  });
  // A copy of numbers as a list says nothing against a file, in which they are numbers again.
  return forgery ? { ...drawn, args: [forgery], expect: 'either' } : drawn;
});

const randomTensors = (random) => {
  const tensors = new Map();
  for (const name of ['a', 'b.weight', 'é'].slice(0, random.from(1, 3))) {
    const shape = [random.from(0, 3), random.from(1, 4)];
    tensors.set(name, { shape, data: random.floats(shape[0] * shape[1]) });
  }
  return tensors;
};
pure(
  'writeSafetensors',
  0.3,
  (random) => {
    const tensors = randomTensors(random);
    const twisted = () => {
      const [name, { shape, data }] = random.pick([...tensors]);
      const other = random.pick([
        { shape: [...shape, 2], data },
        { shape, data: [...data] },
        { shape: [-1], data },
        { shape: [1.5], data },
        { shape: Array.from({ length: 9 }, () => 1), data: new Float32Array(1) },
      ]);
      // No element at all is as many in two rows as in one.
      const isSame = data.length === 0 && other.shape.length === 3 && other.data === data;
      return { value: new Map([...tensors, [name, other]]), expect: isSame ? 'either' : 'bad' };
    };
    return {
      args: [tensors, { note: 'x' }],
      spots: [
        [[0], twisted],
        [[1, 'note'], () => ({ value: random.pick([7, null, '\ud800']), expect: 'bad' })],
      ],
    };
  },
  ({ face }, ...given) => face.safetensors.writeSafetensors(...given),
);
kind('readSafetensors', 0.6, (world, random) => {
  const tensors = randomTensors(random);
  const file = world.faces[0].safetensors.writeSafetensors(tensors, { note: 'x' });
  const spots = [
    [[0], wrong.bytes],
    [[1, 'maxHeaderBytes'], wrong.count(0, 100_000_000)],
    [[1, 'maxBytes'], () => ({ value: -1, expect: 'bad' })],
  ];
  return call(random, [file, { maxHeaderBytes: 1e6, maxBytes: 1e6 }], spots, {
    run: (side, ...given) => side.face.safetensors.readSafetensors(...given),
  });
});

// The primitives.

const primitive = (name, weight, make) =>
  kind(name, weight, (world, random) => {
    const { args, spots } = make(random);
    return call(random, args, spots, {
      run(side, ...given) {
        const engine = side.of(world.all.engine[0]);
        return side.face.kernels.createKernels(engine)[name](...given);
      },
    });
  });

kind('createKernels', 0.09, (world, random) => ({
  run(side) {
    const kernels = side.face.kernels.createKernels(side.of(world.all.engine[0]));
    return [Object.keys(kernels), kernels.tanh(Float32Array.of(0.5, random === undefined ? 1 : 2))];
  },
}));
primitive('matmul', 2, (random) => {
  const [m, k, n] = [1, 2, 3].map(() => random.from(1, random.chance(0.2) ? 40 : 7));
  return {
    args: [random.floats(m * k), random.floats(k * n), m, k, n, out(m * n)],
    spots: [
      [[0], wrong.array()],
      [[1], wrong.array()],
      [[2], wrong.size],
      [[3], wrong.size],
      [[4], wrong.size],
      [[5], wrongOut(m * n)],
    ],
  };
});
for (const name of ['sigmoid', 'tanh']) {
  primitive(name, 0.8, (random) => {
    const length = random.from(1, 40);
    return { args: [random.floats(length, 9), out(length)], spots: [[[1], wrongOut(length)]] };
  });
}
primitive('softmax', 0.8, (random) => {
  const length = random.from(1, 40);
  return {
    args: [random.floats(length, 9), 0.5 + random.next(), out(length)],
    spots: [
      [[1], wrong.number()],
      [[2], wrongOut(length)],
    ],
  };
});
/** Rows and units of a cell update, and as many numbers for each. */
const cell = (random) => {
  const batch = random.from(1, 3);
  const hidden = random.from(1, 21);
  return { hidden, rows: (width) => random.floats(batch * hidden * width) };
};
primitive('lstmCell', 0.8, (random) => {
  const { hidden, rows } = cell(random);
  return {
    args: [rows(4), rows(1), hidden],
    spots: [
      [[0], wrong.array()],
      [[2], wrong.count(1)],
    ],
  };
});
primitive('lstmCellBackward', 0.8, (random) => {
  const { hidden, rows } = cell(random);
  return {
    args: [{ gates: rows(4), c: rows(1) }, rows(1), rows(1), rows(1), hidden],
    spots: [
      [[0, 'gates'], wrong.array()],
      [[0, 'c'], wrong.array()],
      [[2], wrong.array()],
      [[3], wrong.array()],
      [[4], wrong.count(1)],
    ],
  };
});
primitive('gruCell', 0.8, (random) => {
  const { hidden, rows } = cell(random);
  return {
    args: [rows(3), rows(3), rows(1), hidden],
    spots: [
      [[0], wrong.array()],
      [[1], wrong.array()],
      [[3], wrong.count(1)],
    ],
  };
});
primitive('gruCellBackward', 0.8, (random) => {
  const { hidden, rows } = cell(random);
  return {
    args: [{ gates: rows(3) }, rows(3), rows(1), rows(1), hidden],
    spots: [
      [[0, 'gates'], wrong.array()],
      [[1], wrong.array()],
      [[3], wrong.array()],
      [[4], wrong.count(1)],
    ],
  };
});

// What needs no engine.

pure(
  'greedyCtc',
  0.09,
  (random) => {
    const [steps, batch, classes] = [random.from(1, 5), random.from(1, 3), random.from(2, 4)];
    const options = { steps, batch, lengths: problem.lengths(random, batch, steps), blank: 0 };
    return {
      args: [random.floats(steps * batch * classes), options],
      spots: [
        [[1], wrong.options],
        [[1, 'lengths'], wrong.list(steps)],
        [[1, 'blank'], wrong.count(0, classes - 1)],
      ],
    };
  },
  ({ face }, ...given) => face.main.greedyCtc(...given),
);
pure(
  'labelErrorRate',
  0.09,
  (random) => ({ args: [[[...random.integers(4, 0, 3)]], [[...random.integers(3, 0, 3)]]] }),
  ({ face }, ...given) => face.main.labelErrorRate(...given),
);

const tokensOf = (random) => random.integers(random.from(20, 60), 0, 9);
for (const name of ['TextBatches', 'TextBatches.window', 'TextBatches.count']) {
  pure(
    name,
    0.09,
    (random) => ({
      args: [tokensOf(random), { batch: random.from(1, 4), steps: random.from(1, 9) }],
    }),
    ({ face }, ...given) => {
      const batches = new face.data.TextBatches(...given);
      return [batches.windows, batches.count, batches.window(0)];
    },
  );
}
for (const name of [
  'Vocabulary',
  'Vocabulary.of',
  'Vocabulary.encode',
  'Vocabulary.size',
  'Vocabulary.toString',
]) {
  pure(
    name,
    0.09,
    (random) => ({ args: [random.pick(['abc', 'hello wörld', '']), 'abc🎈'] }),
    ({ face: { data } }, text, other) => {
      const vocabulary = data.Vocabulary.of(text);
      const again = new data.Vocabulary(vocabulary.toString());
      return [again.size, again.encode(other), String(again)];
    },
  );
}
pure(
  'splitByPosition',
  0.09,
  (random) => ({
    args: [
      [
        [1, 2, 3, 4],
        [5, 6],
      ],
      random.next(),
    ],
  }),
  ({ face }, ...given) => face.data.splitByPosition(...given),
);
for (const name of ['Normalizer', 'Normalizer.fit', 'Normalizer.apply', 'Normalizer.undo']) {
  pure(
    name,
    0.09,
    (random) => {
      const features = random.from(1, 4);
      return {
        args: [random.floats(features * random.from(1, 9)), features],
        spots: [[[1], wrong.count(1)]],
      };
    },
    ({ face: { data } }, rows, features) => {
      const fitted = data.Normalizer.fit(rows, features);
      const again = new data.Normalizer(JSON.parse(JSON.stringify(fitted)));
      return again.undo(again.apply(rows));
    },
  );
}
for (const name of ['SeriesWindows', 'SeriesWindows.window']) {
  pure(
    name,
    0.09,
    (random) => {
      const features = random.from(1, 3);
      const order = random.pick(['contiguous', 'shuffled']);
      const options = {
        ...{ batch: random.from(1, 3), steps: random.from(1, 6), features, order, seed: 3 },
        ...{ horizon: random.pick([1, [1, 2]]), last: random.chance(0.3) },
      };
      return {
        args: [random.floats(features * random.from(20, 40)), options],
        spots: [
          [[1], wrong.options],
          [[1, 'batch'], wrong.count(1)],
          [[1, 'features'], wrong.count(1)],
          [[1, 'order'], wrong.choice],
        ],
      };
    },
    ({ face: { data } }, ...given) => {
      const windows = new data.SeriesWindows(...given);
      return [windows.windows, windows.window(0), windows.window(windows.windows - 1, 1)];
    },
  );
}
for (const name of ['SequenceBuckets', 'SequenceBuckets.window']) {
  pure(
    name,
    0.09,
    (random) => {
      const sequences = Array.from({ length: random.from(1, 9) }, () => ({
        input: random.floats(2 * random.from(1, 6)),
        target: random.from(0, 3),
      }));
      return {
        args: [sequences, { batch: random.from(1, 4), features: 2, seed: 1 }],
        spots: [
          [[1], wrong.options],
          [[1, 'batch'], wrong.count(1)],
          [[1, 'pool'], wrong.count(1)],
        ],
      };
    },
    ({ face: { data } }, ...given) => {
      const buckets = new data.SequenceBuckets(...given);
      return [buckets.windows, buckets.window(0), buckets.window(buckets.windows - 1, 1)];
    },
  );
}
pure(
  'splitSeries',
  0.09,
  (random) => ({
    args: [random.floats(60), { steps: 4, training: 0.5 + random.next() * 0.2 }],
    spots: [
      [[1], wrong.options],
      [[1, 'steps'], wrong.count(1)],
      [[1, 'training'], wrong.number(1)],
    ],
  }),
  ({ face }, ...given) => face.data.splitSeries(...given),
);
pure(
  'splitSequences',
  0.09,
  (random) => ({
    args: [[1, 2, 3, 4, 5], { training: random.next(), seed: 4 }],
    spots: [
      [[1], wrong.options],
      [[1, 'training'], wrong.number(1)],
    ],
  }),
  ({ face }, ...given) => face.data.splitSequences(...given),
);
pure(
  'linearDecay',
  0.09,
  (random) => ({ args: [random.next()], spots: [[[0], wrong.number()]] }),
  ({ face }, rate) => face.main.linearDecay(rate)(3, 10),
);
pure(
  'stepDecay',
  0.09,
  (random) => ({
    args: [random.next(), { every: 2, factor: 0.5 }],
    spots: [
      [[0], wrong.number()],
      [[1, 'every'], wrong.count(1)],
      [[1, 'factor'], wrong.number(1)],
    ],
  }),
  ({ face }, ...given) => face.main.stepDecay(...given)(3, 10),
);
pure(
  'cosineDecay',
  0.09,
  (random) => ({
    args: [random.next(), { warmup: 2, floor: 0.1 }],
    spots: [
      [[0], wrong.number()],
      [[1, 'warmup'], wrong.count(0)],
      [[1, 'floor'], wrong.number()],
    ],
  }),
  ({ face }, ...given) => face.main.cosineDecay(...given)(3, 10),
);
for (const name of ['ReduceOnPlateau', 'ReduceOnPlateau.report']) {
  pure(
    name,
    0.09,
    (random) => ({
      args: [random.next(), { factor: 0.5, patience: 1 }],
      spots: [
        [[0], wrong.number()],
        [[1, 'factor'], wrong.number(1)],
        [[1, 'patience'], wrong.count(0)],
      ],
    }),
    ({ face }, ...given) => {
      const plateau = new face.main.ReduceOnPlateau(...given);
      return [3, 4, 5].map((loss) => plateau.report(loss));
    },
  );
}

// Engines of shared memory, on this thread alone.

const SMALL = { layers: [{ type: 'lstm', inputSize: 3, hiddenSize: 5 }] };

pure(
  'createThreadedEngine',
  0.09,
  (random) => ({
    args: [{ threads: 1, simd: 'deterministic', maxBytes: random.from(1, 30) * 65536 }],
    spots: [
      [[0], wrong.options],
      [[0, 'threads'], wrong.count(1, 64)],
      [[0, 'simd'], wrong.choice],
    ],
  }),
  async ({ face }, options) => lookAt(await face.threads.createThreadedEngine(options)),
);

/** The engine of shared memory of this episode, made where it is not there yet. */
async function sharedModel(side) {
  const options = { threads: 1, simd: 'deterministic', maxBytes: 2 ** 24 };
  const engine = await side.face.threads.createThreadedEngine(options);
  return { engine, model: side.face.main.Model.create(engine, SMALL, { seed: 1 }) };
}

kind('shareModel', 0.09, (world, random) =>
  call(
    random,
    [{ maxBytes: 65536 }],
    [
      [[0], wrong.options],
      [[0, 'maxBytes'], wrong.count(4096)],
    ],
    {
      async run(side, options) {
        const { engine, model } = await sharedModel(side);
        const shared = side.face.threads.shareModel(model, options);
        engine.dispose();
        return shared.room.bytes >= 65536;
      },
    },
  ),
);
kind('attachModel', 0.09, (world, random) => {
  const x = random.floats(12);
  return {
    given: x,
    async run(side) {
      const { engine, model } = await sharedModel(side);
      const shared = side.face.threads.shareModel(model, { maxBytes: 65536 });
      const attached = side.face.threads.attachModel(shared);
      const { output } = attached.forward(x, { steps: 4 });
      const wanted = model.forward(x, { steps: 4 }).output;
      side.later.push(() =>
        digest(output) === digest(wanted) ? undefined : 'attached, it differs',
      );
      engine.dispose();
      return output;
    },
  };
});
