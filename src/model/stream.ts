import {
  copyInto,
  isExactly,
  isOf,
  isShared,
  kindOf,
  lengthOf,
  overlaps,
  overtakes,
  viewOf,
} from '../base/arrays.ts';
import {
  checkChoice,
  checkFloats,
  checkInteger,
  checkIntegers,
  checkTokens,
  readNamed,
  readOptions,
  show,
  toFloats,
  toTokens,
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
  readRow,
  readState,
  unplaced,
  writeRow,
  writeState,
} from '../graph/states.ts';
import type { StatePlace } from '../graph/states.ts';
import type { Store } from '../graph/parameters.ts';
import type { Input, Inputs, ModelState, Numbers } from '../base/tensor.ts';
import { Workspace } from '../graph/workspace.ts';
import { ownGiven, putRows } from '../graph/rows.ts';
import { checkLengths } from '../ops/pass.ts';
import type { Slot } from '../engine/plan.ts';

/** How a stream begins, and how many sequences it has. */
export interface StreamOptions {
  /** B: sequences that advance together; default 1. */
  readonly batch?: number;
  /** Initial states; zero where absent. */
  readonly state?: ModelState;
  /**
   * Inputs that are there from the start, whole: those with one row a sequence, and all sequences
   * but the last one, e.g. what a decoder reads of.
   */
  readonly given?: Readonly<Record<string, Numbers>>;
  /** Steps of these sequences, and the valid ones of every row. */
  readonly steps?: Readonly<Record<string, number>>;
  /** Valid steps of every row of these sequences; all of them where absent. */
  readonly lengths?: Readonly<Record<string, ArrayLike<number>>>;
  /**
   * What a frame with a number that is not finite does: it goes through and stays in the states
   * (`propagate`, the default), is an error before anything changes (`throw`), or starts its row
   * over and is read as zeros (`reset`).
   */
  readonly onNonFinite?: NonFinite;
}

export type NonFinite = 'propagate' | 'throw' | 'reset';

/** The model that a stream runs, which has to live as long. */
interface StreamOwner {
  readonly engine: Engine;
}

/**
 * Steps that one call of the kernels may work through, and rows: more of either cost memory and
 * gain nothing.
 */
const [MAX_STEPS, MAX_ROWS] = [16, 64];

/** Steps of a call of the kernels for a batch. */
function blockOf(batch: number): number {
  return Math.max(1, Math.min(MAX_STEPS, Math.floor(MAX_ROWS / batch)));
}

/** Calls that are enough for V8 to have compiled the way of a stream for the second time. */
const WARM_CALLS = 2000;
/** Products after which the same holds of the kernels. */
export const WARM_WORK = 1e8;

/** Elements that are copied one by one as fast as by a call. */
const FEW = 32;

/**
 * The state of a running sequence over a model; after a `pool` of mode `last` every step is the
 * last so far. `step`, `run`, `copyFrom`, `reset(row)` and `save(into)` allocate nothing from the
 * second time on.
 */
export class Stream extends HostDisposable {
  /** B */
  readonly batch: number;
  readonly #owner: StreamOwner;
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly #onNonFinite: NonFinite;
  /** Most steps of a call of the kernels. */
  readonly #block: number;
  /** The states before the next step; those after n steps, for n up to that many. */
  readonly #states: readonly (readonly StatePlace[])[];
  readonly #options: StreamOptions;
  readonly #writer: StateWriter;
  /** What it takes and gives at every step. */
  readonly #inputs: readonly StreamPort[];
  readonly #outputs: readonly StreamPort[];
  /** Views of some steps, remade when the memory has grown. */
  #views: Views;
  /** The states that it was made with, once a row has started over. */
  #start: ModelState | undefined;
  #disposed = false;

