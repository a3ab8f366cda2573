import { copyInto, isOf, isShared, lengthOf, overtakes, viewOf } from '../base/arrays.ts';
import {
  checkFloats,
  checkInteger,
  checkIntegers,
  checkTokens,
  readOptions,
} from '../base/check.ts';
import { HostDisposable } from '../base/disposable.ts';
import { kernelsOf } from '../engine/engine.ts';
import type { Engine } from '../engine/engine.ts';
import { GatefoldError } from '../base/errors.ts';
import type { Kernels } from '../engine/kernels.ts';
import {
  StateWriter,
  checkState,
  copyState,
  readState,
  unplaced,
  writeState,
} from '../graph/states.ts';
import type { StatePlace } from '../graph/states.ts';
import type { Store } from '../graph/parameters.ts';
import type { Input, ModelState } from '../base/tensor.ts';
import { Workspace } from '../graph/workspace.ts';

export interface StreamOptions {
  /** B: sequences that advance together; default 1. */
  readonly batch?: number;
  /** Initial states; zero where absent. */
  readonly state?: ModelState;
}

/** The model that a stream runs, which has to live as long. */
interface StreamOwner {
  readonly engine: Engine;
}

/** Steps that one call of the kernels may work through. */
const BLOCK = 16;

/**
 * The state of a running sequence over a model; after a `pool` of mode `last` every step is the
 * last so far. `step`, `run` and `save(into)` allocate nothing.
 */
export class Stream extends HostDisposable {
  /** B */
  readonly batch: number;
  readonly #owner: StreamOwner;
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  /** The states before the next step; those after n steps, for n up to BLOCK. */
  readonly #states: readonly (readonly StatePlace[])[];
  readonly #initial: ModelState;
  readonly #writer: StateWriter;
  readonly #inputRow: number;
  readonly #outputs: number;
  readonly #outputRow: number;
  /** Views of a whole block and of one step, remade when the memory has grown. */
  #views: Views;
  #disposed = false;

