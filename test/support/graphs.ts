/** Random models that are no chain: skips, branches that meet again, inputs read twice. */
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import { dimsOf, layersOf } from '../reference/layers.ts';
import {
  divisors,
  drawConv1d,
  drawConvTranspose,
  drawNorm,
  drawRecurrent,
  drawScale,
  drawWindows,
} from './layer-stacks.ts';
import type { StackSizes } from './layer-stacks.ts';
import { randomActivation, randomMathematics } from './options.ts';
import type { Random } from './random.ts';

/** What a layer of a graph may read. */
interface Source {
  readonly name: string;
  readonly width: number;
  /** Which steps its outputs have: sources of one grid can be joined. */
  readonly grid: string;
  /** Of steps within a step: the grid around. */
  readonly outer?: string;
  readonly isInput?: boolean;
  /** Whether its last output is that of the last step. */
  readonly readsForward: boolean;
}

const POOLED = 'one row';
/** Rows of so many steps tell whether two layers change steps alike. */
const STEPS = [...Array.from({ length: 40 }, (_, k) => k + 1), 997, 9973, 99991];

type Draw = (random: Random, sources: readonly Source[], sizes: StackSizes) => object;

/** Kinds of layers that read one layer, and may follow a pool. */
const ROWWISE: Readonly<Record<string, Draw>> = {
  linear: (random, _, { width }) => ({ outFeatures: width(random), bias: random.unit() < 0.7 }),
  // No softmax: of a feature that is there several times its exact gradient is 0.
  activation: (random) =>
    random.unit() < 0.5 ? { activation: randomActivation(random) } : randomMathematics(random),
  layerNorm: (random) => drawNorm(random),
  reduceMean: () => ({}),
  reduceSum: () => ({}),
  reduceMax: () => ({}),
  rmsNorm: (random) => drawNorm(random, 'rmsNorm'),
  batchNorm: (random) => drawNorm(random, 'batchNorm'),
  dropout: (random) => ({ rate: random.pick([0.2, 0.5]) }),
  slice: (random, [source]) => {
    const from = random.integer(0, source!.width - 1);
    return { from, to: random.integer(from + 1, source!.width) };
  },
  prelu: (random) => ({ shared: random.unit() < 0.5 }),
  scale: (random, [source]) => drawScale(random, source!.width),
};

/** Kinds that look at more than one step. */
const OVER_TIME: Readonly<Record<string, Draw>> = {
  conv1d: (random, [source], { width }) => drawConv1d(random, source!.width, width(random)),
  convTranspose1d: (random, _, { width }) => drawConvTranspose(random, width(random)),
  recurrent: (random, _, sizes) => drawRecurrent(random, sizes, random.pick([true, false])),
  pool: (random) => ({ mode: random.pick(['last', 'mean', 'max'] as const) }),
  reverse: () => ({}),
  maxPool1d: (random) => drawWindows(random),
  averagePool1d: (random) => ({ ...drawWindows(random), countPadding: random.unit() < 0.5 }),
  upsample1d: (random) => ({ size: random.pick([1, 2, 2, 3]) }),
  attention: (random, [queries, values = queries]) => ({
    score: random.pick(['dot', 'scaledDot', 'additive', 'concat'] as const),
    heads: random.pick(divisors(queries!.width).filter((n) => values!.width % n === 0)),
    scale: random.unit() < 0.5,
    causal: random.unit() < 0.5,
  }),
  delay: (random) => ({ steps: random.pick([1, 1, 2, 3, 5, 9]) }),
};

/** Kinds that read several layers. */
const JOINS: Readonly<Record<string, Draw>> = {
  concat: () => ({}),
  add: () => ({}),
  subtract: () => ({}),
  multiply: () => ({}),
  divide: () => ({}),
  average: () => ({}),
};

/** Kinds that several layers are drawn for: see `drawGraph`. */
const COMPOSED = ['split', 'unfold', 'flatten', 'reshape', 'repeat', 'masking'];

/** The option that says how wide the inputs of a layer are. */
const WIDTHS: Readonly<Record<string, string>> = {
  linear: 'inFeatures',
  conv1d: 'inChannels',
  convTranspose1d: 'inChannels',
};

/** All kinds that a graph may have, for counting. */
export const GRAPH_KINDS: readonly string[] = [
  ...Object.keys({ ...ROWWISE, ...OVER_TIME, ...JOINS }),
  ...COMPOSED,
];

