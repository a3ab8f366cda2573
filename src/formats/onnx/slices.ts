/** Operators that take parts of axes, or join them. */
import {
  aligned,
  asBatch,
  heldOrder,
  isTime,
  perFeature,
  picked,
  retimed,
  settle,
  unmixed,
  widestOf,
} from './axes.ts';
import {
  byKind,
  constantAt,
  dimsOfValue,
  flowAt,
  giving,
  integersOf,
  numbersAt,
  pass,
  unknownSize,
} from './call.ts';
import type { Call, Operator, Spread, Value } from './call.ts';
import { elementsOf, floatsOf, isZero, numbersOf } from './constants.ts';
import type { Constant } from './constants.ts';
import { productOfDims } from './dims.ts';
import type { Dim } from './dims.ts';
import { Atom, asFeatures, asRows, axisOf, isFeature, sizeOf } from './flow.ts';
import type { Axis, Flow } from './flow.ts';
import { expanded, joined, rangeOf, sliced, taken } from './fold.ts';
import type { Range } from './fold.ts';
import type { Node } from './node.ts';

/** Steps of a sequence that are cut out. */
function cutSteps(flow: Flow, { from, count, step }: Range, size: number, call: Call): Flow {
  const { node, graph } = call;
  const { build } = graph;
  if (step !== 1) node.refuse('it cuts steps in a way that is not supported');
  const cut = build.cut(flow, from, size - from - count, node);
  return { ...cut, ...retimed(cut, axisOf(count, 'time')) };
}

/** One step of a sequence as a row: the last ones by a delay, the first ones from behind. */
function stepAt(flow: Flow, index: number, { node, graph }: Call): Flow {
  const { build } = graph;
  flow.rows.become('step');
  const turned = index < 0 ? flow : build.map(node, 'reverse', {}, flow);
  const back = index < 0 ? -1 - index : index;
  const moved = back ? build.map(node, 'delay', { steps: back }, turned) : turned;
  return build.pool(moved, 'last', node);
}

/** A part of an axis of a flow. */
function sliceFlow(
  flow: Flow,
  axis: number,
  start: number,
  end: number,
  step: number,
  call: Call,
): Flow {
  const { node, graph } = call;
  const atoms = flow.axes[axis]!;
  const size = sizeOf(atoms);
  if (typeof size === 'number') {
    const range = rangeOf(start, end, step, size);
    if (range.count === size && step === 1) return flow;
    if (range.count < 1) node.refuse('it leaves nothing');
    if (atoms.some((atom) => atom.role === undefined)) settleSlice(flow, atoms, node);
    const isWithin = flow.rows.kind === 'inner' && (range.count > 1 || range.from < size - 1);
    if (!atoms.some(isTime) || isWithin || range.step !== 1) {
      if (range.step === -1 && range.count === size && atoms.length === 1 && isTime(atoms[0]!)) {
        return graph.build.map(node, 'reverse', {}, flow);
      }
      graph.take(range.count);
      const places = Array.from({ length: range.count }, (_, k) => range.from + k * step);
      return picked(flow, axis, places, call);
    }
    if (atoms.length > 1) node.refuse('it cuts an axis that has steps and more');
    // Where a step is counted from one end, another number of steps would move it.
    const isAtEnd = range.count === 1 && (start === 0 || start === -1);
    const { outer, input } = flow.rows.first;
    if (!isAtEnd && !outer && input) input.isFixed = true;
    if (range.count === 1) {
      const isLast = range.from - size >= -1 - range.from;
      return stepAt(flow, isLast ? range.from - size : range.from, call);
    }
    return cutSteps(flow, range, size, call);
  }
  if (start === 0 && end >= 2 ** 31 - 1 && step === 1) return flow;
  if (atoms.length > 1) unknownSize(node, size);
  if (!atoms[0]!.become('time')) node.refuse('it cuts the batch, or features of unknown size');
  const isToEnd = end >= 2 ** 31 - 1;
  if (step === -1 && start === -1 && end < -(2 ** 31) + 2)
    return graph.build.map(node, 'reverse', {}, flow);
  if (step !== 1) node.refuse(`it takes every step number ${step}, which is not supported`);
  if (start < 0 && (isToEnd ? start === -1 : end === start + 1)) return stepAt(flow, start, call);
  if (start >= 0 && end === start + 1) return stepAt(flow, start, call);
  if (start < 0 || (end >= 0 && !isToEnd)) unknownSize(node, size);
  const without = isToEnd ? 0 : -end;
  const cut = graph.build.cut(flow, start, without, node);
  const [name] = [graph.names.of(`${size}-${start + without}`)];
  return { ...cut, ...retimed(cut, axisOf(name, 'time')) };
}

