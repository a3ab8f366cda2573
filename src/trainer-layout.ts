import { Carry } from './carry.ts';
import { GatefoldError } from './errors.ts';
import { NONE, Plan } from './kernels.ts';
import type { Descriptor, Slot } from './kernels.ts';
import { LossRows } from './loss-rows.ts';
import { createLoss, lossOptions } from './loss.ts';
import type { Optimizer } from './optimizer.ts';
import { SegmentedRun } from './segmented.ts';
import { planSegments } from './segments.ts';
import type { Segmentation } from './segments.ts';
import type { Store } from './store.ts';
import type { TrainerOptions } from './trainer-options.ts';
import { Workspace } from './workspace.ts';

/** What a trainer has in the engine beside its workspace. */
export interface TrainerLayout {
  /** Steps of the workspace: all, or of one segment. */
  readonly segment: number;
  readonly plan: Plan;
  readonly gradients: Slot;
  readonly first: Slot;
  readonly second: Slot;
  /** Absent without a loss of single outputs. */
  readonly rows: LossRows | undefined;
  readonly update: Descriptor<'Update'>;
  readonly training: Carry;
  readonly evaluation: Carry;
  /** Of windows that the workspace has no room for. */
  readonly segmented: SegmentedRun | undefined;
}

function reserve(
  store: Store,
  { batch, steps, loss, bptt }: TrainerOptions,
  optimizer: Optimizer,
  { segment, count }: Segmentation,
): TrainerLayout {
  const plan = new Plan();
  const { length } = store.values;
  const chosen = loss === undefined ? undefined : lossOptions(loss);
  const isOfRows = chosen && chosen.type !== 'ctc';
  const lossOf = isOfRows ? createLoss(chosen, store.units.at(-1)!.outputs) : undefined;
  const replayed = bptt ? bptt.steps - bptt.every : 0;
  return {
    segment,
    plan,
    gradients: plan.reserve(length),
    first: plan.reserve(optimizer.hasFirst ? length : 0),
    second: plan.reserve(optimizer.hasSecond ? length : 0),
    rows: lossOf && new LossRows(plan, store, lossOf, batch * segment, batch * steps),
    update: plan.descriptor('Update'),
    training: new Carry(plan, store, batch, replayed),
    evaluation: new Carry(plan, store, batch, 0),
    segmented: count > 1 ? new SegmentedRun(plan, store, batch, count) : undefined,
  };
}

/** Plans the memory of a trainer but for its workspace. */
export function layOut(store: Store, options: TrainerOptions, optimizer: Optimizer): TrainerLayout {
  return reserve(store, options, optimizer, segmentation(store, options, optimizer));
}

/** The segments that a trainer's windows are run in: one where memory is not bounded. */
function segmentation(store: Store, options: TrainerOptions, optimizer: Optimizer): Segmentation {
  const { batch, steps, memory } = options;
  if (memory === undefined) return { segment: steps, count: 1 };
  if (!store.causal || store.pooledFrom < store.units.length) {
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      '"memory" cuts sequences that a layer reading backwards or a pool needs whole: leave it out',
    );
  }
  return planSegments(steps, memory, (plan) => {
    const shape = { batch, steps: plan.segment, gradients: NONE };
    return reserve(store, options, optimizer, plan).plan.bytes + Workspace.bytes(store, shape);
  });
}
