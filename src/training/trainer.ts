import { newFloats } from '../base/arrays.ts';
import { checkChoice, checkFlag, checkInteger, ownFloats, readOptions } from '../base/check.ts';
import type { Carry } from './tbptt.ts';
import { HostDisposable } from '../base/disposable.ts';
import { kernelsOf } from '../engine/engine.ts';
import { GatefoldError } from '../base/errors.ts';
import { fit } from './fit.ts';
import type { FitOptions, FitRun, TrainingData } from './fit-options.ts';
import { readFlow } from './gradient-flow.ts';
import { checkMetrics } from './losses/index.ts';
import type { Loss, Targets } from './losses/loss.ts';
import type { Kernels } from '../engine/kernels.ts';
import { measuresOf } from './metrics.ts';
import type { Measures, Metric } from './metrics.ts';
import { storeOf } from '../model/model.ts';
import type { Model } from '../model/model.ts';
import type { Draw } from '../ops/masks.ts';
import { checkLengths, noRows, uniformExtent } from '../ops/pass.ts';
import {
  addRows,
  gatherRepeated,
  ownInput,
  putInput,
  repeatLast,
  takeRows,
} from '../graph/rows.ts';
import type { Stretch } from '../ops/pass.ts';
import type { SegmentedRun } from './segmented.ts';
import { restoreSnapshot, takeSnapshot } from './snapshot.ts';
import type { Kept } from './snapshot.ts';
import { checkState, readState, writeState } from '../graph/states.ts';
import type { Store } from '../graph/parameters.ts';
import type { Input, SequenceResult, StateDict } from '../base/tensor.ts';
import { layOut } from './trainer-plan.ts';
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
import type { Updater } from './optim/updater.ts';
import { Workspace } from '../graph/workspace.ts';

export type * from './options.ts';

/** What `backward` goes back over, and the lengths whose last outputs were repeated. */
interface Forwarded {
  /** The version of the parameters that it ran with. */
  readonly version: number;
  readonly stretch: Stretch;
  readonly repeated: Int32Array | undefined;
}

/** A checked window of `trainOn` or `evaluateWindow`. */
interface Window {
  readonly x: Input;
  readonly target: Targets;
  readonly steps: number;
  readonly lengths: Int32Array | undefined;
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
  readonly model: Model;
  readonly options: TrainerOptions;
  /** Bytes of the engine's memory that it takes. */
  readonly bytes: number;
  readonly #store: Store;
  readonly #kernels: Kernels;
  readonly #updater: Updater;
  readonly #workspace: Workspace;
  readonly #loss: Loss | undefined;
  readonly #training: Carry;
  readonly #evaluation: Carry;
  /** Of windows that the workspace has no room for. */
  readonly #segmented: SegmentedRun | undefined;
  readonly #release: () => void;
  #forwarded: Forwarded | undefined;
  /** Passes of training that have drawn masks. */
  #passes = 0;
  #version: number;
  #disposed = false;

