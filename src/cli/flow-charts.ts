import asciichart from 'asciichart';
import { COLOURS, drawPage } from './chart.ts';
import type { Chart, HeatMap } from './chart.ts';
import { CHART_COLUMNS, shrink } from './report.ts';

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

/** What the charts show. */
export interface Seen {
  readonly windows: number;
  /** Characters of a window. */
  readonly steps: number;
  /** The end of the last window, and the gates over it. */
  readonly characters: readonly string[];
  readonly reaches: readonly Reach[];
  readonly gates: readonly LayerGates[];
}

const [MIN_CHART_ROWS, MAX_CHART_ROWS] = [4, 8];
/** Units of a gate in the picture. */
const MAX_ROWS = 32;
/** Decades below the strongest gradient that a chart shows at most. */
const MAX_DECADES = 16;
const LEVELS = [...'▁▂▃▄▅▆▇█'];

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

/** From 0 to 1, where a gate is never negative; others lie around 0. */
function rangeOf(rows: readonly (readonly number[])[]): { low: number; high: number } {
  const high = highest(rows.flat().map(Math.abs), 1);
  return { low: rows.some((row) => row.some((value) => value < 0)) ? -high : 0, high };
}

function printReach({ layer, state, norms }: Reach, decades: readonly [number, number]): string[] {
  const [low, max] = decades;
  // A whole number of decades from row to row, so that the rows have round labels.
  const step = Math.max(1, Math.ceil((max - low) / MAX_CHART_ROWS));
  const height = Math.max(MIN_CHART_ROWS, Math.ceil((max - low) / step));
  const min = max - height * step;
  // Time goes to the right, up to the loss.
  const logs = norms.map((norm) => Math.max(Math.log10(norm), min)).reverse();
  const columns = shrink(logs, CHART_COLUMNS);
  const format = (value: number): string => `1e${Math.round(value)}`.padStart(7);
  const chart = asciichart.plot(columns, { height, min, max, format });
  const back = `${norms.length - 1} back`;
  const axis = `${' '.repeat(9)}${back.padEnd(Math.max(columns.length - 4, back.length + 1))}loss`;
  return ['', `${layer}, |dL/d${state}|`, chart, axis];
}

/**
 * The mean over units at each character as a bar; of values on both sides of 0 that of their sizes.
 */
function printGates({ layer, gates }: LayerGates, characters: readonly string[]): string[] {
  const lines = gates.map(({ name, rows }) => {
    const { low, high } = rangeOf(rows);
    const means = characters.map((_, t) => mean(rows.map((row) => Math.abs(row[t]!))));
    const bars = means.map((value) => {
      const level = Math.floor((value / high) * LEVELS.length);
      return LEVELS[Math.min(level, LEVELS.length - 1)]!;
    });
    const label = low < 0 ? `|${name}|` : name;
    return `${label.padStart(8)} ${bars.slice(-CHART_COLUMNS).join('')} ${mean(means).toFixed(2)}`;
  });
  const shown = characters.slice(-CHART_COLUMNS).map(letter).join('');
  return ['', layer, ...lines, `${' '.repeat(9)}${shown}`];
}

/** What was seen, for a terminal. */
export function printFlow({ windows, steps, characters, reaches, gates }: Seen): string {
  const decades = decadesOf(reaches);
  const of = windowsOf(windows);
  return `${[
    'How far back the loss of the last character reaches: the norm of its gradient in every state,',
    `root mean square over ${of} of ${steps} characters. A straight fall is a gradient that vanishes.`,
    ...reaches.flatMap((reach) => printReach(reach, decades)),
    '',
    'How open the gates are, ▁ 0 to █ 1: mean over all units, and on the right over time',
    ...gates.flatMap((layer) => printGates(layer, characters)),
  ].join('\n')}\n`;
}

function heatMap({ layer, gates }: LayerGates, characters: readonly string[]): HeatMap {
  const units = gates[0]!.rows.length;
  const count = Math.min(units, MAX_ROWS);
  const of = count < units ? `${count} of ${units}` : `all ${units}`;
  return {
    title: `Gates of ${layer}, ${of} units, at the end of the last window`,
    x: 'characters read',
    columns: characters.map(letter),
    bands: gates.map(({ name, rows }) => ({
      name,
      ...rangeOf(rows),
      rows: Array.from({ length: count }, (_, k) => rows[Math.floor((k * units) / count)]!),
    })),
  };
}

/** What was seen, as an SVG file. */
export function drawFlow(model: string, { windows, characters, reaches, gates }: Seen): string {
  const layers = [...new Set(reaches.map(({ layer }) => layer))];
  const flow: Chart = {
    title: `${model}: how far back the loss of the last character reaches`,
    x: `characters before the last one (root mean square over ${windowsOf(windows)})`,
    y: 'norm of the gradient',
    decades: decadesOf(reaches),
    lines: reaches.map(({ layer, state, norms }) => ({
      name: `dL/d${state} of ${layer}`,
      colour: COLOURS[layers.indexOf(layer) % COLOURS.length]!,
      dashed: state === 'c',
      points: norms.map((norm, lag) => [lag, norm] as const),
    })),
  };
  return drawPage([flow, ...gates.map((layer) => heatMap(layer, characters))]);
}
