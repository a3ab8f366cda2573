import { COLOURS, drawPage } from './chart.ts';
import type { Chart, HeatMap, Line } from './chart.ts';
import { wrapped } from './models/table.ts';
import { LABELS, chartColumns, markOf, plot, shrink } from './plot.ts';

/** A state's gradient against the distance from the loss, 0 first. */
export interface Reach {
  readonly layer: string;
  readonly state: 'h' | 'c';
  readonly norms: readonly number[];
}

/** Gates of one layer: units by steps. */
export interface LayerGates {
  readonly layer: string;
  readonly gates: readonly { readonly name: string; readonly rows: readonly number[][] }[];
}

/** What the charts show of one model. */
export interface Seen {
  readonly name: string;
  readonly windows: number;
  /** Characters of a window. */
  readonly steps: number;
  /** Those of the last window. */
  readonly characters: readonly string[];
  readonly reaches: readonly Reach[];
  readonly gates: readonly LayerGates[];
}

const [MIN_CHART_ROWS, MAX_CHART_ROWS] = [4, 8];
/** Units of a gate in the picture, and those of them that are lines. */
const [MAX_ROWS, MAX_LINES] = [32, 8];
/** Columns from which on letters no longer fit below a picture. */
const MAX_LETTERS = 128;
/** Decades below the strongest gradient that a chart shows at most. */
const MAX_DECADES = 16;
const LEVELS = [...'▁▂▃▄▅▆▇█'];

/** What 1 means, by gate; the gates by which a unit keeps its state. */
const MEANS: Readonly<Record<string, string>> = {
  input: '1: writes all',
  forget: '1: keeps all',
  cell: 'what is written',
  output: '1: shows all',
  reset: '1: reads its state',
  update: '1: keeps its state',
  new: 'what is written',
};
const KEEPING: readonly string[] = ['forget', 'update'];

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** One column wide, and not invisible. */
function letter(character: string): string {
  if (character === '\n') return '↵';
  return /^[ -~¡-¬®-ʯ]$/.test(character) ? character : '·';
}

const windowsOf = (count: number): string => (count === 1 ? 'one window' : `${count} windows`);

/** By a loop: too many values for the arguments of a call. */
const highest = (values: readonly number[], start: number): number =>
  values.reduce((high, value) => Math.max(high, value), start);

/** Powers of ten around all gradients. */
function decadesOf(reaches: readonly Reach[]): [low: number, high: number] {
  const logs = reaches.flatMap(({ norms }) => norms.filter((norm) => norm > 0).map(Math.log10));
  if (logs.length === 0) return [-1, 0];
  const high = Math.ceil(highest(logs, -Infinity));
  const low = -Math.ceil(
    highest(
      logs.map((log) => -log),
      -Infinity,
    ),
  );
  return [Math.max(Math.min(low, high - 1), high - MAX_DECADES), high];
}

/**
 * Steps in which the gradient halves: of the straight line through its logarithms. Undefined where
 * it does not fall.
 */
export function halfLifeOf(norms: readonly number[]): number | undefined {
  const points = norms.flatMap((norm, lag) => (norm > 0 ? [[lag, Math.log2(norm)] as const] : []));
  const [x, y] = [0, 1].map((axis) => mean(points.map((point) => point[axis]!)));
  const slope =
    points.reduce((sum, [lag, log]) => sum + (lag - x!) * (log - y!), 0) /
    points.reduce((sum, [lag]) => sum + (lag - x!) ** 2, 0);
  return slope < 0 ? -1 / slope : undefined;
}

function halfLife(norms: readonly number[]): string {
  const steps = halfLifeOf(norms);
  return steps === undefined || steps > 1e4
    ? 'does not fall'
    : `${steps.toPrecision(2)} characters`;
}

/** From 0 to 1, where a gate is never negative; others lie around 0. */
function rangeOf(rows: readonly (readonly number[])[]): { low: number; high: number } {
  const high = highest(rows.flat().map(Math.abs), 1);
  return { low: rows.some((row) => row.some((value) => value < 0)) ? -high : 0, high };
}