  private constructor(owner: StreamOwner, store: Store, options: StreamOptions) {
    super();
    const given = readOptions('options', options, ['batch', 'state']);
    const batch = checkInteger('batch', given.batch ?? 1, 1);
    const state = checkState(unplaced(store.graph.nodes), given.state ?? {}, batch);
    store.checkAlive();
    kernelsOf(owner.engine);
    const { noStream, inputs, outputs } = store.graph;
    if (noStream) throw new GatefoldError('ERR_UNSUPPORTED', noStream);
    this.#owner = owner;
    this.batch = batch;
    this.#initial = state;
    this.#store = store;
    this.#kernels = store.kernels;
    const shape = { batch: this.batch, steps: BLOCK, everyStep: true };
    this.#workspace = new Workspace(store, shape, `a stream of batch ${this.batch}`, this);
    this.#states = Array.from({ length: BLOCK + 1 }, (_, step) => this.#workspace.states(step));
    this.#writer = new StateWriter(this.#states[0]!, batch);
    this.#inputRow = this.batch * inputs;
    this.#outputs = outputs;
    this.#outputRow = this.#workspace.outputRow;
    this.#views = this.#createViews();
    writeState(this.#kernels, this.#states[0]!, state, batch);
    // Arrays are checked against the batch: it stays what it is.
    Object.freeze(this);
  }

  /** @internal A stream over the parameters of a model: `model.stream()` for everyone else. */
  static over(owner: StreamOwner, store: Store, options: StreamOptions): Stream {
    return new Stream(owner, store, options);
  }

  /**
   * Runs one step.
   *
   * @param x [B, I], or tokens [B].
   * @param out takes the outputs [B, O].
   * @throws `ERR_SHAPE` unless both have exactly these lengths.
   */
  step(x: Input, out: Float32Array): void {
    this.#run(x, out, 1, false);
  }

  /**
   * Runs `steps` steps.
   *
   * @example
   *   stream.run(block, outputs, 128); // [128, B, I] to [128, B, O]
   *
   * @param x [T, B, I], or tokens [T, B]. What a longer array has after them is not read.
   * @param out takes the outputs [T, B, O]; the rest of a longer array stays. May overlap with `x`.
   * @throws `ERR_SHAPE` for an array that is too short.
   */
  run(x: Input, out: Float32Array, steps: number): void {
    this.#run(x, out, steps, true);
  }

  #run(x: Input, out: Float32Array, steps: number, orLonger: boolean): void {
    this.#checkAlive();
    checkInteger('steps', steps, 1);
    const rows = steps * this.batch;
    const { tokens, inputs: width } = this.#store.graph;
    const inputs = rows * width;
    const outputs = rows * this.#outputs;
    if (tokens !== undefined) checkIntegers('x', x, inputs, 'steps x batch', orLonger);
    else checkFloats('x', x, inputs, 'steps x batch x features', orLonger);
    checkFloats('out', out, outputs, 'steps x batch x outputs', orLonger);
    // Nobody may change what has been checked, nor may an output overwrite an input that is still
    // to be read.
    const mayChange = isShared(x) || (steps > 1 && overtakes(out, outputs, x, inputs));
    const given = mayChange ? copyOf(x, inputs) : x;
    if (tokens !== undefined) checkTokens('x', given as Int32Array, inputs, tokens);
    if (this.#views.memory !== this.#kernels.arena.floats) this.#views = this.#createViews();
    const whole = steps - (steps % BLOCK);
    for (let first = 0; first < whole; first += BLOCK) this.#advance(given, out, first, BLOCK);
    for (let first = whole; first < steps; first++) this.#advance(given, out, first, 1);
  }

  #advance(x: Input, out: Float32Array, first: number, steps: number): void {
    const views = this.#views;
    const { input, output } = steps === 1 ? views.single : views.block;
    const from = first * this.#inputRow;
    const length = steps * this.#inputRow;
    const target = isOf('Int32Array', x) ? views.tokens : input;
    for (let i = 0; i < length; i++) target[i] = x[from + i]!;
    this.#workspace.arrangeSteps(steps);
    this.#workspace.forward();
    const outputs = this.#outputs;
    const row = this.#outputRow;
    const to = first * this.batch * outputs;
    if (row === outputs) {
      if (to === 0 && output.length === lengthOf(out)) copyInto(out, output);
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

  /** Starts over from the states that the stream was made with; zero where it got none. */
  reset(): void {
    this.restore(this.#initial);
  }

  /** Another stream that goes on from the same state, and starts over as this one does. */
  clone(): Stream {
    const state = this.save();
    const twin = new Stream(this.#owner, this.#store, { batch: this.batch, state: this.#initial });
    twin.restore(state);
    return twin;
  }

  /**
   * A copy of the states, as `restore` takes it.
   *
   * @example
   *   const kept = stream.save();
   *   stream.run(block, outputs, 128);
   *   stream.save(kept); // the states after the block, in the same arrays
   *
   * @param into states that an earlier `save()` of such a stream returned. They are overwritten and
   *   returned; from the second time on, the call allocates nothing.
   * @throws `ERR_ARGUMENT` or `ERR_SHAPE` where an array of `into` is missing, has another length,
   *   or overlaps another.
   */
  save(into?: ModelState): ModelState {
    this.#checkAlive();
    if (into === undefined) return readState(this.#kernels, this.#states[0]!, this.batch);
    this.#writer.check(into);
    // Whatever the caller's getters have done by now.
    this.#checkAlive();
    this.#writer.write(this.#kernels);
    return into;
  }

  /** Goes on from other states; zero where absent. */
  restore(state: ModelState): void {
    this.#checkAlive();
    const checked = checkState(this.#states[0]!, state, this.batch);
    this.#checkAlive();
    writeState(this.#kernels, this.#states[0]!, checked, this.batch);
  }

  #checkAlive(): void {
    this.#store.checkAlive();
    kernelsOf(this.#owner.engine);
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

/** A copy of the first elements that is this call's alone. */
function copyOf(x: Input, length: number): Input {
  return isOf('Int32Array', x)
    ? viewOf('Int32Array', x, length).slice()
    : viewOf('Float32Array', x, length).slice();
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
