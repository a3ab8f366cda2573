import fc from 'fast-check';
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import type { Dims } from '../reference/stack.ts';
import type { RecurrentSpec } from '../reference/cell.ts';
import { recurrentLayer, type CellForm, type LayerSizes } from './cells.ts';
import { variants, type Variant } from './engines.ts';
import { trainsOtherwise } from '../reference/layers.ts';
import { drawGraph } from './graphs.ts';
import { drawStack, type Subject } from './layer-stacks.ts';
import { masksOfTrainer } from './masks.ts';
import { drawOptions, optionsOf, randomLengths, type OptionName } from './options.ts';
import { createProblem, type Problem } from './problem.ts';
import { roundProblem } from './product.ts';
import { createRandom, type Random } from './random.ts';

/**
 * One random case: everything that shapes it, and the seed that its numbers come from. Shrinks
 * towards plain and small.
 */
export interface Configuration {
  readonly variant: Variant;
  readonly description: ModelDescription;
  readonly dims: Dims;
  /** Draws the lengths of the rows. */
  readonly ragged: boolean;
  readonly batchFirst: boolean;
  readonly zeroInitialState: boolean;
  /** Steps that the trainer has room for beyond the sequence. */
  readonly spare: number;
  /** Bound of the gradients of every gate's sum, `gradClip.step`. */
  readonly gradientLimit: number;
  /** Parameters are within +-gain / sqrt(columns). */
  readonly gain: number;
  readonly seed: number;
}

/**
 * Small numbers often, large ones seldom: what goes wrong at 67 mostly goes wrong at 5 or 17 as
 * well, and costs less.
 */
const weighted = (...ranges: readonly [weight: number, low: number, high: number][]) =>
  fc.oneof(
    ...ranges.map(([weight, min, max]) => ({ weight, arbitrary: fc.integer({ min, max }) })),
  );

const width: fc.Arbitrary<number> = weighted([6, 1, 12], [3, 13, 35], [1, 36, 67]);
const steps: fc.Arbitrary<number> = weighted([5, 1, 6], [3, 7, 17], [1, 18, 40]);
const batch: fc.Arbitrary<number> = fc.integer({ min: 1, max: 9 });

function around(
  description: fc.Arbitrary<ModelDescription>,
  dims: fc.Arbitrary<Dims> = fc.record({ steps, batch }),
): fc.Arbitrary<Configuration> {
  return fc.record({
    variant: fc.constantFrom(...variants),
    description,
    dims,
    ragged: fc.boolean(),
    batchFirst: fc.boolean(),
    zeroInitialState: fc.boolean(),
    spare: fc.integer({ min: 0, max: 5 }),
    gradientLimit: fc.constantFrom(Infinity, Infinity, 0.2, 0.02),
    gain: fc.constantFrom(1, 0.3, 1.5),
    seed: fc.nat(),
  });
}

/** One recurrent layer, perhaps stacked, of a given form. */
export function cellConfiguration(form: CellForm): fc.Arbitrary<Configuration> {
  return around(
    fc
      .record({
        inputSize: width,
        hiddenSize: width,
        numLayers: weighted([3, 1, 1], [1, 2, 2]),
        bias: fc.boolean(),
      })
      .map((sizes) => ({ layers: [recurrentLayer(form, sizes)] })),
  );
}

/**
 * Shorter ones, for layers with options: clips and some activations have derivatives that jump, and
 * many steps would always have one at a jump.
 */
const few: fc.Arbitrary<Dims> = fc.record({
  steps: weighted([5, 1, 5], [1, 6, 12]),
  batch: fc.integer({ min: 1, max: 6 }),
  padding: fc.constantFrom('zero' as const, 'repeat' as const),
});

