import { ALIGN as LINE } from '../../assembly/shared/codes.ts';
import { checkBytes } from './arena.ts';
import type { Block } from './arena.ts';
import { FIELDS } from './generated/layout.ts';
import type { Structs } from './generated/layout.ts';

/**
 * Where an array of f32 or i32 lies in the engine: an address that only this file makes sense of.
 */
export interface Slot {
  readonly address: number;
  /** Elements. */
  readonly length: number;
}

export type StructName = keyof Structs;

/** A descriptor in the engine's memory. */
export interface Descriptor<S extends StructName> {
  readonly struct: S;
  readonly address: number;
}

/** What a plan is for, where its sizes are no longer exact numbers. */
const PURPOSE = 'a model or pass of these sizes';

/** The null address: the operand that is not there. */
export const NONE: Slot = { address: 0, length: 0 };

/** Adds up what is to be placed in one block. */
export class Plan {
  #bytes = 0;
  readonly #parts: { own: { address: number; length: number }; slot: Slot; from: number }[] = [];
  readonly #slots: { address: number; length: number }[] = [];
  /** Bytes from the start of the block to each slot. */
  readonly #offsets: number[] = [];

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * `length` f32 or i32 (a safe integer of at least 0), on a cache line of their own. The slot is
   * valid after `place`.
   */
  reserve(length: number): Slot {
    const slot = { address: 0, length: checkBytes(length, PURPOSE) };
    const offset = this.#bytes;
    this.#bytes = checkBytes(offset + Math.ceil((length * 4) / LINE) * LINE, PURPOSE);
    this.#slots.push(slot);
    this.#offsets.push(offset);
    return slot;
  }

  descriptor<S extends StructName>(struct: S): Descriptor<S> {
    const slot = this.reserve(FIELDS[struct].split(' ').length) as {
      address: number;
      length: number;
    };
    return Object.assign(slot, { struct });
  }

  /** A part of a slot of this plan, from element `from` on; valid after `place` as well. */
  part(slot: Slot, from: number): Slot {
    const own = { address: 0, length: slot.length - from };
    this.#parts.push({ own, slot, from });
    return own;
  }

  place(block: Block): void {
    this.#slots.forEach((slot, k) => (slot.address = block.address + this.#offsets[k]!));
    for (const { own, slot, from } of this.#parts) own.address = part(slot, from).address;
  }
}

/** A part of a slot, from element `from` on. */
export function part(slot: Slot, from: number): Slot {
  return { address: slot.address + 4 * from, length: slot.length - from };
}
