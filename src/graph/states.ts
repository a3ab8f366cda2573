import { checkApart } from '../base/arrays.ts';
import { checkFloats, checkKeys, ownFloats, readOptions } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import type { LayerState, ModelState } from '../base/tensor.ts';
import { NONE, part } from '../engine/plan.ts';
import type { Plan, Slot } from '../engine/plan.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Node, StateSpec } from '../ops/op.ts';
import type { Graph } from './graph.ts';

/** Where one state [count, B, row] of a node is, or its gradient. */
export interface StatePlace {
  readonly node: Node;
  readonly spec: StateSpec;
  /** Where it stands in the array of its layer, in states. */
  readonly place: number;
  readonly slot: Slot;
  /** The sequence of inputs whose rows its node goes over. */
  readonly sequence: number;
  /** [count, row]: what it is where nobody gives it; zeros where absent. */
  readonly initial?: Slot | undefined;
}

/** The caller's row at each of the places of a state; `undefined` where it is the same. */
type OrderOf = (place: StatePlace) => Int32Array | undefined;

/** Places of all states of a graph; what is inside of a step keeps none from one to the next. */
export function statePlaces(
  { nodes, isInside, sequenceOf }: Graph,
  slotOf: (spec: StateSpec, k: number, index: number) => Slot,
): StatePlace[] {
  const counts = new Map<string, number>();
  return nodes.flatMap((node, index) =>
    (isInside[index] ? [] : node.states).map((spec, k) => {
      const array = `${spec.role} ${node.layer}`;
      const place = counts.get(array) ?? 0;
      counts.set(array, place + spec.count);
      return { node, spec, place, slot: slotOf(spec, k, index), sequence: sequenceOf[index]! };
    }),
  );
}

/** Places for checks alone, before there is memory. */
export function unplaced(graph: Graph): StatePlace[] {
  return statePlaces(graph, () => NONE);
}

/** Places of their own for `count` states of a batch, one after the other. */
export function reserveStates(plan: Plan, graph: Graph, batch: number, count = 1): StatePlace[] {
  return statePlaces(graph, (spec) => plan.reserve(count * lengthOf(spec, batch)));
}

function lengthOf({ count, row }: StateSpec, batch: number): number {
  return count * batch * row;
}

/** State number `k` of places that hold several. */
export function placesAt(places: readonly StatePlace[], batch: number, k: number): StatePlace[] {
  return places.map((place) => ({
    ...place,
    slot: part(place.slot, k * lengthOf(place.spec, batch)),
  }));
}

/** The shape of a layer's state, for errors. */
function shapeOf(stack: readonly StatePlace[], batch: number): string {
  const { width, meaning } = stack[0]!.spec;
  return `${countOf(stack)} ${meaning[0]} x ${batch} rows x ${width} ${meaning[1]}`;
}

/** The places of each layer and role, in their order. */
function byLayer(places: readonly StatePlace[]): Map<string, Map<StateSpec['role'], StatePlace[]>> {
  const layers = new Map<string, Map<StateSpec['role'], StatePlace[]>>();
  for (const place of places) {
    const { layer } = place.node;
    const roles = layers.get(layer) ?? new Map<StateSpec['role'], StatePlace[]>();
    const known = roles.get(place.spec.role);
    if (known) known.push(place);
    else layers.set(layer, roles.set(place.spec.role, [place]));
  }
  return layers;
}

/** States of an array [count, B, width] of a layer. */
export function countOf(stack: readonly StatePlace[]): number {
  return stack.reduce((sum, { spec }) => sum + spec.count, 0);
}

/**
 * A state, checked against what it is for, as a copy that nobody else can change.
 *
 * @param isInitial whether it stands before the first step, where other layers may say what it is.
 */
