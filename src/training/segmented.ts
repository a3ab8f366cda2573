import type { Carry } from './tbptt.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Plan } from '../engine/plan.ts';
import type { Draw } from '../ops/masks.ts';
import type { AllTargets, Losses } from './losses/losses.ts';
import { putInputs } from '../graph/rows.ts';
import type { Stretch } from '../ops/pass.ts';
import { copyState, placesAt, reserveStates } from '../graph/states.ts';
import type { StatePlace } from '../graph/states.ts';
import type { Store } from '../graph/parameters.ts';
import type { Input } from '../base/tensor.ts';
import type { Workspace } from '../graph/workspace.ts';

/** A checked window of more steps than a workspace has room for. */
export interface LongWindow {
  readonly x: readonly Input[];
  readonly target: AllTargets;
  readonly steps: number;
  /** At least one above 0. */
  readonly lengths: Int32Array | undefined;
  /** The masks of training; in evaluation nothing is masked. */
  readonly draw: Pick<Draw, 'seed' | 'pass'> | undefined;
}

/**
 * Backpropagation through all steps of a window that is run in segments, from the states before
 * each. Every sum of the kernels goes on from segment to segment in the order in which it goes
 * through the whole, so that every bit is the same.
 *
 *     forward    ├─ 0 ─┼─ 1 ─┼─ 2 ─┤   keeps the states at every ┼, sums the weights of all targets
 *     backward   2, 1, 0               runs again from its states (but for the last), takes the
 *                                      loss and goes back: dh and dc stay where they are
 */
export class SegmentedRun {
  readonly #kernels: Kernels;
  readonly #batch: number;
  /** The states before segment 0; those before segment k and after the last one follow. */
  readonly #states: readonly StatePlace[];
  #end: { states: readonly StatePlace[]; order: Int32Array | undefined };

  constructor(plan: Plan, store: Store, batch: number, count: number) {
    this.#kernels = store.kernels;
    this.#batch = batch;
    this.#states = reserveStates(plan, store.graph, batch, count + 1);
    this.#end = { states: this.#states, order: undefined };
  }

  #statesBefore(k: number): StatePlace[] {
    return placesAt(this.#states, this.#batch, k);
  }

  /** The mean loss of a window; in training its gradient is added to those of the parameters. */
  run(workspace: Workspace, loss: Losses, window: LongWindow, carry: Carry): number {
    const { steps, lengths, target } = window;
    const isTraining = window.draw !== undefined;
    const longest = lengths ? Math.max(...lengths) : steps;
    const last = Math.ceil(longest / workspace.steps) - 1;
    /** Rows of the window before each segment. */
    const earlier = [0];
    let weights: readonly number[] = [];
    for (let k = 0; k <= last; k++) {
      const stretch = this.#arrange(workspace, window, k);
      if (k === 0) {
        carry.begin(workspace);
        copyState(this.#kernels, workspace.states(0), this.#states, this.#batch);
      }
      workspace.forward(isTraining && k < last);
      copyState(this.#kernels, workspace.lastStates(), this.#statesBefore(k + 1), this.#batch);
      weights = loss.put(workspace, target, stretch, weights);
      if (!isTraining) loss.run(workspace, undefined, earlier[k]!);
      earlier.push(earlier[k]! + stretch.extent.rows);
    }
    for (let k = last; isTraining && k >= 0; k--) {
      if (k < last) {
        loss.put(workspace, target, this.#arrange(workspace, window, k), []);
        workspace.forward();
      }
      loss.run(workspace, weights, earlier[k]!);
      workspace.backward(false);
    }
    this.#end = { states: this.#statesBefore(last + 1), order: workspace.extent.order };
    return loss.total(earlier[last + 1]!, weights);
  }

  /** Keeps the states after the last window. */
  keep(carry: Carry): void {
    carry.keepStates(this.#end.states, this.#end.order);
  }

  /** Readies the workspace for segment k, with its inputs and the states before it. */
  #arrange(workspace: Workspace, { x, steps, lengths, draw }: LongWindow, k: number): Stretch {
    const first = k * workspace.steps;
    const own = Math.min(workspace.steps, steps - first);
    if (lengths) workspace.arrangeLengths(lengths, first, own);
    else workspace.arrangeSteps(own);
    workspace.mask(draw && { ...draw, first });
    const stretch = { first, total: steps, batchFirst: false, extent: workspace.extent };
    putInputs(this.#kernels, workspace, x, stretch);
    copyState(this.#kernels, this.#statesBefore(k), workspace.states(0), this.#batch);
    return stretch;
  }
}