  private constructor(model: Model, options: TrainerOptions) {
    super();
    const store = storeOf(model);
    store.checkTrainable();
    const { batch, steps } = options;
    if (model.pooled && options.bptt) {
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
    const layout = layOut(store, options);
    const { plan, loss, updater } = layout;
    this.#updater = updater;
    this.#loss = loss;
    this.#training = layout.training;
    this.#evaluation = layout.evaluation;
    this.#segmented = layout.segmented;
    const purpose = `a trainer of batch ${batch} and ${steps} steps over ${model.parameterCount} parameters`;
    const { arena } = store.kernels;
    const block = arena.allocate(plan.bytes, purpose, this);
    plan.place(block);
    updater.begin();
    loss?.begin();
    try {
      const { gradClip } = options;
      const gradientLimit = gradClip && 'step' in gradClip ? gradClip.step : undefined;
      const { gradients } = updater;
      const shape = { batch, steps: layout.segment, gradients, gradientLimit };
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
   */
  static create(model: Model, options: TrainerOptions): Trainer {
    return new Trainer(model, checkTrainerOptions(options));
  }

  /** Updates so far. */
  get updates(): number {
    return this.#updater.updates;
  }

  get learningRate(): number {
    return this.#updater.rate;
  }

  set learningRate(rate: number) {
    this.#updater.rate = rate;
  }

  /**
   * Runs a sequence and keeps what `backward` needs.
   *
   * @param x [T, B, I] or tokens [T, B]; with `batchFirst` [B, T, I] or [B, T].
   */
  forward(x: Input, options: TrainingSequenceOptions = {}): SequenceResult {
    const { batch, steps: most } = this.options;
    this.#checkAlive();
    const given = readOptions('options', options, FORWARD_KEYS);
    const steps = checkInteger('steps', given.steps ?? most, 1, most);
    if (steps > this.#workspace.steps) {
      throw new GatefoldError(
        'ERR_UNSUPPORTED',
        `"maxBytes" leaves room for ${this.#workspace.steps} steps of forward() and backward(): ask for fewer "steps", or use trainOn()`,
      );
    }
    const batchFirst = checkFlag('batchFirst', given.batchFirst);
    const padding = checkChoice('padding', given.padding ?? 'zero', ['zero', 'repeat']);
    const lengths = checkLengths(given.lengths, batch, steps);
    const workspace = this.#workspace;
    const state = checkState(workspace.states(0), given.state ?? {}, batch);
    const inputs = ownInput(this.#store, x, steps, batch);
    if (lengths && !this.model.pooled && lengths.every((length) => length === 0)) throw noRows();
    // Whatever the caller's getters have done by now.
    this.#checkAlive();
    const output = newFloats(this.#outputRows(steps) * this.model.outputSize, 'the output');
    this.#forwarded = undefined;
    this.#arrange(lengths, steps);
    const { extent } = workspace;
    const stretch = { first: 0, total: steps, batchFirst, extent };
    putInput(this.#kernels, workspace, inputs, stretch);
    writeState(this.#kernels, workspace.states(0), state, batch, extent.order);
    this.#refresh();
    this.#drawMasks();
    workspace.forward();
    const repeats = padding === 'repeat' && !this.model.pooled;
    const { version } = this.#store;
    const { graph } = this.#store;
    const repeated = repeats ? lengths?.map((n) => graph.stepsOf(n)) : undefined;
    this.#forwarded = { version, stretch, repeated };
    const { outputs: width } = graph;
    const rows = { slot: workspace.output, row: workspace.outputRow, width };
    takeRows(this.#kernels, workspace, rows, output, workspace.outputStretch(stretch));
    if (repeated) repeatLast(output, width, repeated, graph.outputSteps(steps), batchFirst);
    const last = readState(this.#kernels, workspace.lastStates(), batch, extent.order);
    return { output, state: last };
  }

  /** Rows of the outputs, and of their targets. */
  #outputRows(steps: number): number {
    return this.#store.graph.outputSteps(steps) * this.options.batch;
  }

  #nextDraw(): Pick<Draw, 'seed' | 'pass'> {
    return { seed: this.options.seed ?? 0, pass: this.#passes++ };
  }

  /** Fresh masks for a pass of training. */
  #drawMasks(): void {
    this.#workspace.mask({ ...this.#nextDraw(), first: 0 });
  }

  /**
   * Prepares the workspace for rows of these lengths, at most `steps`; where all are 0, for padding
   * that nothing reads.
   */
  #arrange(lengths: Int32Array | undefined, steps: number): void {
    if (lengths) this.#workspace.arrangeLengths(lengths, 0, steps);
    else this.#workspace.arrangeSteps(steps);
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
    const { stretch, repeated } = forwarded;
    const { total: steps, batchFirst, extent } = stretch;
    const { batch } = this.options;
    const { outputSize: width, inputSize, takesTokens } = this.model;
    const given = readOptions('gradients', gradients, BACKWARD_KEYS);
    const flow = checkFlag('flow', given.flow);
    const outputRows = this.#outputRows(steps);
    const outputSteps = outputRows / batch;
    const workspace = this.#workspace;
    const places = workspace.stateGradients;
    const state = checkState(places, given.state ?? {}, batch);
    const target =
      given.target && this.#requireLoss().check(given.target, outputRows, given.targetLengths);
    const output =
      given.output && ownFloats('output', given.output, outputRows * width, 'like the output');
    // Whatever the caller's getters have done by now.
    this.#checkAlive();
    if (this.#requireForward() !== forwarded) throw goneForward();
    this.#forwarded = undefined;
    const { outputGradient } = workspace;
    const { outputRow: row } = workspace;
    const outputStretch = workspace.outputStretch(stretch);
    const loss = target && this.#requireLoss().mean(workspace, target, outputStretch);
    if (!target) this.#kernels.zero(outputGradient, 0, outputStretch.extent.rows * row);
    if (output) {
      const given = repeated
        ? gatherRepeated(output, width, repeated, outputSteps, batchFirst)
        : output;
      addRows(this.#kernels, workspace, given, { slot: outputGradient, row, width }, outputStretch);
    }
    writeState(this.#kernels, places, state, batch, extent.order);
    if (flow) workspace.measure(true);
    workspace.backward(!takesTokens);
    workspace.finish();
    if (flow) workspace.measure(false);
    const initial = readState(this.#kernels, places, batch, extent.order);
    const measured = {
      ...(loss === undefined ? {} : { loss }),
      ...(flow ? { flow: readFlow(workspace) } : {}),
    };
    if (takesTokens) return { state: initial, ...measured };
    const input = newFloats(steps * batch * inputSize, 'the gradient of the input');
    const inputRow = Math.ceil(inputSize / 4) * 4;
    const rows = { slot: workspace.inputGradient, row: inputRow, width: inputSize };
    takeRows(this.#kernels, workspace, rows, input, stretch);
    return { input, state: initial, ...measured };
  }

  #requireForward(): Forwarded {
    if (this.#forwarded) return this.#forwarded;
    throw goneForward();
  }

  zeroGradients(): void {
    this.#checkAlive();
    this.#kernels.zero(this.#updater.gradients);
    this.#workspace.discard();
  }

  /** A copy of the gradients, by the names of the parameters. */
  gradients(): StateDict {
    this.#checkAlive();
    return this.#store.read(this.#updater.gradients);
  }

  /** Clips the gradients and moves the parameters. Where they are not finite, nothing moves. */
  update(): UpdateReport {
    this.#checkAlive();
    const report = this.#updater.update();
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
  trainOn(x: Input, target: Float32Array | Int32Array, options: WindowOptions = {}): StepReport {
    this.#checkAlive();
    this.#store.checkFree();
    const { steps: most, bptt } = this.options;
    const window = this.#checkWindow(this.#training, x, target, options, bptt?.every ?? most);
    const { steps } = window;
    const carry = this.#training;
    const isLong = steps > this.#workspace.steps;
    if (isLong) this.#beginGradients();
    const loss = this.#runWindow(carry, window);
    if (!Number.isFinite(loss)) {
      // Segments have gone back already.
      if (isLong) this.zeroGradients();
      this.#updater.notFinite('loss', loss);
      return { loss, gradNorm: NaN, finite: false };
    }
    if (!isLong) {
      this.#beginGradients();
      this.#workspace.backward(false);
    }
    this.#workspace.finish();
    const report = this.update();
    if (report.finite) this.#keep(carry, steps);
    return { loss, ...report };
  }

  /**
   * The mean loss of a window, from states of its own that go on from call to call until
   * `resetEvaluation()`.
   */
  evaluateWindow(x: Input, target: Float32Array | Int32Array, options: WindowOptions = {}): number {
    this.#checkAlive();
    const window = this.#checkWindow(this.#evaluation, x, target, options, this.options.steps);
    const loss = this.#runWindow(this.#evaluation, window);
    this.#keep(this.#evaluation, window.steps);
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
    if (steps > this.#workspace.steps) this.#segmented!.keep(carry);
    else if (!this.model.pooled) carry.keep(this.#workspace);
  }

  /**
   * A window of which nothing can change any more: every refusal happens here, before anything else
   * does.
   */
  #checkWindow(
    carry: Carry,
    x: Input,
    target: Float32Array | Int32Array,
    options: WindowOptions,
    most: number,
  ): Window {
    const { batch } = this.options;
    const given = readOptions('options', options, WINDOW_KEYS);
    const steps = checkInteger('steps', given.steps ?? most, 1, most);
    const lengths = checkLengths(given.lengths, batch, steps);
    if (lengths && carry.replay) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        '"lengths" cannot be combined with a "bptt" that replays steps',
      );
    }
    if (lengths && !this.model.pooled && lengths.every((length) => length === 0)) throw noRows();
    const rows = this.#outputRows(steps);
    const wanted = this.#requireLoss().check(target, rows, given.targetLengths);
    const window = { x: ownInput(this.#store, x, steps, batch), target: wanted, steps, lengths };
    // Whatever the caller's getters have done by now.
    this.#checkAlive();
    return window;
  }

  #requireLoss(): Loss {
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
  #runWindow(carry: Carry, { x, target, steps, lengths }: Window): number {
    const { batch } = this.options;
    const workspace = this.#workspace;
    const loss = this.#requireLoss();
    this.#forwarded = undefined;
    if (steps > workspace.steps) {
      this.#refresh();
      const draw = carry === this.#training ? this.#nextDraw() : undefined;
      const window = { x, target, steps, lengths, draw };
      // "maxBytes" was refused for a loss that has no pieces.
      return this.#segmented!.run(workspace, loss.pieces!, window, carry);
    }
    this.#arrange(lengths, carry.replay + steps);
    carry.begin(workspace);
    const extent = lengths ? workspace.extent : uniformExtent(steps, batch);
    const stretch = { first: 0, total: steps, batchFirst: false, extent };
    putInput(this.#kernels, workspace, x, stretch, carry.replay);
    this.#refresh();
    if (carry === this.#training) this.#drawMasks();
    else workspace.mask();
    workspace.forward();
    return loss.mean(workspace, target, workspace.outputStretch(stretch), carry.replay * batch);
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
   */
  fit(data: TrainingData, options: FitOptions): FitRun {
    this.#checkAlive();
    this.#store.checkFree();
    const measuring = (own: TrainingData, metrics: readonly Metric[]): Generator<void, Measures> =>
      this.#measuring(own, metrics);
    return fit({ trainer: this, data, measuring, guard: this.#store }, options);
  }

  /**
   * Mean loss and metrics over all targets of some data, from zero states; training is not touched.
   */
  evaluate(data: TrainingData, metrics: readonly Metric[] = []): Measures {
    const windows = this.#measuring(data, metrics);
    for (;;) {
      const { done, value } = windows.next();
      if (done) return value;
    }
  }

  /** Measures window by window. */
  *#measuring(data: TrainingData, metrics: readonly Metric[]): Generator<void, Measures> {
    const loss = this.#requireLoss();
    checkMetrics(metrics, this.options.loss!);
    const tally = { loss: 0, weight: 0, score: 0, scored: 0 };
    this.resetEvaluation();
    for (let index = 0; index < data.length; index++) {
      const { fresh, inputs, targets, steps, lengths, targetLengths } = data.window(index);
      if (fresh) this.resetEvaluation();
      loss.tally = tally;
      try {
        this.evaluateWindow(inputs, targets, { steps, lengths, targetLengths });
      } finally {
        loss.tally = undefined;
      }
      yield;
    }
    return measuresOf(tally, metrics);
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
    return { store: this.#store, updater: this.#updater, carry: this.#training };
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
