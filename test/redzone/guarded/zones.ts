import type { Block } from '../../../src/engine/arena.ts';

/**
 * In a gap; as a float it is NaN, so that a sum which reads out of its slot shows it. A signalling
 * one: arithmetic makes it quiet, so that a gap which a kernel adds to is not as it was.
 */
const CANARY = 0x7fa0dead;

/** What the campaign asks of this build. */
export const watch: { calls: number; fault: string | undefined; isQuiet: boolean } = {
  /** Kernel calls so far. */
  calls: 0,
  /** The first write into a gap. */
  fault: undefined,
  /**
   * Whether kernel calls are neither counted nor checked after: while the campaign looks at states.
   */
  isQuiet: false,
};

/** The gaps of one memory, first and last word by turns, and what lies below its arena. */
export class Zones {
  readonly #memory: WebAssembly.Memory;
  /** The kernels' constants, which nobody writes: null as an address leads here. */
  readonly #constants: Int32Array;
  readonly #gaps = new Map<Block, readonly number[]>();
  #words: Int32Array;

  constructor(memory: WebAssembly.Memory, base: number) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#constants = this.#words.slice(0, base / 4);
  }

  get #view(): Int32Array {
    if (this.#words.buffer !== this.#memory.buffer) {
      this.#words = new Int32Array(this.#memory.buffer);
    }
    return this.#words;
  }

  /** How many blocks are watched. */
  get blocks(): number {
    return this.#gaps.size;
  }

  /**
   * Fills gaps, given by the address of their first byte and of the one behind, and watches them.
   */
  add(block: Block, gaps: readonly (readonly [from: number, to: number])[]): void {
    const edges = [...(this.#gaps.get(block) ?? [])];
    for (const [from, to] of gaps) {
      this.#view.fill(CANARY, from / 4, to / 4);
      edges.push(from / 4, to / 4);
    }
    this.#gaps.set(block, edges);
  }

  /** Ends the watch over a block that is given back; who reads it later reads NaN. */
  remove(block: Block): void {
    if (!this.#gaps.delete(block)) return;
    this.#view.fill(CANARY, block.address / 4, (block.address + block.bytes) / 4);
  }

  /** Looks for writes into gaps. */
  check(after: string): void {
    const words = this.#view;
    for (let k = 0; k < this.#constants.length; k++) {
      if (words[k] !== this.#constants[k]) this.#report(after, `constants, word ${k}`);
    }
    for (const [block, edges] of this.#gaps) {
      for (let k = 0; k < edges.length; k += 2) {
        const end = edges[k + 1]!;
        for (let word = edges[k]!; word < end; word++) {
          if (words[word] === CANARY) continue;
          const gap = ['in front of', 'at the end of'][k / 2] ?? `behind slot ${k / 2 - 2} of`;
          this.#report(after, `word ${word - edges[k]!} ${gap} a block of ${block.bytes} bytes`);
        }
      }
    }
  }

  #report(after: string, place: string): never {
    watch.fault ??= `a write into a red zone, seen after ${after}: ${place}`;
    throw new Error(watch.fault);
  }
}

const zones = new WeakMap<WebAssembly.Memory, Zones>();
const owners = new WeakMap<Block, Zones>();

/** The zones of a memory, which all arenas in it share. */
export function zonesOf(memory: WebAssembly.Memory, base = 0): Zones {
  let found = zones.get(memory);
  if (!found) zones.set(memory, (found = new Zones(memory, base)));
  return found;
}

/** Which zones a block that an arena hands out belongs to, and under which key. */
export function own(block: Block, whole: Block, to: Zones): void {
  owners.set(block, to);
  wholes.set(block, whole);
}

const wholes = new WeakMap<Block, Block>();

/** The block with its gaps in front and behind, or itself where it is that already. */
export function wholeOf(block: Block): Block {
  return wholes.get(block) ?? block;
}

/** Watches gaps inside a block. Nothing for a block that came from another worker. */
export function addGaps(
  block: Block,
  gaps: readonly (readonly [from: number, to: number])[],
): void {
  owners.get(block)?.add(wholeOf(block), gaps);
}
