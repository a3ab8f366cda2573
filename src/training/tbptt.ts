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
  readonly #kernels: Kernels;
  readonly #batch: number;
  /** Numbers of one step of the inputs. */
  readonly #width: number;
  readonly #most: number;
  /** How many tokens there are; absent where inputs are features. */
  readonly #tokens: number | undefined;
  readonly #states: readonly StatePlace[];
  readonly #inputs: Slot;

  /** @param most steps that a window replays: k2 - k1. */
  constructor(plan: Plan, store: Store, batch: number, most: number) {
    const { inputs, tokens, nodes } = store.graph;
    this.#kernels = store.kernels;
    this.#batch = batch;
    this.#width = batch * inputs;
    this.#most = most;
    this.#tokens = tokens;
    this.#states = reserveStates(plan, nodes, batch);
    this.#inputs = plan.reserve(most * this.#width);
  }

  /** Brings the replayed inputs and the states before them into a workspace. */
  begin(workspace: Workspace): void {
    this.#kernels.copy(workspace.input, 0, this.#inputs, 0, this.replay * this.#width);
    const { order } = workspace.extent;
    const initial = workspace.states(0);
    if (order) reorderState(this.#kernels, this.#states, initial, order, 'from');
    else copyState(this.#kernels, this.#states, initial, this.#batch);
  }

  /** Keeps what the window after this pass starts from. */
  keep(workspace: Workspace): void {
    const total = workspace.extent.steps;
    const replay = Math.min(this.#most, total);
    const from = (total - replay) * this.#width;
    this.#kernels.copy(this.#inputs, 0, workspace.input, from, replay * this.#width);
    const last = replay ? workspace.states(total - replay) : workspace.lastStates();
    this.keepStates(last, workspace.extent.order);
    this.replay = replay;
  }

  /** Keeps these states. */
  keepStates(last: readonly StatePlace[], order: Int32Array | undefined): void {
    if (order) reorderState(this.#kernels, last, this.#states, order, 'to');
    else copyState(this.#kernels, last, this.#states, this.#batch);
  }

  reset(): void {
    writeState(this.#kernels, this.#states, {}, this.#batch);
    this.replay = 0;
  }

  /** Its arrays by name; inputs that are tokens by their bits, with how many there are. */
  arrays(): CarriedArray[] {
    const states = this.#states.map(({ node, spec, slot }): CarriedArray => {
      const shape = [spec.count * this.#batch, spec.row];
      return { name: `carry.${node.name}.${spec.role}`, shape, slot };
    });
    if (!this.#most) return states;
    const shape = [this.#inputs.length];
    return [...states, { name: 'carry.inputs', shape, slot: this.#inputs, tokens: this.#tokens }];
  }
}

interface CarriedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly slot: Slot;
  readonly tokens?: number | undefined;
}
