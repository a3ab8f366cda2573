/** The steps before the first one, which layers that look back keep as a state. */

import { NONE } from '../engine/plan.ts';
import type { Plan, Slot } from '../engine/plan.ts';
import type { BoundState, PassSize } from './op.ts';
import { rowOfState } from './pass.ts';

interface History {
  /** [count B + M, row]: the steps before the first, then the inputs. */
  readonly values: Slot;
  /** The inputs of it. */
  readonly own: Slot;
  readonly state: BoundState;
}

/**
 * Reserves `count` steps before a copy of the inputs, so that the states at any step are there.
 *
 * @param row elements from row to row.
 */
export function reserveHistory(
  plan: Plan,
  count: number,
  row: number,
  { batch, steps, mode }: PassSize,
): History {
  const before = count * batch * row;
  const values = plan.reserve(before + batch * steps * row);
  const [last, gradient] = [before, mode === 'train' ? before : 0].map((length) =>
    length ? plan.reserve(length) : NONE,
  ) as [Slot, Slot];
  const rowOf = rowOfState(count, batch);
  return { values, own: plan.part(values, before), state: { values, last, gradient, rowOf } };
}
