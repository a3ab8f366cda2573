/** Random models that are no chain: skips, branches that meet again, inputs read twice. */
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import { dimsOf, layersOf } from '../reference/layers.ts';
import { drawConv1d, drawNorm, drawRecurrent, drawScale, drawWindows } from './layer-stacks.ts';
import type { StackSizes } from './layer-stacks.ts';
import { randomActivation, randomMathematics } from './options.ts';
import type { Random } from './random.ts';

/** What a layer of a graph may read. */
interface Source {
  readonly name: string;
  readonly width: number;
  /** Which steps its outputs have: sources of one grid can be joined. */
  readonly grid: string;
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
  recurrent: (random, _, sizes) => drawRecurrent(random, sizes, random.pick([true, false])),
  pool: (random) => ({ mode: random.pick(['last', 'mean', 'max'] as const) }),
  reverse: () => ({}),
  maxPool1d: (random) => drawWindows(random),
  averagePool1d: (random) => ({ ...drawWindows(random), countPadding: random.unit() < 0.5 }),
  upsample1d: (random) => ({ size: random.pick([1, 2, 2, 3]) }),
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

/** The option that says how wide the inputs of a layer are. */
const WIDTHS: Readonly<Record<string, string>> = { linear: 'inFeatures', conv1d: 'inChannels' };

/** All kinds that a graph may have, for counting. */
export const GRAPH_KINDS: readonly string[] = Object.keys({ ...ROWWISE, ...OVER_TIME, ...JOINS });

/** A model of up to twelve layers that are read in any way. */
export function drawGraph(random: Random, sizes: StackSizes): ModelDescription {
  const width = sizes.width(random);
  const layers: LayerSpec[] = [];
  const sources: Source[] = [];
  const add = (type: string, own: object, reads: readonly Source[]): void => {
    const name = `n${layers.length}`;
    const all = { type, name, ...own } as Record<string, unknown>;
    if (reads.length) all['inputs'] = reads.map((source) => source.name);
    const first = reads.findIndex((source) => source.name === 'input');
    const isJoin = type in JOINS;
    if (isJoin) all['inputSizes'] = reads.map((source) => source.width);
    else if (first >= 0) all[WIDTHS[String(all['type'])] ?? 'inputSize'] = width;
    const made = [...layers, all as unknown as LayerSpec];
    const places = layersOf({ layers: made });
    const stepsOf = (steps: number): number =>
      dimsOf(places, { steps, batch: 1 }).at(-1)!.after.steps;
    // A model of too few steps does without the layer.
    if (dimsOf(places, { steps: sizes.steps, batch: 1 }).some(({ after }) => after.steps < 1))
      return;
    const before = reads[0]?.grid ?? 'all steps';
    const changed = STEPS.map(stepsOf).join();
    const unchanged = reads.length === 0 || changed === gridSteps.get(before);
    const grid = all['type'] === 'pool' ? POOLED : unchanged ? before : `${before} ${changed}`;
    if (!gridSteps.has(grid)) gridSteps.set(grid, changed);
    layers.push(made.at(-1)!);
    const { direction, bidirectional } = all as { direction?: string; bidirectional?: boolean };
    const readsForward = direction !== 'backward' && !bidirectional;
    sources.push({ name, width: places.at(-1)!.outputSize, grid, readsForward });
  };
  const gridSteps = new Map([['all steps', STEPS.join()]]);
  if (random.unit() < 0.2)
    add('embedding', { numEmbeddings: random.integer(1, 30), embeddingDim: width }, []);
  else sources.push({ name: 'input', width, grid: 'all steps', readsForward: true });
  const count = random.integer(3, 11);
  for (let k = 0; k < count; k++) {
    const source = random.unit() < 0.6 ? sources.at(-1)! : random.pick(sources);
    const alike = sources.filter(({ grid }) => grid === source.grid);
    const isPooled = source.grid === POOLED;
    const kinds = { ...ROWWISE, ...(isPooled ? {} : OVER_TIME), ...JOINS };
    const kind = random.pick(Object.keys(kinds));
    if (kind === 'pool' && !(source.readsForward && source.name !== 'input')) continue;
    const reads = kind in JOINS ? readsOf(random, kind, source, alike) : [source];
    if (reads.length === 1 && kind in JOINS) continue;
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
  return { layers: joined(layers, sources) };
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

/** The layers that the last one needs, after a join of what nobody reads, where steps are equal. */
function joined(layers: LayerSpec[], sources: readonly Source[]): LayerSpec[] {
  const read = new Set(layers.flatMap(({ inputs = [] }) => inputs));
  const last = sources.at(-1)!;
  const alike = sources.filter(({ name, grid }) => name !== 'input' && grid === last.grid);
  const open = alike.filter(({ name }) => !read.has(name));
  // What a join may cancel, x - x, is there once more.
  const inputs = [...open, ...(open.length === 1 ? alike.slice(0, 1) : [])].map(({ name }) => name);
  if (inputs.length > 1) layers.push({ type: 'concat', name: 'all', inputs } as LayerSpec);
  if (!layers.length) return [{ type: 'linear', inFeatures: last.width, outFeatures: 2 }];
  const needed = new Set([layers.at(-1)!.name]);
  for (const { name, inputs } of [...layers].reverse()) {
    if (needed.has(name)) for (const source of inputs ?? []) needed.add(source);
  }
  return layers.filter(({ name }) => needed.has(name));
}
