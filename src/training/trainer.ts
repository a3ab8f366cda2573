import { newFloats } from '../base/arrays.ts';
import {
  checkChoice,
  checkFlag,
  checkInteger,
  checkList,
  hasNamed,
  ownFloats,
  readNamed,
  readOptions,
} from '../base/check.ts';
import type { Carry } from './tbptt.ts';
import { HostDisposable } from '../base/disposable.ts';
import { kernelsOf } from '../engine/engine.ts';
import { GatefoldError } from '../base/errors.ts';
import { checkData, fit, windowOf } from './fit.ts';
import type { FitOptions, FitRun, TrainingData } from './fit-options.ts';
import { readFlow } from './gradient-flow.ts';
import { allOptions } from './losses/losses.ts';
import type { AllTargets, Losses, TargetArrays } from './losses/losses.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Measures, Metric } from './metrics.ts';
import { storeOf } from '../model/model.ts';
import type { Model } from '../model/model.ts';
import type { Draw } from '../ops/masks.ts';
import { isEmpty, noRows, uniformExtent } from '../ops/pass.ts';
import {
  addRows,
  checkAllLengths,
  checkSteps,
  gatherRepeated,
  ownInputs,
  putInputs,
  repeatLast,
  takeRows,
} from '../graph/rows.ts';
import type { Stretch } from '../ops/pass.ts';
import type { SegmentedRun } from './segmented.ts';
import { restoreSnapshot, takeSnapshot } from './snapshot.ts';
import type { Kept } from './snapshot.ts';
import { checkState, readState, writeState } from '../graph/states.ts';
import type { Store } from '../graph/parameters.ts';
import type {
  Input,
  Inputs,
  ModelState,
  SequenceOptions,
  SequenceResult,
  StateDict,
} from '../base/tensor.ts';
import { layOut, mostSteps } from './trainer-plan.ts';
import { checkTrainerOptions } from './options.ts';
import type {
  InputGradients,
  OutputGradients,
  Snapshot,
  StepReport,
  TrainerOptions,
  TrainingSequenceOptions,
  UpdateReport,
  WindowOptions,
} from './options.ts';
import { DEFAULT_OPTIMIZER } from './optim/optimizer.ts';
import type { Updater } from './optim/updater.ts';
import { Workspace } from '../graph/workspace.ts';

export type * from './options.ts';

/** What `backward` goes back over, and the lengths whose last outputs were repeated. */
interface Forwarded {
  /** The version of the parameters that it ran with. */
  readonly version: number;
  readonly stretch: Stretch;
  /** The initial states that were given. */
  readonly state: ModelState;
  readonly totals: readonly number[];
  readonly lengths: readonly (Int32Array | undefined)[];
  /** Of every output. */
  readonly repeated: readonly (Int32Array | undefined)[];
}

/** A checked window of `trainOn` or `evaluateWindow`. */
interface Window {
  readonly x: readonly Input[];
  readonly target: AllTargets;
  /** Of every sequence of inputs. */
  readonly totals: readonly number[];
  readonly lengths: readonly (Int32Array | undefined)[];
}

const FORWARD_KEYS = ['steps', 'batchFirst', 'state', 'lengths', 'padding'] as const;
const BACKWARD_KEYS = ['target', 'targetLengths', 'output', 'state', 'flow'] as const;
const WINDOW_KEYS = ['steps', 'lengths', 'targetLengths'] as const;

function goneForward(): GatefoldError {
  const message = 'backward() goes over the last forward() once: call forward() first';
  return new GatefoldError('ERR_STATE', message);
}

function changedSince(): GatefoldError {
  const message = 'the parameters have changed since forward(): call forward() again';
  return new GatefoldError('ERR_STATE', message);
}