/** A model of up to twelve layers that are read in any way. */
export function drawGraph(random: Random, sizes: StackSizes): ModelDescription {
  const width = sizes.width(random);
  const layers: LayerSpec[] = [];
  const sources: Source[] = [];
  /** Two inputs of the model rather than one. */
  const pair = random.unit() < 0.2;
  const inputs = pair
    ? [width, sizes.width(random)].map((size, k) => ({ name: `in${k}`, size }))
    : [];
  /** Whether sequences have a number of steps that the description says. */
  const isFixed = random.unit() < 0.3;
  const model = (own: readonly LayerSpec[]): ModelDescription => ({
    layers: own,
    ...(pair && { inputs }),
    ...(isFixed && { steps: sizes.steps }),
  });
  const add = (type: string, own: object, reads: readonly Source[]): boolean => {
    const name = `n${layers.length}`;
    const all = { type, name, ...own } as Record<string, unknown>;
    if (reads.length) all['inputs'] = reads.map((source) => source.name);
    const first = reads.findIndex((source) => source.isInput);
    const isJoin = type in JOINS || type === 'attention';
    if (isJoin) all['inputSizes'] = reads.map((source) => source.width);
    else if (first >= 0) {
      all[WIDTHS[String(all['type'])] ?? 'inputSize'] = reads[first]!.width;
    }
    const made = [...layers, all as unknown as LayerSpec];
    const places = layersOf(model(made));
    const stepsOf = (steps: number): number =>
      dimsOf(places, { steps, batch: 1 }).at(-1)!.after.steps;
    // A model of too few steps does without the layer.
    if (dimsOf(places, { steps: sizes.steps, batch: 1 }).some(({ after }) => after.steps < 1))
      return false;
    const before = reads[0]?.grid ?? 'all steps';
    const changed = STEPS.map(stepsOf).join();
    // Of a fixed number of steps it is not known which other numbers would stay alike.
    const isOne = new Set(changed.split(',')).size === 1 && type in OVER_TIME;
    const unchanged = reads.length === 0 || (!isOne && changed === gridSteps.get(before));
    const { outer } = reads[0] ?? {};
    const isSpread = type === 'repeat' || type === 'reshape';
    const closes = type === 'pool' || type === 'flatten';
    const other = unchanged ? before : `${before} ${isOne ? name : changed}`;
    const inSteps = isSpread ? `${POOLED} ${all['steps']}` : other;
    const grid =
      type === 'unfold' ? `${before} within ${all['steps']}` : closes ? (outer ?? POOLED) : inSteps;
    if (!gridSteps.has(grid)) gridSteps.set(grid, changed);
    layers.push(made.at(-1)!);
    const { direction, bidirectional } = all as { direction?: string; bidirectional?: boolean };
    const readsForward = direction !== 'backward' && !bidirectional;
    const inside = type === 'unfold' ? before : closes || isSpread ? undefined : outer;
    const outputSize =
      type === 'split' ? (all['sizes'] as number[])[0]! : places.at(-1)!.outputSize;
    sources.push({
      name,
      width: outputSize,
      grid,
      readsForward,
      ...(inside !== undefined && { outer: inside }),
    });
    return true;
  };
  /** Steps of what a source has, where they are fixed. */
  const stepsAt = ({ name, isInput }: Source): number => {
    if (isInput) return sizes.steps;
    const places = layersOf(model(layers));
    const at = places.map((place) => place.name).lastIndexOf(name);
    return dimsOf(places, { steps: sizes.steps, batch: 1 })[at]!.after.steps;
  };
  /** Layers within a step, from an unfold to what closes it. */
  const addWithin = (source: Source): void => {
    const count = sources.length;
    drawWithin(source);
    // No other layer reads what is within a step.
    const last = sources.at(-1)!;
    sources.splice(count, sources.length, ...(last.outer === undefined ? [last] : []));
  };
  const drawWithin = (source: Source): void => {
    const steps = random.integer(1, 5);
    const outFeatures = steps * random.integer(1, 4);
    if (!add('linear', { outFeatures }, [source])) return;
    if (!add('unfold', { steps }, [sources.at(-1)!])) return;
    const kinds = [
      'conv1d',
      'recurrent',
      'linear',
      'maxPool1d',
      'dropout',
      'reverse',
      'layerNorm',
      'delay',
      'prelu',
      'attention',
      'convTranspose1d',
      'batchNorm',
    ];
    for (let k = random.integer(1, 2); k > 0; k--) {
      const kind = random.pick(kinds);
      const own = { ...ROWWISE, ...OVER_TIME }[kind]!(random, [sources.at(-1)!], sizes) as {
        type?: string;
      };
      add(own.type ?? kind, own, [sources.at(-1)!]);
    }
    const inner = sources.at(-1)!;
    if (random.unit() < 0.5) add('flatten', { inputSteps: stepsAt(inner) }, [inner]);
    else {
      add('linear', { outFeatures: random.integer(1, 5) }, [inner]);
      add('pool', { mode: random.pick(['last', 'mean', 'max'] as const) }, [sources.at(-1)!]);
    }
  };
  /** All pieces of a split, in another order. */
  const addSplit = (source: Source): void => {
    const first = random.integer(1, source.width);
    const pieces = first === source.width ? [first] : [first, source.width - first];
    if (!add('split', { sizes: pieces }, [source])) return;
    const split = sources.pop()!;
    const parts = pieces.map((width, k) => ({ ...split, name: `${split.name}.${k}`, width }));
    add('concat', {}, [...parts.reverse(), parts.at(-1)!]);
  };
  /** Steps of a fixed number as one row, or as other steps. */
  const addFold = (source: Source): void => {
    const inputSteps = stepsAt(source);
    if (random.unit() < 0.5) return void add('flatten', { inputSteps }, [source]);
    const all = inputSteps * source.width;
    const steps = random.pick([1, 2, 3, 4, inputSteps].filter((n) => all % n === 0));
    add('reshape', { steps, inputSteps }, [source]);
  };
  const gridSteps = new Map([['all steps', STEPS.join()]]);
  if (!pair && random.unit() < 0.2)
    add('embedding', { numEmbeddings: random.integer(1, 30), embeddingDim: width }, []);
  else if (pair) {
    for (const { name, size } of inputs) {
      sources.push({ name, width: size, grid: 'all steps', readsForward: true, isInput: true });
    }
  } else {
    sources.push({ name: 'input', width, grid: 'all steps', readsForward: true, isInput: true });
  }
  const count = random.integer(4, 11);
  for (let k = 0; k < count; k++) {
    const source = random.unit() < 0.6 ? sources.at(-1)! : random.pick(sources);
    const alike = sources.filter(({ grid }) => grid === source.grid);
    const isPooled = source.grid === POOLED;
    const composed = random.unit();
    if (composed < 0.08) addSplit(source);
    else if (composed < 0.18 && !isPooled) addWithin(source);
    else if (composed < 0.3 && isFixed && !isPooled) addFold(source);
    else if (composed < 0.5 && isPooled) add('repeat', { steps: random.integer(1, 4) }, [source]);
    if (composed < (isPooled ? 0.5 : isFixed ? 0.3 : 0.18)) continue;
    const kinds = { ...ROWWISE, ...(isPooled ? {} : OVER_TIME), ...JOINS };
    // Joins are many and need partners: each as often as the others.
    const kind = random.pick([...Object.keys(kinds), ...Object.keys(JOINS)]);
    if (kind === 'pool' && !(source.readsForward && !source.isInput)) continue;
    const reads =
      kind === 'attention'
        ? seenOf(random, source, alike)
        : kind in JOINS
          ? readsOf(random, kind, source, alike)
          : [source];
    if (reads.length === 1 && kind in JOINS) {
      if (!add('linear', { outFeatures: source.width }, [source])) continue;
      reads.push(sources.at(-1)!);
    }
    const { isPositive = kind === 'divide', ...own } = kinds[kind]!(random, reads, sizes) as {
      isPositive?: boolean;
      type?: string;
    };
    // A divisor near 0 has quotients that no float32 can follow; a root has no negative numbers.
    if (isPositive) {
      const size = sources.length;
      add('activation', { activation: 'sigmoid' }, [reads.at(-1)!]);
      if (sources.length === size) continue;
      reads[reads.length - 1] = sources.at(-1)!;
    }
    add(own.type ?? kind, own, reads);
  }
  return masked(model(joined(layers, sources, inputs)), random, width);
}