  private constructor(owner: StreamOwner, store: Store, options: StreamOptions) {
    super();
    const keys = ['batch', 'state', 'given', 'steps', 'lengths', 'onNonFinite'] as const;
    const given = readOptions('options', options, keys);
    const { graph } = store;
    const batch = checkInteger('batch', given.batch ?? 1, 1);
    const state = checkState(unplaced(graph), given.state ?? {}, batch);
    const choices = ['propagate', 'throw', 'reset'] as const;
    this.#onNonFinite = checkChoice('onNonFinite', given.onNonFinite ?? 'propagate', choices);
    store.checkAlive();
    kernelsOf(owner.engine);
    const { noStream } = graph;
    if (noStream) throw new GatefoldError('ERR_UNSUPPORTED', noStream);
    const whole = checkGiven(store, given, batch);
    this.#owner = owner;
    this.batch = batch;
    this.#options = { ...given, state };
    this.#store = store;
    this.#kernels = store.kernels;
    this.#block = blockOf(batch);
    const shape = { batch, steps: [...whole.totals, this.#block], everyStep: true };
    this.#workspace = new Workspace(store, shape, `a stream of batch ${this.batch}`, this);
    this.#states = Array.from({ length: this.#block + 1 }, (_, step) =>
      this.#workspace.states(step),
    );
    this.#writer = new StateWriter(this.#states[0]!, batch);
    const { inputs, outputs } = this.#workspace;
    this.#inputs = inputs
      .filter((_, k) => graph.isStreamedInput(k))
      .map(({ name, slot, width, tokens }) => ({
        name,
        slot,
        width,
        row: width,
        tokens,
        kind: tokens === undefined ? ('Float32Array' as const) : ('Int32Array' as const),
        given: NOTHING,
      }));
    this.#outputs = outputs.map(({ name, slot, width, row }) => {
      const kind = 'Float32Array' as const;
      return { name, slot, width, row, tokens: undefined, kind, given: NOTHING };
    });
    this.#views = { memory: this.#kernels.arena.floats, blocks: [] };
    this.#begin(whole);
    // Arrays are checked against the batch: it stays what it is.
    Object.freeze(this);
  }

  /** @internal A stream over the parameters of a model: `model.stream()` for everyone else. */
  static over(owner: StreamOwner, store: Store, options: StreamOptions): Stream {
    return new Stream(owner, store, options);
  }

  /** Runs what depends on whole inputs alone, and takes the states that come of it. */
  #begin({ x, totals, lengths }: WholeInputs): void {
    const workspace = this.#workspace;
    const { batch } = this;
    workspace.arrangeWhole([...totals, 1], [...lengths, undefined]);
    const { extent } = workspace;
    const stretch = { first: 0, total: 1, batchFirst: false, extent, others: totals };
    for (const [k, input] of workspace.inputs.entries()) {
      if (!x[k]) continue;
      const rows = { ...input, row: input.width };
      putRows(this.#kernels, workspace, x[k], rows, workspace.inputStretch(k, stretch));
    }
    const initial = this.#states[0]!;
    writeState(this.#kernels, initial, this.#options.state!, batch);
    workspace.begin();
  }

  /**
   * Runs one step.
   *
   * @param x [B, I], or tokens [B]; several inputs by name.
   * @param out takes the outputs [B, O]; several by name.
   * @throws `ERR_SHAPE` unless all have exactly these lengths.
   */
  step(x: Inputs, out: Outputs): void {
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
  run(x: Inputs, out: Outputs, steps: number): void {
    this.#run(x, out, steps, true);
  }

  #run(x: Inputs, out: Outputs, steps: number, orLonger: boolean): void {
    this.#checkAlive();
    checkInteger('steps', steps, 1);
    const rows = steps * this.batch;
    const [inputs, outputs] = [this.#inputs, this.#outputs];
    for (let k = 0; k < inputs.length; k++) {
      const port = inputs[k]!;
      const length = rows * port.width;
      const isPlain = inputs.length === 1 && isExactly(port.kind, x, length);
      port.given = isPlain ? x : readInput(port, x, inputs.length, length, orLonger);
    }
    for (let k = 0; k < outputs.length; k++) {
      const port = outputs[k]!;
      const length = rows * port.width;
      const isPlain = outputs.length === 1 && isExactly('Float32Array', out, length);
      port.given = isPlain ? out : readOutput(port, out, outputs.length, length, orLonger);
    }
    for (let k = 0; k < inputs.length; k++) this.#protect(inputs[k]!, steps);
    if (this.#onNonFinite !== 'propagate' && !this.#isFinite(rows)) this.#restart(steps);
    else this.#through(0, steps);
    for (let k = 0; k < inputs.length; k++) inputs[k]!.given = NOTHING;
    for (let k = 0; k < outputs.length; k++) outputs[k]!.given = NOTHING;
  }

  /** Runs a part of the steps of a call. */
  #through(from: number, to: number): void {
    const { memory } = this.#views;
    const { floats } = this.#kernels.arena;
    if (memory !== floats) this.#views = { memory: floats, blocks: [] };
    for (let first = from; first < to; first += this.#block) {
      this.#advance(first, Math.min(this.#block, to - first));
    }
  }

  /** Whether the first rows of all inputs of features are finite. */
  #isFinite(rows: number): boolean {
    for (let k = 0; k < this.#inputs.length; k++) {
      const { given, width, tokens } = this.#inputs[k]!;
      if (tokens !== undefined) continue;
      for (let i = 0; i < rows * width; i++) if (!Number.isFinite(given[i]!)) return false;
    }
    return true;
  }

  /** Runs steps of which some have frames that are not finite: refuses them, or starts over. */
  #restart(steps: number): void {
    const { batch } = this;
    const ports = this.#inputs.filter(({ tokens }) => tokens === undefined);
    for (const port of ports) port.given = copyOf(port.given, steps * batch * port.width);
    let from = 0;
    for (let row = 0; row < steps * batch; row++) {
      const frames = ports.map(({ given, width }) =>
        given.subarray(row * width, (row + 1) * width),
      );
      if (frames.every((frame) => frame.every(Number.isFinite))) continue;
      const [step, b] = [Math.floor(row / batch), row % batch];
      if (this.#onNonFinite === 'throw') {
        throw new GatefoldError(
          'ERR_NON_FINITE',
          `the frame of step ${step} and row ${b} is not finite; nothing was run. Look for such values in "x", or make the stream with onNonFinite: 'reset'`,
        );
      }
      for (const frame of frames) frame.fill(0);
      this.#through(from, step);
      from = step;
      this.#resetRow(b);
    }
    this.#through(from, steps);
  }

  /**
   * Nobody may change what has been checked, nor may an output overwrite an input that is still to
   * be read.
   */
  #protect(input: StreamPort, steps: number): void {
    const length = steps * this.batch * input.width;
    const isChecked = input.tokens !== undefined || this.#onNonFinite !== 'propagate';
    let mayChange = isChecked && isShared(input.given);
    for (let k = 0; k < this.#outputs.length && !mayChange; k++) {
      const { given, width } = this.#outputs[k]!;
      const written = steps * this.batch * width;
      // Of several outputs one may be written before another input is read.
      mayChange =
        this.#outputs.length + this.#inputs.length > 2
          ? overlaps(given, written, input.given, length)
          : steps > 1 && overtakes(given as Float32Array, written, input.given, length);
    }
    if (mayChange) input.given = copyOf(input.given, length);
    if (input.tokens !== undefined) {
      checkTokens('x', input.given as Int32Array, length, input.tokens);
    }
  }

  #advance(first: number, steps: number): void {
    const views = (this.#views.blocks[steps] ??= this.#viewsOf(steps));
    for (let k = 0; k < this.#inputs.length; k++) {
      const { given, width } = this.#inputs[k]!;
      const target = views.inputs[k]!;
      const from = first * this.batch * width;
      const length = steps * this.batch * width;
      if (length > FEW && length === lengthOf(given)) copyInto(target, given);
      else for (let i = 0; i < length; i++) target[i] = given[from + i]!;
    }
    this.#workspace.arrangeSteps(steps);
    this.#workspace.forward();
    for (let k = 0; k < this.#outputs.length; k++) {
      this.#take(this.#outputs[k]!, views.outputs[k]!, first, steps);
    }
    copyState(this.#kernels, this.#states[steps]!, this.#states[0]!, this.batch);
  }

  /** The outputs of some steps to their places in the caller's array. */
  #take(
    { given, width, row }: StreamPort,
    output: Float32Array,
    first: number,
    steps: number,
  ): void {
    const to = first * this.batch * width;
    if (row === width) {
      const isWhole = output.length > FEW && to === 0 && output.length === lengthOf(given);
      if (isWhole) copyInto(given, output);
      else for (let i = 0; i < output.length; i++) given[to + i] = output[i]!;
      return;
    }
    const rows = steps * this.batch;
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < width; i++) given[to + r * width + i] = output[r * row + i]!;
    }
  }

  #viewsOf(steps: number): Block {
    const kernels = this.#kernels;
    const rows = steps * this.batch;
    return {
      inputs: this.#inputs.map(({ slot, width, tokens }) => {
        const length = rows * width;
        return tokens === undefined
          ? kernels.floats(slot, 0, length)
          : kernels.integers(slot, 0, length);
      }),
      outputs: this.#outputs.map(({ slot, row }) => kernels.floats(slot, 0, rows * row)),
    };
  }

  /**
   * Starts over from the states that the stream was made with; zero where it got none.
   *
   * @param row of the batch, which starts over alone; default all.
   */
  reset(row?: number): void {
    if (row !== undefined) {
      this.#checkAlive();
      this.#resetRow(checkInteger('row', row, 0, this.batch - 1));
      return;
    }
    this.restore(this.#options.state!);
    this.#workspace.arrangeSteps(1);
    this.#workspace.begin();
  }

  #resetRow(row: number): void {
    this.#start ??= this.#startStates();
    writeRow(this.#kernels, this.#states[0]!, this.#start, this.batch, row);
  }

  /** The states that the stream starts from, found by starting over and going back. */
  #startStates(): ModelState {
    const kept = this.save();
    this.reset();
    const start = this.save();
    this.restore(kept);
    return start;
  }

  /**
   * A copy of the states of one row, as a stream of batch 1 takes them.
   *
   * @example
   *   const alone = model.stream({ state: stream.state(3) });
   */
  state(row: number): ModelState {
    this.#checkAlive();
    checkInteger('row', row, 0, this.batch - 1);
    return readRow(this.#kernels, this.#states[0]!, this.batch, row);
  }

  /**
   * Goes on from where another stream is: one of the same model and batch. What it was made with
   * stays its own.
   */
  copyFrom(other: Stream): void {
    this.#checkAlive();
    const isStream = typeof other === 'object' && other !== null && #store in other;
    if (!isStream || other.#store !== this.#store || other.batch !== this.batch) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"other" expected a stream of the same model with a batch of ${this.batch}, got ${isStream ? `one of another, or a batch of ${other.batch}` : show(other)}`,
      );
    }
    other.#checkAlive();
    copyState(this.#kernels, other.#states[0]!, this.#states[0]!, this.batch);
  }

  /**
   * Runs steps of zeros, alone and in blocks, until the engine of the host has compiled this way
   * for good: some tens of milliseconds, before the first call that somebody waits for. States do
   * not change.
   */
  warmUp(): void {
    this.#checkAlive();
    const kept = this.save();
    const most = this.#block + 1;
    const named = (ports: readonly StreamPort[]): Record<string, Input> => {
      const rows = most * this.batch;
      const arrays = ports.map(({ name, width, tokens }) => {
        const length = rows * width;
        return [name, tokens === undefined ? new Float32Array(length) : new Int32Array(length)];
      });
      return Object.fromEntries(arrays) as Record<string, Input>;
    };
    const [x, out] = [named(this.#inputs), named(this.#outputs) as Record<string, Float32Array>];
    const { parameters, graph } = this.#store;
    const work = parameters.reduce((sum, { length }) => sum + length, graph.rowLength) * this.batch;
    for (const steps of [most, 1]) {
      const calls = Math.min(WARM_CALLS, Math.ceil(WARM_WORK / (work * steps)));
      for (let call = 0; call < calls; call++) this.#run(x, out, steps, true);
    }
    this.restore(kept);
  }

  /** Another stream that goes on from the same state, and starts over as this one does. */
  clone(): Stream {
    const state = this.save();
    const twin = new Stream(this.#owner, this.#store, { ...this.#options, batch: this.batch });
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
    const checked = checkState(this.#states[0]!, state, this.batch, /* isInitial */ false);
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

/** An input or output of a stream. */
interface StreamPort {
  readonly name: string;
  readonly slot: Slot;
  readonly width: number;
  /** Elements from row to row in the engine. */
  readonly row: number;
  readonly tokens: number | undefined;
  readonly kind: 'Float32Array' | 'Int32Array';
  /** The caller's array during a call. */
  given: Input;
}

const NOTHING = new Float32Array();

/** Outputs of a stream: one array, or several by name. */
type Outputs = Float32Array | Readonly<Record<string, Float32Array>>;

/** What a caller gives for one of `count` inputs or outputs: by itself, or by name. */
function pick(given: unknown, name: string, count: number, title: string): unknown {
  if (kindOf(given) !== undefined && count === 1) return given;
  const isNamed = typeof given === 'object' && given !== null && kindOf(given) === undefined;
  if (isNamed && Object.hasOwn(given, name)) return (given as Record<string, unknown>)[name];
  if (count === 1) return given;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"${title}" expected an object with an array for '${name}', got ${show(given)}`,
  );
}

/** An input of a call where it is not just an array of the right kind and length. */
function readInput(
  { name, tokens }: StreamPort,
  x: unknown,
  count: number,
  length: number,
  orLonger: boolean,
): Input {
  const title = count > 1 ? name : 'x';
  const own = pick(x, name, count, 'x');
  return tokens === undefined
    ? checkFloats(title, toFloats(title, own), length, 'steps x batch x features', orLonger)
    : checkIntegers(title, toTokens(title, own), length, 'steps x batch', orLonger);
}

/** The same of an output. */
function readOutput(
  { name }: StreamPort,
  out: unknown,
  count: number,
  length: number,
  orLonger: boolean,
): Float32Array {
  const own = pick(out, name, count, 'out');
  return checkFloats(count > 1 ? name : 'out', own, length, 'steps x batch x outputs', orLonger);
}

/** Inputs that a stream is given whole; none where its steps bring all. */
interface WholeInputs {
  readonly x: readonly (Input | undefined)[];
  /** Steps and valid steps of all sequences but the last one. */
  readonly totals: readonly number[];
  readonly lengths: readonly (Int32Array | undefined)[];
}

/** Checks what a stream starts with. */
function checkGiven(store: Store, options: StreamOptions, batch: number): WholeInputs {
  const { graph } = store;
  const { given = {}, steps = {}, lengths = {} } = options;
  const sequences = graph.sequences.slice(0, -1);
  const counts = readNamed<number>('steps', steps, sequences);
  const valid = readNamed<ArrayLike<number>>('lengths', lengths, sequences);
  const totals = sequences.map((name, k) =>
    checkInteger(`steps.${name}`, counts[k] ?? graph.fixed[k], 1),
  );
  const checked = sequences.map((name, k) =>
    checkLengths(valid[k], batch, totals[k]!, `lengths.${name}`),
  );
  const places = { totals, batch, batchFirst: false, lengths: checked };
  return { x: ownGiven(graph, given, places), totals, lengths: checked };
}

/** Views of what goes in and out. */
interface Block {
  readonly inputs: readonly (Float32Array | Int32Array)[];
  readonly outputs: readonly Float32Array[];
}

interface Views {
  readonly memory: Float32Array;
  /** By the number of steps. */
  readonly blocks: Block[];
}
