import { philoxKey } from '../base/random.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Descriptor, Plan, Slot } from '../engine/plan.ts';
import { rowCounter } from './pass.ts';
import type { Extent } from './pass.ts';

/** Which masks a pass of training draws: those of pass number `pass` of a seed. */
export interface Draw {
  readonly seed: number;
  readonly pass: number;
  /** The step of the whole sequence that the pass begins with. */
  readonly first: number;
}

/** What a mask is for: part of the counter that its elements come from. */
export const MASK_DROPOUT = 0;
export const MASK_ZONEOUT = 1;
export const MASK_RECURRENT = 2;

interface MaskOptions {
  /** Elements of a row, and from row to row. */
  readonly width: number;
  readonly row: number;
  /** 4 times the node's index, plus what the mask is for. */
  readonly stream: number;
  /** Whether there is one row for each row of the batch, rather than for each of every step. */
  readonly fixed: boolean;
  /** Probability of 0, and what the other elements are. */
  readonly rate: number;
  readonly value: number;
}

/** A mask over the rows of a pass. */
export class Mask {
  readonly slot: Slot;
  readonly #descriptor: Descriptor<'Draw'>;
  readonly #options: MaskOptions;

  constructor(plan: Plan, batch: number, steps: number, options: MaskOptions) {
    this.slot = plan.reserve(batch * (options.fixed ? 1 : steps) * options.row);
    this.#descriptor = plan.descriptor('Draw');
    this.#options = options;
  }

  describe(kernels: Kernels): void {
    const { width, row, stream, rate, value } = this.#options;
    const threshold = Math.round(rate * 2 ** 24);
    const fields = { width, row: row * 4, stream, threshold, value, mask: this.slot };
    kernels.write(this.#descriptor, fields);
  }

  /**
   * Draws the mask: a function of seed, pass, stream, step, row of the caller's batch and unit
   * alone, so neither lengths nor the cut of a sequence into passes change it.
   */
  draw(kernels: Kernels, extent: Extent, { seed, pass, first }: Draw): void {
    const { width, fixed } = this.#options;
    const descriptor = this.#descriptor;
    const blocks = Math.ceil(width / 4);
    const number = rowCounter(extent, fixed && !extent.within ? 0 : first);
    const [key0, key1] = philoxKey(seed);
    kernels.write(descriptor, { key0, key1, pass });
    const fill = (place: number, at: number, step: number): void => {
      kernels.run.mask_fill(descriptor.address, at, number(place, step) * blocks);
    };
    if (fixed) {
      for (let place = 0; place < extent.lengths.length; place++) fill(place, place, 0);
      return;
    }
    for (let t = 0; t < extent.steps; t++) {
      const start = extent.offsets[t]!;
      for (let at = start; at < extent.offsets[t + 1]!; at++) fill(at - start, at, t);
    }
  }
}
