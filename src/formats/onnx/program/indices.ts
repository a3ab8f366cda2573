/** Operators that read or write by places, give places, or go over an axis in order. */
import { numbersOf } from '../constants.ts';
import { constantAt, integersOf } from '../call.ts';
import type { Call } from '../call.ts';
import type { Machine, ProgramOperator } from './machine.ts';
import { cut, plainStrides, sizeOf, turned } from './tensor.ts';
import type { Tensor } from './tensor.ts';
import { picked } from './pick.ts';
import { reduced } from './rows.ts';

/** Most elements that a place in float32 tells apart. */
const MAX_PLACES = 2 ** 24;

/** Most steps of a running sum, and numbers that are chosen. */
const [MAX_STEPS, MAX_CHOSEN] = [4096, 64];
/** Elements that the step of a program is counted as. */
const STEP = 64;

/** A list of whole numbers along one axis of a tensor of some rank. */
function along(list: readonly number[], axis: number, rank: number, machine: Machine): Tensor {
  const dims = Array.from({ length: rank }, (_, k) => (k === axis ? list.length : 1));
  return machine.table(dims, Float32Array.from(list));
}

/** Indices of an axis: what counts from its end counts from its front. */
function fromFront(index: Tensor, size: number, { node }: Call, machine: Machine): Tensor {
  const below = machine.elementwise('greater', node, machine.number(0), index);
  const shift = machine.elementwise('multiply', node, below, machine.number(size));
  return machine.elementwise('add', node, index, shift);
}

/** The indices that a node has, each within its axis where that is known. */
function indexAt(call: Call, k: number, sizes: readonly number[], machine: Machine): Tensor {
  const value = call.inputs[k];
  const list = value && 'constant' in value ? numbersOf(value.constant) : [];
  const isWithin = list?.every((n, at) => {
    const size = sizes[at % sizes.length]!;
    return n >= -size && n < size;
  });
  return isWithin ? machine.tensorAt(call, k) : call.node.refuse('an index is none of its axis');
}

/** Where elements of `data` lie that differ from their own places along one axis alone. */
function placesAlong(call: Call, data: Tensor, machine: Machine): Tensor {
  const { node, graph } = call;
  const rank = data.dims.length;
  const axis = node.axis(node.int('axis', 0), rank);
  const index = indexAt(call, 1, [data.dims[axis]!], machine);
  const fits =
    index.dims.length === rank &&
    index.dims.every((size, k) => k === axis || size <= data.dims[k]!) &&
    sizeOf(data.dims) <= MAX_PLACES;
  if (!fits) node.refuse('its indices do not fit');
  const strides = plainStrides(data.dims);
  const own = fromFront(index, data.dims[axis]!, call, machine);
  const start = machine.elementwise('multiply', node, own, machine.number(strides[axis]!));
  return index.dims.reduce((places, size, k) => {
    if (k === axis || size === 1) return places;
    graph.take(size);
    const steps = Array.from({ length: size }, (_, at) => at * strides[k]!);
    return machine.elementwise('add', node, places, along(steps, k, rank, machine));
  }, start);
}

export const gatherElements: ProgramOperator = (call, machine) => {
  const x = machine.tensorAt(call, 0);
  const places = placesAlong(call, x, machine);
  const flat = machine.reshaped(x, [sizeOf(x.dims)], call.node);
  return [{ tensor: picked(flat, 0, places, call, machine) }];
};

export const scatterElements: ProgramOperator = (call, machine) => {
  const { node } = call;
  if (node.text('reduction', 'none') !== 'none') node.refuse('it adds up, which is not supported');
  const data = machine.tensorAt(call, 0);
  const places = machine.plain(placesAlong(call, data, machine), node);
  const updates = machine.plain(machine.tensorAt(call, 2), node);
  if (String(updates.dims) !== String(places.dims)) node.refuse('its updates do not fit');
  const to = machine.copy(data, node);
  machine.add({
    op: 'scatter',
    to,
    a: updates,
    b: places,
    count: sizeOf(places.dims),
    size: sizeOf(data.dims),
    row: 1,
    axes: [[1, 0, 0, 0]],
  });
  return [{ tensor: to }];
};

export const gatherNd: ProgramOperator = (call, machine) => {
  const { node, graph } = call;
  const x = machine.tensorAt(call, 0);
  const batches = node.int('batch_dims', 0);
  const shape = machine.tensorAt(call, 1).dims;
  const depth = shape.at(-1) ?? 0;
  const [outer, inner] = [x.dims.slice(0, batches + depth), x.dims.slice(batches + depth)];
  const fits =
    depth > 0 &&
    batches >= 0 &&
    batches < shape.length &&
    batches + depth <= x.dims.length &&
    shape.slice(0, batches).every((size, k) => size === x.dims[k]) &&
    sizeOf(outer) <= MAX_PLACES;
  if (!fits) node.refuse('its indices do not fit');
  const index = indexAt(call, 1, outer.slice(batches), machine);
  const strides = plainStrides(outer);
  const rank = shape.length - 1;
  const all = Array.from({ length: rank }, (_, k) => k);
  let places: Tensor | undefined;
  const add = (part: Tensor): void => {
    places = places ? machine.elementwise('add', node, places, part) : part;
  };
  for (let k = 0; k < depth; k++) {
    const one = turned(cut(index, rank, k, 1), all);
    const own = fromFront(one, outer[batches + k]!, call, machine);
    add(machine.elementwise('multiply', node, own, machine.number(strides[batches + k]!)));
  }
  for (let k = 0; k < batches; k++) {
    graph.take(outer[k]!);
    const steps = Array.from({ length: outer[k]! }, (_, at) => at * strides[k]!);
    add(along(steps, k, rank, machine));
  }
  const rows = machine.reshaped(x, [sizeOf(outer), sizeOf(inner)], node);
  const made = picked(rows, 0, places!, call, machine);
  return [{ tensor: machine.reshaped(made, [...shape.slice(0, -1), ...inner], node) }];
};

