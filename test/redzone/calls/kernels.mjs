/** The primitives. */

import * as problem from '../problems.mjs';
import * as wrong from '../spoil.mjs';
import { call, kind, out, wrongOut } from './call.mjs';

const primitive = (name, weight, make) =>
  kind(`Kernels.${name}`, weight, (world, random) => {
    const { args, spots } = make(random);
    return call(random, args, spots, {
      run(side, ...given) {
        const engine = side.of(world.all.engine[0]);
        return side.face.kernels.Kernels.create(engine)[name](...given);
      },
    });
  });

kind('Kernels.create', 0.09, (world) => ({
  run(side) {
    const kernels = side.face.kernels.Kernels.create(side.of(world.all.engine[0]));
    return kernels.tanh(Float32Array.of(0.5, 2));
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
primitive('activation', 1, (random) => {
  const length = random.from(1, 40);
  const type = random.pick(['relu', 'gelu', 'silu', 'selu', 'softplus', 'hardSigmoid', 'affine']);
  return {
    args: [type, random.floats(length, 9), out(length)],
    spots: [
      [[0], wrong.choice],
      [[2], wrongOut(length)],
    ],
  };
});
for (const name of ['softmax', 'logSoftmax']) {
  primitive(name, 0.8, (random) => {
    const [rows, features] = [random.from(1, 4), random.from(1, 21)];
    const length = rows * features;
    return {
      args: [random.floats(length, 9), 0.5 + random.next(), out(length), features],
      spots: [
        [[1], wrong.number()],
        [[2], wrongOut(length)],
        [[3], wrong.size],
      ],
    };
  });
}
primitive('layerNorm', 0.8, (random) => {
  const [rows, features] = [random.from(1, 4), random.from(1, 21)];
  const length = rows * features;
  const options = {
    ...(random.chance(0.6) && { gamma: random.floats(features) }),
    ...(random.chance(0.6) && { beta: random.floats(features) }),
    epsilon: 1e-3,
  };
  return {
    args: [random.floats(length), features, options, out(length)],
    spots: [
      [[1], wrong.size],
      [[2, 'epsilon'], wrong.number()],
      [[3], wrongOut(length)],
    ],
  };
});
/** Primitives that pack weights, use them once, and give them back. */
const packing = (name, weight, make, use) =>
  kind(`Kernels.${name}`, weight, (world, random) => {
    const { args, spots, ...rest } = make(random);
    return call(random, args, spots, {
      run(side, ...given) {
        const kernels = side.face.kernels.Kernels.create(side.of(world.all.engine[0]));
        const packed = kernels[name](...given);
        try {
          return use(kernels, packed, rest);
        } finally {
          packed.dispose();
        }
      },
    });
  });
packing(
  'matrix',
  1,
  (random) => {
    const [m, rows, columns] = [random.from(1, 7), random.from(1, 20), random.from(1, 40)];
    return {
      args: [random.floats(rows * columns), rows, columns],
      spots: [
        [[0], wrong.array()],
        [[1], wrong.size],
        [[2], wrong.size],
      ],
      a: random.floats(m * rows),
      m,
    };
  },
  (kernels, matrix, { a, m }) => kernels.matmul(a, matrix, m),
);
/** A convolution, and something to convolve. */
function drawConvolution(random) {
  const groups = random.pick([1, 1, 2, 7]);
  const inChannels = groups * random.from(1, 4);
  const outChannels = groups * random.pick([1, random.from(1, 9)]);
  const [kernelSize, dilation, stride] = [random.from(1, 4), random.from(1, 2), random.from(1, 2)];
  const padding = random.pick(['valid', 'same', 'causal', [2, 3]]);
  const [steps, batch] = [random.from(1, random.chance(0.1) ? 120 : 12), random.from(1, 3)];
  const sizes = { inChannels, outChannels, kernelSize, dilation, stride, groups, padding };
  return {
    w: random.floats((outChannels * inChannels * kernelSize) / groups),
    options: { ...sizes, ...(random.chance(0.5) && { bias: random.floats(outChannels) }) },
    x: random.floats(steps * batch * inChannels),
    input: { steps, batch, lengths: problem.lengths(random, batch, steps) },
    ...(padding === 'causal' && {
      state: random.floats(dilation * (kernelSize - 1) * batch * inChannels),
    }),
  };
}
packing(
  'convolution',
  1.5,
  (random) => {
    const { w, options, ...rest } = drawConvolution(random);
    const spots = [
      [[0], wrong.array()],
      [[1, 'stride'], wrong.count(1)],
      [[1, 'padding'], wrong.choice],
    ];
    return { args: [w, options], spots, ...rest };
  },
  (kernels, convolution, { x, input, state }) => {
    if (!state) return kernels.conv1d(x, convolution, input);
    // Each build has a state of its own, which the call replaces.
    const own = state.slice();
    return [kernels.conv1d(x, convolution, { ...input, state: own }), own];
  },
);
kind('Kernels.conv1d', 1.5, (world, random) => {
  const { w, options, x, input } = drawConvolution(random);
  const spots = [
    [[0], wrong.array()],
    [[1, 'steps'], wrong.size],
    [[1, 'batch'], wrong.size],
    [[1, 'lengths'], wrong.list(input.steps)],
  ];
  return call(random, [x, input], spots, {
    run(side, values, given) {
      const kernels = side.face.kernels.Kernels.create(side.of(world.all.engine[0]));
      const convolution = kernels.convolution(w, options);
      try {
        return kernels.conv1d(values, convolution, given);
      } finally {
        convolution.dispose();
      }
    },
  });
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
