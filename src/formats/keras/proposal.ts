/** A guess at the wiring of weights alone: layers in the order of the file, each by its arrays. */
import { GatefoldError } from '../../base/errors.ts';
import { complete } from '../../ops/description.ts';
import type { LayerSpec, ModelDescription } from '../../ops/index.ts';

/** Shapes of the arrays of a layer, in the order of Keras. */
type Shapes = readonly (readonly number[])[];

const CELLS = { 1: 'rnn', 3: 'gru', 4: 'lstm' } as const;
/** Layers that a guess may have. */
const MAX_LAYERS = 64;

/** Cells whose gates were hard sigmoids unless a script said otherwise: Keras before 2.3. */
const HARD = /^(?:1|2\.[0-2])(?:\.\d+)?$/;
const HARD_CELLS: Readonly<Record<string, readonly string[]>> = {
  lstm: ['hardSigmoid', 'tanh', 'tanh'],
  gru: ['hardSigmoid', 'tanh'],
};

type Layer = Record<string, unknown>;

/** A cell by its matrices [I, G H] and [H, G H], and its bias. */
function cell([kernel, recurrent, bias]: Shapes): Layer | undefined {
  const [inputSize, wide] = kernel ?? [];
  const [hiddenSize, same] = recurrent ?? [];
  if (kernel?.length !== 2 || recurrent?.length !== 2 || wide !== same) return undefined;
  const type = CELLS[(wide! / hiddenSize!) as keyof typeof CELLS];
  if (!type || !hiddenSize) return undefined;
  const isSingle = type !== 'gru' || bias?.length === 1;
  return {
    type,
    inputSize,
    hiddenSize,
    ...(bias ? isSingle && { bias: 'single' } : { bias: false }),
    ...(type === 'gru' && bias?.length === 1 && bias[0] === wide && { resetAfter: false }),
  };
}

/** A cell of Keras 1, whose gates have a matrix [I, H], one [H, H] and a bias each. */
function ofGates(shapes: Shapes): Layer | undefined {
  const [[inputSize, hiddenSize] = []] = shapes;
  const gate = [[inputSize, hiddenSize], [hiddenSize, hiddenSize], [hiddenSize]];
  const isAlike = shapes.every((shape, k) => shape.join() === gate[k % 3]!.join());
  const type = CELLS[(shapes.length / 3) as keyof typeof CELLS];
  if (!isAlike || !type || type === 'rnn') return undefined;
  const isGru = type === 'gru' && { resetAfter: false };
  const activations = HARD_CELLS[type];
  return { type, inputSize, hiddenSize, bias: 'single', activations, ...isGru };
}

/** The kinds of layers, by what only they have. */
function layerOf(name: string, shapes: Shapes): Layer | undefined {
  const [first = [], second] = shapes;
  const one = cell(shapes);
  if (one && shapes.length <= 3) return one;
  const older = ofGates(shapes);
  if (older) return older;
  const half = shapes.length / 2;
  const ways = [shapes.slice(0, half), shapes.slice(half)].map(cell);
  if (half <= 3 && ways[0] && JSON.stringify(ways[0]) === JSON.stringify(ways[1])) {
    return { ...ways[0], bidirectional: true };
  }
  const bias = second ? {} : { bias: false };
  const isKernel = !second || (second.length === 1 && second[0] === first.at(-1));
  if (shapes.length === 4 && shapes.every(({ length }) => length === 1)) {
    return { type: 'batchNorm', inputSize: first[0], eps: 1e-3 };
  }
  if (shapes.length === 2 && first.length === 1) {
    return { type: 'layerNorm', inputSize: first[0], eps: 1e-3 };
  }
  if (shapes.length > 2 || !isKernel) return undefined;
  const [taps, inputs, outputs] = first;
  if (first.length === 3) {
    return { type: 'conv1d', inChannels: inputs, outChannels: outputs, kernelSize: taps, ...bias };
  }
  if (first.length !== 2) return undefined;
  if (!second && /embed/i.test(name)) {
    return { type: 'embedding', numEmbeddings: taps, embeddingDim: inputs };
  }
  return { type: 'linear', inFeatures: taps, outFeatures: inputs, ...bias };
}

/**
 * A description of layers that stand in the order of a file, where they make a chain. Behind the
 * last recurrent one the others are taken to read the last step, but for those of every step; in
 * front of a matrix, and behind a convolution, is a relu.
 */
export function proposed(
  layers: readonly (readonly [name: string, shapes: Shapes])[],
  version: string | undefined,
): ModelDescription | undefined {
  if (!layers.length || layers.length > MAX_LAYERS) return undefined;
  const found: Layer[] = [];
  for (const [name, shapes] of layers) {
    const layer = layerOf(name, shapes);
    if (!layer) return undefined;
    found.push({ ...layer, name });
  }
  const isLinear = (layer: Layer | undefined): boolean => layer?.['type'] === 'linear';
  const last = found.map((layer) => 'hiddenSize' in layer).lastIndexOf(true);
  const isMany = layers[last + 1]?.[0].startsWith('time_distributed') ?? false;
  const specs = found.flatMap((layer, k): Layer[] => {
    const hard = HARD.test(version ?? '') ? HARD_CELLS[layer['type'] as string] : undefined;
    const isFollowed = isLinear(layer) ? isLinear(found[k + 1]) : layer['type'] === 'conv1d';
    return [
      {
        ...layer,
        ...(hard && { activations: hard }),
        ...(isFollowed && { activation: 'relu' }),
      },
      ...(k === last && !isMany ? [{ type: 'pool', mode: 'last' }] : []),
    ];
  });
  const description = { layers: specs as unknown as LayerSpec[] };
  try {
    complete(description);
    return description;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    return undefined;
  }
}
