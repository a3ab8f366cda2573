import { Carry } from './tbptt.ts';
import { GatefoldError } from '../base/errors.ts';
import { NONE, Plan } from '../engine/plan.ts';
import { checkSteps } from '../graph/rows.ts';
import { Losses } from './losses/losses.ts';
import { SegmentedRun } from './segmented.ts';
import { planSegments } from './segments.ts';
import type { Segmentation } from './segments.ts';
import type { Store } from '../graph/parameters.ts';
import type { TrainerOptions } from './options.ts';
import { Updater } from './optim/updater.ts';
import { Workspace } from '../graph/workspace.ts';

/** What a trainer has in the engine beside its workspace. */
export interface TrainerLayout {
  /** Steps of the workspace: all, or of one segment. */
  readonly segment: number;
  readonly plan: Plan;
  readonly updater: Updater;
  readonly loss: Losses | undefined;
  readonly training: Carry;
  readonly evaluation: Carry;
  /** Of windows that the workspace has no room for. */
  readonly segmented: SegmentedRun | undefined;
}

function reserve(
  store: Store,
  options: TrainerOptions,
  { segment, count }: Segmentation,
): TrainerLayout {
  const plan = new Plan();
  const { batch, loss, bptt, lossWeights = {} } = options;
  const replayed = bptt ? bptt.back - bptt.every : 0;
  const totals = mostSteps(store, options);
  const segments = [...totals.slice(0, -1), segment];
  const places = { plan, store, batch };
  return {
    segment,
    plan,
    updater: new Updater(plan, store, options),
    loss: loss && new Losses(loss, lossWeights, places, totals, segments),
    training: new Carry(plan, store, batch, replayed),
    evaluation: new Carry(plan, store, batch, 0),
    segmented: count > 1 ? new SegmentedRun(plan, store, batch, count) : undefined,
  };
}

/** Most steps of a window, of each sequence of inputs. */
export function mostSteps({ graph }: Store, { steps }: TrainerOptions): readonly number[] {
  return checkSteps(graph, steps);
}

/** Plans the memory of a trainer but for its workspace. */
export function layOut(store: Store, options: TrainerOptions): TrainerLayout {
  return reserve(store, options, segmentation(store, options));
}

/** The segments that a trainer's windows are run in: one where memory is not bounded. */
function segmentation(store: Store, options: TrainerOptions): Segmentation {
  const { batch, maxBytes } = options;
  const steps = mostSteps(store, options).at(-1)!;
  if (maxBytes === undefined) return { segment: steps, count: 1 };
  if (store.graph.isWhole) {
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      '"maxBytes" cuts sequences that a layer reading backwards or a pool needs whole: leave it out',
    );
  }
  const bytesOf = (plan: Segmentation): number => {
    const windowSteps = mostSteps(store, options);
    const shape = { batch, steps: plan.segment, windowSteps, gradients: NONE };
    return reserve(store, options, plan).plan.bytes + Workspace.bytes(store, shape);
  };
  const { noSegments } = store.graph;
  if (noSegments !== undefined) {
    const bytes = bytesOf({ segment: steps, count: 1 });
    if (bytes > maxBytes) {
      const message = `"maxBytes" of ${maxBytes} bytes cuts windows, which take ${bytes}: ${noSegments}`;
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
  }
  return planSegments(steps, maxBytes, bytesOf);
}
