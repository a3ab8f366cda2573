import { ownFloats, readOptions } from '../base/check.ts';
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
    const { hidden, outputs, form } = stack[0]!.unit;
    const names = form.hasCellState ? (['h', 'c'] as const) : (['h'] as const);
    const values = readOptions(`state.${layer}`, given[layer]!, names);
    const own = (name: 'h' | 'c', width: number): Float32Array => {
      const shape = `${stack.length} layers and directions x ${batch} rows x ${width} units`;
      const length = stack.length * batch * width;
      return ownFloats(`state.${layer}.${name}`, values[name], length, shape);
    };
    const h = own('h', outputs);
    checked.set(layer, form.hasCellState ? { h, c: own('c', hidden) } : { h });
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
    const { hidden, outputs, outputRow, form } = stack[0]!.unit;
    const read = (pick: (place: StatePlace) => Slot, width: number): Float32Array => {
      const values = new Float32Array(stack.length * batch * width);
      for (const at of stack) {
        for (let place = 0; place < batch; place++) {
          const source = kernels.floats(pick(at), place * outputRow, width);
          const row = at.unit.place * batch + (order ? order[place]! : place);
          values.set(source, row * width);
        }
      }
      return values;
    };
    const h = read((place) => place.h, outputs);
    const c = form.hasCellState ? { c: read((place) => place.c, hidden) } : {};
    state.set(layer, { h, ...c });
  }
  return Object.fromEntries(state);
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