/** What an axis is that is cut before any operator has told: the last one has features. */
function settleSlice(flow: Flow, atoms: Axis, node: Node): void {
  const isLast = flow.axes.at(-1) === atoms || flow.axes.length < 3;
  if (isLast || flow.input) asFeatures(atoms, node);
  else settle(flow, node);
}

export const slice: Operator = (call) => {
  const { node, graph } = call;
  const rank = dimsOfValue(call.inputs[0]!).length;
  const starts = integersOf(call, 1, 'starts') ?? node.refuse('it has no starts');
  const ends = integersOf(call, 2, 'ends') ?? node.refuse('it has no ends');
  const axes = numbersAt(call, 3, 'axes') ?? starts.map((_, k) => k);
  const steps = numbersAt(call, 4, 'steps') ?? starts.map(() => 1);
  const of = (axis: number, k: number, dims: readonly Dim[]): [number, number, number] => {
    // An end that is the size of the axis, whatever that is.
    const bound = (item: Dim): number =>
      typeof item === 'number' ? item : item === dims[axis] ? 2 ** 31 : unknownSize(node, item);
    return [bound(starts[k]!), bound(ends[k]!), steps[k] ?? 1];
  };
  if (steps.includes(0)) node.refuse('it has steps of 0');
  let value = call.inputs[0]!;
  for (const [k, given] of axes.entries()) {
    const axis = node.axis(given, rank);
    const dims = dimsOfValue(value);
    const [start, end, step] = of(axis, k, dims);
    if ('constant' in value) {
      const range = rangeOf(start, end, step, value.constant.dims[axis]!);
      value = { constant: sliced(value.constant, axis, range, graph) };
    } else if ('flow' in value) {
      const flow = sliceFlow(value.flow, axis, start, end, step, call);
      const isSame = flow.axes.length === dims.length;
      value = { flow: isSame ? flow : node.refuse('it cuts what it cannot') };
    } else if ('spread' in value) {
      const { spread } = value;
      const size = spread.dims[axis]!;
      if (typeof size === 'string') unknownSize(node, size);
      const range = rangeOf(start, end, step, size);
      const isSame = spread.base.dims[axis] === 1;
      const base = isSame ? spread.base : sliced(spread.base, axis, range, graph);
      value = { spread: { base, dims: spread.dims.map((n, j) => (j === axis ? range.count : n)) } };
    }
  }
  if ('flow' in value)
    return 'flow' in call.inputs[0]! && value.flow === call.inputs[0].flow
      ? pass(call)
      : giving(call, value.flow);
  return [value];
};

/** Steps from the last one on, where lengths say that all turn: how tf2onnx reads backward. */
export const reverseSequence: Operator = (call) => {
  const { node, inputs } = call;
  const flow = flowAt(call, 0);
  const [time, batch] = [node.int('time_axis', 0), node.int('batch_axis', 1)];
  const atoms = flow.axes[node.axis(time, flow.axes.length)]!;
  asBatch(flow.axes[node.axis(batch, flow.axes.length)]!, node);
  const lengths = inputs[1]!;
  const known = 'constant' in lengths ? lengths.constant : undefined;
  const all = 'spread' in lengths ? lengths.spread.base : known;
  const size = sizeOf(atoms);
  const isWhole = all && Array.from<Dim>(all.data as readonly Dim[]).every((n) => n === size);
  if (!isWhole) node.refuse('it turns other steps than all');
  for (const atom of atoms) if (atom.role === undefined) atom.become('time');
  return giving(call, sliceFlow(flow, time, -1, -(2 ** 31), -1, call));
};

/** An axis of one that goes away. */
const without = (flow: Flow, axis: number): Flow => {
  return { ...flow, axes: flow.axes.filter((_, k) => k !== axis) };
};

export const gather: Operator = (call) => {
  const { node, graph } = call;
  const [value, index] = call.inputs;
  if (value && 'constant' in value && index && 'flow' in index)
    return embedding(call, value.constant, index.flow);
  const rank = dimsOfValue(value!).length;
  const axis = node.axis(node.int('axis', 0), rank);
  const which = constantAt(call, 1, 'its indices')!;
  return byKind(call, {
    constant: (c) => taken(c, axis, which, node, graph),
    dims: (dims) => {
      if (typeof dims[axis] === 'string') unknownSize(node, dims[axis]);
      return [...dims.slice(0, axis), ...which.dims, ...dims.slice(axis + 1)];
    },
    flow: (flow) => {
      const size = sizeOf(flow.axes[axis]!);
      const places = numbersOf(which) ?? node.refuse('its indices are unknown or not whole');
      if (which.dims.length > 1) node.refuse('its indices have several axes');
      const isOne = which.dims.length === 0;
      const [place = 0] = places;
      let made: Flow;
      if (places.length === 1)
        made = sliceFlow(flow, axis, place, place === -1 ? 2 ** 31 : place + 1, 1, call);
      else {
        if (typeof size === 'string') unknownSize(node, size);
        const held = places.map((place) => (place < 0 ? place + size : place));
        if (held.some((place) => !(place >= 0 && place < size)))
          node.refuse('an index is too large');
        made = picked(flow, axis, held, call);
      }
      return isOne ? without(made, axis) : made;
    },
  });
};