/** The largest number along the last axis, and the first or the last place that has it. */
function largest(
  x: Tensor,
  isLast: boolean,
  call: Call,
  machine: Machine,
): { value: Tensor; place: Tensor } {
  const { node, graph } = call;
  const rank = x.dims.length;
  const size = x.dims[rank - 1]!;
  graph.take(size);
  const wide = (made: Tensor): Tensor => machine.reshaped(made, [...made.dims, 1], node);
  const value = wide(reduced(x, rank - 1, 'largest', call, machine));
  const rising = Array.from({ length: size }, (_, k) => (isLast ? k + 1 : size - k));
  const ranks = along(rising, rank - 1, rank, machine);
  const is = machine.elementwise('equal', node, x, value);
  const found = machine.elementwise('multiply', node, is, ranks);
  const best = wide(reduced(found, rank - 1, 'largest', call, machine));
  const place = isLast
    ? machine.elementwise('subtract', node, best, machine.number(1), false)
    : machine.elementwise('subtract', node, machine.number(size), best, false);
  return { value, place };
}

/** A tensor whose axis is the last one, or has been. */
function moved(x: Tensor, axis: number, isBack = false): Tensor {
  const order = x.dims.map((_, k) => k).filter((k) => k !== axis);
  if (!isBack) return turned(x, [...order, axis]);
  const last = x.dims.length - 1;
  const others = Array.from({ length: last }, (_, k) => k);
  return turned(x, [...others.slice(0, axis), last, ...others.slice(axis)]);
}

const turnedSign = (x: Tensor, isLargest: boolean, { node }: Call, machine: Machine): Tensor =>
  isLargest ? x : machine.elementwise('multiply', node, x, machine.number(-1));

/** The place of the largest or the smallest number along an axis. */
export const argument: ProgramOperator = (call, machine) => {
  const { node } = call;
  const given = machine.tensorAt(call, 0);
  const axis = node.axis(node.int('axis', 0), given.dims.length);
  const x = turnedSign(moved(given, axis), node.type === 'ArgMax', call, machine);
  const { place } = largest(x, node.int('select_last_index', 0) === 1, call, machine);
  const all = given.dims.map((_, k) => k);
  const kept = node.int('keepdims', 1) ? all : all.filter((k) => k !== axis);
  return [{ tensor: turned(moved(place, axis, true), kept) }];
};

/** The largest or smallest numbers along an axis in their order, and their places. */
export const topK: ProgramOperator = (call, machine) => {
  const { node, graph } = call;
  const given = machine.tensorAt(call, 0);
  const rank = given.dims.length;
  const axis = node.axis(node.int('axis', -1), rank);
  const [count = 0] = integersOf(call, 1, 'k') ?? [node.int('k', 0)];
  const size = given.dims[axis]!;
  if (typeof count !== 'number' || count < 1 || count > Math.min(size, MAX_CHOSEN)) {
    return node.refuse(`it chooses ${count} of ${size}, which is not supported`);
  }
  const isLargest = node.int('largest', 1) === 1;
  let x = machine.copy(turnedSign(moved(given, axis), isLargest, call, machine), node);
  graph.take(size + STEP * count);
  const ranks = along(
    Array.from({ length: size }, (_, k) => k),
    rank - 1,
    rank,
    machine,
  );
  const dims = [...x.dims.slice(0, -1), count];
  const [values, places] = [machine.make(dims, node), machine.make(dims, node, false)];
  for (let k = 0; k < count; k++) {
    const { value, place } = largest(x, false, call, machine);
    machine.fill(cut(values, rank - 1, k, 1), 'copy', value);
    machine.fill(cut(places, rank - 1, k, 1), 'copy', place);
    if (k === count - 1) break;
    const which = machine.elementwise('equal', node, ranks, place);
    x = machine.copy(x, node);
    machine.fill(x, 'pick', machine.number(-3.4e38), which);
  }
  const signed = turnedSign(values, isLargest, call, machine);
  return [signed, places].map((made) => ({ tensor: moved(made, axis, true) }));
};

/** Running sums. */
export const runningSum: ProgramOperator = (call, machine) => {
  const { node, graph } = call;
  const x = machine.tensorAt(call, 0);
  const [given = 0] = numbersOf(constantAt(call, 1, 'its axis')!) ?? [];
  const axis = node.axis(given, x.dims.length);
  const size = x.dims[axis]!;
  if (size > MAX_STEPS) node.refuse(`it adds up ${size} numbers, more than are supported`);
  graph.take(STEP * size);
  const own = node.int('reverse', 0) ? cut(x, axis, size - 1, size, -1) : x;
  const made = machine.make(x.dims, node, x.isFloat);
  const to = node.int('reverse', 0) ? cut(made, axis, size - 1, size, -1) : made;
  const shift = node.int('exclusive', 0) === 1 ? 1 : 0;
  for (let k = 0; k < size; k++) {
    const at = cut(to, axis, k, 1);
    if (k < shift) machine.fill(at, 'copy', machine.number(0));
    else if (k === 0) machine.fill(at, 'copy', cut(own, axis, 0, 1));
    else machine.fill(at, 'add', cut(to, axis, k - 1, 1), cut(own, axis, k - shift, 1));
  }
  return [{ tensor: made }];
};
