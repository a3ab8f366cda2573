/**
 * What is timed: one table. A row is a kind, the batch N, the steps T, and the sizes I/H; every row
 * is run for every cell.
 *
 * - step: one time step of a running sequence, the state kept between the calls.
 * - sequence, batch: whole sequences from a zero state, outputs and final state as fresh arrays.
 * - int8: sequences of a model with weights of 8 bits, against those of float32 models, ours among them.
 * - stack: sequences through two layers of both directions.
 * - training: forward, backpropagation through all T steps, clipping by global norm, Adam.
 *
 * And one matrix product alone, ours: a linear layer over 512 rows.
 */
const TABLE = [
  ['step', 1, 1, '32/32 64/64 128/128 128/256 512/512'],
  ['sequence', 1, 100, '64/64 128/256 512/512 1024/1024'],
  ['int8', 1, 100, '256/256 512/512 1024/1024 2048/2048'],
  ['batch', 32, 100, '64/128 256/512'],
  ['stack', 1, 100, '128/128'],
  ['training', 1, 50, '16/64'],
  ['training', 1, 100, '64/64'],
  ['training', 32, 50, '64/128 256/512'],
];

/** Number of gates, each a product with [H, I] and one with [H, H]. */
const CELLS = { lstm: 4, gru: 3 };

function createCase(cell, kind, batch, steps, sizes) {
  const [inputSize, hiddenSize] = sizes.split('/').map(Number);
  const isStack = kind === 'stack';
  // Of the one direction of the one layer, or of two of each, the second with both outputs of the first.
  const columns = isStack ? 2 * (inputSize + hiddenSize + 3 * hiddenSize) : inputSize + hiddenSize;
  const multiplyAdds = batch * steps * CELLS[cell] * hiddenSize * columns;
  return {
    id: `${cell}/${kind}/n${batch}-t${steps}-i${inputSize}-h${hiddenSize}`,
    kind,
    batch,
    steps,
    inputSize,
    hiddenSize,
    /** The layer, and so the prefix of its parameters' names. */
    layer: {
      type: cell,
      inputSize,
      hiddenSize,
      ...(isStack ? { numLayers: 2, bidirectional: true } : {}),
    },
    /** Of the matrix products alone. The backward pass has two for each one of the forward pass. */
    flops: 2 * multiplyAdds * (kind === 'training' ? 3 : 1),
  };
}

const SIDE = 512;
const product = {
  id: `product/n${SIDE}-i${SIDE}-o${SIDE}`,
  kind: 'product',
  batch: SIDE,
  steps: 1,
  inputSize: SIDE,
  hiddenSize: SIDE,
  layer: { type: 'linear', inFeatures: SIDE, outFeatures: SIDE },
  flops: 2 * SIDE ** 3,
};

export const cases = [
  ...Object.keys(CELLS).flatMap((cell) =>
    TABLE.flatMap(([kind, batch, steps, sizes]) =>
      sizes.split(' ').map((size) => createCase(cell, kind, batch, steps, size)),
    ),
  ),
  product,
];

/** What we are called among the peers. */
export const OURS = 'gatefold';

/** Hyper-parameters of the training cases, the same for every peer. */
export const training = { learningRate: 1e-3, betas: [0.9, 0.999], eps: 1e-8, clipNorm: 1 };