export function checkState(
  places: readonly StatePlace[],
  state: ModelState,
  batch: number,
  isInitial = true,
): ModelState {
  const layers = byLayer(places);
  const given = readOptions('state', state, [...layers.keys()]);
  const checked = new Map<string, LayerState>();
  for (const [layer, roles] of layers) {
    if (!Object.hasOwn(given, layer)) continue;
    if (isInitial && [...roles.values()][0]![0]!.spec.isFromNode) {
      const message = `"state.${layer}" is what the layer's "initialState" names: leave it out`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    const values = readOptions(`state.${layer}`, given[layer]!, [...roles.keys()]);
    const own = [...roles].map(([role, stack]) => {
      const length = countOf(stack) * batch * stack[0]!.spec.width;
      const name = `state.${layer}.${role}`;
      return [role, ownFloats(name, values[role], length, shapeOf(stack, batch))];
    });
    checked.set(layer, Object.fromEntries(own) as LayerState);
  }
  return Object.fromEntries(checked);
}

/**
 * Writes a checked state; layers that it does not name become zero, or what they learned.
 *
 * @param orderOf absent where all rows are in the caller's order.
 */
export function writeState(
  kernels: Kernels,
  places: readonly StatePlace[],
  state: ModelState,
  batch: number,
  orderOf?: OrderOf,
): void {
  for (const at of places) {
    const { node, spec, place, slot, initial } = at;
    const order = orderOf?.(at);
    const given = Object.hasOwn(state, node.layer) ? state[node.layer]![spec.role] : undefined;
    const { count, row, width } = spec;
    kernels.zero(slot, 0, lengthOf(spec, batch));
    if (!given && initial) {
      for (let b = 0; b < batch; b++) kernels.copy(slot, b * row, initial, 0, row);
    }
    if (!given) continue;
    for (let k = 0; k < count; k++) {
      for (let b = 0; b < batch; b++) {
        const from = ((place + k) * batch + (order ? order[b]! : b)) * width;
        const target = kernels.floats(slot, (k * batch + b) * row, width);
        target.set(given.subarray(from, from + width));
      }
    }
  }
}

/** A fresh copy, in the caller's order of rows. */
export function readState(
  kernels: Kernels,
  places: readonly StatePlace[],
  batch: number,
  orderOf?: OrderOf,
): ModelState {
  const state = new Map<string, LayerState>();
  for (const [layer, roles] of byLayer(places)) {
    const arrays = [...roles].map(([role, stack]) => {
      const values = new Float32Array(countOf(stack) * batch * stack[0]!.spec.width);
      for (const place of stack) takeState(kernels, place, values, batch, orderOf?.(place));
      return [role, values];
    });
    state.set(layer, Object.fromEntries(arrays) as LayerState);
  }
  return Object.fromEntries(state);
}

/** Writes one row of a state, as `readState` gives it, to that row alone. Allocates nothing. */
export function writeRow(
  kernels: Kernels,
  places: readonly StatePlace[],
  state: ModelState,
  batch: number,
  b: number,
): void {
  for (let i = 0; i < places.length; i++) {
    const { node, spec, place, slot } = places[i]!;
    const { count, row, width } = spec;
    const values = state[node.layer]![spec.role]!;
    for (let k = 0; k < count; k++) {
      const target = (k * batch + b) * row;
      kernels.put(slot, target, values, ((place + k) * batch + b) * width, width);
    }
  }
}

/** A copy of one row of the states, as a state of batch 1. */
export function readRow(
  kernels: Kernels,
  places: readonly StatePlace[],
  batch: number,
  b: number,
): ModelState {
  const layers = [...byLayer(places)].map(([layer, roles]) => {
    const arrays = [...roles].map(([role, stack]) => {
      const values = new Float32Array(countOf(stack) * stack[0]!.spec.width);
      for (const { spec, place, slot } of stack) {
        const { count, row, width } = spec;
        for (let k = 0; k < count; k++) {
          kernels.take(values, (place + k) * width, slot, (k * batch + b) * row, width);
        }
      }
      return [role, values];
    });
    return [layer, Object.fromEntries(arrays) as LayerState];
  });
  return Object.fromEntries(layers) as ModelState;
}

/** Writes the states of one place to their part of a layer's array. Allocates nothing. */
function takeState(
  kernels: Kernels,
  { spec, place, slot }: StatePlace,
  to: Float32Array,
  batch: number,
  order?: Int32Array,
): void {
  const { count, row, width } = spec;
  for (let k = 0; k < count; k++) {
    for (let b = 0; b < batch; b++) {
      const target = (place + k) * batch + (order ? order[b]! : b);
      kernels.take(to, target * width, slot, (k * batch + b) * row, width);
    }
  }
}

/** The arrays of a `ModelState`: the places of each. */
export function stateArrays(places: readonly StatePlace[]): {
  readonly layer: string;
  readonly role: StateSpec['role'];
  readonly stack: readonly StatePlace[];
}[] {
  return [...byLayer(places)].flatMap(([layer, roles]) =>
    [...roles].map(([role, stack]) => ({ layer, role, stack })),
  );
}

/**
 * Writes states into arrays of the caller, time and again. Names, lengths and texts of errors are
 * made once, so that a call with arrays that are known allocates nothing.
 */
export class StateWriter {
  readonly #batch: number;
  readonly #layers: ReadonlySet<string>;
  readonly #arrays: readonly StateArray[];
  /** Arrays that do not overlap, by the first of them. */
  readonly #apart = new WeakMap<Float32Array, readonly Float32Array[]>();

  constructor(places: readonly StatePlace[], batch: number) {
    this.#batch = batch;
    this.#arrays = stateArrays(places).map(({ layer, role, stack }) => {
      const length = countOf(stack) * batch * stack[0]!.spec.width;
      const title = `into.${layer}.${role}`;
      return { layer, role, title, length, shape: shapeOf(stack, batch), stack, given: NOWHERE };
    });
    this.#layers = new Set(this.#arrays.map(({ layer }) => layer));
  }

  /** Checks all arrays of a caller, each read once, and keeps them for the call of `write`. */
  check(into: ModelState): void {
    // A loop allocates nothing; the list of keys that `checkKeys` makes would.
    let isKnown = typeof into === 'object' && into !== null;
    if (isKnown) for (const layer in into) isKnown &&= this.#layers.has(layer);
    if (!isKnown) checkKeys('into', into, [...this.#layers]);
    for (let i = 0; i < this.#arrays.length; i++) {
      const array = this.#arrays[i]!;
      const given: unknown = into[array.layer]?.[array.role];
      array.given = checkFloats(array.title, given, array.length, array.shape);
    }
    this.#checkApart();
  }

  /** Refuses arrays that overlap. Those that have been compared before are known. */
  #checkApart(): void {
    const arrays = this.#arrays;
    const first = arrays[0]?.given ?? NOWHERE;
    const known = this.#apart.get(first);
    let same = 0;
    while (same < arrays.length && known?.[same] === arrays[same]!.given) same++;
    if (same === arrays.length) return;
    const given = arrays.map((array) => array.given);
    const titles = arrays.map(({ title }) => title);
    checkApart(titles, given);
    this.#apart.set(first, given);
  }

  /** Writes the states to the arrays that have been checked. */
  write(kernels: Kernels): void {
    for (let i = 0; i < this.#arrays.length; i++) {
      const { stack, given } = this.#arrays[i]!;
      this.#arrays[i]!.given = NOWHERE;
      for (let k = 0; k < stack.length; k++) {
        takeState(kernels, stack[k]!, given, this.#batch);
      }
    }
  }
}

const NOWHERE = new Float32Array();

/** One array of a `ModelState`. */
interface StateArray {
  readonly layer: string;
  readonly role: StateSpec['role'];
  /** Its name in errors. */
  readonly title: string;
  readonly length: number;
  readonly shape: string;
  readonly stack: readonly StatePlace[];
  /** The caller's array between `check` and `write`. */
  given: Float32Array;
}

/** Copies states from places to places of the same nodes, inside the engine. Allocates nothing. */
export function copyState(
  kernels: Kernels,
  from: readonly StatePlace[],
  to: readonly StatePlace[],
  batch: number,
): void {
  for (let i = 0; i < from.length; i++) {
    const { spec, slot } = from[i]!;
    kernels.copy(to[i]!.slot, 0, slot, 0, spec.count * batch * spec.row);
  }
}

/**
 * The same where one side has its rows in another order: row `order[place]` of it is the other
 * side's row `place`.
 */
export function reorderState(
  kernels: Kernels,
  from: readonly StatePlace[],
  to: readonly StatePlace[],
  order: Int32Array,
  side: 'from' | 'to',
): void {
  const batch = order.length;
  from.forEach(({ spec, slot }, i) => {
    const { count, row } = spec;
    for (let k = 0; k < count; k++) {
      for (const [place, other] of order.entries()) {
        const source = (k * batch + (side === 'from' ? other : place)) * row;
        const target = (k * batch + (side === 'to' ? other : place)) * row;
        kernels.copy(to[i]!.slot, target, slot, source, row);
      }
    }
  });
}
