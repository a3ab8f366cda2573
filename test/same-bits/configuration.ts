/** Seeded configurations: the same seed asks every build for the same numbers. */
import type { LayerSpec, LossOptions, ModelDescription } from '../../src/hosts/default.ts';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import { lossNames } from '../support/losses.ts';
import { layersOf } from '../reference/layers.ts';
import { drawConv1d, drawNorm, rowActivation } from '../support/layer-stacks.ts';
import { drawCombination, drawOptions, optionsOf, randomLengths } from '../support/options.ts';
import { createRandom, type Random } from '../support/random.ts';
import type { Layer, TrainerSetup } from '../support/builds.ts';

export interface Configuration {
  readonly seed: number;
  readonly simd: 'deterministic' | 'auto';
  readonly threads: 1 | 2;
  readonly layers: readonly Layer[];
  readonly init: 'pytorch' | 'keras';
  readonly batch: number;
  readonly steps: number;
  readonly lengths?: readonly number[];
  readonly batchFirst: boolean;
  readonly padding: 'zero' | 'repeat';
  /** Whether a stream can run it: it reads forward, and has an output at every step. */
  readonly streams: boolean;
  readonly pooled: boolean;
  readonly trainer: TrainerSetup & { readonly loss: LossOptions };
  /** Trains and evaluates under a budget of memory that is less than all steps take. */
  readonly budget: boolean;
}

const OPTIMIZERS = ['sgd', 'rmsprop', 'adam', 'adamw', 'adagrad'] as const;
const CLIPS = ['none', 'norm', 'tensorNorm', 'value', 'step'] as const;

/** Sizes of a model. With two threads, calls are large enough for the engine to split them. */
interface Sizes {
  readonly batch: number;
  readonly steps: number;
  width(): number;
}

function drawSizes(random: Random, threads: 1 | 2): Sizes {
  if (threads === 2) {
    return {
      batch: random.integer(5, 9),
      steps: random.integer(7, 14),
      width: () => random.integer(40, 70),
    };
  }
  return {
    batch: random.integer(1, 7),
    steps: random.pick([random.integer(1, 6), random.integer(7, 17), random.integer(18, 40)]),
    width: () => random.pick([random.integer(1, 12), random.integer(13, 35)]),
  };
}

const DIRECTIONS = ['backward', 'bidirectional'] as const;

/** A third of all layers is plain, a third only reads another way, a third has any options. */
function drawRecurrent(random: Random, hiddenSize: number): Layer {
  const form = random.pick(Object.values(cellForms));
  const sizes = { hiddenSize, numLayers: random.pick([1, 1, 2]), bias: random.unit() < 0.7 };
  const kind = random.integer(0, 2);
  const some = [
    () => drawOptions(random, form, hiddenSize, []),
    () => drawOptions(random, form, hiddenSize, [random.pick(DIRECTIONS)]),
    () =>
      random.unit() < 0.5
        ? drawCombination(random, form, hiddenSize)
        : drawOptions(random, form, hiddenSize, [random.pick(optionsOf(form))]),
  ];
  return { ...recurrentLayer(form, sizes, some[kind]!().layer) };
}

/** The width of what these layers put out. */
const widthOf = (layers: readonly Layer[]): number =>
  layersOf({ layers } as unknown as ModelDescription).at(-1)!.outputSize;

/** Layers of the kinds that older builds lack, to stand on these; as many rows as those have. */
function drawNewer(random: Random, layers: readonly Layer[], width: number): Layer[] {
  const conv1d = (): LayerSpec => ({
    ...drawConv1d(random, widthOf(layers), width),
    stride: 1,
    padding: random.pick(['causal', 'causal', 'same']),
  });
  const activation = (): LayerSpec => ({ type: 'activation', activation: rowActivation(random) });
  const drawn = random.pick([
    () => [conv1d()],
    () => [drawNorm(random)],
    () => [activation()],
    () => [conv1d(), drawNorm(random), activation()],
  ])();
  return drawn.map((layer) => ({ ...layer }));
}

