import { checkFloats, checkKeys, ownFloats, readOptions } from '../base/check.ts';
import { NONE, part } from '../engine/plan.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Slot } from '../engine/plan.ts';
import type { LayerState, ModelState } from '../ops/specs.ts';
import type { RecurrentUnit, Unit } from '../ops/units.ts';

/** Where the states [B, Hp] of one recurrent unit are, or their gradients. */
export interface StatePlace {
  readonly unit: RecurrentUnit;
  readonly h: Slot;
  readonly c: Slot;
}

type StateName = 'h' | 'c';

/** Elements of one row of a state. */
function widthOf(unit: RecurrentUnit, name: StateName): number {
  return name === 'h' ? unit.outputs : unit.hidden;
}

/** The shape of a layer's state, for errors. */
function shapeOf(units: number, batch: number, width: number): string {
  return `${units} layers and directions x ${batch} rows x ${width} units`;
}

/** The units of each layer, in their order. */
function byLayer(places: readonly StatePlace[]): Map<string, StatePlace[]> {
  const layers = new Map<string, StatePlace[]>();
  for (const place of places) {
    const { layer } = place.unit;
    const known = layers.get(layer);
    if (known) known.push(place);
    else layers.set(layer, [place]);
  }
  return layers;
}

/** Places for checks alone, before there is memory. */
export function unplaced(units: readonly Unit[]): StatePlace[] {
  return units.flatMap((unit) => (unit.kind === 'recurrent' ? [{ unit, h: NONE, c: NONE }] : []));
}

/** A state, checked against what it is for, as a copy that nobody else can change. */
export function checkState(
  places: readonly StatePlace[],
  state: ModelState,
  batch: number,
): ModelState {
  const layers = byLayer(places);
  const given = readOptions('state', state, [...layers.keys()]);
  const checked = new Map<string, LayerState>();
  for (const [layer, stack] of layers) {
    if (!Object.hasOwn(given, layer)) continue;
    const { unit } = stack[0]!;
    const { form } = unit;
    const names = form.hasCellState ? (['h', 'c'] as const) : (['h'] as const);
    const values = readOptions(`state.${layer}`, given[layer]!, names);
    const own = (name: StateName): Float32Array => {
      const width = widthOf(unit, name);
      const shape = shapeOf(stack.length, batch, width);
      const length = stack.length * batch * width;
      return ownFloats(`state.${layer}.${name}`, values[name], length, shape);
    };
    const h = own('h');
    checked.set(layer, form.hasCellState ? { h, c: own('c') } : { h });
  }
  return Object.fromEntries(checked);
}

/**
 * Writes a checked state; layers that it does not name become zero.
 *
 * @param order the caller's row at each place; absent where it is the same.
 */
export function writeState(
  kernels: Kernels,
  places: readonly StatePlace[],
  state: ModelState,
  batch: number,
  order?: Int32Array,
): void {
  for (const { unit, h, c } of places) {
    const given = Object.hasOwn(state, unit.layer) ? state[unit.layer] : undefined;
    const write = (slot: Slot, values: Float32Array | undefined, width: number): void => {
      kernels.zero(slot, 0, batch * unit.outputRow);
      if (!values) return;
      for (let place = 0; place < batch; place++) {
        const from = (unit.place * batch + (order ? order[place]! : place)) * width;
        const target = kernels.floats(slot, place * unit.outputRow, width);
        target.set(values.subarray(from, from + width));
      }
    };
    write(h, given?.h, unit.outputs);
    if (unit.form.hasCellState) write(c, given?.c, unit.hidden);
  }
}

/** A fresh copy, in the caller's order of rows. */
export function readState(
  kernels: Kernels,
  places: readonly StatePlace[],
  batch: number,
  order?: Int32Array,
): ModelState {
  const state = new Map<string, LayerState>();
  for (const [layer, stack] of byLayer(places)) {
    const read = (name: StateName): Float32Array => {
      const values = new Float32Array(stack.length * batch * widthOf(stack[0]!.unit, name));
      for (const place of stack) takeState(kernels, place, name, values, batch, order);
      return values;
    };
    const c = stack[0]!.unit.form.hasCellState ? { c: read('c') } : {};
    state.set(layer, { h: read('h'), ...c });
  }
  return Object.fromEntries(state);
}

