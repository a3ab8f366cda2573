/** Outputs that take the place of an input in the next call: the states of a stream. */
import { GatefoldError, shorten } from '../../base/errors.ts';
import { isTime } from './axes.ts';
import type { StateUse } from './call.ts';
import type { Flow } from './flow.ts';
import type { Graph } from './graph.ts';

/** Most features of a state, and layers between it and the output that has it. */
const [MAX_FEATURES, MAX_DEPTH] = [65_536, 64];

/** Features that are last states of recurrent layers, by their layers, states and units. */
type Units = readonly string[];

const unitsOf = (layer: string, state: string, count: number): Units =>
  Array.from({ length: count }, (_, k) => JSON.stringify([layer, state, k]));

/** What each feature of a flow is, if all of them are last states of recurrent layers. */
function lastStates({ build }: Graph, flow: Flow): Units | undefined {
  if (flow.axes.flat().some(isTime)) return undefined;
  let left = MAX_FEATURES;
  const counted = (units: Units): Units | undefined =>
    (left -= units.length) < 0 ? undefined : units;
  const own = (name: string, state: string): Units | undefined => {
    const options = build.layers.get(name)?.options;
    if (typeof options?.['hiddenSize'] !== 'number') return undefined;
    return counted(
      unitsOf(name, state, options['hiddenSize'] * (options['bidirectional'] ? 2 : 1)),
    );
  };
  const read = (source: string, depth: number): Units | undefined => {
    if (depth > MAX_DEPTH) return undefined;
    const moved = build.placesOf(source);
    if (moved) {
      const units = read(moved.of, depth + 1);
      const isWhole = units && moved.map.every((place) => place in units);
      return isWhole ? counted(moved.map.map((place) => units[place]!)) : undefined;
    }
    const layer = build.layers.get(source);
    const dot = source.lastIndexOf('.');
    if (!layer) return dot < 0 ? undefined : own(source.slice(0, dot), source.slice(dot + 1));
    const { type, inputs, options } = layer;
    const isSame =
      type === 'concat' ||
      (type === 'pool' && options['mode'] === 'last') ||
      (type === 'activation' && options['activation'] === 'identity');
    if (!isSame)
      return options['bidirectional'] || options['direction'] ? undefined : own(source, 'h');
    const parts: Units[] = [];
    for (const input of inputs) {
      const units = read(input, depth + 1);
      if (!units) return undefined;
      parts.push(units);
    }
    return counted(parts.flat());
  };
  return read(flow.source, 0);
}

/** The same of an input, if each of its features begins a state. */
function firstStates(uses: readonly StateUse[]): Units | undefined {
  if (uses.some(({ to }) => to > MAX_FEATURES)) return undefined;
  const all: (string | undefined)[] = [];
  for (const { layer, state, from, to, step = 1 } of uses) {
    for (const [k, unit] of unitsOf(layer, state, Math.ceil((to - from) / step)).entries()) {
      const place = from + k * step;
      if (all[place] !== undefined) return undefined;
      all[place] = unit;
    }
  }
  // A hole is left where no state is.
  return all.includes(undefined) ? undefined : (all as Units);
}

const textOf = (units: Units | undefined): string => JSON.stringify(units);

/** Outputs that are the states which an input begins with, by their names: what may be carried. */
export function proposedCarries(
  graph: Graph,
  outputs: ReadonlyMap<string, Flow>,
): Map<string, string> {
  const inputs = new Map(
    [...graph.states].flatMap(([name, uses]) => {
      const units = firstStates(uses);
      return units ? [[textOf(units), name]] : [];
    }),
  );
  return new Map(
    [...outputs].flatMap(([output, flow]) => {
      const states = lastStates(graph, flow);
      const input = states && inputs.get(textOf(states));
      return input === undefined ? [] : [[output, input]];
    }),
  );
}

/** Refuses to carry what is no state of a layer. */
export function checkCarry(
  graph: Graph,
  flow: Flow | undefined,
  { output, input }: { readonly output: string; readonly input: string },
): void {
  const states = flow && lastStates(graph, flow);
  const uses = graph.states.get(input);
  if (states && uses && textOf(states) === textOf(firstStates(uses))) return;
  const problem = !uses
    ? `"${shorten(input)}" is not the initial state of a recurrent layer`
    : `"${shorten(output)}" is not the last state of the layers that begin with "${shorten(input)}"`;
  throw new GatefoldError(
    'ERR_UNSUPPORTED',
    `"carry" cannot keep "${shorten(output)}": ${problem}`,
  );
}