/** Rows of a table by tokens. */
function embedding(call: Call, table: Constant, tokens: Flow): Value[] {
  const { node, graph } = call;
  const [count, width] = table.dims;
  if (node.int('axis', 0) !== 0 || table.dims.length !== 2)
    node.refuse('its table is no matrix of rows');
  const input = tokens.input ?? node.refuse('its indices are computed when the model runs');
  asRows(tokens.axes.flat(), node);
  input.isTokens = true;
  const options = { numEmbeddings: count, embeddingDim: width };
  const weight = { shape: [count!, width!], data: floatsOf(table) };
  const { name } = graph.build.add(node, 'embedding', options, [tokens], { weight });
  const made = axisOf(width!, 'features');
  const axes = [...tokens.axes, made];
  return giving(call, { source: name, rows: tokens.rows, axes, held: [...tokens.held, ...made] });
}

export const split: Operator = (call) => {
  const { node, graph } = call;
  const [value] = call.inputs;
  const dims = dimsOfValue(value!);
  const axis = node.axis(node.int('axis', 0), dims.length);
  const size = dims[axis]!;
  if (typeof size === 'string') unknownSize(node, size);
  const count = node.outputs.length;
  if (node.int('num_outputs', count) !== count) node.refuse('its num_outputs does not fit');
  const even = Math.ceil(size / count);
  const equal = Array.from({ length: count }, (_, k) => Math.min(even, size - k * even));
  const pieces = numbersAt(call, 1, 'split') ?? equal;
  if (pieces.reduce((a, b) => a + b, 0) !== size) node.refuse('its pieces do not fit');
  let from = 0;
  return pieces.map((piece) => {
    from += piece;
    const range = [from - piece, from] as const;
    const { constant } = value as { constant?: Constant };
    const part = { from: range[0], count: piece, step: 1 };
    if (constant) return { constant: sliced(constant, axis, part, graph) };
    if (value && 'spread' in value) {
      const { base } = value.spread;
      return {
        spread: {
          base: base.dims[axis] === 1 ? base : sliced(base, axis, part, graph),
          dims: dims.map((own, k) => (k === axis ? piece : own)),
        },
      };
    }
    return { flow: sliceFlow(flowAt(call, 0), axis, ...range, 1, call) };
  });
};

export const concat: Operator = (call) => {
  const { node, graph } = call;
  const { build } = graph;
  const rank = dimsOfValue(call.inputs[0]!).length;
  const axis = node.axis(node.int('axis', 0), rank);
  if (call.inputs.some((value) => dimsOfValue(value!).length !== rank)) {
    node.refuse('its inputs have different numbers of axes');
  }
  const constants = call.inputs.flatMap((value) =>
    value && 'constant' in value ? [value.constant] : [],
  );
  const isMixed = call.inputs.some((value) => !value || !('flow' in value));
  if (constants.length === call.inputs.length) {
    const full = constants.filter(({ dims }) => dims[axis] !== 0);
    return [{ constant: full.length > 1 ? joined(full, axis, graph) : (full[0] ?? constants[0]!) }];
  }
  if (!call.inputs.some((value) => value && 'flow' in value)) return [joinedSpreads(call, axis)];
  if (isMixed) return padded(call, axis);
  if (call.inputs.length === 1) return pass(call);
  const given = call.inputs.map((_, k) => {
    const flow = flowAt(call, k);
    return flow.axes[axis]!.some(isTime) ? build.flattened(flow, node) : flow;
  });
  const flows = unmixed(given, call);
  for (const flow of flows) asFeatures(flow.axes[axis]!, node);
  // The axis that is joined may differ, all others are the same.
  const rest = (flow: Flow): Flow => ({ ...flow, axes: flow.axes.filter((_, k) => k !== axis) });
  aligned(flows.map(rest), call);
  const together = build.together(flows, node);
  const order = heldOrder(widestOf(together));
  const turned = together.map((flow) => ({ ...flow, axes: order.map((k) => flow.axes[k]!) }));
  const joined_ = concatenated(turned, order.indexOf(axis), call);
  return giving(call, { ...joined_, axes: order.map((_, k) => joined_.axes[order.indexOf(k)]!) });
};

