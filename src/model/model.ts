import { CHUNK_BYTES, CHUNK_STEPS } from '../../assembly/shared/tuning.ts';
import { overlaps } from '../base/arrays.ts';
import {
  checkChoice,
  checkInteger,
  checkObject,
  frozenCopy,
  hasNamed,
  readNamed,
  readOptions,
  resultFloats,
} from '../base/check.ts';
import { complete } from '../ops/description.ts';
import type { CompleteLayer, ModelDescription } from '../ops/index.ts';
import { HostDisposable } from '../base/disposable.ts';
import { raggedOrder } from '../ops/pass.ts';
import type { Stretch } from '../ops/pass.ts';
import { foreign, kernelsOf } from '../engine/engine.ts';
import type { Engine } from '../engine/engine.ts';
import { GatefoldError } from '../base/errors.ts';
import { PRESETS, initialise } from './initialise.ts';
import type { Preset } from './initialise.ts';
import { MAX_SEED } from '../base/random.ts';
import { GateReader } from './gates.ts';
import type { Gates } from './gates.ts';
import {
  SEQUENCE_KEYS,
  checkSequence,
  checkSteps,
  clearAfter,
  putInputs,
  repeatLast,
  takeRows,
} from '../graph/rows.ts';
import type { Sequence } from '../graph/rows.ts';
import { copyState, readState, writeState } from '../graph/states.ts';
import type { StatePlace } from '../graph/states.ts';
import { Store } from '../graph/parameters.ts';
import type { SharedParameters } from '../graph/parameters.ts';
import { quantizationOf } from './quantization.ts';
import type { Outputs, Quantization, QuantizeOptions } from './quantization.ts';
import { Stream, WARM_WORK } from './stream.ts';
import type { StreamOptions } from './stream.ts';
import type { Inputs, SequenceOptions, SequenceResult, StateDict, Tensor } from '../base/tensor.ts';
import { lower } from '../graph/graph.ts';
import { Workspace } from '../graph/workspace.ts';

/** How a model is created. */
export interface ModelOptions {
  /**
   * Whose defaults the fresh parameters follow; default `pytorch`. `zeros` where they will be
   * loaded.
   */
  readonly init?: Preset | 'zeros';
  /** Seed of the fresh parameters; default 0. */
  readonly seed?: number;
  /**
   * Plain data to keep with the model, such as the names of its classes. `saveModel` writes it, and
   * `loadModel` gives it back.
   */
  readonly metadata?: Metadata;
}

/** Plain data that a model keeps: what JSON can say. */
export type Metadata = Readonly<Record<string, unknown>>;

/** The sequences of one `forward`, and where its outputs go. */
export interface ForwardOptions extends SequenceOptions {
  /**
   * Takes the outputs, of several by name: the `output` of the result is then a view of its front.
   * May be longer, and may overlap with `x`.
   */
  readonly out?: Float32Array | Named;
}

type Named = Readonly<Record<string, Float32Array>>;

/** Most calls to warm up with: some microseconds each, however small the model. */
const MAX_WARM_CALLS = 5000;

/** A checked call on its way through the chunks. */
interface RunningSequence extends Sequence {
  readonly workspace: Workspace;
  readonly initial: readonly StatePlace[];
  /** The caller's rows of each sequence, longest first, where lengths differ. */
  readonly orders: readonly (Int32Array | undefined)[];
}

/** An input of a model: see `InputSpec` of the description. */
export interface ModelInput {
  /** Its name in the description. */
  readonly name: string;
  /** Features of a row, or 1 of tokens. */
  readonly size: number;
  /** Whether it is an `Int32Array` of tokens. */
  readonly takesTokens: boolean;
  /** Whether it has a row for each step or one for each sequence. */
  readonly each: 'step' | 'sequence';
}

/** An output of a model, by the name of its layer. */
export interface ModelOutput {
  /** The name of its layer. */
  readonly name: string;
  /** O: features of a row. */
  readonly size: number;
  /** Whether it is one row a sequence. */
  readonly pooled: boolean;
}

const NO_METADATA: Metadata = Object.freeze({});

const stores = new WeakMap<Model, Store>();

