import { ALIGN } from '../../assembly/shared/codes.ts';
import { GatefoldError } from '../base/errors.ts';

const PAGE = 65536;

/** A piece of an engine's memory: zeroed when taken, the caller's until it is freed. */
export interface Block {
  readonly address: number;
  readonly bytes: number;
}

/**
 * A number of bytes that was computed: refuses one that is no exact count, before it becomes an
 * address.
 */
export function checkBytes(bytes: number, purpose: string): number {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw new GatefoldError(
    'ERR_MEMORY',
    `${purpose} needs ${bytes} bytes, more than any memory has: use fewer steps, a smaller batch or smaller layers`,
  );
}

/** Memory that another thread uses until it says that it is done. */
export interface Loan {
  /** The block that is its own. */
  readonly room: Block;
  /** A block that it reads. */
  readonly kept: Block;
  readonly isOver: () => boolean;
}

/** The bytes that a block of at least `bytes` bytes takes. */
export function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}

/** The address behind a block. */
export function endOf({ address, bytes }: Block): number {
  return address + bytes;
}

/**
 * The only owner of an engine's linear memory: hands out blocks, takes them back and joins them,
 * grows the memory, and remakes the views that growing detaches. Blocks whose owner is collected
 * without `dispose()` come back by themselves.
 */
export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly maxBytes: number;
  #floats: Float32Array;
  #integers: Int32Array;
  /** Free pieces in the order of their addresses, no two adjacent. */
  readonly #free: { address: number; bytes: number }[];
  readonly #used = new Set<Block>();
  readonly #registry: FinalizationRegistry<Block>;
  readonly #loans = new Set<Loan>();
  /** Blocks that go back with the last loan which keeps them. */
  readonly #due = new Set<Block>();

  constructor(memory: WebAssembly.Memory, base: number, maxBytes: number) {
    const start = roundUp(base);
    this.memory = memory;
    this.maxBytes = maxBytes;
    // Of a memory that others have a part of, it may be less than all.
    const end = Math.min(memory.buffer.byteLength, maxBytes);
    this.#free = [{ address: start, bytes: end - start }];
    this.#floats = new Float32Array(memory.buffer);
    this.#integers = new Int32Array(memory.buffer);
    this.#registry = new FinalizationRegistry((block) => this.free(block));
  }

  /** The whole memory as f32; not to be kept across an allocation. */
  get floats(): Float32Array {
    return this.#floats;
  }

  get integers(): Int32Array {
    return this.#integers;
  }

  /** A copy of f64 at a multiple of eight bytes. */
  doubles(address: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, address, length).slice();
  }

  /**
   * Zeroed bytes for `purpose`, which the error names when they do not fit.
   *
   * @param instead what would take less.
   */
  allocate(bytes: number, purpose: string, owner?: object, instead: string = FEWER): Block {
    const size = roundUp(checkBytes(bytes, purpose));
    this.#takeBack();
    let index = this.#free.findIndex((piece) => piece.bytes >= size);
    if (index < 0) {
      this.#grow(size, purpose, instead);
      index = this.#free.length - 1;
    }
    const piece = this.#free[index]!;
    const block: Block = { address: piece.address, bytes: size };
    if (piece.bytes === size) this.#free.splice(index, 1);
    else this.#free[index] = { address: piece.address + size, bytes: piece.bytes - size };
    this.#floats.fill(0, block.address / 4, (block.address + size) / 4);
    this.#used.add(block);
    if (owner) this.#registry.register(owner, block, block);
    return block;
  }

  /** Hands out neither block of a loan before it is over. */
  lend(loan: Loan): void {
    this.#loans.add(loan);
  }

  /** Frees the blocks of loans that are over. */
  #takeBack(): void {
    for (const loan of this.#loans) {
      if (!loan.isOver()) continue;
      this.#loans.delete(loan);
      this.free(loan.room);
      if (this.#due.delete(loan.kept)) this.free(loan.kept);
    }
  }

  /** Gives a block back, at once or after its last loan; a second time is of no effect. */
  free(block: Block): void {
    for (const { kept } of this.#loans) {
      if (kept === block) return void this.#due.add(block);
    }
    if (!this.#used.delete(block)) return;
    this.#registry.unregister(block);
    const pieces = this.#free;
    const found = pieces.findIndex((piece) => piece.address > block.address);
    const index = found < 0 ? pieces.length : found;
    pieces.splice(index, 0, { address: block.address, bytes: block.bytes });
    this.#join(index);
    this.#join(index - 1);
  }

  /** Joins a free piece with the next where they touch. */
  #join(index: number): void {
    const piece = this.#free[index];
    const next = this.#free[index + 1];
    if (!piece || !next || piece.address + piece.bytes !== next.address) return;
    piece.bytes += next.bytes;
    this.#free.splice(index + 1, 1);
  }

  /** Grows the memory until its last free piece has `bytes`. */
  #grow(bytes: number, purpose: string, instead: string): void {
    const end = this.memory.buffer.byteLength;
    const last = this.#free.at(-1);
    const spare = last && last.address + last.bytes === end ? last.bytes : 0;
    const pages = Math.ceil((bytes - spare) / PAGE);
    if (end + pages * PAGE > this.maxBytes || !this.#tryGrow(pages)) {
      let held = 0;
      for (const block of this.#used) held += block.bytes;
      const others =
        held > 0 && bytes <= this.maxBytes - PAGE
          ? `${this.#used.size} objects hold ${mebibytes(held)} of it: dispose() models, streams and trainers that are done, `
          : '';
      throw new GatefoldError(
        'ERR_MEMORY',
        `${purpose} needs ${mebibytes(bytes)} of memory; the engine has ${mebibytes(end)} and may have ` +
          `${mebibytes(this.maxBytes)}${others ? `; ${others}` : ': '}create the engine with a larger "maxBytes" (Engine.create({ maxBytes })), or ${instead}`,
      );
    }
    this.#floats = new Float32Array(this.memory.buffer);
    this.#integers = new Int32Array(this.memory.buffer);
    if (last && spare) last.bytes += pages * PAGE;
    else this.#free.push({ address: end, bytes: pages * PAGE });
  }

  #tryGrow(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }
}

/** What takes less memory, of a call over rows. */
const FEWER = 'use fewer steps or a smaller batch';

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 1)} MiB`;
}
