/** Operators that change axes alone, or sizes. */
import { picked } from './axes.ts';
import { byKind, dimsOfValue, giving, integersOf, numbersAt, owned, unknownSize } from './call.ts';
import type { Operator } from './call.ts';
import { countOf, sizes } from './constants.ts';
import type { Constant } from './constants.ts';
import { divide, multiply, productOfDims } from './dims.ts';
import type { Dim } from './dims.ts';
import { Atom, asFeatures, dimsOf } from './flow.ts';
import type { Axis, Flow } from './flow.ts';
import { expanded, joined, rangeOf, reshaped, transposed } from './fold.ts';
import type { Node } from './node.ts';

export const shape: Operator = ({ node, inputs }) => {
  const dims = dimsOfValue(inputs[0]!);
  const range = rangeOf(node.int('start', 0), node.int('end', 2 ** 31), 1, dims.length);
  return [{ constant: sizes(dims.slice(range.from, range.from + range.count)) }];
};

export const size: Operator = ({ inputs }) => [
  { constant: sizes([productOfDims(dimsOfValue(inputs[0]!))], []) },
];

export const transpose: Operator = (call) => {
  const { node, graph } = call;
  const rank = dimsOfValue(call.inputs[0]!).length;
  const given = node.ints('perm') ?? Array.from({ length: rank }, (_, k) => rank - 1 - k);
  if (given.length !== rank || new Set(given).size !== rank) node.refuse('its perm does not fit');
  const order = given.map((axis) => node.axis(axis, rank));
  return byKind(call, {
    constant: (c) => transposed(c, order, graph),
    dims: (dims) => order.map((axis) => dims[axis]!),
    flow: (flow) => owned(graph, node, { ...flow, axes: order.map((axis) => flow.axes[axis]!) }),
  });
};

export const unsqueeze: Operator = (call) => {
  const { node, graph } = call;
  const axes = numbersAt(call, 1, 'axes') ?? node.refuse('it has no axes');
  const rank = dimsOfValue(call.inputs[0]!).length + axes.length;
  const at = new Set(axes.map((axis) => node.axis(axis, rank)));
  if (at.size < axes.length) node.refuse('its axes name one of them twice');
  const widened = <T>(list: readonly T[], one: T): T[] => {
    const rest = [...list];
    return Array.from({ length: rank }, (_, k) => (at.has(k) ? one : rest.shift()!));
  };
  return byKind(call, {
    constant: (c) => reshaped(c, widened(c.dims, 1)),
    dims: (dims) => widened<Dim>(dims, 1),
    flow: (flow) => owned(graph, node, { ...flow, axes: widened<Axis>(flow.axes, []) }),
  });
};

export const squeeze: Operator = (call) => {
  const { node, graph } = call;
  const dims = dimsOfValue(call.inputs[0]!);
  const given = numbersAt(call, 1, 'axes');
  const all = dims.flatMap((size, k) => (size === 1 ? [k] : []));
  const axes = new Set(given ? given.map((axis) => node.axis(axis, dims.length)) : all);
  for (const axis of axes) {
    const size = dims[axis]!;
    if (typeof size === 'string') unknownSize(node, size);
    if (size !== 1) node.refuse(`it leaves out an axis of ${size}`);
  }
  const narrowed = <T>(list: readonly T[]): T[] => list.filter((_, k) => !axes.has(k));
  return byKind(call, {
    constant: (c) => reshaped(c, narrowed(c.dims)),
    dims: narrowed,
    flow: (flow) => owned(graph, node, { ...flow, axes: narrowed(flow.axes) }),
  });
};

/** Atoms out of a queue whose product is a size, from its front or its back. */
function takeAtoms(
  queue: Atom[],
  size: Dim,
  isBack: boolean,
  splits: Map<Atom, readonly Atom[]>,
  node: Node,
): Atom[] | undefined {
  const taken: Atom[] = [];
  const add = (atom: Atom): unknown => (isBack ? taken.unshift(atom) : taken.push(atom));
  for (let left = size; left !== 1;) {
    const atom = isBack ? queue.at(-1) : queue[0];
    if (!atom) return undefined;
    const rest = divide(left, atom.size);
    // Half of the steps, and two features of each.
    const beside = isBack ? queue.at(-2) : queue[1];
    const both = rest === undefined && beside ? multiply(atom.size, beside.size) : undefined;
    const least = both === undefined ? rest : divide(left, both);
    if (least !== undefined) {
      for (let k = both === undefined ? 1 : 2; k > 0; k--) {
        add((isBack ? queue.pop() : queue.shift())!);
      }
      left = least;
      continue;
    }
    const other = divide(atom.size, left);
    if (typeof other !== 'number' || typeof left !== 'number') return undefined;
    asFeatures([atom], node);
    const [own, next] = [new Atom(left, 'features'), new Atom(other, 'features')];
    splits.set(atom, isBack ? [next, own] : [own, next]);
    add(own);
    queue[isBack ? queue.length - 1 : 0] = next;
    left = 1;
  }
  return taken;
}

