/** What the axes of a flow are, and features along them. */
import { unknownSize } from './call.ts';
import type { Call } from './call.ts';
import { floatsOf } from './constants.ts';
import type { Constant } from './constants.ts';
import { productOfDims } from './dims.ts';
import type { Dim } from './dims.ts';
import { Atom, asFeatures, asRows, axisOf, isFeature, sizeOf, widthOf } from './flow.ts';
import type { Axis, Flow } from './flow.ts';
import { expanded } from './fold.ts';
import type { Node } from './node.ts';

export const isTime = ({ role }: Atom): boolean => role === 'time';

/** Atoms of an input whose roles no operator has told: the usual ones. */
export function settle(flow: Flow, node: Node): void {
  const { axes } = flow;
  const last = axes.at(-1) ?? [];
  const isOpen = axes.length < 3 && typeof last[0]?.size === 'string';
  if (axes.length > 1 && !isOpen) {
    const ends = last.filter((atom) => atom.role === undefined && !atom.isRows);
    asFeatures(ends, node);
  }
  const atoms = axes.flat();
  // A batch of one has no atom.
  const roles = axes.length > 2 && !axes[0]!.length ? (['time'] as const) : ROW_ROLES;
  for (const role of roles) {
    if (atoms.some((atom) => atom.role === role)) continue;
    const next = atoms.find((atom) => atom.role === undefined);
    if (next?.become(role) && role === 'time') flow.rows.become('step');
  }
  for (const atom of atoms) {
    if (atom.role === undefined) asFeatures([atom], node);
  }
}

const ROW_ROLES = ['batch', 'time'] as const;

/** A flow whose axis `axis` are the steps that a layer runs over: features become steps. */
export function asSteps(given: Flow, axis: number, { node, graph }: Call): Flow {
  const { build } = graph;
  const atoms = given.axes[axis]!;
  if (atoms.length === 0) {
    if (given.rows.kind === 'inner') return given;
    given.rows.become('step');
    return given.rows.kind === 'step' ? given : build.unfolded(given, [], node);
  }
  const [first] = atoms as [Axis[0]];
  if (atoms.length === 1 && first.role === 'time') return given;
  const isFlat = (given.rows.first.input?.axes.length ?? 3) < 3;
  const isOpen = atoms.length === 1 && first.role === undefined;
  if (isOpen && (!isFlat || typeof first.size === 'string') && first.become('time')) {
    given.rows.become('step');
    return given;
  }
  return build.unfolded(given, atoms, node);
}

/** Says that an axis is the batch. */
export function asBatch(axis: Axis, node: Node): void {
  for (const atom of axis) {
    if (atom.become('batch')) continue;
    node.refuse(
      atom.role === 'time'
        ? 'it takes as the batch what are the steps of the sequence elsewhere'
        : 'it takes features as the batch, which is not supported',
    );
  }
}

/** A flow with other steps. */
export function retimed(flow: Flow, [time]: readonly Atom[]): Pick<Flow, 'axes' | 'held'> {
  const change = (atoms: Axis): Atom[] =>
    atoms.flatMap((atom) => (isTime(atom) ? (time ? [time] : []) : [atom]));
  return { axes: flow.axes.map(change), held: change(flow.held) };
}

/** Some places of a feature axis, in any order. */
export function picked(
  given: Flow,
  axis: number,
  places: readonly number[],
  { node, graph }: Call,
): Flow {
  // Some of the steps are features of what has all of them.
  const flow = given.axes[axis]!.some(isTime) ? graph.build.flattened(given, node) : given;
  const atoms = flow.axes[axis]!;
  asFeatures(atoms, node);
  if (flow.axes.flat().some(({ role }) => role === undefined)) {
    const others = flow.axes.filter((_, k) => k !== axis).flat();
    if (axis === flow.axes.length - 1 && flow.axes.length < 4)
      asRows(
        others.filter(({ role }) => role === undefined),
        node,
      );
    else settle(flow, node);
  }
  const naturally = graph.build.natural(flow, node);
  const own = naturally.axes.flat().filter(isFeature);
  const size = sizeOf(atoms) as number;
  const at = atoms.length ? own.indexOf(atoms[0]!) : own.length;
  const outer = productOfDims(own.slice(0, at).map((atom) => atom.size));
  const inner = productOfDims(own.slice(at + atoms.length).map((atom) => atom.size));
  if (typeof outer === 'string') unknownSize(node, outer);
  if (typeof inner === 'string') unknownSize(node, inner);
  const made = axisOf(places.length, 'features');
  graph.take(outer * inner * Math.max(places.length, 1));
  const map = Array<number>(outer * places.length * inner);
  let end = 0;
  for (let o = 0; o < outer; o++) {
    for (const place of places) {
      const first = (o * size + place) * inner;
      for (let k = 0; k < inner; k++) map[end++] = place < 0 ? -1 : first + k;
    }
  }
  const held = [...own.slice(0, at), ...made, ...own.slice(at + atoms.length)];
  const axes = flow.axes.map((each, k) => (k === axis ? made : each));
  return { ...graph.build.features(naturally, map, held, node), axes };
}

