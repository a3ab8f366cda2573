import { CHUNK_BYTES, CHUNK_STEPS } from '../../assembly/shared/tuning.ts';
import { overlaps } from '../base/arrays.ts';
import { checkChoice, checkInteger, frozenCopy, readOptions, resultFloats } from '../base/check.ts';
import { complete } from '../ops/description.ts';
import type { CompleteLayer, ModelDescription } from '../ops/index.ts';
import { HostDisposable } from '../base/disposable.ts';
import { raggedOrder } from '../ops/pass.ts';
import type { Stretch } from '../ops/pass.ts';
import { kernelsOf } from '../engine/engine.ts';
import type { Engine } from '../engine/engine.ts';
import { GatefoldError } from '../base/errors.ts';
import { PRESETS, initialise } from './initialise.ts';
import type { Preset } from './initialise.ts';
import { MAX_SEED } from '../base/random.ts';
import { GateReader } from './gates.ts';
import type { Gates } from './gates.ts';
import { SEQUENCE_KEYS, checkSequence, putInput, repeatLast, takeRows } from '../graph/rows.ts';
import type { Sequence } from '../graph/rows.ts';
import { copyState, readState, writeState } from '../graph/states.ts';
import type { StatePlace } from '../graph/states.ts';
import { checkInt8 } from '../engine/int8.ts';
import { Store } from '../graph/parameters.ts';
import type { SharedParameters } from '../graph/parameters.ts';
import { Stream } from './stream.ts';
import type { StreamOptions } from './stream.ts';
import type { Input, SequenceOptions, SequenceResult, StateDict, Tensor } from '../base/tensor.ts';
import { lower } from '../graph/graph.ts';
import { Workspace } from '../graph/workspace.ts';

export interface ModelOptions {
  /**
   * Whose defaults the fresh parameters follow; default `pytorch`. `zeros` where they will be
   * loaded.
   */
  readonly init?: Preset | 'zeros';
  /** Seed of the fresh parameters; default 0. */
  readonly seed?: number;
}

export interface ForwardOptions extends SequenceOptions {
  /**
   * Takes the outputs: the `output` of the result is then a view of its front. May be longer, and
   * may overlap with `x`.
   */
  readonly out?: Float32Array;
}

/** Products after which V8 has compiled what runs again and again for the second time. */
const WARM_WORK = 1e8;

/** Most calls to warm up with: each is work, however small the model. */
const MAX_WARM_CALLS = 1e6;

/** A checked call on its way through the chunks. */
interface RunningSequence extends Sequence {
  /** The caller's row at each place, where lengths differ. */
  readonly order: Int32Array | undefined;
  readonly workspace: Workspace;
  readonly initial: readonly StatePlace[];
}

const stores = new WeakMap<Model, Store>();

/** The parameters of a model that is still in use. Not part of the package's public face. */
export function storeOf(model: Model): Store {
  const store = stores.get(model);
  if (!store) throw new GatefoldError('ERR_ARGUMENT', '"model" expected a Model of this package');
  store.checkAlive();
  kernelsOf(model.engine);
  return store;
}

/** Layers with their parameters in an engine's memory. */
export class Model extends HostDisposable {
  readonly engine: Engine;
  /** Every default filled in, every layer named. */
  readonly description: { readonly layers: readonly CompleteLayer[]; readonly weights?: 'int8' };
  /** I: features of a step, or 1 where the model takes tokens. */
  readonly inputSize: number;
  /** O */
  readonly outputSize: number;
  /** Whether inputs are `Int32Array`s of tokens. */
  readonly takesTokens: boolean;
  /** Whether outputs are [B, O], one row a sequence: after a `pool` layer. */
  readonly pooled: boolean;
  readonly parameterCount: number;
  #workspace: Workspace | undefined;

  private constructor(
    engine: Engine,
    layers: readonly CompleteLayer[],
    int8: boolean,
    shared?: SharedParameters,
  ) {
    super();
    const graph = lower(layers);
    const kernels = kernelsOf(engine);
    if (int8) checkInt8(kernels);
    const store = new Store(kernels, graph, this, int8, shared);
    stores.set(this, store);
    this.engine = engine;
    Object.freeze(layers);
    this.description = Object.freeze(int8 ? { layers, weights: 'int8' } : { layers });
    this.inputSize = graph.inputs;
    this.outputSize = graph.outputs;
    this.takesTokens = graph.tokens !== undefined;
    this.pooled = graph.pools;
    this.parameterCount = store.parameters
      .map(({ shape }) => shape.reduce((product, n) => product * n, 1))
      .reduce((sum, n) => sum + n, 0);
    // Sizes of calls are checked against these properties: they stay what they are.
    Object.freeze(this);
  }

