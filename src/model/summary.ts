import { checkFlag, readOptions } from '../base/check.ts';
import { GatefoldError, printable } from '../base/errors.ts';
import type { Graph } from '../graph/graph.ts';
import { Grids } from '../graph/grids.ts';
import { countOf, stateArrays, unplaced } from '../graph/states.ts';
import { savedTensors, sizeOf } from '../graph/layout.ts';
import type { Parameter } from '../graph/layout.ts';
import { complete } from '../ops/description.ts';
import type { CompleteDescription } from '../ops/description.ts';
import { opOf } from '../ops/index.ts';
import type { CompleteLayer, LayerSpec } from '../ops/index.ts';
import { POOLING } from '../ops/pool.ts';
import { storeOf } from './model.ts';
import type { Model } from './model.ts';
import { drawBoxes } from './picture.ts';

const COLUMNS = 80;
const GAP = '  ';
const TITLES = ['layer', 'type', 'output', 'parameters', 'bytes'];
/** From this column on, numbers are aligned to the right. */
const FIRST_NUMBER = 3;
/** The title of the names of what layers read, which stand before the outputs. */
const READS = 'reads';
/** Columns that these have at least, where figures leave few, and at most. */
const [LEAST_READS, MOST_READS] = [8, 24];
const LONGEST_NAME = 20;
const LONGEST_OPTION = 60;
/** Most boxes of a picture. */
const MAX_BOXES = 512;

/** The form of a `summary`. */
export interface SummaryOptions {
  /** Whether to draw the graph, as an SVG file, rather than to write a table; default false. */
  readonly svg?: boolean;
}

/** A layer or an input of the model. */
interface Entry {
  readonly name: string;
  readonly type: string;
  /** Names of what it reads, where that is not the entry before alone. */
  readonly reads: readonly string[];
  /** Shape of the outputs. */
  readonly output: string;
  readonly parameters: readonly Parameter[];
  readonly options: readonly string[];
}

/**
 * A table of the layers of a model: what they read, output shape, parameters, bytes of their
 * values, states, and the options that have no default or differ from it. T is steps, B is the
 * batch; other numbers of steps have names such as T' and T2, and steps within a step stand after
 * the batch: [T, B, 5, 8]. Lines have at most 80 columns.
 *
 * @example
 *   console.log(summary(model));
 *   await writeFile('model.svg', summary(model, { svg: true }));
 *
 * @returns with `svg` a picture of the graph, as a whole SVG file that follows the reader's light
 *   or dark scheme.
 * @throws `ERR_ARGUMENT` for what is no model; `ERR_DISPOSED` after `model.dispose()`;
 *   `ERR_UNSUPPORTED` for a picture of a model of more than 512 layers and inputs.
 */
export function summary(model: Model, options: SummaryOptions = {}): string {
  const { parameters, graph } = storeOf(model);
  const { svg } = readOptions('options', options, ['svg']);
  const isPicture = checkFlag('options.svg', svg);
  const entries = entriesOf(model, graph, parameters);
  return isPicture ? drawModel(graph, entries) : tableOf(model, graph, entries);
}

/** The inputs of a model, where there are several or all are wanted, and its layers. */
function entriesOf(model: Model, graph: Graph, parameters: readonly Parameter[]): Entry[] {
  const optionsOf = new Map<string, readonly string[]>();
  const description = complete(model.description, (layer, completeOther) => {
    optionsOf.set(layer.name, givenOptions(layer, completeOther));
  });
  const shapes = new Shapes(graph, description);
  const ofLayer = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const { layer } = parameter.node;
    const own = ofLayer.get(layer);
    if (own) own.push(parameter);
    else ofLayer.set(layer, [parameter]);
  }
  const nothing = { reads: [], parameters: [], options: [] };
  const entries: Entry[] = graph.inputs.map(({ name, width, tokens }) => {
    return { ...nothing, name, type: 'input', output: shapes.of(name, tokens ? '' : `${width}`) };
  });
  for (const layer of description.layers) {
    const { name, type } = layer;
    const before = entries.at(-1)!.name;
    const first = entries.length > graph.inputs.length ? before : graph.inputs[0]!.name;
    const { inputs = [first] } = layer;
    const output = shapes.add(layer, inputs[0]!);
    entries.push({
      name,
      type,
      reads: inputs.length > 1 || inputs[0] !== before ? inputs : [],
      output,
      parameters: ofLayer.get(name) ?? [],
      options: optionsOf.get(name)!,
    });
  }
  return entries;
}

