import { checkChoice, checkInteger, checkKeys } from './check.ts';
import { complete, inputSizeOf, outputSizeOf } from './description.ts';
import type { CompleteLayer } from './description.ts';
import { disposable } from './disposable.ts';
import { checkLengths, raggedOrder } from './extent.ts';
import { kernelsOf } from './engine.ts';
import type { Engine } from './engine.ts';

import { PRESETS, initialise } from './initialise.ts';
import type { Preset } from './initialise.ts';
import { MAX_SEED } from './random.ts';
import { checkInput, putInput, repeatLast, takeRows } from './sequence-io.ts';
import { checkState, copyState, readState, writeState } from './states.ts';
import { Store } from './store.ts';
import { Stream } from './stream.ts';
import type { StreamOptions } from './stream.ts';
import type {
  Input,
  ModelDescription,
  SequenceOptions,
  SequenceResult,
  StateDict,
  Tensor,
} from './types.ts';
import { unitsOf } from './units.ts';
import { Workspace } from './workspace.ts';

export interface ModelOptions {
  /** Whose defaults the fresh parameters follow; default `pytorch`. `zeros` where they will be loaded. */
  readonly init?: Preset | 'zeros';
  /** Seed of the fresh parameters; default 0. */
  readonly seed?: number;
}

/** Bytes of gates that one chunk of an inference may take: half of a second-level cache. */
const CHUNK_FLOATS = 2 ** 18;

const SEQUENCE_KEYS = ['steps', 'batch', 'batchFirst', 'state', 'lengths', 'padding'];

const stores = new WeakMap<Model, Store>();

/** The parameters of a model that is still in use. Not part of the package's public face. */
export function storeOf(model: Model): Store {
  const store = stores.get(model)!;
  store.checkAlive();
  kernelsOf(model.engine);
  return store;
}

/** Layers with their parameters in an engine's memory. */
export class Model {
  readonly engine: Engine;
  /** Every default filled in, every layer named. */
  readonly description: { readonly layers: readonly CompleteLayer[] };
  /** I: features of a step, or 1 where the model takes tokens. */
  readonly inputSize: number;
  /** O */
  readonly outputSize: number;
  /** Whether inputs are `Int32Array`s of tokens. */
  readonly takesTokens: boolean;
  readonly parameterCount: number;
  #workspace: Workspace | undefined;

  private constructor(engine: Engine, layers: readonly CompleteLayer[]) {
    const store = new Store(kernelsOf(engine), unitsOf(layers), this);
    stores.set(this, store);
    this.engine = engine;
    this.description = Object.freeze({ layers });
    this.inputSize = inputSizeOf(layers[0]!);
    this.outputSize = outputSizeOf(layers.at(-1)!);
    this.takesTokens = layers[0]!.type === 'embedding';
    this.parameterCount = store.parameters
      .map(({ shape }) => shape.reduce((product, n) => product * n, 1))
      .reduce((sum, n) => sum + n, 0);
  }

  /** A model of fresh parameters. Throws `ERR_ARGUMENT` or `ERR_SHAPE` for a description that does not fit together. */
  static create(engine: Engine, description: ModelDescription, options: ModelOptions = {}): Model {
    checkKeys('options', options, ['init', 'seed']);
    const init = checkChoice('init', options.init ?? 'pytorch', [...PRESETS, 'zeros']);
    const seed = checkInteger('seed', options.seed ?? 0, 0, MAX_SEED);
    const model = new Model(engine, complete(description));
    const store = storeOf(model);
    if (init !== 'zeros') initialise(store, init, seed);
    store.prepare();
    return model;
  }

  /** A copy of all parameters by name, in PyTorch's names, shapes and order of gates. */
  stateDict(): StateDict {
    const store = storeOf(this);
    return store.read(store.values);
  }

  /** Replaces all parameters. Names and shapes must be exactly those of `stateDict()`; otherwise nothing changes. */
  loadStateDict(tensors: ReadonlyMap<string, Tensor>): void {
    const store = storeOf(this);
    store.write(store.values, tensors);
    store.prepare();
    store.version++;
  }

  /**
   * Outputs of every step, and the last states. Works through the sequence in chunks, so that any length takes the same memory, but for
   * a model that reads backwards.
   *
   * @param x [T, B, I] or tokens [T, B]; with `batchFirst` [B, T, I] or [B, T].
   */
  forward(x: Input, options: SequenceOptions): SequenceResult {
    const store = storeOf(this);
    checkKeys('options', options, SEQUENCE_KEYS);
    const total = checkInteger('steps', options.steps, 1);
    const batch = checkInteger('batch', options.batch ?? 1, 1);
    const { batchFirst = false, state = {} } = options;
    const padding = checkChoice('padding', options.padding ?? 'zero', ['zero', 'repeat']);
    const lengths = checkLengths(options.lengths, batch, total);
    checkInput(store, 'x', x, total, batch);
    const workspace = this.#workspaceFor(store, batch, total);
    const { kernels } = store;
    const initial = workspace.states(0);
    checkState(initial, state, batch);
    const order = lengths && raggedOrder(lengths);
    writeState(kernels, initial, state, batch, order);
    const output = new Float32Array(total * batch * this.outputSize);
    const { outputRow: row, outputs: width } = store.units.at(-1)!;
    for (let first = 0; first < total; first += workspace.steps) {
      const steps = Math.min(workspace.steps, total - first);
      if (lengths && !workspace.arrangeLengths(lengths, first, steps)) break;
      if (!lengths) workspace.arrangeSteps(steps);
      const stretch = { first, total, batchFirst, extent: workspace.extent };
      putInput(kernels, workspace, x, stretch);
      workspace.forward();
      takeRows(kernels, workspace, { slot: workspace.output, row, width }, output, stretch);
      copyState(kernels, workspace.lastStates(), initial, batch);
    }
    if (lengths && padding === 'repeat') repeatLast(output, width, lengths, total, batchFirst);
    return { output, state: readState(kernels, initial, batch, order) };
  }

  /** The workspace of `forward`: kept for the batch size of the last call, and the steps where the sequence is needed at once. */
  #workspaceFor(store: Store, batch: number, total: number): Workspace {
    const kept = this.#workspace;
    if (kept?.batch === batch && (store.causal || kept.steps >= total)) return kept;
    this.#workspace?.dispose();
    this.#workspace = undefined;
    const width = store.units.reduce(
      (sum, unit) => sum + (unit.kind === 'recurrent' ? unit.columns : 0) + unit.outputRow,
      0,
    );
    const chunk = Math.min(256, Math.max(8, Math.floor(CHUNK_FLOATS / (batch * width))));
    const steps = store.causal ? chunk : total;
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
    return new Stream(this, storeOf(this), options);
  }

  /** Gives the memory back. Streams and trainers of the model throw from then on. */
  dispose(): void {
    const store = stores.get(this)!;
    if (store.disposed) return;
    this.#workspace?.dispose();
    store.dispose();
  }
}

disposable(Model);
