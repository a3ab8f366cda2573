/**
 * The options of recurrent layers by name: which forms have them, and random values of them. The
 * one list that the suites of the arithmetic go through.
 */
import type { Activation, ActivationName, RowActivation } from '../../src/ops/activations.ts';
import type { RecurrentSpec } from '../reference/cell.ts';
import type { CellForm } from './cells.ts';
import type { Random } from './random.ts';

/** How a layer with options is run. */
export interface Manner {
  /** Masks are drawn and applied. */
  readonly training?: boolean;
  /** Rows of differing lengths. */
  readonly ragged?: boolean;
  readonly padding?: 'zero' | 'repeat';
}

export interface Drawn {
  readonly layer: Partial<RecurrentSpec>;
  readonly manner?: Manner;
}

interface Option {
  readonly fits?: (form: CellForm) => boolean;
  readonly draw: (random: Random, form: CellForm, hiddenSize: number) => Drawn;
}

const lstm = ({ type }: CellForm): boolean => type === 'lstm';
const probability = (random: Random): number => random.pick([0.2, 0.5, 0.7]);
const bound = (random: Random): number => 0.2 + random.unit();

/** P is below H, so that H is at least 2. */
const projection = (
  random: Random,
  hiddenSize: number,
): { hiddenSize: number; projSize: number } => {
  const size = Math.max(2, hiddenSize);
  return { hiddenSize: size, projSize: random.integer(1, size - 1) };
};

const slots = ({ type }: CellForm): number =>
  ({ rnn: 1, indrnn: 1, gru: 2, mingru: 2, lstm: 3 })[type];

/** Parameters of an activation, near its defaults; those with none are drawn without. */
const PARAMETERS: Readonly<Record<ActivationName, (random: Random) => object>> = {
  relu: () => ({}),
  tanh: () => ({}),
  sigmoid: () => ({}),
  softsign: () => ({}),
  softplus: () => ({}),
  identity: () => ({}),
  gelu: () => ({}),
  silu: () => ({}),
  selu: () => ({}),
  affine: (random) => ({ alpha: random.around(1), beta: random.around(1) }),
  leakyRelu: (random) => ({ alpha: random.around(0.5) }),
  thresholdedRelu: (random) => ({ alpha: random.unit() }),
  scaledTanh: (random) => ({ alpha: 0.5 + random.unit(), beta: 0.5 + random.unit() }),
  hardSigmoid: (random) => ({ alpha: 0.1 + random.unit(), beta: random.unit() }),
  elu: (random) => ({ alpha: 0.2 + random.unit() }),
};

export const activationNames: readonly ActivationName[] = Object.keys(
  PARAMETERS,
) as ActivationName[];

export function randomActivation(random: Random): Activation {
  const type = random.pick(activationNames);
  return random.integer(0, 2) ? { type, ...PARAMETERS[type](random) } : type;
}

const POWERS = [-1, 3, 0.5, 1.5];
const MATHEMATICS: Readonly<Record<string, (random: Random) => RowActivation>> = {
  abs: () => 'abs',
  neg: () => 'neg',
  sqrt: () => 'sqrt',
  log: () => 'log',
  square: () => 'pow',
  pow: (random) => ({ type: 'pow', alpha: random.pick(POWERS) }),
  clip: (random) => ({ type: 'clip', alpha: -random.unit(), beta: random.unit() }),
};

/** Mathematics of every feature, and whether it is of positive numbers alone. */
export function randomMathematics(random: Random): {
  activation: RowActivation;
  isPositive: boolean;
} {
  const name = random.pick(Object.keys(MATHEMATICS));
  return {
    activation: MATHEMATICS[name]!(random),
    isPositive: ['sqrt', 'log', 'pow'].includes(name),
  };
}

export type OptionName =
  | 'backward'
  | 'bidirectional'
  | 'lengths'
  | 'projSize'
  | 'projClip'
  | 'cellClip'
  | 'clip'
  | 'activations'
  | 'zoneout'
  | 'zoneout in inference'
  | 'layerNorm'
  | 'dropout'
  | 'inputDropout'
  | 'recurrentDropout';