function drawLayers(
  random: Random,
  width: () => number,
  loss: LossOptions['type'],
  threads: 1 | 2,
): Layer[] {
  const inputs = width();
  const tokens = random.integer(2, 40);
  const takesTokens = random.unit() < 0.4;
  const layers: Layer[] = takesTokens
    ? [{ type: 'embedding', numEmbeddings: tokens, embeddingDim: inputs }]
    : [];
  const recurrent = Array.from({ length: random.pick([1, 1, 2]) }, () =>
    drawRecurrent(random, width()),
  );
  layers.push(...recurrent.map((layer, k) => (k ? layer : { ...layer, inputSize: inputs })));
  const isNewer = random.unit() < 0.3;
  if (isNewer) {
    const at = random.integer(layers.length - recurrent.length + 1, layers.length);
    layers.splice(at, 0, ...drawNewer(random, layers.slice(0, at), width()));
  }
  if (loss !== 'ctc' && random.unit() < 0.25) {
    layers.push({ type: 'pool', mode: random.pick(['last', 'mean', 'max']) });
  }
  // Up to 0.1.0, a linear layer on a linear layer races on two threads: no two runs are equal.
  if (takesTokens && threads === 1 && random.unit() < 0.4) {
    // The tied layer has as many inputs as the table has columns.
    layers.push({ type: 'linear', name: 'fit', outFeatures: inputs });
    layers.push({ type: 'linear', name: 'tied', tied: 'embedding' });
  } else if (loss === 'ctc' || random.unit() < 0.7) {
    const outFeatures = random.integer(2, 30);
    const activation = isNewer && random.unit() < 0.5 ? { activation: rowActivation(random) } : {};
    layers.push({ type: 'linear', outFeatures, bias: random.unit() < 0.7, ...activation });
  }
  return layers;
}

const readsBack = ({ direction, bidirectional, padding }: Layer): boolean =>
  direction === 'backward' || bidirectional === true || padding === 'same';

/** What every recurrent layer may have in any build: all else is an option. */
const PLAIN =
  'type name inputSize hiddenSize numLayers bias nonlinearity peephole inputForget resetAfter ' +
  'direction bidirectional merge';

/** The options of the recurrent layers of a configuration by name, and `activation` of others. */
export function optionsIn({ layers }: Pick<Configuration, 'layers'>): string[] {
  const names = layers.flatMap((layer) =>
    Object.keys(layer).filter((name) =>
      'hiddenSize' in layer ? !PLAIN.split(' ').includes(name) : name === 'activation',
    ),
  );
  return [...new Set(names)];
}

function drawLoss(random: Random, type: LossOptions['type']): LossOptions {
  if (type === 'huber') return { type, delta: random.pick([0.3, 1]) };
  if (type === 'cross-entropy') return random.unit() < 0.5 ? { type } : { type, ignoreIndex: -100 };
  return { type };
}

function drawOptimizer(random: Random): NonNullable<TrainerSetup['optimizer']> {
  const type = random.pick(OPTIMIZERS);
  const momentum = random.pick([0, 0.9]);
  const own = {
    sgd: { momentum, nesterov: momentum > 0 && random.unit() < 0.5 },
    rmsprop: { momentum, alpha: 0.9 },
    adam: { betas: [0.8, 0.95] },
    adamw: {},
    adagrad: {},
  };
  return {
    type,
    learningRate: 0.01,
    form: random.pick(['pytorch', 'keras']),
    ...(random.unit() < 0.5 ? { weightDecay: 0.05 } : {}),
    ...own[type],
  };
}

function drawClip(random: Random): TrainerSetup['gradClip'] {
  const mode = random.pick(CLIPS);
  if (mode === 'none') return undefined;
  const bound = random.pick([0.02, 0.5]);
  return { [mode]: bound } as TrainerSetup['gradClip'];
}

export function drawConfiguration(seed: number): Configuration {
  const random = createRandom(seed);
  const threads = random.unit() < 0.25 ? 2 : 1;
  const { batch, steps, width } = drawSizes(random, threads);
  const type = random.pick(lossNames);
  const layers = drawLayers(random, width, type, threads);
  const pool = layers.find((layer) => layer.type === 'pool');
  const causal = !layers.some(readsBack);
  const lengths = random.unit() < 0.4 ? randomLengths(random, steps, batch) : undefined;
  const isCut = causal && !pool && type !== 'ctc' && steps >= 4;
  const cut = isCut ? random.pick(['bptt', 'budget', 'none'] as const) : 'none';
  const back = random.integer(2, steps);
  const [table] = layers;
  return {
    seed,
    simd: random.pick(['deterministic', 'auto'] as const),
    threads,
    layers,
    init: random.pick(['pytorch', 'keras'] as const),
    batch,
    steps,
    lengths,
    batchFirst: random.unit() < 0.5,
    padding: random.pick(['zero', 'repeat'] as const),
    streams: causal && (!pool || pool.mode === 'last'),
    pooled: pool !== undefined,
    trainer: {
      batch,
      steps,
      loss: drawLoss(random, type),
      optimizer: drawOptimizer(random),
      gradClip: drawClip(random),
      // A frozen table, or a first layer that learns more slowly.
      groups:
        random.unit() < 0.3
          ? [{ parameters: [table!.type], learningRate: random.pick([0, 0.003]) }]
          : undefined,
      bptt: cut === 'bptt' ? { back, every: random.integer(1, back) } : undefined,
      onNonFinite: 'skip',
      seed: random.integer(0, 1000),
    },
    budget: cut === 'budget',
  };
}
