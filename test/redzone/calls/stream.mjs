/** Streams. */

import * as problem from '../problems.mjs';
import * as wrong from '../spoil.mjs';
import { digest } from '../world.mjs';
import { SPOILED, call, kind, out, wrongOut } from './call.mjs';
import { ofModel } from './model.mjs';

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
    keep: (sides) => world.keep('stream', sides, { model, batch: sides[0].batch }),
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
    [[0], wrong.array(stream.model.sizes.tokens, true)],
    [[1], wrongOut(length, true)],
    [[2], wrong.size],
  ];
  return call(random, [x, out(length), steps], spots, {
    touches: [stream],
    run(side, input, place, count) {
      side.of(stream).run(input, place, count);
      return place;
    },
  });
});

/**
 * Inputs and outputs in one buffer, where the ones begin within the others: the outputs are those
 * of arrays apart.
 */
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
ofStream('Stream.reset row', 0.3, (stream, random) =>
  call(random, [random.from(0, stream.batch - 1)], [[[0], wrong.count(0, stream.batch - 1)]], {
    touches: [stream],
    run: (side, row) => side.of(stream).reset(row),
  }),
);
ofStream('Stream.state', 0.3, (stream, random) =>
  call(random, [random.from(0, stream.batch - 1)], [[[0], wrong.count(0, stream.batch - 1)]], {
    run: (side, row) => side.of(stream).state(row),
  }),
);
ofStream('Stream.copyFrom', 0.3, (stream, random, world) => {
  const other = world.any('stream', random);
  const fits = other.model === stream.model && other.batch === stream.batch;
  return {
    expect: fits ? 'ok' : 'bad',
    touches: [stream],
    run: (side) => side.of(stream).copyFrom(side.of(other)),
  };
});
ofStream('Stream.warmUp', 0.15, (stream) => ({
  touches: [stream],
  run: (side) => side.of(stream).warmUp(),
}));
ofStream('Stream.clone', 0.3, (stream, random, world) => ({
  run: (side) => side.of(stream).clone(),
  keep: (sides) => world.keep('stream', sides, { model: stream.model, batch: stream.batch }),
}));
ofStream('Stream.save', 0.3, (stream) => ({ run: (side) => side.of(stream).save() }));
ofStream('Stream.save into', 0.5, (stream, random) => {
  const place = stream.sides[0].save();
  const good = { value: place, expect: 'ok' };
  const { value, expect } = random.chance(SPOILED) ? wrong.state(random, place) : good;
  return { expect, run: (side) => digest(side.of(stream).save(value)) };
});
ofStream('Stream.restore', 0.8, (stream, random) => {
  const args = [problem.state(random, stream.model.sizes, stream.batch)];
  return call(random, args, [[[0], wrong.state]], {
    touches: [stream],
    run: (side, given) => side.of(stream).restore(given),
  });
});
ofStream('Stream.dispose', 0.2, (stream, random) => {
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