/** The same graph, some of whose readers of an input read what masks some of its steps. */
function masked(graph: ModelDescription, random: Random, width: number): ModelDescription {
  const { inputs = [{ name: 'input', size: width }] } = graph;
  let layers = graph.layers.map((layer) => {
    return layer.type === 'embedding' && random.unit() < 0.5 ? { ...layer, maskZero: true } : layer;
  });
  for (const { name, size } of inputs as { name: string; size: number }[]) {
    const isRead = layers.some((layer) => layer.inputs?.includes(name));
    if (!isRead || random.unit() < 0.5) continue;
    const own = {
      type: 'masking',
      name: `${name}.masked`,
      inputs: [name],
      inputSize: size,
    } as const;
    let isFirst = true;
    layers = layers.map((layer) => {
      if (!layer.inputs?.includes(name) || !(isFirst || random.unit() < 0.7)) return layer;
      isFirst = false;
      return { ...layer, inputs: layer.inputs.map((read) => (read === name ? own.name : read)) };
    });
    layers.unshift({ ...own, value: random.pick([0, -1, 0.1]) });
  }
  return { ...graph, layers };
}

/** What a join reads: sources of as many features, or of one, but for a concat. */
function readsOf(random: Random, kind: string, source: Source, alike: readonly Source[]): Source[] {
  const count = kind === 'concat' || kind === 'add' || kind === 'multiply' ? 3 : 1;
  const fitting = alike.filter(
    ({ name, width }) =>
      kind === 'concat' || (name !== source.name && (width === source.width || width === 1)),
  );
  if (!fitting.length) return [source];
  const others = Array.from({ length: random.integer(1, count) }, () => random.pick(fitting));
  return random.unit() < 0.5 ? [source, ...others] : [...others, source];
}

