import { POOL_LAST } from '../assembly/shared/codes.ts';
import { checkFloats, checkInteger, checkKeys } from './check.ts';
import { disposable } from './disposable.ts';
import { kernelsOf } from './engine.ts';
import { GatefoldError } from './errors.ts';
import type { Kernels } from './kernels.ts';
import type { Model } from './model.ts';
import { checkInput } from './sequence-io.ts';
import { checkState, copyState, readState, writeState } from './states.ts';
import type { StatePlace } from './states.ts';
import type { Store } from './store.ts';
import type { Input, ModelState } from './types.ts';
import { Workspace } from './workspace.ts';

export interface StreamOptions {
  /** B: sequences that advance together; default 1. */
  readonly batch?: number;
  /** Initial states; zero where absent. */
  readonly state?: ModelState;
}

/** Steps that one call of the kernels may work through. */
const BLOCK = 16;

/** The state of a running sequence over a model; behind a `pool` of mode `last` every step is the last so far. `step` and `run` allocate nothing. */
export class Stream {
  readonly model: Model;
  /** B */
  readonly batch: number;
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  /** The states before the next step; those after n steps, for n up to BLOCK. */
  readonly #states: readonly (readonly StatePlace[])[];
  readonly #inputRow: number;
  readonly #outputs: number;
  readonly #outputRow: number;
  /** Views of a whole block and of one step, remade when the memory has grown. */
  #views: Views;
  #disposed = false;

  constructor(model: Model, store: Store, options: StreamOptions) {
    checkKeys('options', options, ['batch', 'state']);
    if (!store.causal) {
      throw new GatefoldError(
        'ERR_UNSUPPORTED',
        'a stream cannot run a model that reads backwards: give the whole sequence to model.forward()',
      );
    }
    this.model = model;
    this.batch = checkInteger('batch', options.batch ?? 1, 1);
    this.#store = store;
    this.#kernels = store.kernels;
    const pool = store.units[store.pooledFrom];
    if (pool?.kind === 'pool' && pool.mode !== POOL_LAST) {
      throw new GatefoldError(
        'ERR_UNSUPPORTED',
        "a stream cannot run a pool of mean or max, which has no output before the end: use mode 'last', or model.forward()",
      );
    }
    const shape = { batch: this.batch, steps: BLOCK, everyStep: true };
    this.#workspace = new Workspace(store, shape, `a stream of batch ${this.batch}`, this);
    this.#states = Array.from({ length: BLOCK + 1 }, (_, step) => this.#workspace.states(step));
    const top = store.units.at(-1)!;
    this.#inputRow = this.batch * store.units[0]!.inputs;
    this.#outputs = top.outputs;
    this.#outputRow = top.outputRow;
    this.#views = this.#createViews();
    if (options.state) this.restore(options.state);
  }

  /**
   * One step: `x` [B, I] or tokens [B], `out` [B, O].
   */
  step(x: Input, out: Float32Array): void {
    this.run(x, out, 1);
  }

  /**
   * `frames` steps: `x` [T, B, I] or tokens [T, B], `out` [T, B, O].
   */
  run(x: Input, out: Float32Array, frames: number): void {
    this.#checkAlive();
    checkInteger('frames', frames, 1);
    checkInput(this.#store, 'x', x, frames, this.batch);
    checkFloats('out', out, frames * this.batch * this.#outputs, 'frames x batch x outputs');
    if (this.#views.memory !== this.#kernels.arena.floats) this.#views = this.#createViews();
    const whole = frames - (frames % BLOCK);
    for (let first = 0; first < whole; first += BLOCK) this.#advance(x, out, first, BLOCK);
    for (let first = whole; first < frames; first++) this.#advance(x, out, first, 1);
  }

  #advance(x: Input, out: Float32Array, first: number, steps: number): void {
    const views = this.#views;
    const { input, output } = steps === 1 ? views.single : views.block;
    const from = first * this.#inputRow;
    const length = steps * this.#inputRow;
    const target = x instanceof Int32Array ? views.tokens : input;
    for (let i = 0; i < length; i++) target[i] = x[from + i]!;
    this.#workspace.arrangeSteps(steps);
    this.#workspace.forward();
    const outputs = this.#outputs;
    const row = this.#outputRow;
    const to = first * this.batch * outputs;
    if (row === outputs) {
      if (to === 0 && output.length === out.length) out.set(output);
      else for (let i = 0; i < output.length; i++) out[to + i] = output[i]!;
    } else {
      const rows = steps * this.batch;
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < outputs; i++) out[to + r * outputs + i] = output[r * row + i]!;
      }
    }
    copyState(this.#kernels, this.#states[steps]!, this.#states[0]!, this.batch);
  }

  #createViews(): Views {
    const kernels = this.#kernels;
    const { input, output } = this.#workspace;
    const rowOut = this.batch * this.#outputRow;
    const pair = (steps: number): Pair => ({
      input: kernels.floats(input, 0, steps * this.#inputRow),
      output: kernels.floats(output, 0, steps * rowOut),
    });
    const tokens = kernels.integers(input);
    return { memory: kernels.arena.floats, tokens, single: pair(1), block: pair(BLOCK) };
  }

  /** Starts over from zero states. */
  reset(): void {
    this.restore({});
  }

  /** Another stream that goes on from the same state. */
  clone(): Stream {
    return new Stream(this.model, this.#store, { batch: this.batch, state: this.save() });
  }

  /** A copy of the states. */
  save(): ModelState {
    this.#checkAlive();
    return readState(this.#kernels, this.#states[0]!, this.batch);
  }

  /** Goes on from other states; zero where absent. */
  restore(state: ModelState): void {
    this.#checkAlive();
    checkState(this.#states[0]!, state, this.batch);
    writeState(this.#kernels, this.#states[0]!, state, this.batch);
  }

  #checkAlive(): void {
    this.#store.checkAlive();
    kernelsOf(this.model.engine);
    if (!this.#disposed) return;
    throw new GatefoldError(
      'ERR_DISPOSED',
      'the stream has been disposed; make another with model.stream()',
    );
  }

  /** Gives the memory back. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#workspace.dispose();
  }
}

interface Pair {
  readonly input: Float32Array;
  readonly output: Float32Array;
}

interface Views {
  readonly memory: Float32Array;
  readonly tokens: Int32Array;
  readonly single: Pair;
  readonly block: Pair;
}

disposable(Stream);