/** Writes the state of one unit to its part of a layer's array. Allocates nothing. */
function takeState(
  kernels: Kernels,
  from: StatePlace,
  name: StateName,
  to: Float32Array,
  batch: number,
  order?: Int32Array,
): void {
  const { unit, [name]: slot } = from;
  const width = widthOf(unit, name);
  for (let place = 0; place < batch; place++) {
    const row = unit.place * batch + (order ? order[place]! : place);
    kernels.take(to, row * width, slot, place * unit.outputRow, width);
  }
}

/** The arrays of a `ModelState`: the units of each, and the elements of a unit's row. */
export function stateArrays(places: readonly StatePlace[]): {
  readonly layer: string;
  readonly name: StateName;
  readonly stack: readonly StatePlace[];
  readonly width: number;
}[] {
  return [...byLayer(places)].flatMap(([layer, stack]) => {
    const { unit } = stack[0]!;
    const names = unit.form.hasCellState ? (['h', 'c'] as const) : (['h'] as const);
    return names.map((name) => ({ layer, name, stack, width: widthOf(unit, name) }));
  });
}

/**
 * Writes states into arrays of the caller, time and again. Names, lengths and texts of errors are
 * made once, so that a call allocates nothing.
 */
export class StateWriter {
  readonly #batch: number;
  readonly #layers: ReadonlySet<string>;
  readonly #arrays: readonly StateArray[];

  constructor(places: readonly StatePlace[], batch: number) {
    this.#batch = batch;
    this.#arrays = stateArrays(places).map(({ layer, name, stack, width }) => {
      const length = stack.length * batch * width;
      const shape = shapeOf(stack.length, batch, width);
      const title = `into.${layer}.${name}`;
      return { layer, name, title, length, shape, stack, given: NOWHERE };
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
      const given: unknown = into[array.layer]?.[array.name];
      array.given = checkFloats(array.title, given, array.length, array.shape);
    }
  }

  /** Writes the states to the arrays that have been checked. */
  write(kernels: Kernels): void {
    for (let i = 0; i < this.#arrays.length; i++) {
      const { stack, name, given } = this.#arrays[i]!;
      this.#arrays[i]!.given = NOWHERE;
      for (let k = 0; k < stack.length; k++) {
        takeState(kernels, stack[k]!, name, given, this.#batch);
      }
    }
  }
}

const NOWHERE = new Float32Array();

/** One array of a `ModelState`. */
interface StateArray {
  readonly layer: string;
  readonly name: StateName;
  /** Its name in errors. */
  readonly title: string;
  readonly length: number;
  readonly shape: string;
  readonly stack: readonly StatePlace[];
  /** The caller's array between `check` and `write`. */
  given: Float32Array;
}

/** Copies states from places to places of the same units, inside the engine. Allocates nothing. */
export function copyState(
  kernels: Kernels,
  from: readonly StatePlace[],
  to: readonly StatePlace[],
  batch: number,
): void {
  for (let i = 0; i < from.length; i++) {
    const { unit, h, c } = from[i]!;
    const length = batch * unit.outputRow;
    kernels.copy(to[i]!.h, 0, h, 0, length);
    if (unit.form.hasCellState) kernels.copy(to[i]!.c, 0, c, 0, length);
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
  from.forEach(({ unit, h, c }, i) => {
    const row = unit.outputRow;
    for (const [place, other] of order.entries()) {
      const source = (side === 'from' ? other : place) * row;
      const target = (side === 'to' ? other : place) * row;
      kernels.copy(to[i]!.h, target, h, source, row);
      if (unit.form.hasCellState) kernels.copy(to[i]!.c, target, c, source, row);
    }
  });
}

/** The same places some elements further. */
export function shifted(place: StatePlace, elements: number): StatePlace {
  const { unit, h, c } = place;
  return { unit, h: part(h, elements), c: unit.form.hasCellState ? part(c, elements) : c };
}