/** Constants that are the same along axes of unknown sizes, one behind the other. */
function joinedSpreads({ node, inputs, graph }: Call, axis: number): Value {
  const parts = inputs.map((value) => {
    if (value && 'spread' in value) return value.spread;
    const { constant } = value as { constant: Constant };
    return { base: constant, dims: constant.dims };
  });
  const [{ dims: first }] = parts as [Spread];
  const fits = parts.every(({ dims }) => dims.every((size, k) => k === axis || size === first[k]));
  if (!fits) node.refuse('its inputs do not fit together');
  const lengths = parts.map(({ dims }) => {
    const size = dims[axis]!;
    return typeof size === 'number' ? size : unknownSize(node, size);
  });
  // Along each other axis all are as long as the longest.
  const longest = first.map((_, k) => Math.max(...parts.map(({ base }) => base.dims[k] ?? 1)));
  const bases = parts.map(({ base }, part) => {
    const dims = longest.map((size, k) => (k === axis ? lengths[part]! : size));
    return expanded(base, dims, graph);
  });
  const total = lengths.reduce((a, b) => a + b, 0);
  const dims = first.map((size, k) => (k === axis ? total : size));
  return { spread: { base: joined(bases, axis, graph), dims } };
}

/** Features of flows side by side, along an axis of those that all hold in one order. */
function concatenated(flows: readonly Flow[], axis: number, call: Call): Flow {
  const { node, graph } = call;
  const { build } = graph;
  const outside = flows[0]!.axes.slice(0, axis).filter((atoms) => atoms.some(isFeature));
  if (outside.length === 1 && flows.every(({ rows }) => rows.kind !== 'inner')) {
    // What is side by side in each of several parts is so in each of as many steps.
    const at = flows[0]!.axes.indexOf(outside[0]!);
    const steps = flows.map((flow) => {
      return build.unfolded(flow, flow.axes[at]!.filter(isFeature), node);
    });
    return concatenated(steps, axis, call);
  }
  const ready = flows.map((flow) => build.natural(flow, node));
  const { name } = build.add(node, 'concat', {}, ready);
  const lengths = ready.map((flow) => sizeOf(flow.axes[axis]!) as number);
  const total = lengths.reduce((a, b) => a + b, 0);
  const [first] = ready as [Flow];
  const before = first.axes.slice(0, axis).flat().filter(isFeature);
  const after = first.axes
    .slice(axis + 1)
    .flat()
    .filter(isFeature);
  const outer = productOfDims(before.map(({ size }) => size)) as number;
  const inner = productOfDims(after.map(({ size }) => size)) as number;
  const made = axisOf(total, 'features');
  const axes = first.axes.map((each, k) => (k === axis ? made : each));
  const rowAtoms = first.held.filter((atom) => !isFeature(atom));
  const flow = {
    source: name,
    rows: first.rows,
    axes,
    held: [...rowAtoms, ...before, ...made, ...after],
  };
  if (outer === 1) return flow;
  // One flow after the other, while ONNX has their rows side by side.
  graph.take(outer * total * inner);
  const map: number[] = [];
  for (let o = 0; o < outer; o++) {
    let base = 0;
    for (const length of lengths) {
      for (let k = 0; k < length * inner; k++) map.push(base + o * length * inner + k);
      base += outer * length * inner;
    }
  }
  const width = map.length;
  const whole = { ...flow, axes: [axisOf(width, 'features')], held: [] as Atom[] };
  const joinedFlow = { ...whole, held: whole.axes[0]! };
  const { source } = build.features(joinedFlow, map, flow.held, node);
  return { ...flow, source };
}

/** Zeros before or behind steps, which a convolution adds; other constants become features. */
function padded(call: Call, axis: number): readonly (Value | undefined)[] {
  const at = call.inputs.findIndex((value) => value && 'flow' in value);
  const flow = flowAt(call, at);
  const [atom, ...others] = flow.axes[axis]!;
  const isOpen = atom !== undefined && (isTime(atom) || typeof atom.size === 'string');
  if (isOpen && !others.length && atom.become('time'))
    return [{ flow: paddedSteps(call, axis, at) }];
  const inputs = call.inputs.map((value) =>
    value && 'flow' in value ? value : { flow: constantFeatures(value!, flow, axis, call) },
  );
  return concat({ ...call, inputs });
}

