/** The primitives. */

import * as wrong from '../spoil.mjs';
import { call, kind, out, wrongOut } from './call.mjs';

const primitive = (name, weight, make) =>
  kind(name, weight, (world, random) => {
    const { args, spots } = make(random);
    return call(random, args, spots, {
      run(side, ...given) {
        const engine = side.of(world.all.engine[0]);
        return side.face.kernels.Kernels.create(engine)[name](...given);
      },
    });
  });

kind('Kernels.create', 0.09, (world, random) => ({
  run(side) {
    const kernels = side.face.kernels.Kernels.create(side.of(world.all.engine[0]));
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