/** A layer of a form with one option or several. */
function layerWithOptions(
  form: CellForm,
  sizes: fc.Arbitrary<LayerSizes>,
): fc.Arbitrary<RecurrentSpec> {
  const names = optionsOf(form).filter((name) => name !== 'lengths' && name !== 'zoneout');
  const chosen = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...names).map((name) => [name]) },
    { weight: 4, arbitrary: fc.subarray(names, { minLength: 2 }) },
    { weight: 1, arbitrary: fc.constant(names) },
  );
  return fc.tuple(chosen, sizes, fc.nat()).map(([some, given, seed]) => {
    const drawn = drawOptions(createRandom(seed), form, given.hiddenSize, some);
    return recurrentLayer(form, given, drawn.layer);
  });
}

/** One recurrent layer, perhaps stacked, of a given form and with one option or several. */
export function optionConfiguration(form: CellForm): fc.Arbitrary<Configuration> {
  const sizes = fc.record({
    inputSize: weighted([6, 1, 10], [1, 11, 35]),
    hiddenSize: weighted([6, 1, 10], [2, 11, 35]),
    numLayers: weighted([2, 1, 1], [1, 2, 2]),
    bias: fc.boolean(),
  });
  return around(
    layerWithOptions(form, sizes).map((layer) => ({ layers: [layer] })),
    few,
  );
}

/**
 * Layers of different kinds on one another: an embedding or features, one or two recurrent ones,
 * perhaps a linear one.
 */
export function stackConfiguration(
  forms: readonly CellForm[],
  withOptions: boolean,
): fc.Arbitrary<Configuration> {
  const sizes = fc.record({
    hiddenSize: withOptions ? fc.nat(11).map((n) => n + 1) : width,
    bias: fc.boolean(),
  });
  const recurrent = withOptions
    ? fc.oneof(...forms.map((form) => layerWithOptions(form, sizes)))
    : fc
        .tuple(fc.constantFrom(...forms), sizes)
        .map(([form, given]) => recurrentLayer(form, given));
  return around(
    fc
      .record({
        tokens: fc.boolean(),
        numEmbeddings: fc.integer({ min: 1, max: 90 }),
        inputSize: width,
        recurrent: fc.array(recurrent, { minLength: 1, maxLength: 2 }),
        linear: fc.option(fc.record({ outFeatures: width, bias: fc.boolean() })),
      })
      .map((s) => ({
        layers: [
          ...(s.tokens
            ? [
                {
                  type: 'embedding' as const,
                  numEmbeddings: s.numEmbeddings,
                  embeddingDim: s.inputSize,
                },
              ]
            : []),
          ...s.recurrent.map((layer, k) =>
            k === 0 && !s.tokens ? { ...layer, inputSize: s.inputSize } : layer,
          ),
          ...(s.linear ? [{ type: 'linear' as const, ...s.linear }] : []),
        ],
      })),
    withOptions ? few : undefined,
  );
}

/** A layer with options, and before it one that masks some of its steps. */
export function maskedConfiguration(form: CellForm): fc.Arbitrary<Configuration> {
  return optionConfiguration(form).map(({ description, ...rest }) => {
    const [first, ...others] = description.layers as [LayerSpec, ...LayerSpec[]];
    const { inputSize = 1 } = first as { inputSize?: number };
    const value = rest.seed % 2 ? 0 : 0.3;
    const layers: LayerSpec[] =
      first.type === 'embedding'
        ? [{ ...first, maskZero: true }, ...others]
        : [{ type: 'masking', value, inputSize }, first, ...others];
    return { ...rest, description: { ...description, layers } };
  });
}

/** A model about one kind of layer: see `drawStack`. */
export function layerConfiguration(subject: Subject): fc.Arbitrary<Configuration> {
  const drawn = fc.record({ dims: few, longer: fc.boolean(), seed: fc.nat() });
  return drawn.chain(({ dims, longer, seed }) => {
    const own = { ...dims, steps: longer ? dims.steps + 5 : dims.steps };
    const width = (random: Random): number => random.pick([1, 2, 3, 5, 8, 12, 17, 21]);
    const sizes = { steps: own.steps, width, withOptions: true };
    const description = drawStack(createRandom(seed), subject, sizes);
    return around(fc.constant(description), fc.constant(own));
  });
}