function paddedSteps(call: Call, axis: number, at: number): Flow {
  const isPlain = call.inputs.every((value, k) => {
    const constant = value && 'constant' in value ? value.constant : undefined;
    return k === at || (constant && isZero(constant));
  });
  if (!isPlain) call.node.refuse('it joins steps that are computed with others than zeros');
  const counts = call.inputs.map((value) => dimsOfValue(value!)[axis] as number);
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
  return padSteps(flowAt(call, at), sum(counts.slice(0, at)), sum(counts.slice(at + 1)), call);
}

/** Constants along an axis of features, in each row of a flow: nothing of it, and an offset. */
function constantFeatures(value: Value, like: Flow, axis: number, call: Call): Flow {
  const { node, graph } = call;
  const spread = 'spread' in value ? value.spread.base : undefined;
  const constant = 'constant' in value ? value.constant : spread;
  const count = dimsOfValue(value)[axis];
  if (!constant || typeof count !== 'number') return node.refuse('it joins what has no size');
  graph.take(count);
  const same = alike(like, constant, axis, call);
  const none = picked(like, axis, Array<number>(count).fill(-1), call);
  const offset = perFeature(none, same, call);
  return offset === 0 ? none : graph.build.map(node, 'scale', { offset }, none);
}

/** A constant without axes along which rows differ: it is the same in each. */
function alike(like: Flow, constant: Constant, axis: number, { node, graph }: Call): Constant {
  return like.axes.reduce((own, atoms, k) => {
    if (k === axis || own.dims[k] === 1 || atoms.every(isFeature)) return own;
    const one = sliced(own, k, { from: 0, count: 1, step: 1 }, graph);
    const { data } = expanded(one, own.dims, graph);
    if (own.data.some((x, j) => x !== data[j]))
      node.refuse('it joins constants that differ from row to row');
    return one;
  }, constant);
}

/** Zeros in front of a sequence and behind it, which the next convolution may take in. */
function padSteps(flow: Flow, front: number, back: number, { graph, node }: Call): Flow {
  if (front < 0 || back < 0) {
    return node.refuse('it cuts steps by padding less than none');
  }
  if (front > 65_536 || back > 65_536) node.refuse('it pads more steps than are supported');
  flow.rows.become('step');
  const time = flow.axes.flat().find(isTime)!;
  const size =
    typeof time.size === 'number'
      ? time.size + front + back
      : graph.names.of(`${time.size}+${front + back}`);
  const [a, b] = flow.pad ?? [0, 0];
  return { ...flow, ...retimed(flow, axisOf(size, 'time')), pad: [a + front, b + back] };
}

export const pad: Operator = (call) => {
  const { node, graph } = call;
  const rank = dimsOfValue(call.inputs[0]!).length;
  const pads = numbersAt(call, 1, 'pads') ?? node.refuse('it has no pads');
  const axes =
    numbersAt(call, 3, 'axes')?.map((axis) => node.axis(axis, rank)) ??
    Array.from({ length: rank }, (_, k) => k);
  const mode = node.text('mode', 'constant');
  const given = constantAt(call, 2, 'its value');
  const value = given?.data.length ? elementsOf(given)[0]! : node.float('value', 0);
  if (pads.length !== 2 * axes.length) node.refuse('its pads do not fit');
  let flow = flowAt(call, 0);
  for (const [k, axis] of axes.entries()) {
    const [front, back] = [pads[k]!, pads[k + axes.length]!];
    if (front === 0 && back === 0) continue;
    const atoms = flow.axes[axis]!;
    const size = sizeOf(atoms);
    const isSteps =
      atoms.length === 1 &&
      (isTime(atoms[0]!) || typeof size === 'string' || (atoms[0]!.role === undefined && rank > 2));
    if (isSteps && mode === 'constant' && value === 0 && atoms[0]!.become('time')) {
      flow = padSteps(flow, front, back, call);
      continue;
    }
    if (typeof size === 'string') unknownSize(node, size);
    if (mode === 'constant' && value !== 0) node.refuse(`it pads with ${value}, not with 0`);
    const length = size + front + back;
    if (length < 1) node.refuse('it leaves nothing, which is not supported');
    graph.take(length);
    const map = Array.from({ length }, (_, j) => {
      const place = j - front;
      if (place >= 0 && place < size) return place;
      if (mode === 'edge') return place < 0 ? 0 : size - 1;
      if (mode === 'reflect') return place < 0 ? -place : 2 * (size - 1) - place;
      return mode === 'constant' ? -1 : node.refuse(`its mode "${mode}" is not supported`);
    });
    flow = picked(flow, axis, map, call);
  }
  return giving(call, flow);
};