/** Flows of one rank: steps of one that are features of another are features of both. */
export function unmixed(flows: readonly Flow[], { node, graph }: Call): Flow[] {
  const rank = Math.max(...flows.map(({ axes }) => axes.length));
  const hasFeatures = (at: number): boolean =>
    flows.some(({ axes }) => axes[at - rank + axes.length]?.some(isFeature));
  return flows.map((flow) => {
    const { length } = flow.axes;
    const isMixed = flow.axes.some(
      (axis, k) => axis.some(isTime) && hasFeatures(k + rank - length),
    );
    return isMixed ? graph.build.flattened(flow, node) : flow;
  });
}

/** Axes of one rank, and atoms that are the same joined; rows of what is smaller stay. */
export function aligned(flows: readonly Flow[], { node }: Call): Flow[] {
  const rank = Math.max(...flows.map(({ axes }) => axes.length));
  const all = flows.map((flow): Flow => {
    const more = Array.from({ length: rank - flow.axes.length }, (): Axis => []);
    return { ...flow, axes: [...more, ...flow.axes] };
  });
  for (let k = 0; k < rank; k++) {
    const axes = all.map((flow) => flow.axes[k]!).filter((axis) => axis.length);
    const [first, ...others] = axes;
    for (const other of others) {
      if (first!.length === 1 && other.length === 1) {
        const [a, b] = [first![0]!, other[0]!];
        const isSame =
          typeof a.size === 'string' || typeof b.size === 'string' || a.size === b.size;
        if (isSame && a.join(b)) continue;
        node.refuse(`it joins axes of ${a.size} and ${b.size} that are not the same`);
      }
      const [left, right] = [first!, other].map((axis) => axis.filter((atom) => !isFeature(atom)));
      if (left!.length !== right!.length) node.refuse('it joins steps and features');
      for (const [j, atom] of left!.entries())
        if (right![j] && !atom.join(right![j])) node.refuse('it joins steps and the batch');
    }
  }
  return all;
}

/** A constant as a number, or as one for each feature of a flow in the order that it holds. */
export function perFeature(
  flow: Flow,
  constant: Constant,
  { node, graph }: Call,
): number | number[] {
  const numbers = floatsOf(constant);
  const [first] = numbers;
  if (first === undefined) node.refuse('its constant has no elements');
  if (numbers.every((x) => Object.is(x, first))) return first;
  const rank = flow.axes.length;
  const dims = [...Array<number>(rank - constant.dims.length).fill(1), ...constant.dims];
  const wide = flow.axes.map((axis, k) => {
    const features = axis.filter(isFeature);
    if (dims[k] === 1) return productOfDims(features.map(({ size }) => size));
    if (sizeOf(axis) !== dims[k]) node.refuse('its constant does not fit');
    asFeatures(axis, node);
    return dims[k]!;
  });
  for (const size of wide) if (typeof size === 'string') unknownSize(node, size);
  const { data } = expanded({ ...constant, dims }, wide as number[], graph);
  const width = widthOf(flow, node);
  const places = graph.build.order(flow, node);
  const list = Array<number>(width);
  for (const [k, place] of places.entries()) list[place] = (data as Float32Array)[k]!;
  return list;
}

/** The features that a product goes over: all of a row, in the order that it holds. */
export function wholeRow(flow: Flow, axis: number, call: Call): { flow: Flow; places: number[] } {
  const { node, graph } = call;
  const { build } = graph;
  let own = build.closed(build.ready(flow, node), node);
  const atoms = (): Axis => own.axes[axis] ?? node.refuse('its input has too few axes');
  if (atoms().some(isTime)) own = build.flattened(own, node);
  asFeatures(atoms(), node);
  for (const [k, each_] of own.axes.entries()) if (k !== axis) asRows(each_, node);
  return { flow: own, places: build.order(own, node) };
}

/** Features of a row. */
export const widthsOf = (flow: Flow): Dim =>
  productOfDims(flow.held.filter(isFeature).map(({ size }) => size));

export const widestOf = (flows: readonly Flow[]): Flow =>
  flows.reduce((a, b) => (Number(widthsOf(b)) > Number(widthsOf(a)) ? b : a));

/** Axes in an order in which a flow holds its features side by side. */
export function heldOrder({ axes, held }: Flow): number[] {
  const places = new Map(held.map((atom, k) => [atom, k]));
  const own = axes.map((_, k) => k).filter((k) => axes[k]!.some(isFeature));
  const sorted = [...own].sort((a, b) => placeOf(axes[a]!, places) - placeOf(axes[b]!, places));
  return axes.map((_, k) => (own.includes(k) ? sorted[own.indexOf(k)]! : k));
}

const placeOf = (axis: Axis, places: ReadonlyMap<Atom, number>): number =>
  places.get(axis.find(isFeature)!) ?? 0;