/** The rows that a layer or an input has, as the text of a shape. */
class Shapes {
  readonly #grids: Grids;
  readonly #gridOf = new Map<string, number>();
  readonly #fixed: Graph['fixed'];
  /** Steps of grids that are made of others. */
  readonly #steps = new Map<number, number | string>();

  constructor({ fixed }: Graph, { inputs }: CompleteDescription) {
    this.#fixed = fixed;
    this.#grids = new Grids(inputs);
    for (const [k, { name }] of inputs.entries()) this.#gridOf.set(name, this.#grids.ofInput(k));
  }

  /** Adds a layer that reads `source` first; the shape of its outputs. */
  add(layer: CompleteLayer, source: string): string {
    const { name } = layer;
    const { outputs, resample = [], parts = {} } = opOf(layer).sizes(layer);
    const after = (grid: number, one: (typeof resample)[number]): number =>
      this.#grids.after({ layer: name, isRowwise: true, resample: one }, [grid]);
    const own = resample.reduce(after, this.#gridOf.get(source)!);
    for (const [part, { isRow }] of Object.entries(parts)) {
      const key = `${name}.${part}`;
      if (!this.#gridOf.has(key)) this.#gridOf.set(key, isRow ? after(own, POOLING) : own);
    }
    this.#gridOf.set(name, own);
    return this.of(name, `${outputs}`);
  }

  of(name: string, width: string): string {
    const rows = this.#rows(this.#gridOf.get(name)!);
    return `[${width ? [...rows, width].join(', ') : rows.join(', ')}]`;
  }

  #rows(grid: number): (number | string)[] {
    const { resample, outer } = this.#grids.all[grid]!;
    if (outer !== undefined) return [...this.#rows(outer), this.#grids.stepsWithin(grid)];
    return resample?.pools ? ['B'] : [this.#stepsOf(grid), 'B'];
  }

  /** A number where it is known. */
  #stepsOf(grid: number): number | string {
    const { before, resample, sequence } = this.#grids.all[grid]!;
    if (!resample) return this.#fixed[grid] ?? (grid ? `T${grid + 1}` : 'T');
    if (resample.spreads) return resample.steps(1);
    const steps = this.#stepsOf(before);
    if (typeof steps === 'number') return resample.steps(steps);
    const known = this.#steps.get(grid);
    if (known) return known;
    const made = `${this.#stepsOf(sequence)}'`;
    const others = [...this.#steps.values()].filter((other) => `${other}`.startsWith(made)).length;
    const own = others ? `${made}${others + 1}` : made;
    this.#steps.set(grid, own);
    return own;
  }
}

/**
 * Options that a description of the layer has to give. An option is left out where the layer,
 * described without it, is completed to the same one.
 */
function givenOptions(
  layer: CompleteLayer,
  completeOther: (spec: LayerSpec) => CompleteLayer,
): string[] {
  const completed = (spec: object): string => {
    try {
      return JSON.stringify(completeOther(spec as LayerSpec));
    } catch (error) {
      if (error instanceof GatefoldError) return 'refused';
      throw error;
    }
  };
  const { name: _, inputs: __, ...given } = layer;
  const whole = completed(given);
  return Object.entries(given).flatMap(([key, value]) => {
    if (key === 'type' || completed({ ...given, [key]: undefined }) === whole) return [];
    // What a layer has many of is counted: the steps of a program.
    const isMany = Array.isArray(value) && value.length > 1 && typeof value.at(-1) === 'object';
    const text = isMany
      ? `${value.length}`
      : typeof value === 'string'
        ? value
        : JSON.stringify(value);
    return [clip(`${key} ${text}`, LONGEST_OPTION)];
  });
}

function tableOf({ description }: Model, graph: Graph, entries: readonly Entry[]): string {
  const { layers, weights } = description;
  // A single input needs no row: it is what the first layer reads.
  const shown = entries.slice(graph.inputs.length > 1 ? 0 : 1);
  const states = statesOf(graph);
  const figures = (parameters: readonly Parameter[]): string[] =>
    [count(parameters), bytes(parameters)].map(grouped);
  const rows = shown.map(({ name, type, output, parameters }) => {
    const own = type === 'input' ? ['', ''] : figures(parameters);
    return [clip(name, LONGEST_NAME), type, output, ...own];
  });
  const total = `${layers.length} layer${layers.length === 1 ? '' : 's'}`;
  const all = entries.flatMap(({ parameters }) => parameters);
  const last = [total, '', weights ? `${weights} weights` : '', ...figures(all)];
  const widths = [...rows, TITLES, last].reduce(
    (most, cells) => most.map((width, k) => Math.max(width, cells[k]!.length)),
    TITLES.map(() => 0),
  );
  // What the other columns leave is for names: those of what is read go on in the next line.
  const gaps =
    GAP.length * (shown.some((entry) => entry.reads.length) ? widths.length : widths.length - 1);
  const left = COLUMNS - gaps - widths.slice(1).reduce((sum, width) => sum + width);
  const most = Math.min(Math.max(left - widths[0]!, LEAST_READS), MOST_READS);
  const read = shown.map(({ reads }) => {
    const names = reads.map((name, k) => clip(name, most - (k < reads.length - 1 ? 1 : 0)));
    return wrapped(names, '', '', most);
  });
  const longest = Math.max(...read.flat().map(({ length }) => length), 0);
  const reads = longest && Math.max(longest, READS.length);
  widths[0] = Math.min(widths[0]!, left - reads);
  const line = (cells: readonly string[], names = ''): string => {
    const padded = cells.map((cell, k) => {
      const own = clip(cell, widths[k]!);
      return k < FIRST_NUMBER ? own.padEnd(widths[k]!) : own.padStart(widths[k]!);
    });
    if (reads) padded.splice(2, 0, names.padEnd(reads));
    return padded.join(GAP).trimEnd();
  };
  const head = line(TITLES, READS);
  const rule = '-'.repeat(head.length);
  const nothing = TITLES.map(() => '');
  const body = rows.flatMap((cells, k) => {
    const entry = shown[k]!;
    const [first, ...others] = read[k]!;
    return [
      line(cells, first),
      ...others.map((names) => line(nothing, names)),
      ...noted('states', states.get(entry.name) ?? []),
      ...noted('options', entry.options),
    ];
  });
  const { outputs } = graph;
  const isPlain = outputs.length === 1 && outputs[0]!.name === layers.at(-1)!.name;
  const named = outputs.map(({ name }) => clip(name, LONGEST_NAME));
  const foot = noted('outputs', isPlain ? [] : named);
  return [head, rule, ...body, rule, line(last), ...foot, ''].join('\n');
}

/** Shapes of the states of every layer. */
function statesOf(graph: Graph): Map<string, string[]> {
  const states = new Map<string, string[]>();
  for (const { layer, role, stack } of stateArrays(unplaced(graph))) {
    const shape = `${role} [${countOf(stack)}, B, ${stack[0]!.spec.width}]`;
    states.set(layer, [...(states.get(layer) ?? []), shape]);
  }
  return states;
}

function count(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, parameter) => sum + sizeOf(parameter), 0);
}

/** Bytes of the values as a file keeps them: those of 8 bits with their scales. */
function bytes(parameters: readonly Parameter[]): number {
  return savedTensors(parameters).reduce(
    (sum, tensor) => sum + sizeOf(tensor) * (tensor.int8 ? 1 : 4),
    0,
  );
}

/** Notes under a row, in lines of at most `COLUMNS`. */
function noted(title: string, notes: readonly string[]): string[] {
  return wrapped(notes, `  ${title} `, '    ', COLUMNS);
}

/** A list in lines of at most `width`. */
function wrapped(parts: readonly string[], first: string, indent: string, width: number): string[] {
  const lines: string[] = [];
  for (const [k, part] of parts.entries()) {
    const longer = `${lines.at(-1)}, ${part}`;
    const comma = k < parts.length - 1 ? 1 : 0;
    if (k === 0) lines.push(first + part);
    else if (longer.length + comma <= width) lines[lines.length - 1] = longer;
    else {
      lines[lines.length - 1] += ',';
      lines.push(indent + part);
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

/** A picture of the layers and the inputs. */
function drawModel(graph: Graph, entries: readonly Entry[]): string {
  if (entries.length > MAX_BOXES) {
    const message = `a picture has at most ${MAX_BOXES} layers and inputs, and the model has ${entries.length}: use summary(model)`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const places = new Map(entries.map(({ name }, k) => [name, k]));
  const sources = entries.map(() => new Set<number>());
  for (const [index, { layer }] of graph.nodes.entries()) {
    const own = places.get(layer)!;
    for (const source of graph.sources[index]!) {
      const from = source < 0 ? -1 - source : places.get(graph.nodes[source]!.layer)!;
      if (from !== own) sources[own]!.add(from);
    }
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return drawBoxes(
    entries.map(({ name, type, output, parameters }, k) => {
      const figure = count(parameters);
      return {
        lines: [
          clip(name, LONGEST_NAME),
          name === type ? output : `${type} ${output}`,
          ...(figure ? [`${grouped(figure)} parameters`] : []),
        ],
        sources: [...sources[k]!],
        isInput: type === 'input',
        isOutput: outputs.has(name),
      };
    }),
  );
}
