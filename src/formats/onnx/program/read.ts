/** A graph as a program of fixed shapes, where layers cannot carry it. */
import { GatefoldError, shorten } from '../../../base/errors.ts';
import type { LayerSpec } from '../../../ops/index.ts';
import type { ImportedModel } from '../../shared/imported.ts';
import { Graph, refuseProblems } from '../graph.ts';
import type { Given } from '../graph.ts';
import { Node } from '../node.ts';
import type { GraphProto, ModelProto } from '../proto.ts';
import { Machine } from './machine.ts';
import { sizeOf } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** Axes of inputs whose sizes nobody has said, by the names that `dims` has for them. */
function openDims({ inputs, initializers }: GraphProto, { dims, set }: Given): string[] {
  const known = new Set(initializers.map(({ name }) => name));
  const names = inputs.flatMap(({ name = '', type }) =>
    set.has(name) || known.has(name)
      ? []
      : (type?.tensor?.shape?.dims ?? []).flatMap(({ value, name: symbol }, axis) => {
          const own = symbol || `${name}.${axis}`;
          return (value !== undefined && value > 0) || dims.has(own) ? [] : [own];
        }),
  );
  return [...new Set(names)];
}

/** Outputs that may be carried to inputs of the same sizes: the first output is none of them. */
function proposed(
  machine: Machine,
  outputs: ReadonlyMap<string, Tensor>,
  carried: ReadonlyMap<string, string>,
): [string, string][] {
  const taken = new Set(carried.values());
  const isAlike = (a: Tensor, b: Tensor): boolean => String(a.dims) === String(b.dims);
  return [...outputs].slice(1).flatMap(([output, tensor]): [string, string][] => {
    if (carried.has(output)) return [];
    const fits = [...machine.inputs].filter(
      ([name, own]) => !taken.has(name) && own.isFloat && isAlike(own, tensor),
    );
    const alike = fits.map(([name]) => name).sort((a, b) => common(b, output) - common(a, output));
    const [best] = alike;
    if (best === undefined || common(best, output) < 1) return [];
    taken.add(best);
    return [[output, best]];
  });
}

/** Letters that two names begin with, or end in. */
function common(a: string, b: string): number {
  let [front, back] = [0, 0];
  while (front < Math.min(a.length, b.length) && a[front] === b[front]) front++;
  while (back < Math.min(a.length, b.length) && a.at(-1 - back) === b.at(-1 - back)) back++;
  return Math.max(front, back);
}

/** A name that nothing else has. */
function freeName(taken: ReadonlySet<string>): string {
  let name = 'program';
  while (taken.has(name)) name += '_';
  return name;
}

/**
 * The graph as a program.
 *
 * @param because what layers cannot carry.
 */
export function readProgram(
  { graph: proto, producer }: ModelProto,
  given: Given,
  take: (elements: number) => void,
  because: string,
): ImportedModel {
  const open = openDims(proto, given);
  if (open.length) {
    const list = open.map((name) => `"${shorten(name)}"`).join(', ');
    const sizes = open.map((name) => `${JSON.stringify(shorten(name))}: SIZE`).join(', ');
    const message = `the sizes of ${list} are not known: pass { dims: { ${sizes} } }`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const machine = new Machine();
  const graph = new Graph(proto, given, take, machine);
  refuseProblems(proto, graph.problems);
  const tensors = new Map<string, Tensor>();
  for (const { name = '' } of proto.outputs) {
    const value = graph.valueOf(name);
    const node = new Node({ type: 'output', name, inputs: [], outputs: [name], attributes: [] }, 0);
    if (value && 'tensor' in value) tensors.set(name, machine.plain(value.tensor, node));
    else if (value && 'constant' in value) {
      tensors.set(name, machine.plain(machine.constant(value.constant, node), node));
    }
  }
  const carries = [...given.carry].map(([output, input]) => {
    const [from, to] = [tensors.get(output), machine.inputs.get(input)];
    if (!from || !to || sizeOf(from.dims) !== sizeOf(to.dims)) {
      const sizes = `[${from?.dims.join(', ')}] and [${to?.dims.join(', ')}]`;
      const message = `"carry" cannot keep "${shorten(output)}" as "${shorten(input)}": they have the sizes ${sizes}`;
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
    return { input, output: from };
  });
  const outputs = [...tensors].filter(([name]) => !given.carry.has(name));
  const made = machine.finish(
    carries,
    outputs.map(([, tensor]) => tensor),
  );
  if (!made.inputs.length) {
    throw new GatefoldError('ERR_UNSUPPORTED', 'no output depends on an input that is left');
  }
  const names = outputs.map(([name]) => name);
  const isOne = names.length === 1;
  const own = isOne ? names[0]! : freeName(new Set([...made.inputs, ...names]));
  let from = 0;
  const slices = outputs.map(([name, { dims }]): LayerSpec => {
    from += sizeOf(dims);
    return { type: 'slice', name, inputs: [own], from: from - sizeOf(dims), to: from };
  });
  const features = ({ dims }: Tensor): string[] => dims.map(() => 'features');
  const inputs = made.inputs.map((name) => [name, machine.inputs.get(name)!] as const);
  const proposals = proposed(machine, tensors, given.carry);
  const carried = carries.map(({ input }) => [input, machine.inputs.get(input)!] as const);
  return {
    description: {
      inputs: inputs.map(([name, { dims }]) => ({ name, size: sizeOf(dims) })),
      layers: [{ ...made.spec, name: own, inputs: made.inputs }, ...(isOne ? [] : slices)],
      outputs: names,
    },
    tensors: new Map([...made.parameters].map(([name, tensor]) => [`${own}.${name}`, tensor])),
    metadata: {
      format: 'onnx',
      opset: given.opset,
      ...(producer && { producer: shorten(producer) }),
      program: because.replace(/^the model cannot be read: /, ''),
      nodes: { before: graph.before, after: made.spec.steps.length },
      inputs: Object.fromEntries(inputs.map(([name, tensor]) => [name, features(tensor)])),
      outputs: Object.fromEntries(outputs.map(([name, tensor]) => [name, features(tensor)])),
      shapes: Object.fromEntries(
        [...inputs, ...carried, ...outputs].map(([name, { dims }]) => [name, dims]),
      ),
      ...(given.carry.size && { carry: Object.fromEntries(given.carry) }),
      ...(proposals.length && { proposedCarry: Object.fromEntries(proposals) }),
    },
  };
}