/** The parameters of a model that is still in use. Not part of the package's public face. */
export function storeOf(model: Model): Store {
  const store = stores.get(model);
  if (!store) {
    const message = `"model" expected a Model, got ${foreign(model)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  store.checkAlive();
  kernelsOf(model.engine);
  return store;
}

/** Steps that `forward` works through at once, where it need not have all. */
export function chunkSteps({ graph }: Store, batch: number): number {
  const fitting = Math.floor(CHUNK_BYTES / (4 * batch * graph.rowLength));
  return Math.min(256, Math.max(CHUNK_STEPS, fitting));
}

/** Layers with their parameters in an engine's memory. */
export class Model extends HostDisposable {
  /** Whose memory it lies in. */
  readonly engine: Engine;
  /** Every default filled in, every layer named. */
  readonly description: Omit<ModelDescription, 'layers'> & {
    readonly layers: readonly CompleteLayer[];
  };
  /** What it reads, in the order of the description. */
  readonly inputs: readonly ModelInput[];
  /** What it gives, in the order of the description. */
  readonly outputs: readonly ModelOutput[];
  /** I of the first input: features of a step, or 1 where it takes tokens. */
  readonly inputSize: number;
  /** O of the first output. */
  readonly outputSize: number;
  /** Whether the first input is an `Int32Array` of tokens. */
  readonly takesTokens: boolean;
  /** Whether the first output is [B, O], one row a sequence: after a `pool` layer. */
  readonly pooled: boolean;
  /** Numbers in all parameters, without padding. */
  readonly parameterCount: number;
  /** What `create` was given, or the file of the model said; empty where neither did. */
  readonly metadata: Metadata;
  /**
   * Names of the layers with parameters, none of which has 8 bits: after `quantize()` those that
   * have no such form.
   */
  readonly float32Layers: readonly string[];
  #workspace: Workspace | undefined;
  #quantization: Quantization | undefined;

  private constructor(
    engine: Engine,
    given: ModelDescription,
    metadata: Metadata,
    shared?: SharedParameters,
  ) {
    super();
    const completed = complete(given);
    const { layers } = completed;
    const { weights = 'float32', inputWeights = weights } = given;
    const int8 = weights === 'int8';
    const graph = lower(completed);
    const kernels = kernelsOf(engine);
    const store = new Store(kernels, graph, this, given, shared);
    stores.set(this, store);
    this.engine = engine;
    this.metadata = metadata;
    Object.freeze(layers);
    const { inputs, outputs, steps } = given;
    this.description = Object.freeze({
      layers,
      ...(inputs && { inputs: Object.freeze(completed.inputs) }),
      ...(outputs && { outputs: completed.outputs }),
      ...(steps !== undefined && { steps }),
      ...(int8 && { weights }),
      ...(inputWeights !== weights && { inputWeights }),
    });
    this.inputs = Object.freeze(
      graph.inputs.map(({ name, width: size, tokens }, k) => {
        const each = completed.inputs[k]!.each ?? 'step';
        return Object.freeze({ name, size, takesTokens: tokens !== undefined, each });
      }),
    );
    this.outputs = Object.freeze(
      graph.outputs.map(({ name, width: size, pools: pooled }) =>
        Object.freeze({ name, size, pooled }),
      ),
    );
    this.inputSize = this.inputs[0]!.size;
    this.outputSize = this.outputs[0]!.size;
    this.takesTokens = this.inputs[0]!.takesTokens;
    this.pooled = this.outputs[0]!.pooled;
    this.parameterCount = store.parameters
      .map(({ shape }) => shape.reduce((product, n) => product * n, 1))
      .reduce((sum, n) => sum + n, 0);
    this.float32Layers = Object.freeze(store.layers('float32'));
    // Sizes of calls are checked against these properties: they stay what they are.
    Object.freeze(this);
  }

  /**
   * A model of fresh parameters. Throws `ERR_ARGUMENT` or `ERR_SHAPE` for a description that does
   * not fit together.
   *
   * @example
   *   const model = Model.create(engine, {
   *     layers: [
   *       { type: 'gru', inputSize: 3, hiddenSize: 32 },
   *       { type: 'linear', outFeatures: 5 },
   *     ],
   *   });
   */
  static create(engine: Engine, description: ModelDescription, options: ModelOptions = {}): Model {
    const given = readOptions('options', options, ['init', 'seed', 'metadata']);
    const init = checkChoice('init', given.init ?? 'pytorch', [...PRESETS, 'zeros']);
    const seed = checkInteger('seed', given.seed ?? 0, 0, MAX_SEED);
    const own = frozenCopy('description', description);
    const told = checkObject('metadata', given.metadata ?? NO_METADATA) as Metadata;
    const metadata = frozenCopy('metadata', told);
    const model = new Model(engine, own, metadata);
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
    return new Model(engine, description, NO_METADATA, shared);
  }

  /**
   * The same model with matrices in 8 bits, in the same engine: for inference alone, about a
   * quarter of the memory, and faster where that decides. Each row of the input, recurrent and
   * linear weights becomes whole numbers from -127 to 127 times a scale; activations keep 14 bits.
   * Layers of other kinds stay as they are; `float32Layers` of the new model names them. With a
   * sample, `quantization` of the new model says what that costs in accuracy.
   */
  quantize(options: QuantizeOptions = {}): Model {
    const given = readOptions('options', options, ['inputs', 'sample']);
    const inputWeights = checkChoice('inputs', given.inputs ?? 'int8', ['int8', 'float32']);
    const { x, ...sequence } =
      given.sample === undefined
        ? { x: undefined }
        : readOptions('sample', given.sample, ['x', ...SEQUENCE_KEYS]);
    if (this.description.weights) {
      throw new GatefoldError('ERR_UNSUPPORTED', 'the weights are int8 already');
    }
    const description = { ...this.description, weights: 'int8', inputWeights } as const;
    const { metadata } = this;
    const model = Model.create(this.engine, description, { init: 'zeros', metadata });
    try {
      model.loadStateDict(this.stateDict());
      if (given.sample === undefined) return model;
      const names = model.#measured();
      const exact = this.#outputsAt(names, x!, sequence);
      const rough = model.#outputsAt(names, x!, sequence);
      const mayKeep = inputWeights === 'int8' && this.inputs.some((input) => !input.takesTokens);
      model.#quantization = quantizationOf(exact, rough, mayKeep);
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** What 8 bits cost on the sample that `quantize` was given; `undefined` without one. */
  get quantization(): Quantization | undefined {
    return this.#quantization;
  }

  /** Names of the layers of 8 bits that may be outputs, and of the outputs. */
  #measured(): string[] {
    const store = storeOf(this);
    const { nodes, grids, gridOf } = store.graph;
    const inside = nodes.filter((_, index) => grids[gridOf[index]!]!.outer !== undefined);
    const names = [...store.layers('int8'), ...this.outputs.map(({ name }) => name)];
    return [...new Set(names)].filter((name) => !inside.some(({ layer }) => layer === name));
  }

  /** The outputs of some layers, by the same parameters. */
  #outputsAt(names: readonly string[], x: Inputs, options: SequenceOptions): Outputs {
    const { block } = storeOf(this);
    const description = { ...this.description, outputs: names };
    const probe = Model.over(this.engine, description, { block, release() {} });
    try {
      return probe.forward(x, options).outputs;
    } finally {
      probe.dispose();
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
  forward(x: Inputs, options: ForwardOptions = {}): SequenceResult {
    const { kernels, graph } = storeOf(this);
    const given = readOptions('options', options, [...SEQUENCE_KEYS, 'padding', 'out']);
    const padding = checkChoice('padding', given.padding ?? 'zero', ['zero', 'repeat']);
    const checked = checkSequence(storeOf(this), x, given);
    const results = this.#outputsOf(checked, given.out);
    // No output may overwrite an input that is still to be read.
    const apart = checked.x.map((input) => {
      const isApart = results.every((out) => !overlaps(out, out.length, input, input.length));
      return isApart ? input : input.slice();
    });
    const sequence = this.#begin({ ...checked, x: apart });
    const { batch, batchFirst, lengths, totals, workspace, initial } = sequence;
    const written = results.map(() => 0);
    for (const stretch of this.#chunks(sequence)) {
      for (const [k, output] of workspace.outputs.entries()) {
        const own = workspace.outputStretch(output, stretch);
        takeRows(kernels, workspace, output, results[k]!, own);
        written[k] = own.first + own.extent.steps;
      }
    }
    for (const [k, { width, pools, sequence: own }] of graph.outputs.entries()) {
      const valid = lengths[own];
      if (!valid) continue;
      const total = pools ? 1 : graph.stepsOf(totals[own]!, k);
      if (given.out) clearAfter(results[k]!, width, written[k]!, total, batch, batchFirst);
      if (pools || padding !== 'repeat') continue;
      const counts = valid.map((n) => graph.stepsOf(n, k));
      repeatLast(results[k]!, width, counts, total, batchFirst);
    }
    const outputs = Object.fromEntries(graph.outputs.map(({ name }, k) => [name, results[k]!]));
    const state = readState(kernels, initial, batch, workspace.orderOf);
    return { output: results[0]!, outputs, state };
  }

  /**
   * The activated gates of every step, by layer and gate: `input, forget, cell, output` of an LSTM,
   * `reset, update, new` of a GRU, and of an Elman network `hidden`, its state. Each array is [L,
   * T, B, H], with `batchFirst` [L, B, T, H]; of a bidirectional layer 2L, forward before backward.
   * Zero after the valid steps of a row.
   *
   * @param x as of `forward`.
   */
  gates(x: Inputs, options: Omit<SequenceOptions, 'padding'> = {}): Gates {
    const given = readOptions('options', options, SEQUENCE_KEYS);
    const sequence = this.#begin(checkSequence(storeOf(this), x, given));
    const reader = new GateReader(storeOf(this), sequence.totals, sequence.batch);
    for (const stretch of this.#chunks(sequence)) reader.take(sequence.workspace, stretch);
    return reader.gates;
  }

  /**
   * Runs the model on zeros, in memory of its own, until its kernels are worth an engine's
   * optimising compiler: at least `WARM_WORK` products, some tens of milliseconds. Call it before
   * the first call that somebody waits for; states and outputs do not change.
   *
   * @param options.batch, options.steps of the calls to come; default 1, or what the description
   *   says.
   */
  warmUp(
    options: { readonly batch?: number; readonly steps?: SequenceOptions['steps'] } = {},
  ): void {
    const given = readOptions('options', options, ['batch', 'steps']);
    const batch = checkInteger('batch', given.batch ?? 1, 1);
    const store = storeOf(this);
    const { graph } = store;
    const isOpen = given.steps === undefined && graph.sequences.length === 1;
    const totals = checkSteps(graph, isOpen ? (graph.fixed[0] ?? 1) : given.steps);
    const steps = Math.max(...totals);
    const purpose = `warming up a batch of ${batch} over ${steps} steps`;
    const workspace = new Workspace(store, { batch, steps: totals }, purpose, this);
    // A row takes some work per output too: a model may have no parameters.
    const work = this.parameterCount + store.graph.rowLength;
    const calls = Math.min(Math.ceil(WARM_WORK / (work * batch * steps)), MAX_WARM_CALLS);
    try {
      for (let call = 0; call < calls; call++) workspace.forward();
    } finally {
      workspace.dispose();
    }
  }

  /** The places of a checked call's outputs: the caller's arrays, or fresh ones. */
  #outputsOf({ totals, batch }: Sequence, out: ForwardOptions['out']): Float32Array[] {
    const { graph } = storeOf(this);
    const { outputs } = graph;
    const names = outputs.map(({ name }) => name);
    const isOne = outputs.length === 1 && !hasNamed(out, names[0]!);
    const given = isOne ? [out] : readNamed('out', out ?? {}, names);
    return outputs.map(({ width, pools, sequence }, k) => {
      const shape = pools ? 'batch x outputs' : 'steps x batch x outputs';
      const length = graph.stepsOf(totals[sequence]!, k) * batch * width;
      return resultFloats(given[k], length, shape, 'the output');
    });
  }

  /** Prepares the workspace for the first chunk of a checked call. */
  #begin(sequence: Sequence): RunningSequence {
    // Whatever the caller's getters have done by now.
    const store = storeOf(this);
    const { totals, batch, lengths, state } = sequence;
    const workspace = this.#workspaceFor(store, batch, totals);
    const initial = workspace.states(0);
    const orders = lengths.map((own) => own && raggedOrder(own));
    writeState(store.kernels, initial, state, batch, ({ sequence: own }) => orders[own]);
    return { ...sequence, orders, workspace, initial };
  }

  /**
   * Runs chunk after chunk, and gives each before the next; leaves the last states as the initial
   * ones.
   */
  *#chunks(running: RunningSequence): Generator<Stretch> {
    const { kernels } = storeOf(this);
    const { x, totals, batch, batchFirst, lengths, orders, workspace, initial } = running;
    const total = totals.at(-1)!;
    const others = totals.slice(0, -1);
    const isSeveral = others.length > 0;
    for (let first = 0; first < total; first += workspace.steps) {
      const steps = Math.min(workspace.steps, total - first);
      const [own] = lengths;
      if (isSeveral) workspace.arrangeWhole(totals, lengths);
      else if (!own) workspace.arrangeSteps(steps);
      else if (!workspace.arrangeLengths(own, first, steps, orders[0])) return;
      const stretch = { first, total, batchFirst, extent: workspace.extent, others };
      putInputs(kernels, workspace, x, stretch);
      workspace.forward();
      yield stretch;
      copyState(kernels, workspace.lastStates(), initial, batch);
    }
  }

  /**
   * The workspace of `forward`: kept for the batch size of the last call, and the steps where the
   * sequence is needed at once.
   */
  #workspaceFor(store: Store, batch: number, totals: readonly number[]): Workspace {
    const kept = this.#workspace;
    const inChunks = !store.graph.isWhole;
    const hasRoom = inChunks || kept?.room.every((most, k) => most >= totals[k]!);
    if (kept?.batch === batch && hasRoom) return kept;
    this.#workspace?.dispose();
    this.#workspace = undefined;
    const steps = inChunks ? chunkSteps(store, batch) : totals;
    this.#workspace = new Workspace(
      store,
      { batch, steps },
      `a forward pass of batch ${batch}`,
      this,
    );
    return this.#workspace;
  }

  /**
   * The state of a sequence, or of `batch` of them, to be advanced step by step.
   *
   * @example
   *   const stream = model.stream();
   *   const out = new Float32Array(model.outputSize);
   *   stream.step(frame, out); // [I] to [O]
   */
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