/** One state of one layer, of all models that have it. */
function printReach(
  title: string,
  lines: readonly { readonly name: string; readonly norms: readonly number[] }[],
  [low, max]: readonly [number, number],
): string[] {
  // A whole number of decades from row to row, so that the rows have round labels.
  const step = Math.max(1, Math.ceil((max - low) / MAX_CHART_ROWS));
  const height = Math.max(MIN_CHART_ROWS, Math.ceil((max - low) / step));
  const min = max - height * step;
  // Time goes to the right, up to the loss.
  const columns = lines.map(({ norms }) => {
    const logs = norms.map((norm) => Math.max(Math.log10(norm), min)).reverse();
    return shrink(logs, chartColumns());
  });
  const format = (value: number): string => `1e${Math.round(value)}`;
  const { length } = columns[0]!;
  const back = `${lines[0]!.norms.length - 1} back`;
  const axis = `${' '.repeat(LABELS)}${back.padEnd(Math.max(length - 4, back.length + 1))}loss`;
  const legend = lines.map(({ name, norms }, k) => {
    const own = name ? `${markOf(k)} ${name}: ` : '';
    return `  ${own}half-life ${halfLife(norms)}`;
  });
  return ['', title, plot(columns, { height, min, max, format }), axis, ...legend];
}

/**
 * The mean over units at each character as a bar; of values on both sides of 0 that of their sizes.
 */
function printGates(
  name: string,
  { layer, gates }: LayerGates,
  characters: readonly string[],
): string[] {
  const title = name ? `${name}, ${layer}` : layer;
  if (!hasGates(gates)) return ['', wrapped(`${title}: ${NO_GATES}`)];
  const count = Math.min(chartColumns() - 6, characters.length);
  const lines = gates.map(({ name: gate, rows }) => {
    const { low, high } = rangeOf(rows);
    const means = characters.map((_, t) => mean(rows.map((row) => Math.abs(row[t]!))));
    const bars = means.map((value) => {
      const level = Math.floor((value / high) * LEVELS.length);
      return LEVELS[Math.min(level, LEVELS.length - 1)]!;
    });
    const label = low < 0 ? `|${gate}|` : gate;
    return `${label.padStart(8)} ${bars.slice(-count).join('')} ${mean(means).toFixed(2)}`;
  });
  const shown = characters.slice(-count).map(letter).join('');
  return ['', title, ...lines, `${' '.repeat(LABELS)}${shown}`];
}

/** What 1 means in each gate. */
const meaningsOf = ({ gates }: LayerGates): string =>
  gates.flatMap(({ name }) => (MEANS[name] ? [`${name} ${MEANS[name]}`] : [])).join(', ');

const layersOf = (reaches: readonly Reach[]): string[] => [
  ...new Set(reaches.map(({ layer }) => layer)),
];

/** An Elman net gives its state in their place. */
const hasGates = (gates: LayerGates['gates']): boolean =>
  gates.some(({ name }) => name !== 'hidden');
const NO_GATES = 'an Elman net, which has no gates to show';

/** What was seen, for a terminal. */
export function printFlow(seen: readonly Seen[]): string {
  const [{ windows, steps }] = seen as [Seen];
  const decades = decadesOf(seen.flatMap(({ reaches }) => reaches));
  const isOne = seen.length === 1;
  // States of the same place, whatever their layers are called.
  const places = Math.max(...seen.map(({ reaches }) => layersOf(reaches).length));
  const reaches = Array.from({ length: places }, (_, place) => place).flatMap((place) =>
    (['h', 'c'] as const).flatMap((state) => {
      const lines = seen.flatMap(({ name, reaches: own }) => {
        const layer = layersOf(own)[place];
        return own
          .filter((reach) => reach.layer === layer && reach.state === state)
          .map(({ norms }) => ({ name: isOne ? '' : name, layer: layer!, norms }));
      });
      if (lines.length === 0) return [];
      const layers = [...new Set(lines.map(({ layer }) => layer))].join(', ');
      return printReach(`${layers}, |dL/d${state}|`, lines, decades);
    }),
  );
  let told = '';
  const gatesOf = ({ name, gates, characters }: Seen): string[] =>
    gates.flatMap((layer) => {
      const meanings = meaningsOf(layer);
      const isNew = meanings !== told && meanings !== '';
      if (isNew) told = meanings;
      const lines = printGates(isOne ? '' : name, layer, characters);
      return isNew ? [...lines, wrapped(meanings)] : lines;
    });
  return `${[
    wrapped(
      'How far back the loss of the last character reaches: the norm of its gradient in every ' +
        `state, root mean square over ${windowsOf(windows)} of ${steps} characters. A straight ` +
        'fall is a gradient that vanishes.',
    ),
    ...reaches,
    '',
    wrapped(
      'How open the gates are over the last window, ▁ 0 to █ 1: mean over all units, and on the ' +
        'right over time.',
    ),
    ...seen.flatMap(gatesOf),
  ].join('\n')}\n`;
}

