/** `gatefold/sessions`: many running sequences over one model, stepped together. */

import { copyInto, isExactly, isOf } from '../base/arrays.ts';
import {
  checkChoice,
  checkFloats,
  checkInteger,
  checkIntegers,
  checkNumber,
  checkTokens,
  readNamed,
  readOptions,
  show,
  toFloats,
  toTokens,
} from '../base/check.ts';
import { HostDisposable } from '../base/disposable.ts';
import { GatefoldError } from '../base/errors.ts';
import type { Input, Inputs, ModelState } from '../base/tensor.ts';
import { kernelsOf } from '../engine/engine.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Store } from '../graph/parameters.ts';
import { eachInput } from '../graph/rows.ts';
import { copyFirstRows, firstRowsExtent, placeRow, swapRows } from '../graph/session-rows.ts';
import { checkState, readRow, unplaced, writeState } from '../graph/states.ts';
import type { StatePlace } from '../graph/states.ts';
import { Workspace } from '../graph/workspace.ts';
import type { Extent } from '../ops/pass.ts';
import { storeOf } from './model.ts';
import type { Model } from './model.ts';

export interface SessionPoolOptions {
  /** Sessions that may be open at once: memory for all of them is taken at once. */
  readonly slots: number;
  /**
   * Milliseconds for which a step may wait for those of other sessions; default 2. It never waits
   * where all open sessions have one. With 0 only steps of the same turn of the event loop's queue
   * of promises go together.
   */
  readonly maxLatency?: number;
  /** What `open` does while all slots are taken: an error (the default), or wait for a `close`. */
  readonly overflow?: 'error' | 'wait';
  /** Is told after each batch how many sessions had a step in it. */
  readonly onBatch?: (steps: number) => void;
}

const KEYS = ['slots', 'maxLatency', 'overflow', 'onBatch'] as const;

type Named = Readonly<Record<string, Float32Array>>;

/** Outputs of a step: one array, or several by name. */
type StepOutput = Float32Array | Named;

/** A step that waits for its batch. */
interface Pending {
  readonly outputs: readonly Float32Array[];
  readonly result: StepOutput;
  readonly resolve: (result: StepOutput) => void;
  readonly reject: (error: unknown) => void;
}

/** An `open` that waits for a slot. */
interface Opening {
  readonly state: ModelState;
  readonly resolve: (session: Session) => void;
  readonly reject: (error: unknown) => void;
}

/** What sessions ask of their pool. */
interface Slots {
  step(session: Session, x: Inputs, out?: StepOutput): Promise<StepOutput>;
  save(slot: number): ModelState;
  close(session: Session): void;
}

/** One sequence of a pool, which advances step by step. */
export class Session {
  readonly #slots: Slots;
  /** @internal Its row of the batch, which may change between steps; below 0 once it is closed. */
  slot: number;
  /** @internal Inputs of the step that waits. */
  readonly x: readonly Input[];
  /** @internal */
  pending: Pending | undefined;

  /** @internal */
  constructor(slots: Slots, slot: number, x: readonly Input[]) {
    this.#slots = slots;
    this.slot = slot;
    this.x = x;
  }

  /**
   * Runs one step, together with those of other sessions.
   *
   * @param x [I], or one token; several inputs by name.
   * @param out takes the outputs [O]; several by name. Default fresh arrays.
   * @returns the outputs: `out`, where it was given.
   */
  step(x: Inputs, out: Named): Promise<Named>;
  step(x: Inputs, out?: Float32Array): Promise<Float32Array>;
  step(x: Inputs, out?: StepOutput): Promise<StepOutput> {
    return this.#slots.step(this, x, out);
  }

  /** A copy of its states, as `open` of any pool and a stream of batch 1 of the model take them. */
  save(): ModelState {
    if (this.slot < 0) throw closed();
    return this.#slots.save(this.slot);
  }

  /** Ends it. A step that still waits is refused. */
  close(): void {
    this.#slots.close(this);
  }
}

function closed(): GatefoldError {
  return new GatefoldError('ERR_DISPOSED', 'the session has been closed; open another');
}

/**
 * Many running sequences over one model. Steps of all sessions that have one run as one batch; each
 * gives the same bits as a stream of its own.
 *
 * @example
 *   const pool = SessionPool.create(model, { slots: 1024 });
 *   const session = await pool.open();
 *   const output = await session.step(frame);
 *   const state = session.save();
 *   session.close();
 */
export class SessionPool extends HostDisposable {
  /** Sessions that may be open at a time. */
  readonly slots: number;
  readonly #model: Model;
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly #maxLatency: number;
  readonly #overflow: 'error' | 'wait';
  readonly #onBatch: ((steps: number) => void) | undefined;
  /** States before the next step of every slot, and those after it. */
  readonly #before: readonly StatePlace[];
  readonly #after: readonly StatePlace[];
  /** Open sessions, by their slots. */
  readonly #sessions: Session[] = [];
  readonly #openings: Opening[] = [];
  /** Sessions with a step. */
  #ready: Session[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;
  readonly #extents: (Extent | undefined)[] = [];
  #rows = 0;
  #disposed = false;