const OPTIONS: Readonly<Record<OptionName, Option>> = {
  backward: { draw: () => ({ layer: { direction: 'backward' } }) },
  bidirectional: {
    draw: (random) => ({
      layer: { bidirectional: true, merge: random.pick(['concat', 'sum', 'mul', 'ave'] as const) },
    }),
  },
  lengths: {
    draw: (random) => ({
      layer: {},
      manner: { ragged: true, padding: random.pick(['zero', 'repeat'] as const) },
    }),
  },
  projSize: {
    fits: lstm,
    draw: (random, _, hiddenSize) => ({ layer: projection(random, hiddenSize) }),
  },
  projClip: {
    fits: lstm,
    draw: (random, _, hiddenSize) => ({
      layer: { ...projection(random, hiddenSize), projClip: bound(random) / 2 },
    }),
  },
  cellClip: { fits: lstm, draw: (random) => ({ layer: { cellClip: bound(random) } }) },
  clip: { draw: (random) => ({ layer: { clip: bound(random) } }) },
  activations: {
    draw: (random, form) => {
      const length = slots(form) * random.integer(1, 2);
      const activations = Array.from({ length }, () => randomActivation(random));
      return { layer: { activations } };
    },
  },
  zoneout: {
    draw: (random) => ({ layer: { zoneout: probability(random) }, manner: { training: true } }),
  },
  'zoneout in inference': { draw: (random) => ({ layer: { zoneout: probability(random) } }) },
  layerNorm: {
    fits: (form) => lstm(form) || (form.type === 'gru' && form.resetAfter),
    draw: () => ({ layer: { layerNorm: true } }),
  },
  dropout: {
    draw: (random) => ({
      layer: { dropout: probability(random), numLayers: 2 },
      manner: { training: true },
    }),
  },
  inputDropout: {
    draw: (random) => ({
      layer: { inputDropout: probability(random) },
      manner: { training: true },
    }),
  },
  recurrentDropout: {
    fits: ({ type }) => type !== 'mingru',
    draw: (random) => ({
      layer: { recurrentDropout: probability(random) },
      manner: { training: true },
    }),
  },
};

export function optionsOf(form: CellForm): OptionName[] {
  const all = Object.entries(OPTIONS) as [OptionName, Option][];
  return all.filter(([, { fits = () => true }]) => fits(form)).map(([name]) => name);
}

/**
 * Several options at once; of `activations` only a bidirectional layer may have a list for each
 * direction.
 */
export function drawOptions(
  random: Random,
  form: CellForm,
  hiddenSize: number,
  names: readonly OptionName[],
): Required<Drawn> {
  let layer: Partial<RecurrentSpec> = {};
  let manner: Manner = {};
  for (const name of names) {
    const drawn: Drawn = OPTIONS[name].draw(random, form, hiddenSize);
    layer = { ...layer, ...drawn.layer } as Partial<RecurrentSpec>;
    manner = { ...manner, ...drawn.manner };
  }
  if (layer.bidirectional) layer = { ...layer, direction: 'forward' };
  else if (layer.activations) {
    layer = { ...layer, activations: layer.activations.slice(0, slots(form)) };
  }
  return { layer, manner };
}

/** Every option with even odds, so that each pair of them meets in a quarter of the draws. */
export function drawCombination(
  random: Random,
  form: CellForm,
  hiddenSize: number,
): Required<Drawn> {
  const names = optionsOf(form).filter(() => random.unit() < 0.5);
  return drawOptions(random, form, hiddenSize, names);
}

export function randomLengths(random: Random, steps: number, batch: number): number[] {
  const lengths = Array.from({ length: batch }, () => random.integer(0, steps));
  lengths[random.integer(0, batch - 1)] = random.integer(1, steps);
  return lengths;
}
