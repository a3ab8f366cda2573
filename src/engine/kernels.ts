import { FIELDS } from './generated/layout.ts';
import type { Structs } from './generated/layout.ts';
import type { KernelExports } from './generated/exports.ts';
import { Arena } from './arena.ts';
import type { KernelImports } from './imports.ts';
import type { Descriptor, Slot, StructName } from './plan.ts';

/** The fields of a descriptor, by name. */
type Field<S extends StructName> = Structs[S];
/** What a field is written with: a number, or what has an address. */
type Value = number | Slot | Descriptor<StructName>;
export type Fields<S extends StructName> = Partial<Record<Field<S>, Value>>;

/** Where a field lies in its descriptor. */
interface Place {
  /** In units of 4 bytes. */
  readonly index: number;
  /** All others are integers or addresses. */
  readonly isFloat: boolean;
}

const placesOf = (fields: string): ReadonlyMap<string, Place> =>
  new Map(
    fields
      .split(' ')
      .map((word, index) => [word.replace('~', ''), { index, isFloat: word.endsWith('~') }]),
  );

/** The compiled kernels bound to one memory. No other file sees an address. */
export class Kernels {
  readonly arena: Arena;
  readonly relaxed: boolean;
  readonly run: KernelExports;
  readonly imports: KernelImports;
  /** Of the fields of every descriptor. */
  readonly #places: ReadonlyMap<string, ReadonlyMap<string, Place>> = new Map(
    Object.entries(FIELDS).map(([struct, fields]) => [struct, placesOf(fields)]),
  );

  constructor(instance: WebAssembly.Instance, imports: KernelImports, maxBytes: number) {
    this.imports = imports;
    this.run = instance.exports as unknown as KernelExports;
    this.relaxed = this.run.relaxed.value === 1;
    this.arena = new Arena(imports.env.memory, this.run.heap_base.value as number, maxBytes);
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

  /** Copies `length` numbers of a slot to a caller's array without a view. */
  take(to: Float32Array, toIndex: number, from: Slot, fromIndex: number, length: number): void {
    const { floats } = this.arena;
    const start = (from.address >>> 2) + fromIndex;
    for (let i = 0; i < length; i++) to[toIndex + i] = floats[start + i]!;
  }

  /** Copies `length` numbers of a caller's array to a slot without a view. */
  put(to: Slot, toIndex: number, from: Float32Array, fromIndex: number, length: number): void {
    const { floats } = this.arena;
    const start = (to.address >>> 2) + toIndex;
    for (let i = 0; i < length; i++) floats[start + i] = from[fromIndex + i]!;
  }

  zero(slot: Slot, from = 0, length: number = slot.length - from): void {
    const start = (slot.address >>> 2) + from;
    this.arena.floats.fill(0, start, start + length);
  }

  /** Writes one field of a descriptor, allocating nothing: for what changes with every call. */
  set<S extends StructName>(descriptor: Descriptor<S>, field: Field<S>, value: Value): void {
    const { index, isFloat } = this.#places.get(descriptor.struct)!.get(field)!;
    const at = descriptor.address / 4 + index;
    if (typeof value !== 'number') this.arena.integers[at] = value.address;
    else if (isFloat) this.arena.floats[at] = value;
    else this.arena.integers[at] = value;
  }

  /** Writes fields of a descriptor. */
  write<S extends StructName>(descriptor: Descriptor<S>, fields: Fields<S>): void {
    const given: Partial<Record<string, Value>> = fields;
    for (const field in given) this.set(descriptor, field as Field<S>, given[field]!);
  }
}