  /**
   * A model of fresh parameters. Throws `ERR_ARGUMENT` or `ERR_SHAPE` for a description that does
   * not fit together.
   */
  static create(engine: Engine, description: ModelDescription, options: ModelOptions = {}): Model {
    const given = readOptions('options', options, ['init', 'seed']);
    const init = checkChoice('init', given.init ?? 'pytorch', [...PRESETS, 'zeros']);
    const seed = checkInteger('seed', given.seed ?? 0, 0, MAX_SEED);
    const own = frozenCopy('description', description);
    const model = new Model(engine, complete(own), own.weights === 'int8');
    try {
      const store = storeOf(model);
      if (init !== 'zeros') initialise(store, init, seed);
      store.prepare();
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** @internal A model over the parameters of another one, whose engine has the same memory. */
  static over(engine: Engine, description: ModelDescription, shared: SharedParameters): Model {
    return new Model(engine, complete(description), description.weights === 'int8', shared);
  }

  /**
   * The same model with matrices in 8 bits, in the same engine: for inference alone, about a
   * quarter of the memory, and faster where that decides. Each row of the input, recurrent and
   * linear weights becomes whole numbers from -127 to 127 times a scale; activations keep 14 bits.
   */
  quantize(): Model {
    const { layers, weights } = this.description;
    if (weights) throw new GatefoldError('ERR_UNSUPPORTED', 'the weights are int8 already');
    const description = { layers, weights: 'int8' } as const;
    const model = Model.create(this.engine, description, { init: 'zeros' });
    try {
      model.loadStateDict(this.stateDict());
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** A copy of all parameters by name, in PyTorch's names, shapes and order of gates. */
  stateDict(): StateDict {
    const store = storeOf(this);
    return store.read(store.values);
  }

  /**
   * Replaces all parameters. Names and shapes must be exactly those of `stateDict()`; otherwise
   * nothing changes. A model with int8 weights takes float32 ones and quantises them.
   */
  loadStateDict(tensors: ReadonlyMap<string, Tensor>): void {
    const checked = storeOf(this).check(tensors);
    // Whatever the caller's getters have done by now.
    const store = storeOf(this);
    store.checkFree();
    store.write(store.values, checked);
    store.prepare();
    store.version++;
  }

  /**
   * Outputs of every step, and the last states. Works through the sequence in chunks, so that any
   * length takes the same memory, but for a model that reads backwards or pools.
   *
   * @example
   *   const out = new Float32Array(100 * model.outputSize);
   *   const { output, state } = model.forward(x, { steps: 100, out });
   *
   * @param x [T, B, I] or tokens [T, B]; with `batchFirst` [B, T, I] or [B, T].
   * @throws `ERR_SHAPE` for an `x` of another length than the options say, or an `out` that is too
   *   short; `ERR_MEMORY` where the engine or the host has too little.
   */
  forward(x: Input, options: ForwardOptions): SequenceResult {
    const { kernels, graph } = storeOf(this);
    const { outputs: width } = graph;
    const given = readOptions('options', options, [...SEQUENCE_KEYS, 'padding', 'out']);
    const padding = checkChoice('padding', given.padding ?? 'zero', ['zero', 'repeat']);
    const checked = checkSequence(storeOf(this), x, given);
    const output = this.#outputOf(checked, given.out);
    // No output may overwrite an input that is still to be read.
    const isApart = !overlaps(output, output.length, checked.x, checked.x.length);
    const sequence = this.#begin(isApart ? checked : { ...checked, x: checked.x.slice() });
    const { total, batch, batchFirst, lengths, order, workspace, initial } = sequence;
    // Rows after the valid steps are not written.
    if (given.out && lengths) output.fill(0);
    const steps = graph.outputSteps(total);
    for (const stretch of this.#chunks(sequence)) {
      const rows = { slot: workspace.output, row: workspace.outputRow, width };
      takeRows(kernels, workspace, rows, output, workspace.outputStretch(stretch));
    }
    if (lengths && padding === 'repeat' && !this.pooled) {
      repeatLast(
        output,
        width,
        lengths.map((n) => graph.stepsOf(n)),
        steps,
        batchFirst,
      );
    }
    return { output, state: readState(kernels, initial, batch, order) };
  }

  /**
   * The activated gates of every step, by layer and gate: `input, forget, cell, output` of an LSTM,
   * `reset, update, new` of a GRU, and of an Elman network `hidden`, its state. Each array is [L,
   * T, B, H], with `batchFirst` [L, B, T, H]; of a bidirectional layer 2L, forward before backward.
   * Zero after the valid steps of a row.
   *
   * @param x as of `forward`.
   */
  gates(x: Input, options: Omit<SequenceOptions, 'padding'>): Gates {
    const given = readOptions('options', options, SEQUENCE_KEYS);
    const sequence = this.#begin(checkSequence(storeOf(this), x, given));
    const reader = new GateReader(storeOf(this), sequence.total, sequence.batch);
    for (const stretch of this.#chunks(sequence)) reader.take(sequence.workspace, stretch);
    return reader.gates;
  }

  /**
   * Runs the model on zeros, in memory of its own, until its kernels are worth an engine's
   * optimising compiler: at least `WARM_WORK` products, some tens of milliseconds. Call it before
   * the first call that somebody waits for; states and outputs do not change.
   *
   * @param options.batch, options.steps of the calls to come; default 1.
   */
  warmUp(options: { readonly batch?: number; readonly steps?: number } = {}): void {
    const given = readOptions('options', options, ['batch', 'steps']);
    const batch = checkInteger('batch', given.batch ?? 1, 1);
    const steps = checkInteger('steps', given.steps ?? 1, 1);
    const store = storeOf(this);
    const purpose = `warming up a batch of ${batch} over ${steps} steps`;
    const workspace = new Workspace(store, { batch, steps }, purpose, this);
    // A row takes some work per output too: a model may have no parameters.
    const work = this.parameterCount + store.graph.rowLength;
    const calls = Math.min(Math.ceil(WARM_WORK / (work * batch * steps)), MAX_WARM_CALLS);
    try {
      for (let call = 0; call < calls; call++) workspace.forward();
    } finally {
      workspace.dispose();
    }
  }

  /** The place of a checked call's outputs: the caller's array, or a fresh one. */
  #outputOf({ total, batch }: Sequence, out: Float32Array | undefined): Float32Array {
    const rows = storeOf(this).graph.outputSteps(total) * batch;
    const shape = this.pooled ? 'batch x outputs' : 'steps x batch x outputs';
    return resultFloats(out, rows * this.outputSize, shape, 'the output');
  }

  /** Prepares the workspace for the first chunk of a checked call. */
  #begin(sequence: Sequence): RunningSequence {
    // Whatever the caller's getters have done by now.
    const store = storeOf(this);
    const { total, batch, lengths, state } = sequence;
    const workspace = this.#workspaceFor(store, batch, total);
    const initial = workspace.states(0);
    const order = lengths && raggedOrder(lengths);
    writeState(store.kernels, initial, state, batch, order);
    return { ...sequence, order, workspace, initial };
  }

  /**
   * Runs chunk after chunk, and gives each before the next; leaves the last states as the initial
   * ones.
   */
  *#chunks(sequence: RunningSequence): Generator<Stretch> {
    const { kernels } = storeOf(this);
    const { x, total, batch, batchFirst, lengths, workspace, initial } = sequence;
    for (let first = 0; first < total; first += workspace.steps) {
      const steps = Math.min(workspace.steps, total - first);
      if (lengths && !workspace.arrangeLengths(lengths, first, steps)) return;
      if (!lengths) workspace.arrangeSteps(steps);
      const stretch = { first, total, batchFirst, extent: workspace.extent };
      putInput(kernels, workspace, x, stretch);
      workspace.forward();
      yield stretch;
      copyState(kernels, workspace.lastStates(), initial, batch);
    }
  }

  /**
   * The workspace of `forward`: kept for the batch size of the last call, and the steps where the
   * sequence is needed at once.
   */
  #workspaceFor(store: Store, batch: number, total: number): Workspace {
    const kept = this.#workspace;
    const inChunks = !store.graph.isWhole;
    if (kept?.batch === batch && (inChunks || kept.steps >= total)) return kept;
    this.#workspace?.dispose();
    this.#workspace = undefined;
    const fitting = Math.floor(CHUNK_BYTES / (4 * batch * store.graph.rowLength));
    const chunk = Math.min(256, Math.max(CHUNK_STEPS, fitting));
    const steps = inChunks ? chunk : total;
    this.#workspace = new Workspace(
      store,
      { batch, steps },
      `a forward pass of batch ${batch}`,
      this,
    );
    return this.#workspace;
  }

  /** The state of a sequence, or of `batch` of them, to be advanced step by step. */
  stream(options: StreamOptions = {}): Stream {
    return Stream.over(this, storeOf(this), options);
  }

  /** Gives the memory back. Streams and trainers of the model throw from then on. */
  dispose(): void {
    const store = stores.get(this)!;
    if (store.disposed) return;
    this.#workspace?.dispose();
    store.dispose();
  }
}
