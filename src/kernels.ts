import * as layout from './generated/layout.ts';
import type { KernelExports } from './generated/exports.ts';
import { Arena } from './arena.ts';
import type { Block } from './arena.ts';

/** Where an array of f32 or i32 lies in the engine: an address that only this file makes sense of. */
export interface Slot {
  readonly address: number;
  /** Elements. */
  readonly length: number;
}

type Structs = typeof layout;
export type StructName =
  'Product' | 'Int8Product' | 'Sequence' | 'Options' | 'Activation' | 'Dense' | 'Update';
/** Values of the fields of a descriptor: numbers as they are, slots by their address. */
export type Fields<S extends StructName> = Partial<
  Record<Exclude<keyof Structs[S], 'SIZE'>, number | Slot | Descriptor<StructName>>
>;

/** A descriptor in the engine's memory. */
export interface Descriptor<S extends StructName> {
  readonly struct: S;
  readonly address: number;
}

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

/** The null address: the operand that is not there. */
export const NONE: Slot = { address: 0, length: 0 };

/** Adds up what is to be placed in one block. */
export class Plan {
  #bytes = 0;
  readonly #slots: { slot: { address: number; length: number }; offset: number }[] = [];

  get bytes(): number {
    return this.#bytes;
  }

  /** `length` f32 or i32, on a cache line of their own. The slot is valid after `place`. */
  reserve(length: number): Slot {
    const slot = { address: 0, length };
    this.#slots.push({ slot, offset: this.#bytes });
    this.#bytes += Math.ceil((length * 4) / 64) * 64;
    return slot;
  }

  descriptor<S extends StructName>(struct: S): Descriptor<S> {
    const slot = this.reserve(layout[struct].SIZE / 4) as { address: number; length: number };
    return Object.assign(slot, { struct });
  }

  place(block: Block): void {
    for (const { slot, offset } of this.#slots) slot.address = block.address + offset;
  }
}

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

/** A part of a slot, from element `from` on. */
export function part(slot: Slot, from: number): Slot {
  return { address: slot.address + 4 * from, length: slot.length - from };
}
