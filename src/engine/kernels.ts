import * as layout from './generated/layout.ts';
import type { KernelExports } from './generated/exports.ts';
import { Arena } from './arena.ts';
import type { Descriptor, Slot, StructName } from './plan.ts';

type Structs = typeof layout;
/** Values of the fields of a descriptor: numbers as they are, slots by their address. */
export type Fields<S extends StructName> = Partial<
  Record<Exclude<keyof Structs[S], 'SIZE'>, number | Slot | Descriptor<StructName>>
>;

/** Fields of a descriptor that are f32; all others are integers or addresses. */
const FLOAT_FIELDS: ReadonlySet<string> = new Set([
  'alpha',
  'beta',
  'preactClip',
  'cellClip',
  'projClip',
  'renewed',
  'gradientLimit',
  'scale',
  'rate',
  'decayFirst',
  'weightFirst',
  'decaySecond',
  'weightSecond',
  'epsilon',
  'epsilonInside',
  'weightDecay',
  'keep',
  'correctionFirst',
  'correctionSecond',
]);

/** The compiled kernels bound to one memory. No other file sees an address. */
export class Kernels {
  readonly arena: Arena;
  readonly relaxed: boolean;
  readonly run: KernelExports;

  constructor(instance: WebAssembly.Instance, memory: WebAssembly.Memory, maxBytes: number) {
    this.run = instance.exports as unknown as KernelExports;
    this.relaxed = this.run.relaxed.value === 1;
    this.arena = new Arena(memory, this.run.heap_base.value as number, maxBytes);
  }

  /** The numbers of a slot, as a view that lives until the next allocation. */
  floats(slot: Slot, from = 0, length: number = slot.length - from): Float32Array {
    const start = (slot.address >>> 2) + from;
    return this.arena.floats.subarray(start, start + length);
  }

  integers(slot: Slot, from = 0, length: number = slot.length - from): Int32Array {
    const start = (slot.address >>> 2) + from;
    return this.arena.integers.subarray(start, start + length);
  }

  /** A copy of `length` f64 that lie in a slot. */
  doubles(slot: Slot, length: number): Float64Array {
    return this.arena.doubles(slot.address, length);
  }

  /** Copies `length` numbers inside the memory without a view. */
  copy(to: Slot, toIndex: number, from: Slot, fromIndex: number, length: number): void {
    const start = (from.address >>> 2) + fromIndex;
    this.arena.floats.copyWithin((to.address >>> 2) + toIndex, start, start + length);
  }

  zero(slot: Slot, from = 0, length: number = slot.length - from): void {
    const start = (slot.address >>> 2) + from;
    this.arena.floats.fill(0, start, start + length);
  }

  /** Writes one whole number of a descriptor, allocating nothing: for what changes with every call. */
  set<S extends StructName>(
    descriptor: Descriptor<S>,
    field: Exclude<keyof Structs[S], 'SIZE'>,
    value: number,
  ): void {
    const offset = layout[descriptor.struct][field as never] as number;
    this.arena.integers[(descriptor.address + offset) / 4] = value;
  }

  /** Writes fields of a descriptor; slots by their address. */
  write<S extends StructName>(descriptor: Descriptor<S>, fields: Fields<S>): void {
    const offsets = layout[descriptor.struct] as Readonly<Record<string, number>>;
    for (const [field, value] of Object.entries(fields) as [string, number | Slot][]) {
      const index = (descriptor.address + offsets[field]!) / 4;
      if (typeof value !== 'number') this.arena.integers[index] = value.address;
      else if (FLOAT_FIELDS.has(field)) this.arena.floats[index] = value;
      else this.arena.integers[index] = value;
    }
  }
}
