import type { Block } from '../../../src/engine/arena.ts';
import { Plan as PlainPlan } from '../../../src/engine/plan.ts';
import type { Slot } from '../../../src/engine/plan.ts';
import { addGaps } from './zones.ts';

export * from '../../../src/engine/plan.ts';

/** Elements of a gap, beside what fills the last cache line of the slot before it. */
const GAP = 16;

/** A plan with a gap behind every slot, from its last element on. */
export class Plan extends PlainPlan {
  readonly #gaps: { slot: Slot; gap: Slot }[] = [];

  override reserve(length: number): Slot {
    const slot = super.reserve(length);
    this.#gaps.push({ slot, gap: super.reserve(GAP) });
    return slot;
  }

  override place(block: Block): void {
    super.place(block);
    addGaps(
      block,
      this.#gaps.map(({ slot, gap }) => [slot.address + 4 * slot.length, gap.address + 4 * GAP]),
    );
  }
}
