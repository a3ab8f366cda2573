/** Outputs that take the place of an input in the next call: the states of a stream. */
import { GatefoldError, shorten } from '../../base/errors.ts';
import { isTime } from './axes.ts';
import type { StateUse } from './call.ts';
import type { Flow } from './flow.ts';
import type { Graph } from './graph.ts';

/** Most parts of a state. */
const MAX_PARTS = 4096;

/** Where each part of a flow comes from, if all of them are last states of recurrent layers. */
function lastStates({ build: { layers } }: Graph, flow: Flow): StateUse[] | undefined {
  if (flow.axes.flat().some(isTime)) return undefined;
  const parts: StateUse[] = [];
  const queue = [flow.source];
  let at = 0;
  const add = (name: string, state: string): boolean => {
    const options = layers.get(name)?.options;
    if (typeof options?.['hiddenSize'] !== 'number') return false;
    const width = options['hiddenSize'] * (options['bidirectional'] ? 2 : 1);
    parts.push({ layer: name, state: state as StateUse['state'], from: at, to: at + width });
    at += width;
    return true;
  };
  for (let count = 0; queue.length; count++) {
    if (count > MAX_PARTS) return undefined;
    const source = queue.pop()!;
    const layer = layers.get(source);
    const dot = source.lastIndexOf('.');
    if (!layer) {
      if (dot < 0 || !add(source.slice(0, dot), source.slice(dot + 1))) return undefined;
      continue;
    }
    const { type, inputs, options } = layer;
    const isSame =
      type === 'concat' ||
      (type === 'pool' && options['mode'] === 'last') ||
      (type === 'activation' && options['activation'] === 'identity');
    if (isSame) queue.push(...[...inputs].reverse());
    else if (options['bidirectional'] || options['direction'] || !add(source, 'h')) {
      return undefined;
    }
  }
  return parts;
}

const textOf = (parts: readonly StateUse[]): string =>
  JSON.stringify(
    [...parts]
      .sort((a, b) => a.from - b.from)
      .map(({ layer, state, from, to }) => [layer, state, from, to]),
  );

/** Outputs that are the states which an input begins with, by their names: what may be carried. */
export function proposedCarries(
  graph: Graph,
  outputs: ReadonlyMap<string, Flow>,
): Map<string, string> {
  const inputs = new Map([...graph.states].map(([name, uses]) => [textOf(uses), name]));
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
  if (states && uses && textOf(states) === textOf(uses)) return;
  const problem = !uses
    ? `"${shorten(input)}" is not the initial state of a recurrent layer`
    : `"${shorten(output)}" is not the last state of the layers that begin with "${shorten(input)}"`;
  throw new GatefoldError(
    'ERR_UNSUPPORTED',
    `"carry" cannot keep "${shorten(output)}": ${problem}`,
  );
}
