/**
 * Buffers of one kernel call. Rows are padded with zeros to whole vectors, then further apart by a
 * few sentinels, which no kernel may write.
 */
import { kernelsOf, type Engine } from '../../src/engine/engine.ts';
import type { Kernels } from '../../src/engine/kernels.ts';
import { Plan, type Descriptor, type Slot, type StructName } from '../../src/engine/plan.ts';
import type { Random } from './random.ts';

const SENTINEL = 1234.5;

/** Rows of `width` elements in the engine. */
export interface Rows {
  readonly slot: Slot;
  readonly width: number;
  /** Bytes from row to row. */
  readonly row: number;
  readonly count: number;
}

export class Buffers {
  readonly kernels: Kernels;
  readonly #plan = new Plan();
  readonly #random: Random;
  readonly #fill: (() => void)[] = [];
  readonly #block: { free?: () => void } = {};

  constructor(engine: Engine, random: Random) {
    this.kernels = kernelsOf(engine);
    this.#random = random;
  }

  vector(values: ArrayLike<number> | number): Slot {
    const length = typeof values === 'number' ? values : values.length;
    const slot = this.#plan.reserve(Math.ceil(length / 4) * 4);
    if (typeof values !== 'number') {
      this.#fill.push(() => this.kernels.floats(slot, 0, length).set(Float32Array.from(values)));
    }
    return slot;
  }

  /** The same in float64. */
  doubles(values: ArrayLike<number>): Slot {
    const slot = this.#plan.reserve(Math.ceil(values.length / 4) * 8);
    this.#fill.push(() => this.#doublesOf(slot).set(Float64Array.from(values)));
    return slot;
  }

  #doublesOf(slot: Slot): Float64Array {
    const { buffer, byteOffset, length } = this.kernels.floats(slot);
    return new Float64Array(buffer, byteOffset, length / 2);
  }

  integers(values: readonly number[]): Slot {
    const slot = this.#plan.reserve(values.length);
    this.#fill.push(() => this.kernels.integers(slot).set(values));
    return slot;
  }

  /**
   * Rows with these elements; of NaN, which a kernel has to overwrite, where there are none. `extra`
   * vectors are between two rows.
   */
  rows(
    count: number,
    width: number,
    values?: ArrayLike<number>,
    extra: number = this.#random.integer(0, 2),
  ): Rows {
    const whole = Math.ceil(width / 4) * 4;
    const floats = whole + 4 * extra;
    const slot = this.#plan.reserve(count * floats);
    this.#fill.push(() => {
      const all = this.kernels.floats(slot).fill(SENTINEL);
      for (let r = 0; r < count; r++) {
        all.fill(0, r * floats, r * floats + whole);
        for (let k = 0; k < width; k++) all[r * floats + k] = values ? values[r * width + k]! : NaN;
      }
    });
    return { slot, width, row: 4 * floats, count };
  }

  descriptor<S extends StructName>(struct: S): Descriptor<S> {
    return this.#plan.descriptor(struct);
  }

  /** Takes the memory and fills it; slots are valid from here on. */
  place(): void {
    const { arena } = this.kernels;
    const block = arena.allocate(this.#plan.bytes, 'a test');
    this.#block.free = () => arena.free(block);
    this.#plan.place(block);
    for (const fill of this.#fill) fill();
  }

  read(slot: Slot, length: number = slot.length): Float32Array {
    return this.kernels.floats(slot, 0, length).slice();
  }

  readDoubles(slot: Slot, length: number = slot.length / 2): Float64Array {
    return this.#doublesOf(slot).slice(0, length);
  }

  /** The elements of rows; throws where their padding is not zero, or a sentinel is not there. */
  readRows({ slot, width, row, count }: Rows): Float32Array {
    const all = this.kernels.floats(slot);
    const whole = Math.ceil(width / 4) * 4;
    const values = new Float32Array(count * width);
    for (let r = 0; r < count; r++) {
      for (let k = 0; k < row / 4; k++) {
        const value = all[(r * row) / 4 + k]!;
        if (k < width) values[r * width + k] = value;
        else if (value !== (k < whole ? 0 : SENTINEL)) {
          throw new Error(`row ${r} has ${value} at ${k}, beyond its ${width} elements`);
        }
      }
    }
    return values;
  }

  free(): void {
    this.#block.free?.();
  }
}

/** The first row of every step of a batch that is sorted by length, longest first. */
export function offsetsOf(lengths: readonly number[], steps: number): number[] {
  const offsets = [0];
  for (let t = 0; t < steps; t++) {
    offsets.push(offsets[t]! + lengths.filter((length) => length > t).length);
  }
  return offsets;
}

/** Rows of one sequence among those of all steps. */
export function rowsOfPlace(
  lengths: readonly number[],
  offsets: readonly number[],
  place: number,
): number[] {
  return Array.from({ length: lengths[place]! }, (_, t) => offsets[t]! + place);
}
