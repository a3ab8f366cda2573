import * as layout from './generated/layout.ts';
import type { KernelExports } from './generated/exports.ts';
import { Arena } from './arena.ts';
import type { KernelImports } from './imports.ts';
import type { Descriptor, Slot, StructName } from './plan.ts';

/** The fields of a descriptor, by name. */
type Field<S extends StructName> = keyof (typeof layout)[S]['offsets'];
/** What a field is written with: a number, or what has an address. */
type Value = number | Slot | Descriptor<StructName>;
export type Fields<S extends StructName> = Partial<Record<Field<S>, Value>>;

/** What is generated of a descriptor. */
interface Layout {
  readonly offsets: Readonly<Record<string, number>>;
  /** Fields that are f32; all others are integers or addresses. */
  readonly floats: readonly string[];
}

/** The compiled kernels bound to one memory. No other file sees an address. */
export class Kernels {
  readonly arena: Arena;
  readonly relaxed: boolean;
  readonly run: KernelExports;
  readonly imports: KernelImports;

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

  zero(slot: Slot, from = 0, length: number = slot.length - from): void {
    const start = (slot.address >>> 2) + from;
    this.arena.floats.fill(0, start, start + length);
  }

  /** Writes one field of a descriptor, allocating nothing: for what changes with every call. */
  set<S extends StructName>(descriptor: Descriptor<S>, field: Field<S>, value: Value): void {
    const { offsets, floats }: Layout = layout[descriptor.struct];
    const index = (descriptor.address + offsets[field as string]!) / 4;
    if (typeof value !== 'number') this.arena.integers[index] = value.address;
    else if (floats.includes(field as string)) this.arena.floats[index] = value;
    else this.arena.integers[index] = value;
  }

  /** Writes fields of a descriptor. */
  write<S extends StructName>(descriptor: Descriptor<S>, fields: Fields<S>): void {
    for (const field in fields) this.set(descriptor, field as Field<S>, fields[field] as Value);
  }
}