/** What an attention reads: queries, or with values, or with these and keys as wide as queries. */
function seenOf(random: Random, source: Source, alike: readonly Source[]): Source[] {
  const fitting = alike.filter(({ width }) => width === source.width);
  const keys = random.pick(fitting);
  const reads = [[source], [source, keys], [source, random.pick(alike), keys]];
  return random.pick(reads);
}

/** The layers that the last one needs, after a join of what nobody reads, where steps are equal. */
function joined(
  layers: LayerSpec[],
  sources: readonly Source[],
  inputs: readonly { name: string; size: number }[],
): LayerSpec[] {
  const read = new Set(layers.flatMap(({ inputs = [] }) => inputs));
  const last = sources.at(-1)!;
  const alike = sources.filter(({ isInput, grid }) => !isInput && grid === last.grid);
  const open = alike.filter(({ name }) => !read.has(name));
  // What a join may cancel, x - x, is there once more.
  const ends = [...open, ...(open.length === 1 ? alike.slice(0, 1) : [])].map(({ name }) => name);
  if (ends.length > 1) layers.push({ type: 'concat', name: 'all', inputs: ends } as LayerSpec);
  if (!layers.length) {
    const reads = inputs.map(({ name }) => name);
    if (!reads.length) return [{ type: 'linear', inFeatures: last.width, outFeatures: 2 }];
    return [{ type: 'concat', inputs: reads }];
  }
  const needed = new Set([layers.at(-1)!.name]);
  for (const { name, inputs: reads } of [...layers].reverse()) {
    if (!needed.has(name)) continue;
    for (const source of reads ?? []) needed.add(source.split('.')[0]);
  }
  const unread = inputs.filter(({ name }) => !needed.has(name));
  const kept = layers.filter(({ name }) => needed.has(name));
  if (!unread.length) return kept;
  return beside(kept, sources, unread[0]!);
}

/** The same layers, the first of which reads another input too. */
function beside(
  layers: LayerSpec[],
  sources: readonly Source[],
  input: { name: string; size: number },
): LayerSpec[] {
  const first = layers.findIndex(({ inputs }) => inputs?.some((name) => name.startsWith('in')));
  const reader = layers[first]!;
  const place = reader.inputs!.findIndex((name) => name.startsWith('in'));
  const { width, name } = sources.find((source) => source.name === reader.inputs![place])!;
  // As wide as what was read, so that nothing after it changes.
  const front = [
    { type: 'concat', name: 'front', inputs: [name, input.name], inputSizes: [width, input.size] },
    { type: 'linear', name: 'narrow', inputs: ['front'], outFeatures: width },
  ] as LayerSpec[];
  const inputs = reader.inputs!.map((read, k) => (k === place ? 'narrow' : read));
  return [...front, ...layers.map((layer, k) => (k === first ? { ...layer, inputs } : layer))];
}
