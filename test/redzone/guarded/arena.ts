import { Arena as PlainArena, endOf } from '../../../src/engine/arena.ts';
import type { Block, Loan } from '../../../src/engine/arena.ts';
import { own, wholeOf, zonesOf } from './zones.ts';
import type { Zones } from './zones.ts';

export * from '../../../src/engine/arena.ts';

/** Bytes in front of a block and behind it. */
const GAP = 64;

/** An arena whose blocks have gaps around them. */
export class Arena extends PlainArena {
  readonly #zones: Zones;
  #loans: readonly Loan[] = [];

  constructor(memory: WebAssembly.Memory, base: number, maxBytes: number) {
    super(memory, base, maxBytes);
    this.#zones = zonesOf(memory, base);
  }

  override allocate(bytes: number, purpose: string, owner?: object): Block {
    const whole = super.allocate(bytes + 2 * GAP, purpose, owner);
    const block = { address: whole.address + GAP, bytes: whole.bytes - 2 * GAP };
    own(block, whole, this.#zones);
    const end = block.address + Math.ceil(bytes / 4) * 4;
    this.#zones.add(whole, [
      [whole.address, block.address],
      [end, endOf(whole)],
    ]);
    return block;
  }

  override lend({ room, kept, isOver }: Loan): void {
    const loan = { room: wholeOf(room), kept: wholeOf(kept), isOver };
    this.#loans = [...this.#loans.filter((other) => !other.isOver()), loan];
    super.lend(loan);
  }

  override free(block: Block): void {
    const whole = wholeOf(block);
    const isLent = this.#loans.some(({ kept, isOver }) => kept === whole && !isOver());
    if (!isLent) this.#zones.remove(whole);
    super.free(whole);
  }
}