/** Loss, optimizer, clipping and window of backpropagation through time over a model. */
export class Trainer extends HostDisposable {
  /** The model that it trains. */
  readonly model: Model;
  /** A frozen copy of the options that it was created with. */
  readonly options: TrainerOptions;
  /** Bytes of the engine's memory that it takes. */
  readonly bytes: number;
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #updater: Updater;
  readonly #workspace: Workspace;
  readonly #loss: Losses | undefined;
  readonly #training: Carry;
  readonly #evaluation: Carry;
  /** Of windows that the workspace has no room for. */
  readonly #segmented: SegmentedRun | undefined;
  /** Most steps of a window, of every sequence of inputs. */
  readonly #most: readonly number[];
  readonly #release: () => void;
  #forwarded: Forwarded | undefined;
  /** Passes of training that have drawn masks. */
  #passes = 0;
  #skipped = 0;
  /** Whether `backward` has left gradients that no update has used. */
  #hasGradients = false;
  #version: number;
  #disposed = false;

  private constructor(model: Model, options: TrainerOptions) {
    super();
    const store = storeOf(model);
    store.checkTrainable();
    const { batch } = options;
    if (store.graph.pools && options.bptt) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        '"bptt" cuts sequences that a pool layer needs whole: leave it out, or the pool',
      );
    }
    const { resampledBy } = store.graph;
    if (resampledBy !== undefined && options.bptt) {
      const message = `"bptt" counts steps that "${resampledBy}" does not keep: leave it out, or give the layer a stride of 1 and padding: 'causal'`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    this.model = model;
    this.options = options;
    this.#store = store;
    this.#kernels = store.kernels;
    if (store.graph.sequences.length > 1 && options.bptt) {
      const message =
        '"bptt" cuts one sequence, and the inputs of this model have several: leave it out';
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    const layout = layOut(store, options);
    const { plan, loss, updater } = layout;
    this.#most = mostSteps(store, options);
    this.#updater = updater;
    this.#loss = loss;
    this.#training = layout.training;
    this.#evaluation = layout.evaluation;
    this.#segmented = layout.segmented;
    const purpose = `a trainer of batch ${batch} and ${this.#most.join(' and ')} steps over ${model.parameterCount} parameters`;
    const { arena } = store.kernels;
    const block = arena.allocate(plan.bytes, purpose, this);
    plan.place(block);
    updater.begin();
    loss?.begin();
    try {
      const { gradClip } = options;
      const gradientLimit = gradClip && 'step' in gradClip ? gradClip.step : undefined;
      const { gradients } = updater;
      const steps = [...this.#most.slice(0, -1), layout.segment];
      const shape = { batch, steps, windowSteps: this.#most, gradients, gradientLimit };
      this.#workspace = new Workspace(store, shape, purpose, this);
    } catch (error) {
      arena.free(block);
      throw error;
    }
    this.bytes = block.bytes + this.#workspace.bytes;
    this.#version = store.version;
    this.#release = () => {
      this.#workspace.dispose();
      arena.free(block);
    };
    // Windows are checked against these options: they stay what they are.
    Object.freeze(this);
  }

  /**
   * Takes all memory that training will need. Throws `ERR_MEMORY`, with the bytes, where the engine
   * may not have it.
   *
   * @example
   *   const trainer = Trainer.create(model, {
   *     batch: 16,
   *     steps: 50,
   *     loss: 'cross-entropy',
   *     optimizer: { type: 'adamw', learningRate: 0.003 },
   *     gradClip: { norm: 1 },
   *   });
   */
  static create(model: Model, options: TrainerOptions): Trainer {
    return new Trainer(model, checkTrainerOptions(options));
  }

  /** Updates so far. */
  get updates(): number {
    return this.#updater.updates;
  }

  /** Windows that `trainOn` had nothing to learn from: see `StepReport.skipped`. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The rate of the next update; `fit` with a schedule sets it. */
  get learningRate(): number {
    return this.#updater.rate;
  }

  set learningRate(rate: number) {
    this.#updater.rate = rate;
  }

  /** Steps of every sequence of inputs: those of the trainer unless the caller says fewer. */
  #stepsOf(given: SequenceOptions['steps'], most = this.#most): readonly number[] {
    const totals = given === undefined ? most : checkSteps(this.#store.graph, given);
    const { sequences } = this.#store.graph;
    totals.forEach((steps, k) => {
      checkInteger(sequences.length > 1 ? `steps.${sequences[k]}` : 'steps', steps, 1, most[k]);
    });
    return totals;
  }

  /**
   * Runs a sequence and keeps what `backward` needs.
   *
   * @param x [T, B, I] or tokens [T, B]; with `batchFirst` [B, T, I] or [B, T].
   */
  forward(x: Inputs, options: TrainingSequenceOptions = {}): SequenceResult {
    const { batch } = this.options;
    this.#checkAlive();
    const { graph } = this.#store;
    const given = readOptions('options', options, FORWARD_KEYS);
    const totals = this.#stepsOf(given.steps);
    const total = totals.at(-1)!;
    if (total > this.#workspace.steps) {
      throw new GatefoldError(
        'ERR_UNSUPPORTED',
        `"maxBytes" leaves room for ${this.#workspace.steps} steps of forward() and backward(): ask for fewer "steps", or use trainOn()`,
      );
    }
    const batchFirst = checkFlag('batchFirst', given.batchFirst);
    const padding = checkChoice('padding', given.padding ?? 'zero', ['zero', 'repeat']);
    const lengths = checkAllLengths(graph, given.lengths, batch, totals);
    const workspace = this.#workspace;
    const state = checkState(workspace.states(0), given.state ?? {}, batch);
    const inputs = ownInputs(this.#store, x, { totals, batch, batchFirst, lengths });
    this.#checkRows(lengths);
    // Whatever the caller's getters have done by now.
    this.#checkAlive();
    const results = graph.outputs.map(({ width }, k) =>
      newFloats(this.#outputRows(totals, k) * width, 'the output'),
    );
    this.#forwarded = undefined;
    workspace.arrangeWhole(totals, lengths);
    const { extent } = workspace;
    const stretch = { first: 0, total, batchFirst, extent, others: totals.slice(0, -1) };
    putInputs(this.#kernels, workspace, inputs, stretch);
    writeState(this.#kernels, workspace.states(0), state, batch, workspace.orderOf);
    this.#refresh();
    this.#drawMasks();
    workspace.forward();
    const { version } = this.#store;
    const repeated = graph.outputs.map(({ sequence, pools }, k) =>
      padding === 'repeat' && !pools
        ? lengths[sequence]?.map((n) => graph.stepsOf(n, k))
        : undefined,
    );
    this.#forwarded = { version, stretch, state, totals, lengths, repeated };
    for (const [k, output] of workspace.outputs.entries()) {
      const own = workspace.outputStretch(output, stretch);
      takeRows(this.#kernels, workspace, output, results[k]!, own);
      const counts = repeated[k];
      if (counts) repeatLast(results[k]!, output.width, counts, own.total, batchFirst);
    }
    const last = readState(this.#kernels, workspace.lastStates(), batch, workspace.orderOf);
    const outputs = Object.fromEntries(graph.outputs.map(({ name }, k) => [name, results[k]!]));
    return { output: results[0]!, outputs, state: last };
  }

  /** Rows of an output, and of its targets. */
  #outputRows(totals: readonly number[], output: number): number {
    const { graph } = this.#store;
    const { sequence } = graph.outputs[output]!;
    return graph.stepsOf(totals[sequence]!, output) * this.options.batch;
  }

  /** Refuses a batch without a valid step, where outputs are of steps. */
  #checkRows(lengths: readonly (Int32Array | undefined)[]): void {
    if (this.#store.graph.pools) return;
    if (isEmpty(lengths)) throw noRows();
  }

  #nextDraw(): Pick<Draw, 'seed' | 'pass'> {
    return { seed: this.options.seed ?? 0, pass: this.#passes++ };
  }

  /** Fresh masks for a pass of training. */
  #drawMasks(): void {
    this.#workspace.mask({ ...this.#nextDraw(), first: 0 });
  }

  /**
   * Goes back over the last `forward`, once, and adds to the gradients of the parameters.
   *
   * @param gradients dL/d(output), shaped like the output, and dL/d(last states); zero where
   *   absent. With `target`, shaped as for `trainOn` (in the order of `x`), the trainer's own loss
   *   is added. With `flow`, the norms of the gradients of all states are measured on the way.
   * @returns dL/d(x), shaped like x (not for tokens), dL/d(initial states), the loss of the
   *   targets, and the norms.
   */
  backward(gradients: OutputGradients): InputGradients {
    this.#checkAlive();
    const forwarded = this.#requireForward();
    if (forwarded.version !== this.#store.version) throw changedSince();
    const { stretch, totals, lengths, repeated } = forwarded;
    const { batch } = this.options;
    const { graph } = this.#store;
    const given = readOptions('gradients', gradients, BACKWARD_KEYS);
    const flow = checkFlag('flow', given.flow);
    const workspace = this.#workspace;
    const places = { totals, lengths, batch, batchFirst: stretch.batchFirst };
    const initialPlaces = workspace.stateGradients;
    const state = checkState(initialPlaces, given.state ?? {}, batch, /* isInitial */ false);
    const target =
      given.target && this.#requireLoss().check(given.target, places, given.targetLengths);
    const outputs = this.#ownGradients(given.output, totals);
    // Whatever the caller's getters have done by now.
    this.#checkAlive();
    if (this.#requireForward() !== forwarded) throw goneForward();
    this.#forwarded = undefined;
    this.#hasGradients = true;
    const loss = target && this.#requireLoss().mean(workspace, target, stretch);
    for (const [k, { gradient, row, width, index }] of workspace.outputs.entries()) {
      const own = workspace.outputStretch(workspace.outputs[k]!, stretch);
      if (!target) this.#kernels.zero(gradient, 0, own.extent.rows * row);
      const output = outputs[k];
      if (!output) continue;
      const counts = repeated[index];
      const values = counts
        ? gatherRepeated(output, width, counts, own.total, stretch.batchFirst)
        : output;
      addRows(this.#kernels, workspace, values, { slot: gradient, row, width }, own);
    }
    writeState(this.#kernels, initialPlaces, state, batch, workspace.orderOf);
    if (flow) workspace.measure(true);
    workspace.backward(graph.inputs.some(({ tokens }) => tokens === undefined));
    workspace.learnInitial(forwarded.state);
    workspace.finish();
    if (flow) workspace.measure(false);
    const initial = readState(this.#kernels, initialPlaces, batch, workspace.orderOf);
    const inputs = this.#inputGradients(stretch);
    const [first] = graph.inputs;
    const input = inputs[first!.name];
    return {
      ...(input && { input }),
      inputs,
      state: initial,
      ...(loss === undefined ? {} : { loss, infiniteRows: this.#requireLoss().infiniteRows }),
      ...(flow ? { flow: readFlow(workspace) } : {}),
    };
  }

  /** Gradients of outputs as a caller gives them: of the only one by itself, of several by name. */
  #ownGradients(
    given: OutputGradients['output'],
    totals: readonly number[],
  ): readonly (Float32Array | undefined)[] {
    const { outputs } = this.#store.graph;
    if (!given) return [];
    const names = outputs.map(({ name }) => name);
    const isOne = outputs.length === 1 && !hasNamed(given, names[0]!);
    const values = isOne
      ? [given as Float32Array]
      : readNamed<Float32Array>('output', given, names);
    return outputs.map(({ name, width }, k) => {
      const length = this.#outputRows(totals, k) * width;
      const own = values[k];
      return own && ownFloats(isOne ? 'output' : `output.${name}`, own, length, 'like the output');
    });
  }

  /** Gradients of all inputs that are features. */
  #inputGradients(stretch: Stretch): Record<string, Float32Array> {
    const workspace = this.#workspace;
    const { batch } = this.options;
    const inputs: [string, Float32Array][] = [];
    for (const [k, { name, width, tokens, gradient }] of workspace.inputs.entries()) {
      if (tokens !== undefined) continue;
      const own = workspace.inputStretch(k, stretch);
      const values = newFloats(own.total * batch * width, 'the gradient of the input');
      takeRows(this.#kernels, workspace, { ...gradient, width }, values, own);
      inputs.push([name, values]);
    }
    return Object.fromEntries(inputs);
  }

  #requireForward(): Forwarded {
    if (this.#forwarded) return this.#forwarded;
    throw goneForward();
  }

  /** Forgets what `backward` has left. */
  zeroGradients(): void {
    this.#checkAlive();
    this.#kernels.zero(this.#updater.gradients);
    this.#workspace.discard();
    this.#hasGradients = false;
  }

  /**
   * A copy of the gradients, by the names of the parameters: before `update()` what `backward`
   * summed, after it what the update used, clipped.
   */
  gradients(): StateDict {
    this.#checkAlive();
    return this.#store.read(this.#updater.gradients);
  }

  /**
   * Clips the gradients and moves the parameters. Where they, or what they would move to, are not
   * finite, nothing moves.
   */
  update(): UpdateReport {
    this.#checkAlive();
    const report = this.#updater.update();
    this.#hasGradients = false;
    if (report.finite) this.#workspace.settle();
    this.#refresh();
    return report;
  }

  /**
   * One update on a window of a longer sequence: from the states that the last one left, over
   * `steps` new steps. A model with a `pool` takes whole sequences, each from zero states.
   *
   * @param x [T, B, I] or tokens [T, B], time-major.
   * @param target for `cross-entropy` classes [T, B], for other losses values [T, B, O]; behind a
   *   `pool` [B] and [B, O].
   */
  trainOn(x: Inputs, target: TargetArrays, options: WindowOptions = {}): StepReport {
    this.#checkAlive();
    this.#store.checkFree();
    if (this.#hasGradients) {
      throw new GatefoldError(
        'ERR_STATE',
        'trainOn() starts from gradients of zero, and backward() has left some: call update() or zeroGradients() first',
      );
    }
    const { bptt } = this.options;
    const most = bptt ? [bptt.every] : this.#most;
    const window = this.#checkWindow(this.#training, x, target, options, most);
    if (isEmpty(window.lengths)) return this.#skip();
    const steps = window.totals.at(-1)!;
    const carry = this.#training;
    const isLong = steps > this.#workspace.steps;
    if (isLong) this.#beginGradients();
    const loss = this.#runWindow(carry, window);
    const { hasTargets, infiniteRows } = this.#requireLoss();
    if (!hasTargets) {
      this.#keep(carry, steps);
      return this.#skip();
    }
    if (!Number.isFinite(loss)) {
      // Segments have gone back already.
      if (isLong) this.zeroGradients();
      const rows =
        infiniteRows && `, of ${infiniteRows} rows whose labels do not fit into their steps`;
      this.#updater.notFinite('loss', `${loss}${rows || ''}`);
      return { loss, gradNorm: NaN, finite: false, skipped: false, infiniteRows };
    }
    if (!isLong) {
      this.#beginGradients();
      this.#workspace.backward(false);
    }
    if (carry.isFresh) this.#workspace.learnInitial();
    this.#workspace.finish();
    const report = this.update();
    if (report.finite) this.#keep(carry, steps);
    return { loss, ...report, skipped: false, infiniteRows };
  }

  /** What a window without a target is worth. */
  #skip(): StepReport {
    this.zeroGradients();
    this.#skipped++;
    return { loss: 0, gradNorm: 0, finite: true, skipped: true, infiniteRows: 0 };
  }

  /**
   * The mean loss of a window, from states of its own that go on from call to call until
   * `resetEvaluation()`; 0 where no target counts.
   */
  evaluateWindow(x: Inputs, target: TargetArrays, options: WindowOptions = {}): number {
    this.#checkAlive();
    const window = this.#checkWindow(this.#evaluation, x, target, options, this.#most);
    if (isEmpty(window.lengths)) return 0;
    const loss = this.#runWindow(this.#evaluation, window);
    this.#keep(this.#evaluation, window.totals.at(-1)!);
    return loss;
  }

  #beginGradients(): void {
    this.zeroGradients();
    writeState(this.#kernels, this.#workspace.stateGradients, {}, this.options.batch);
  }

  /**
   * Keeps what the next window goes on from; where outputs are pooled, every window is a sequence
   * of its own.
   */
  #keep(carry: Carry, steps: number): void {
    const { pools, sequences } = this.#store.graph;
    if (steps > this.#workspace.steps) this.#segmented!.keep(carry);
    else if (!pools && sequences.length === 1) carry.keep(this.#workspace);
  }

  /**
   * A window of which nothing can change any more: every refusal happens here, before anything else
   * does.
   */
  #checkWindow(
    carry: Carry,
    x: Inputs,
    target: TargetArrays,
    options: WindowOptions,
    most: readonly number[],
  ): Window {
    const { batch } = this.options;
    const given = readOptions('options', options, WINDOW_KEYS);
    const totals = this.#stepsOf(given.steps, most);
    const lengths = checkAllLengths(this.#store.graph, given.lengths, batch, totals);
    if (carry.replay && lengths.some(Boolean)) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        '"lengths" cannot be combined with a "bptt" that replays steps',
      );
    }
    const places = { totals, batch, batchFirst: false, lengths };
    const wanted = this.#requireLoss().check(target, places, given.targetLengths);
    const window = {
      x: ownInputs(this.#store, x, places),
      target: wanted,
      totals,
      lengths,
    };
    // Whatever the caller's getters have done by now.
    this.#checkAlive();
    return window;
  }

  #requireLoss(): Losses {
    if (this.#loss) return this.#loss;
    throw new GatefoldError(
      'ERR_STATE',
      'trainOn() and evaluateWindow() need a trainer with the option "loss"',
    );
  }

  /**
   * Replays what the carry asks for, then the new steps; returns their mean loss and leaves its
   * gradient as that of the outputs.
   */
  #runWindow(carry: Carry, { x, target, totals, lengths }: Window): number {
    const { batch } = this.options;
    const workspace = this.#workspace;
    const loss = this.#requireLoss();
    const total = totals.at(-1)!;
    this.#forwarded = undefined;
    if (total > workspace.steps) {
      this.#refresh();
      const draw = carry === this.#training ? this.#nextDraw() : undefined;
      const window = { x, target, steps: total, lengths: lengths[0], draw };
      // "maxBytes" was refused for a loss that has no pieces.
      return this.#segmented!.run(workspace, loss, window, carry);
    }
    const { replay } = carry;
    if (replay) workspace.arrangeSteps(replay + total);
    else workspace.arrangeWhole(totals, lengths);
    carry.begin(workspace);
    const extent = replay ? uniformExtent(total, batch) : workspace.extent;
    const others = totals.slice(0, -1);
    const stretch = { first: 0, total, batchFirst: false, extent, others };
    putInputs(this.#kernels, workspace, x, stretch, replay);
    this.#refresh();
    if (carry === this.#training) this.#drawMasks();
    else workspace.mask();
    workspace.forward();
    return loss.mean(workspace, target, stretch, replay * batch);
  }

  /** The next `trainOn` starts from zero states. */
  resetState(): void {
    this.#checkAlive();
    this.#training.reset();
  }

  /** The next `evaluateWindow` starts from zero states. */
  resetEvaluation(): void {
    this.#checkAlive();
    this.#evaluation.reset();
  }

  /**
   * Trains on consecutive windows, epoch after epoch. The options are checked at the call. Awaited,
   * the run goes to its end and gives the last report; iterated, it tells of every update. The
   * event loop gets a turn in between, and the caller may stop at any update: by `break`, or by the
   * signal. While it runs, `trainOn`, `restore`, `loadStateDict` and another `fit` are `ERR_STATE`.
   *
   * @example
   *   const report = await trainer.fit(data, { epochs: 10, validation, metrics: ['accuracy'] });
   *   console.log(report?.metrics?.accuracy);
   *   for await (const { loss } of trainer.fit(data, { epochs: 1 })) console.log(loss);
   */
  fit<const Asked extends readonly Metric[] = readonly []>(
    data: TrainingData,
    options: FitOptions<Asked>,
  ): FitRun<Asked> {
    this.#checkAlive();
    this.#store.checkFree();
    const measuring = (own: TrainingData, metrics: readonly Metric[]): Generator<void, Measures> =>
      this.#measuring(own, metrics);
    const checkMetrics = (metrics: readonly Metric[]): void => {
      if (metrics.length) this.#requireLoss().measuring(metrics);
    };
    const subject = { trainer: this, data, measuring, checkMetrics, guard: this.#store };
    return fit(subject, options) as FitRun as FitRun<Asked>;
  }

  /**
   * Mean loss and metrics over all targets of some data, from zero states; training is not touched.
   *
   * @example
   *   const { loss, accuracy } = trainer.evaluate(data, ['accuracy']);
   */
  evaluate<const Asked extends readonly Metric[] = readonly []>(
    data: TrainingData,
    metrics?: Asked,
  ): Measures<Asked> {
    checkData('data', data, this.options);
    const windows = this.#measuring(
      data,
      Array.from(checkList('metrics', metrics === undefined ? [] : metrics)),
    );
    for (;;) {
      const { done, value } = windows.next();
      if (done) return value as Measures<Asked>;
    }
  }

  /** Measures window by window. */
  *#measuring(data: TrainingData, metrics: readonly Metric[]): Generator<void, Measures> {
    const { during, measures } = this.#requireLoss().measuring(metrics);
    this.resetEvaluation();
    for (let index = 0; index < data.length; index++) {
      const { fresh, inputs, targets, steps, lengths, targetLengths } = windowOf(
        'data',
        data,
        index,
      );
      if (fresh) this.resetEvaluation();
      during(() => this.evaluateWindow(inputs, targets, { steps, lengths, targetLengths }));
      yield;
    }
    return measures();
  }

  /**
   * Everything that going on bit for bit needs: parameters, moments, carried states and inputs,
   * counters.
   */
  snapshot(): Snapshot {
    this.#checkAlive();
    return takeSnapshot(this.#kept, this.#passes, this.model.engine.variant);
  }

  /**
   * Goes on from a snapshot of a trainer of the same model and options. Everything is checked
   * before anything changes.
   */
  restore(snapshot: Snapshot): void {
    this.#checkAlive();
    this.#store.checkFree();
    const { bptt } = this.options;
    const replayed = bptt ? bptt.back - bptt.every : 0;
    this.#passes = restoreSnapshot(this.#kept, snapshot, replayed);
    this.#refresh();
  }

  get #kept(): Kept {
    const { options } = this;
    const { type, form = 'pytorch' } = options.optimizer ?? DEFAULT_OPTIMIZER;
    const settings = {
      batch: String(options.batch),
      steps: this.#most.join(),
      optimizer: JSON.stringify([type, form]),
      loss: String(JSON.stringify(options.loss && allOptions(options.loss))),
    };
    return { store: this.#store, updater: this.#updater, carry: this.#training, settings };
  }

  /** Computes transposes and sums again where the parameters have changed. */
  #refresh(): void {
    if (this.#version === this.#store.version) return;
    this.#workspace.prepare();
    this.#version = this.#store.version;
  }

  #checkAlive(): void {
    this.#store.checkAlive();
    kernelsOf(this.model.engine);
    if (!this.#disposed) return;
    throw new GatefoldError(
      'ERR_DISPOSED',
      'the trainer has been disposed; create another with Trainer.create()',
    );
  }

  /** Gives the memory back; the model stays. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#release();
  }
}
