import type { Kernels } from '../engine/kernels.ts';
import type { Plan, Slot } from '../engine/plan.ts';
import { copyState, reorderState, reserveStates, writeState } from '../graph/states.ts';
import type { StatePlace } from '../graph/states.ts';
import type { Store } from '../graph/parameters.ts';
import type { Workspace } from '../graph/workspace.ts';

/**
 * What goes over the cut between two windows of truncated backpropagation: the states, and the
 * inputs that the next window replays with the parameters of then, so that its errors flow back
 * through more steps than are new.
 *
 *     window n      ├── replayed ──┼──── new ────┤
 *     window n + 1                 ├── replayed ─┼──── new ────┤
 *                                  ▲ states
 */
export class Carry {
  /** Steps of the inputs that are there. */
  replay = 0;
  /** Whether the next window starts a sequence. */
  isFresh = true;
  readonly #kernels: Kernels;
  readonly #batch: number;
  readonly #most: number;
  readonly #states: readonly StatePlace[];
  /** Of each input. */
  readonly #inputs: readonly CarriedInput[];

  /** @param most steps that a window replays: k2 - k1. */
  constructor(plan: Plan, store: Store, batch: number, most: number) {
    const { inputs } = store.graph;
    this.#kernels = store.kernels;
    this.#batch = batch;
    this.#most = most;
    this.#states = reserveStates(plan, store.graph, batch);
    this.#inputs = inputs.map(({ name, width, tokens }, k) => ({
      name: k === 0 ? 'carry.inputs' : `carry.inputs.${name}`,
      width: batch * width,
      tokens,
      slot: plan.reserve(most * batch * width),
    }));
  }

  /** Brings the replayed inputs and the states before them into a workspace. */
  begin(workspace: Workspace): void {
    for (const [k, { slot, width }] of this.#inputs.entries()) {
      this.#kernels.copy(workspace.inputs[k]!.slot, 0, slot, 0, this.replay * width);
    }
    const { order } = workspace.extent;
    const initial = workspace.states(0);
    if (this.isFresh) writeState(this.#kernels, initial, {}, this.#batch);
    else if (order) reorderState(this.#kernels, this.#states, initial, order, 'from');
    else copyState(this.#kernels, this.#states, initial, this.#batch);
  }

  /** Keeps what the window after this pass starts from. */
  keep(workspace: Workspace): void {
    const total = workspace.extent.steps;
    const replay = Math.min(this.#most, total);
    for (const [k, { slot, width }] of this.#inputs.entries()) {
      const from = (total - replay) * width;
      this.#kernels.copy(slot, 0, workspace.inputs[k]!.slot, from, replay * width);
    }
    const last = replay ? workspace.states(total - replay) : workspace.lastStates();
    this.keepStates(last, workspace.extent.order);
    this.replay = replay;
  }

  /** Keeps these states. */
  keepStates(last: readonly StatePlace[], order: Int32Array | undefined): void {
    if (order) reorderState(this.#kernels, last, this.#states, order, 'to');
    else copyState(this.#kernels, last, this.#states, this.#batch);
    this.isFresh = false;
  }

  reset(): void {
    writeState(this.#kernels, this.#states, {}, this.#batch);
    this.replay = 0;
    this.isFresh = true;
  }

  /** Its arrays by name; inputs that are tokens by their bits, with how many there are. */
  arrays(): CarriedArray[] {
    const states = this.#states.map(({ node, spec, slot }): CarriedArray => {
      const shape = [spec.count * this.#batch, spec.row];
      return { name: `carry.${node.name}.${spec.role}`, shape, slot };
    });
    if (!this.#most) return states;
    const inputs = this.#inputs.map(({ name, slot, tokens }) => {
      return { name, shape: [slot.length], slot, tokens };
    });
    return [...states, ...inputs];
  }
}

/** The steps of an input that the next window replays. */
interface CarriedInput {
  readonly name: string;
  /** Numbers of one step. */
  readonly width: number;
  /** How many tokens there are; absent where it is features. */
  readonly tokens: number | undefined;
  readonly slot: Slot;
}

interface CarriedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly slot: Slot;
  readonly tokens?: number | undefined;
}