/** The same atoms as other axes; features are split where an axis is a part of them. */
function regrouped(flow: Flow, target: readonly Dim[], node: Node): Flow {
  const own = dimsOf(flow);
  const wanted = target.map((size, k) => (size === 0 ? (own[k] ?? 1) : size));
  const queue = flow.axes.flat();
  const splits = new Map<Atom, readonly Atom[]>();
  const open = wanted.indexOf(-1);
  const misfit = (size: Dim): never =>
    node.refuse(
      `it reads [${own.join(', ')}] as [${wanted.join(', ')}], where ${size} does not follow from the axes before: where sizes have names, pass { dims: { NAME: size } }`,
      true,
    );
  const axes: (readonly Atom[])[] = [];
  const end = open < 0 ? wanted.length : open;
  for (let k = 0; k < end; k++) {
    axes[k] = takeAtoms(queue, wanted[k]!, false, splits, node) ?? misfit(wanted[k]!);
  }
  for (let k = wanted.length - 1; k > end; k--) {
    axes[k] = takeAtoms(queue, wanted[k]!, true, splits, node) ?? misfit(wanted[k]!);
  }
  if (open >= 0) axes[open] = queue;
  else if (queue.length) misfit(wanted.at(-1) ?? 1);
  const whole = (atom: Atom): readonly Atom[] => splits.get(atom)?.flatMap(whole) ?? [atom];
  return { ...flow, axes, held: flow.held.flatMap(whole) };
}

/** Sizes of a constant that is reshaped. */
function sizesOf(
  count: number,
  own: readonly number[],
  target: readonly Dim[],
  node: Node,
): number[] {
  const dims = target.map((size, k) =>
    typeof size === 'string' ? unknownSize(node, size) : size === 0 ? (own[k] ?? 0) : size,
  );
  const rest = dims.reduce((n, size) => (size < 0 ? n : n * size), 1);
  const all = dims.map((size) => (size < 0 ? count / rest : size));
  if (countOf(all) !== count || !all.every(Number.isInteger)) node.refuse('its shape does not fit');
  return all;
}

export const reshape: Operator = (call) => {
  const { node, graph } = call;
  const target = integersOf(call, 1, 'shape') ?? node.refuse('it has no shape');
  return byKind(call, {
    constant: (c) => reshaped(c, sizesOf(c.data.length, c.dims, target, node)),
    flow: (flow) => owned(graph, node, regrouped(flow, target, node)),
  });
};

export const flatten: Operator = (call) => {
  const { node, graph } = call;
  const dims = dimsOfValue(call.inputs[0]!);
  const given = node.int('axis', 1);
  const axis = given < 0 ? given + dims.length : given;
  const target = [productOfDims(dims.slice(0, axis)), productOfDims(dims.slice(axis))];
  return byKind(call, {
    constant: (c) => reshaped(c, target as number[]),
    flow: (flow) =>
      owned(graph, node, {
        ...flow,
        axes: [flow.axes.slice(0, axis).flat(), flow.axes.slice(axis).flat()],
      }),
  });
};

export const expand: Operator = (call) => {
  const { node, graph } = call;
  const [value] = call.inputs;
  const target = integersOf(call, 1, 'shape')!;
  const own = dimsOfValue(value!);
  const rank = Math.max(own.length, target.length);
  const full = [...Array<Dim>(rank - own.length).fill(1), ...own];
  const wanted = [...Array<Dim>(rank - target.length).fill(1), ...target];
  const dims = full.map((size, k) => (wanted[k] === 1 ? size : wanted[k]!));
  if (value && 'flow' in value) {
    const more = Array.from({ length: rank - own.length }, (): Axis => []);
    let flow: Flow = { ...value.flow, axes: [...more, ...value.flow.axes] };
    for (const [axis, size] of dims.entries()) {
      if (size === full[axis]) continue;
      if (typeof size === 'string') unknownSize(node, size);
      if (full[axis] !== 1 || size < 1) node.refuse('its shape does not fit');
      graph.take(size);
      flow = picked(flow, axis, Array<number>(size).fill(0), call);
    }
    return giving(call, flow);
  }
  const base =
    value && 'constant' in value
      ? value.constant
      : value && 'spread' in value
        ? value.spread.base
        : node.refuse('it has no input');
  if (base.dims.length > rank) node.refuse('its input has other axes than it says');
  const wide = reshaped(base, [...Array<number>(rank - base.dims.length).fill(1), ...base.dims]);
  if (dims.every((size) => typeof size === 'number'))
    return [{ constant: expanded(wide, dims as number[], graph) }];
  const known = wide.dims.map((size, k) => (typeof dims[k] === 'number' ? dims[k] : size));
  return [{ spread: { base: expanded(wide, known, graph), dims } }];
};

export const tile: Operator = (call) => {
  const { node, graph } = call;
  const repeats = integersOf(call, 1, 'repeats')!;
  const dims = dimsOfValue(call.inputs[0]!);
  const value = call.inputs[0]!;
  if (repeats.length !== dims.length || repeats.some((n) => Number(n) < 1)) {
    node.refuse('its repeats do not fit');
  }
  if ('flow' in value) {
    let { flow } = value;
    for (const [axis, times] of repeats.entries()) {
      if (times === 1) continue;
      const size = dims[axis]!;
      if (typeof times === 'string') unknownSize(node, times);
      if (typeof size === 'string') unknownSize(node, size);
      graph.take(size * times);
      flow = picked(
        flow,
        axis,
        Array.from({ length: size * times }, (_, k) => k % size),
        call,
      );
    }
    return giving(call, flow);
  }
  const base = 'spread' in value ? value.spread.base : (value as { constant: Constant }).constant;
  const total = dims.map((size, k) => multiply(size, repeats[k]!));
  const isPlain = base.dims.every((size, k) => size === 1 || repeats[k] === 1);
  if (!isPlain) {
    const counts = repeats.map((n) => (typeof n === 'number' ? n : unknownSize(node, n)));
    return [
      {
        constant: counts.reduce(
          (c, n, axis) => (n === 1 ? c : joined(Array<Constant>(n).fill(c), axis, graph)),
          base,
        ),
      },
    ];
  }
  if (!total.every((size) => typeof size === 'number')) return [{ spread: { base, dims: total } }];
  return [{ constant: expanded(base, total as number[], graph) }];
};
