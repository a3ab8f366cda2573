import { GatefoldError, printable } from '../base/errors.ts';
import { countOf, stateArrays, unplaced } from '../graph/states.ts';
import { savedTensors } from '../graph/layout.ts';
import type { Parameter } from '../graph/layout.ts';
import { complete } from '../ops/description.ts';
import { opOf } from '../ops/index.ts';
import type { CompleteLayer, LayerSpec } from '../ops/index.ts';
import { storeOf } from './model.ts';
import type { Model } from './model.ts';

const COLUMNS = 80;
const GAP = '  ';
const TITLES = ['layer', 'type', 'output', 'parameters', 'bytes'];
/** From this column on, numbers are aligned to the right. */
const FIRST_NUMBER = 3;
const LONGEST_NAME = 20;
const LONGEST_OPTION = 60;

/**
 * A table of the layers of a model: output shape, parameters, bytes of their values, states, and
 * the options that have no default or differ from it. T is steps, B is the batch. Lines have at
 * most 80 columns.
 *
 * @example
 *   console.log(summary(model));
 *
 * @throws `ERR_ARGUMENT` for what is no model; `ERR_DISPOSED` after `model.dispose()`.
 */
export function summary(model: Model): string {
  const { parameters, graph } = storeOf(model);
  const { layers, weights } = model.description;
  const states = new Map<string, string[]>();
  for (const { layer, role, stack } of stateArrays(unplaced(graph))) {
    const shapes = states.get(layer) ?? [];
    const { width } = stack[0]!.spec;
    states.set(layer, [...shapes, `${role} [${countOf(stack)}, B, ${width}]`]);
  }
  const ofLayer = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const { layer } = parameter.node;
    const own = ofLayer.get(layer);
    if (own) own.push(parameter);
    else ofLayer.set(layer, [parameter]);
  }
  let steps = 'T, ';
  const rows = layers.map((layer, index) => {
    const { name, type } = layer;
    // T' where a convolution leaves other steps than it reads, none where a pool leaves one row.
    for (const { resample } of graph.nodes.filter((node) => node.layer === name)) {
      if (resample) steps = resample.pools ? '' : "T', ";
    }
    const own = ofLayer.get(name) ?? [];
    const output = `[${steps}B, ${opOf(layer).sizes(layer).outputs}]`;
    const cells = [
      clip(name, LONGEST_NAME),
      type,
      output,
      grouped(count(own)),
      grouped(bytes(own)),
    ];
    const notes = [
      ...wrapped('states', states.get(name) ?? []),
      ...wrapped('options', optionsOf(layers, index)),
    ];
    return { cells, notes };
  });
  const total = `${layers.length} layer${layers.length === 1 ? '' : 's'}`;
  const sums = [grouped(count(parameters)), grouped(bytes(parameters))];
  const last = [total, '', weights ? `${weights} weights` : '', ...sums];
  const widths = TITLES.map((title, k) =>
    Math.max(title.length, last[k]!.length, ...rows.map(({ cells }) => cells[k]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, k) => (k < FIRST_NUMBER ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!)))
      .join(GAP);
  const rule = '-'.repeat(line(TITLES).length);
  const body = rows.flatMap(({ cells, notes }) => [line(cells), ...notes]);
  return [line(TITLES), rule, ...body, rule, line(last), ''].join('\n');
}

function count(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { shape }) => sum + elements(shape), 0);
}

/** Bytes of the values as a file keeps them: those of 8 bits with their scales. */
function bytes(parameters: readonly Parameter[]): number {
  return savedTensors(parameters).reduce(
    (sum, { shape, int8 }) => sum + elements(shape) * (int8 ? 1 : 4),
    0,
  );
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Options that a description of the layer has to give. An option is left out where the layer,
 * described without it, is completed to the same one.
 */
function optionsOf(layers: readonly CompleteLayer[], index: number): string[] {
  const { name: _, ...given } = layers[index]!;
  const before = { type: 'linear', outFeatures: opOf(layers[index]!).sizes(layers[index]!).inputs };
  const completed = (layer: object): string => {
    // The layer is alone after the first, which others may refer to, with an input of its size.
    const described = index === 0 ? [layer] : [layers[0], before, layer];
    try {
      return JSON.stringify(complete({ layers: described as LayerSpec[] }).layers.at(-1));
    } catch (error) {
      if (error instanceof GatefoldError) return 'refused';
      throw error;
    }
  };
  const whole = completed(given);
  return Object.entries(given).flatMap(([key, value]) => {
    if (key === 'type' || completed({ ...given, [key]: undefined }) === whole) return [];
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return [clip(`${key} ${text}`, LONGEST_OPTION)];
  });
}

/** Notes under a row, in lines of at most `COLUMNS`. */
function wrapped(title: string, notes: readonly string[]): string[] {
  const lines: string[] = [];
  for (const note of notes) {
    const longer = `${lines.at(-1)}, ${note}`;
    if (lines.length === 0) lines.push(`  ${title} ${note}`);
    else if (longer.length < COLUMNS) lines[lines.length - 1] = longer;
    else {
      lines[lines.length - 1] += ',';
      lines.push(`    ${note}`);
    }
  }
  return lines;
}

/** Digits in groups of three; `toLocaleString` says other things in other hosts. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A text that is safe to print, of at most `length` characters. */
function clip(text: string, length: number): string {
  const shown = printable(text);
  return shown.length > length ? `${shown.slice(0, length - 3)}...` : shown;
}