  private constructor(model: Model, options: SessionPoolOptions) {
    super();
    const given = readOptions('options', options, KEYS);
    const { onBatch } = given;
    if (onBatch !== undefined && typeof onBatch !== 'function') {
      const message = `"onBatch" expected a function, got ${show(onBatch)}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    const store = storeOf(model);
    const { graph } = store;
    this.slots = checkInteger('slots', given.slots, 1, 2 ** 20);
    this.#maxLatency = checkNumber('maxLatency', given.maxLatency ?? 2, 0, 2 ** 31 - 1);
    this.#overflow = checkChoice('overflow', given.overflow ?? 'error', ['error', 'wait']);
    this.#onBatch = onBatch;
    if (graph.noStream) throw new GatefoldError('ERR_UNSUPPORTED', graph.noStream);
    if (!graph.inputs.every((_, k) => graph.isStreamedInput(k))) {
      const message =
        'a session has no inputs that are there from the start: use model.stream({ given })';
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
    this.#model = model;
    this.#store = store;
    this.#kernels = store.kernels;
    const shape = { batch: this.slots, steps: 1, everyStep: true };
    this.#workspace = new Workspace(store, shape, `a pool of ${this.slots} sessions`, this);
    this.#before = this.#workspace.states(0);
    this.#after = this.#workspace.states(1);
    writeState(this.#kernels, this.#before, {}, this.slots);
    this.#arrange(this.slots);
    this.#workspace.begin();
    Object.freeze(this);
  }

  /** Takes the memory of all slots. */
  static create(model: Model, options: SessionPoolOptions): SessionPool {
    return new SessionPool(model, options);
  }

  /** Open sessions. */
  get size(): number {
    return this.#sessions.length;
  }

  /**
   * Starts a sequence.
   *
   * @param state to go on from, as `save` of a session or of a stream of batch 1 gave it; zero
   *   where absent.
   */
  async open(state: ModelState = {}): Promise<Session> {
    this.#checkAlive();
    const checked = checkState(unplaced(this.#store.graph), state, 1);
    this.#checkAlive();
    if (this.#sessions.length < this.slots) return this.#admit(checked);
    if (this.#overflow === 'error') {
      const message = `all ${this.slots} slots are taken: close a session, make the pool larger, or let it wait with overflow: 'wait'`;
      throw new GatefoldError('ERR_STATE', message);
    }
    return new Promise((resolve, reject) =>
      this.#openings.push({ state: checked, resolve, reject }),
    );
  }

  #admit(state: ModelState): Session {
    const slot = this.#sessions.length;
    const x = this.#workspace.inputs.map(({ width, tokens }) =>
      tokens === undefined ? new Float32Array(width) : new Int32Array(width),
    );
    const session = new Session(this.#own, slot, x);
    this.#sessions.push(session);
    placeRow(this.#kernels, this.#before, state, this.slots, slot);
    return session;
  }

  /** What sessions may do, which nobody else can. */
  readonly #own: Slots = {
    step: (session, x, out) => this.#step(session, x, out),
    save: (slot) => {
      this.#checkAlive();
      return readRow(this.#kernels, this.#before, this.slots, slot);
    },
    close: (session) => this.#close(session),
  };

  #step(session: Session, x: Inputs, out?: StepOutput): Promise<StepOutput> {
    return new Promise((resolve, reject) => {
      this.#checkSession(session);
      this.#take(session, x);
      const outputs = this.#outputsFor(out);
      // Whatever the caller's getters have done by now.
      this.#checkSession(session);
      const names = this.#model.outputs;
      const result =
        names.length === 1 && (out === undefined || out === outputs[0])
          ? outputs[0]!
          : Object.fromEntries(names.map(({ name }, k) => [name, outputs[k]!]));
      session.pending = { outputs, result, resolve, reject };
      this.#ready.push(session);
      this.#schedule();
    });
  }

  #checkSession(session: Session): void {
    if (session.slot < 0) throw closed();
    this.#checkAlive();
    if (!session.pending) return;
    const message = 'the session has a step that is not done: await it before the next';
    throw new GatefoldError('ERR_STATE', message);
  }

  /** Checks and copies the inputs of a step. */
  #take({ x: own }: Session, x: Inputs): void {
    const { inputs } = this.#store.graph;
    if (
      inputs.length === 1 &&
      isExactly('Float32Array', x, inputs[0]!.width) &&
      isOf('Float32Array', own[0])
    ) {
      copyInto(own[0], x);
      return;
    }
    for (const [k, value] of eachInput(inputs, x).entries()) {
      const { name, width, tokens } = inputs[k]!;
      const title = inputs.length > 1 ? `x.${name}` : 'x';
      if (tokens === undefined) {
        copyInto(own[k]!, checkFloats(title, toFloats(title, value), width, 'features'));
      } else {
        const given = typeof value === 'number' ? [value] : value;
        copyInto(own[k]!, checkIntegers(title, toTokens(title, given), width, 'tokens'));
        checkTokens(title, own[k] as Int32Array, width, tokens);
      }
    }
  }

  #outputsFor(out?: StepOutput): readonly Float32Array[] {
    const { outputs } = this.#model;
    if (out === undefined) return outputs.map(({ size }) => new Float32Array(size));
    if (outputs.length === 1 && isExactly('Float32Array', out, outputs[0]!.size)) return [out];
    const isOne = outputs.length === 1 && isOf('Float32Array', out);
    const names = outputs.map(({ name }) => name);
    const given = isOne ? [out] : readNamed<Float32Array>('out', out, names);
    return outputs.map(({ name, size }, k) => {
      return checkFloats(outputs.length > 1 ? `out.${name}` : 'out', given[k], size, 'outputs');
    });
  }

  /** Lets the batch run when it has to, or when nobody else is left to wait for. */
  #schedule(): void {
    if (this.#isDue) return;
    const isAll = this.#ready.length === this.#sessions.length;
    const hasTimers = typeof setTimeout === 'function';
    if (isAll || this.#maxLatency === 0 || !hasTimers) {
      this.#isDue = true;
      void Promise.resolve().then(() => this.#run());
    } else if (this.#timer === undefined) {
      // Timers of hosts are late by up to a millisecond.
      this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#maxLatency - 1));
    }
  }

  /** Runs the steps that wait, as one batch. */
  #run(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
    const ready = this.#ready;
    if (ready.length === 0) return;
    this.#ready = [];
    try {
      this.#checkAlive();
      this.#gather(ready);
      this.#arrange(ready.length);
      this.#workspace.forward();
      copyFirstRows(this.#kernels, this.#after, this.#before, this.slots, ready.length);
    } catch (error) {
      for (const session of ready) {
        session.pending!.reject(error);
        session.pending = undefined;
      }
      return;
    }
    this.#give(ready);
    this.#onBatch?.(ready.length);
  }

  /** Brings the sessions of a batch to the first slots, and their inputs to the engine. */
  #gather(ready: readonly Session[]): void {
    const kernels = this.#kernels;
    const count = ready.length;
    let hole = 0;
    for (const session of ready) {
      if (session.slot < count) continue;
      while (this.#sessions[hole]!.pending) hole++;
      this.#swap(session.slot, hole);
    }
    for (const [k, { slot, width, tokens }] of this.#workspace.inputs.entries()) {
      const view = tokens === undefined ? kernels.floats(slot) : kernels.integers(slot);
      for (const session of ready) view.set(session.x[k]!, session.slot * width);
    }
  }

  #swap(a: number, b: number): void {
    const sessions = this.#sessions;
    const [first, second] = [sessions[a]!, sessions[b]!];
    // States after a step are free until the next one.
    swapRows(this.#kernels, this.#before, this.#after, this.slots, a, b);
    [sessions[a], sessions[b]] = [second, first];
    [first.slot, second.slot] = [b, a];
  }

  #arrange(rows: number): void {
    if (rows === this.#rows) return;
    const extent = (this.#extents[rows] ??= firstRowsExtent(rows, this.slots));
    this.#workspace.arrange([extent]);
    this.#rows = rows;
  }

  #give(ready: readonly Session[]): void {
    const kernels = this.#kernels;
    const { outputs } = this.#workspace;
    for (const session of ready) {
      const pending = session.pending!;
      session.pending = undefined;
      for (let k = 0; k < outputs.length; k++) {
        const { slot, row, width } = outputs[k]!;
        kernels.take(pending.outputs[k]!, 0, slot, session.slot * row, width);
      }
      pending.resolve(pending.result);
    }
  }

  #close(session: Session): void {
    const { slot } = session;
    if (slot < 0) return;
    const last = this.#sessions.length - 1;
    if (!this.#disposed && slot !== last) this.#swap(slot, last);
    this.#sessions.pop();
    session.slot = -1;
    if (session.pending) {
      this.#ready.splice(this.#ready.indexOf(session), 1);
      session.pending.reject(closed());
      session.pending = undefined;
    }
    const next = this.#openings.shift();
    if (next) next.resolve(this.#admit(next.state));
    else if (this.#ready.length > 0) this.#schedule();
  }

  #checkAlive(): void {
    this.#store.checkAlive();
    kernelsOf(this.#model.engine);
    if (!this.#disposed) return;
    throw new GatefoldError('ERR_DISPOSED', 'the pool has been disposed; create another');
  }

  /** Gives the memory back. Steps and openings that wait are refused. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    for (const { reject } of this.#openings.splice(0)) reject(closed());
    for (const session of [...this.#sessions].reverse()) this.#close(session);
    this.#workspace.dispose();
  }
}
