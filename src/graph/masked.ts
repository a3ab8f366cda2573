import type { Kernels } from '../engine/kernels.ts';
import type { Plan, Slot } from '../engine/plan.ts';
import type { Bound } from '../ops/op.ts';

/**
 * A node whose every row depends on one row of each source alone: what any of its sources masks,
 * it masks.
 *
 * @param read what its sources mask.
 * @param rows most rows of a pass.
 */
export function passMasked(
  bound: Bound,
  read: readonly (Slot | undefined)[],
  plan: Plan,
  kernels: Kernels,
  rows: number,
): Bound {
  const [first, ...others] = new Set(read.filter((slot) => slot !== undefined));
  if (!first) return bound;
  if (!others.length) return { ...bound, masked: first };
  const masked = plan.reserve(rows);
  const copy = plan.descriptor('Rows');
  const additions = others.map(() => plan.descriptor('Rows'));
  return {
    ...bound,
    masked,
    describe() {
      bound.describe?.();
      const fields = { to: masked, toRow: 16, fromRow: 16, width: 16 };
      kernels.write(copy, { ...fields, from: first });
      additions.forEach((sum, k) => kernels.write(sum, { ...fields, from: others[k]! }));
    },
    arrange(inputs, outputs, sources) {
      bound.arrange?.(inputs, outputs, sources);
      const fours = (inputs.rows + 3) >> 2;
      kernels.set(copy, 'rows', fours);
      for (const sum of additions) kernels.set(sum, 'rows', fours);
    },
    forward() {
      kernels.run.rows_gather(copy.address);
      for (const { address } of additions) kernels.run.rows_add(address);
      bound.forward();
    },
  };
}