/** Characters that a unit keeps what it has for, until a share of 1 / e is left. */
function timeOf(values: readonly number[]): number {
  return -1 / Math.log(Math.min(Math.max(mean(values), 1e-6), 1 - 1e-6));
}

/** The places of the units, the longest memory first. */
function byTime(gates: LayerGates['gates']): { unit: number; time: number }[] {
  const keeping = gates.find(({ name }) => KEEPING.includes(name));
  const rows = keeping?.rows ?? gates[0]!.rows;
  const units = rows.map((values, unit) => ({ unit, time: keeping ? timeOf(values) : 0 }));
  return units.sort((a, b) => b.time - a.time);
}

/** As many of a list, at equal distances from the first to the last. */
function some<T>(list: readonly T[], most: number): T[] {
  const count = Math.min(list.length, most);
  return Array.from(
    { length: count },
    (_, k) => list[Math.round((k * (list.length - 1)) / Math.max(count - 1, 1))]!,
  );
}

/** The gates of a layer under the same axis as the gradients, and some of its units as lines. */
function gatePanels(
  name: string,
  { layer, gates }: LayerGates,
  characters: readonly string[],
): (Chart | HeatMap)[] {
  const { length } = characters;
  if (!hasGates(gates)) {
    return [{ title: `Gates of ${name}, ${layer}: ${NO_GATES}`, x: '', columns: [], bands: [] }];
  }
  const units = byTime(gates);
  const shown = some(units, MAX_ROWS);
  const of =
    shown.length < units.length ? `${shown.length} of ${units.length}` : `all ${units.length}`;
  const map: HeatMap = {
    title: `Gates of ${name}, ${layer}, ${of} units, the longest memory on top`,
    x: 'characters read, those of the last window',
    columns: length > MAX_LETTERS ? characters.map(() => ' ') : characters.map(letter),
    bands: gates.map(({ name: gate, rows }) => ({
      name: gate,
      ...rangeOf(rows),
      rows: shown.map(({ unit }) => rows[unit]!),
      ...(MEANS[gate] && { means: MEANS[gate] }),
    })),
  };
  const keeping = gates.find(({ name: gate }) => KEEPING.includes(gate));
  if (!keeping) return [map];
  const lines = some(units, MAX_LINES).map(({ unit, time }, k): Line => ({
    name: `unit ${unit}, ${time.toPrecision(2)} characters`,
    colour: COLOURS[k % COLOURS.length]!,
    dash: k,
    points: keeping.rows[unit]!.map((value, t) => [length - 1 - t, value] as const),
  }));
  const chart: Chart = {
    title: `${keeping.name} of some units of ${name}, ${layer}, and how long they keep what they have`,
    x: 'characters before the loss',
    y: `${keeping.name} (${MEANS[keeping.name]})`,
    back: length,
    range: [0, 1],
    lines,
  };
  return [map, chart];
}

/** What was seen, as an SVG file: one axis, with the loss at the right end. */
export function drawFlow(seen: readonly Seen[]): string {
  const [{ windows, steps }] = seen as [Seen];
  const isOne = seen.length === 1;
  const keys = seen.flatMap(({ name, reaches }) => reaches.map(({ layer }) => `${name} ${layer}`));
  const layers = [...new Set(keys)];
  const lines = seen.flatMap(({ name, reaches }) =>
    reaches.map(({ layer, state, norms }): Omit<Line, 'dash'> => ({
      name: `${isOne ? '' : `${name}: `}dL/d${state} of ${layer}, half-life ${halfLife(norms)}`,
      colour: COLOURS[layers.indexOf(`${name} ${layer}`) % COLOURS.length]!,
      points: norms.map((norm, lag) => [lag, norm] as const),
    })),
  );
  const flow: Chart = {
    title: `${isOne ? `${seen[0]!.name}: how` : 'How'} far back the loss of the last character reaches`,
    x: `characters before the loss (root mean square over ${windowsOf(windows)})`,
    y: 'norm of the gradient',
    back: steps,
    decades: decadesOf(seen.flatMap(({ reaches }) => reaches)),
    lines: lines.map((line, dash) => ({ ...line, dash })),
  };
  const gates = seen.flatMap(({ name, gates: own, characters }) =>
    own.flatMap((layer) => gatePanels(name, layer, characters)),
  );
  return drawPage([flow, ...gates]);
}
