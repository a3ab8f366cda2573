/**
 * What is timed: one table. A row is a kind, the batch N, the steps T, and the sizes I/H; every row
 * is run for every cell.
 *
 * - step: one time step of running sequences, the state kept between the calls.
 * - stream: the next T steps of a running sequence, as a block of audio arrives.
 * - sequence, batch: whole sequences from a zero state, outputs and final state as fresh arrays.
 * - ragged: a batch of sequences of 1 to T steps.
 * - int8: sequences of a model with weights of 8 bits, against those of float32 models, ours among
 * them.
 * - stack: sequences through two layers of both directions.
 * - training: forward, backpropagation through all T steps, clipping by global norm, Adam.
 * - ragged-training: the same over sequences of 1 to T steps.
 *
 * And one matrix product alone, ours: a linear layer over 512 rows.
 */
const TABLE = [
  ['step', 1, 1, '32/32 64/64 128/128 128/256 512/512'],
  ['step', 64, 1, '64/128'],
  ['step', 1024, 1, '64/128'],
  ['stream', 1, 128, '1/8 1/16 1/32 1/64'],
  ['sequence', 1, 100, '64/64 128/256 512/512 1024/1024'],
  ['int8', 1, 100, '256/256 512/512 1024/1024 2048/2048'],
  ['batch', 32, 100, '64/128 256/512'],
  ['ragged', 32, 100, '64/128'],
  ['stack', 1, 100, '128/128'],
  ['training', 1, 20, '16/16'],
  ['training', 1, 50, '16/64'],
  ['training', 1, 100, '64/64'],
  ['training', 32, 50, '64/128 256/512'],
  ['ragged-training', 32, 50, '64/128'],
];

/** Kinds that only builds of gatefold run, and what the other columns say there. */
const OURS_ALONE = { product: '-', ragged: 'not compared', 'ragged-training': 'not compared' };

/** What a peer that is no build of gatefold lacks of a case, whoever it is. */
export function lacksKind({ kind }) {
  return OURS_ALONE[kind];
}

/** Lengths from 1 to T, evenly spread, in an order that sorting has to change. */
function raggedLengths(batch, steps) {
  const stride = 7;
  return Array.from({ length: batch }, (_, row) =>
    Math.round(1 + (((row * stride) % batch) * (steps - 1)) / (batch - 1)),
  );
}

/** Number of gates, each a product with [H, I] and one with [H, H]. */
const CELLS = { lstm: 4, gru: 3 };

function createCase(cell, kind, batch, steps, sizes) {
  const [inputSize, hiddenSize] = sizes.split('/').map(Number);
  const isStack = kind === 'stack';
  // Of the one direction of the one layer, or of two of each, the second with both outputs of the
  // first.
  const columns = isStack ? 2 * (inputSize + hiddenSize + 3 * hiddenSize) : inputSize + hiddenSize;
  const lengths = kind.startsWith('ragged') ? raggedLengths(batch, steps) : undefined;
  const rows = lengths ? lengths.reduce((a, b) => a + b) : batch * steps;
  const multiplyAdds = rows * CELLS[cell] * hiddenSize * columns;
  return {
    id: `${cell}/${kind}/n${batch}-t${steps}-i${inputSize}-h${hiddenSize}`,
    kind,
    batch,
    steps,
    lengths,
    inputSize,
    hiddenSize,
    /** Whether the state after a call is that before the next. */
    keepsState: kind === 'step' || kind === 'stream',
    /** The layer, and so the prefix of its parameters' names. */
    layer: {
      type: cell,
      inputSize,
      hiddenSize,
      ...(isStack ? { numLayers: 2, bidirectional: true } : {}),
    },
    /** Of the matrix products alone. The backward pass has two for each one of the forward pass. */
    flops: 2 * multiplyAdds * (kind.endsWith('training') ? 3 : 1),
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

/** What we are called among the peers, and what another build of us is. */
export const OURS = 'gatefold';
export const OTHER = 'other build';

/** Hyper-parameters of the training cases, the same for every peer. */
export const training = { learningRate: 1e-3, betas: [0.9, 0.999], eps: 1e-8, clipNorm: 1 };