/** A model whose layers read what they name: see `drawGraph`. */
export function graphConfiguration(): fc.Arbitrary<Configuration> {
  const drawn = fc.record({ dims: few, longer: fc.boolean(), seed: fc.nat() });
  return drawn.chain(({ dims, longer, seed }) => {
    const own = { ...dims, steps: longer ? dims.steps + 5 : dims.steps };
    const width = (random: Random): number => random.pick([1, 2, 3, 5, 8, 12, 17]);
    const sizes = { steps: own.steps, width, withOptions: false };
    return around(fc.constant(drawGraph(createRandom(seed), sizes)), fc.constant(own));
  });
}

/** Everything at once whose derivatives do not jump. */
function smoothOptions(form: CellForm, hiddenSize: number): Partial<RecurrentSpec> {
  const smooth: readonly OptionName[] = [
    'bidirectional',
    'projSize',
    'zoneout',
    'layerNorm',
    'inputDropout',
    'recurrentDropout',
  ];
  const names = optionsOf(form).filter((name) => smooth.includes(name));
  return drawOptions(createRandom(1), form, hiddenSize, names).layer;
}

/**
 * What lies beyond the blocks that the kernels work in and random sizes do not reach: more than 512
 * inputs, more than 512 hidden units, more than 512 rows of a batch of sequences whose gates fill
 * more than a megabyte.
 */
export function largeConfigurations(form: CellForm, variant: Variant): Configuration[] {
  const sizes = [
    { inputSize: 530, hiddenSize: 21, dims: { steps: 3, batch: 2 } },
    { inputSize: 3, hiddenSize: 517, dims: { steps: 2, batch: 2 } },
    // Few units of an Elman network, so that a relu is not bound to stand at its kink somewhere;
    // its rows are padded to 16.
    form.type === 'rnn'
      ? { inputSize: 5, hiddenSize: 3, dims: { steps: 150, batch: 120 } }
      : { inputSize: 5, hiddenSize: 70, dims: { steps: 24, batch: 60 } },
    { inputSize: 19, hiddenSize: 517, dims: { steps: 2, batch: 2 }, options: true },
  ];
  return sizes.map(({ inputSize, hiddenSize, dims, options }) => ({
    variant,
    description: {
      layers: [
        { type: 'embedding', numEmbeddings: 50, embeddingDim: inputSize },
        recurrentLayer(form, { hiddenSize }, options ? smoothOptions(form, hiddenSize) : {}),
        { type: 'linear', outFeatures: 37 },
      ],
    },
    dims,
    ragged: false,
    batchFirst: false,
    zeroInitialState: false,
    spare: 0,
    gradientLimit: Infinity,
    gain: 0.7,
    seed: 2,
  }));
}

/** The numbers of a configuration, representable in float32, without masks. */
export function problemOf(configuration: Configuration): Problem {
  const { description, ragged, gain, seed, zeroInitialState } = configuration;
  const random = createRandom(seed);
  const { steps, batch } = configuration.dims;
  const dims = ragged
    ? { ...configuration.dims, lengths: randomLengths(random, steps, batch) }
    : configuration.dims;
  const problem = createProblem(description, dims, random, {
    scale: (columns) => gain / Math.sqrt(columns),
    stateScale: zeroInitialState ? 0 : 1,
  });
  return roundProblem(problem);
}

/** The same in a trainer's first pass. */
export function trainingOf(problem: Problem, seed: number): Problem {
  const masks = masksOfTrainer(problem.description, problem.dims, seed, 0);
  const isOther = masks.size > 0 || trainsOtherwise(problem.description);
  return isOther ? { ...problem, masks } : problem;
}
