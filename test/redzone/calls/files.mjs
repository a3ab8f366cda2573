/** Files. */

import * as problem from '../problems.mjs';
import * as wrong from '../spoil.mjs';
import { call, kind, pure } from './call.mjs';
import { keepModel, ofModel } from './model.mjs';
import { keepsTokens, ofTrainer, tampered } from './trainer.mjs';

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
    tensors.set(prefix + name, { shape, data: problem.parameter(random, name, data) });
  }
  const file = safetensors.writeSafetensors(tensors);
  const { description } = model.sides[0];
  const spots = [
    [[0], wrong.bytes],
    [[1, 'prefix'], () => ({ value: 'other.', expect: 'bad' })],
  ];
  return call(random, [file, { prefix, description }], spots, {
    run: (side, ...given) => side.face.pytorch.loadPytorch(side.of(world.all.engine[0]), ...given),
    keep: keepModel(world),
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

ofTrainer('loadTrainer', 0.8, (any, random, world) => {
  const isForged = random.chance(0.3);
  const trainer = (isForged && world.any('trainer', random, keepsTokens)) || any;
  const { safetensors } = world.faces[0];
  const files = trainer.sides.map((side, k) => world.faces[k].safetensors.saveTrainer(side));
  const forgery = isForged && forged(random, safetensors, files[0], trainer);
  const drawn = call(random, [files[0]], [[[0], wrong.bytes]], {
    touches: [trainer, trainer.model],
    run: (side, bytes) => {
      const own = bytes === files[0] ? files[side.index] : bytes;
      const extras = side.face.safetensors.loadTrainer(side.of(trainer), own);
      return extras.metadata;
    },
  });
  if (!forgery) return drawn;
  // A copy of numbers as a list says nothing against a file, in which they are numbers again.
  return { ...drawn, args: [forgery], given: [], spoiled: undefined, expect: 'either' };
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
kind('readPytorch', 0.3, (world, random) => {
  const file = world.faces[0].safetensors.writeSafetensors(randomTensors(random));
  const spots = [
    [[0], wrong.bytes],
    [[1, 'prefix'], () => ({ value: 7, expect: 'bad' })],
    [[1, 'maxBytes'], () => ({ value: -1, expect: 'bad' })],
  ];
  return call(random, [file, { prefix: '', maxBytes: 1e6 }], spots, {
    run: (side, ...given) => [...side.face.pytorch.readPytorch(...given).tensors.keys()],
  });
});
kind('describeModule', 0.2, (world, random) => {
  const shape = [random.from(1, 4), random.from(1, 4)];
  const tensors = new Map([['b.weight', { shape, data: random.floats(shape[0] * shape[1]) }]]);
  const file = world.faces[0].safetensors.writeSafetensors(tensors);
  return call(random, ['b'], [[[0], () => ({ value: 'other', expect: 'bad' })]], {
    run: ({ face }, name) =>
      JSON.stringify(face.pytorch.describeModule(face.pytorch.readPytorch(file), name).description),
  });
});
