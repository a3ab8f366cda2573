import { checkFlag, checkInteger, checkKeys, checkNumber, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import type { FitEvent, FitOptions, Learner } from './fit-options.ts';
import { storeOf } from '../model/model.ts';
import { Patience, ReduceOnPlateau } from './optim/schedules.ts';
import { below } from '../graph/parameters.ts';
import { BEST } from './options.ts';
import type { Snapshot } from './options.ts';
import type { StateDict } from '../base/tensor.ts';

/** Numbers of a run in its metadata. */
const NUMBERS = 10;

/** What validation decides over a run of `fit`, and all that the run needs to go on later. */
export class Course {
  /** The update of the lowest finite loss; 0 before there is one. */
  best = 0;
  #bestLoss = Infinity;
  #parameters: StateDict | undefined;
  readonly #trainer: Learner;
  readonly #keepsBest: boolean;
  /** One of rate 0 where none is given. */
  readonly #plateau: ReduceOnPlateau;
  readonly #stop: Patience;
  readonly #patience: number;

  constructor(trainer: Learner, options: FitOptions) {
    const { earlyStopping, learningRate, validation, metrics = [] } = options;
    const keepBest = checkFlag('keepBest', options.keepBest);
    const isPlateau = learningRate !== undefined && typeof learningRate !== 'function';
    if (isPlateau && typeof (learningRate as ReduceOnPlateau | null)?.report !== 'function') {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"learningRate" expected a schedule or a ReduceOnPlateau, got ${show(learningRate)}`,
      );
    }
    if (!validation && (earlyStopping || keepBest || isPlateau || metrics.length)) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        '"metrics", "earlyStopping", "keepBest" and ReduceOnPlateau need "validation"',
      );
    }
    const { patience = Infinity, minDelta = 0 } = earlyStopping ?? {};
    if (earlyStopping) {
      checkKeys('earlyStopping', earlyStopping, ['patience', 'minDelta']);
      checkInteger('earlyStopping.patience', patience, 1);
    }
    this.#trainer = trainer;
    this.#keepsBest = keepBest;
    this.#plateau = isPlateau ? learningRate : new ReduceOnPlateau(0);
    checkNumber('earlyStopping.minDelta', minDelta, 0);
    this.#stop = new Patience(() => minDelta);
    this.#patience = patience;
  }

  /** Starts a run that goes on from no other. */
  begin(): void {
    this.#plateau.reset();
  }

  /** Whether the loss has not fallen for too long. */
  get isOver(): boolean {
    return this.#stop.waited >= this.#patience;
  }

  /** Records the validation loss after `updates` updates. */
  hear(loss: number, update: number): FitEvent[] {
    const events: FitEvent[] = [];
    if (Number.isFinite(loss) && loss < this.#bestLoss) {
      this.#bestLoss = loss;
      this.best = update;
      if (this.#keepsBest) this.#parameters = this.#trainer.model.stateDict();
      events.push('best');
    }
    const { rate } = this.#plateau;
    if (this.#plateau.report(loss) < rate) events.push('rate-reduced');
    this.#stop.report(loss);
    if (this.isOver) events.push('early-stop');
    return events;
  }

  /** Puts the best parameters, where they were kept, into the model. */
  finish(): void {
    if (this.#parameters) this.#trainer.model.loadStateDict(this.#parameters);
  }

  /** The trainer and the run after so many updates over data of so many windows. */
  snapshot(update: number, windows: number): Snapshot {
    const { tensors, metadata } = this.#trainer.snapshot();
    for (const [name, tensor] of this.#parameters ?? []) tensors.set(BEST + name, tensor);
    const { rate, heard, cooling } = this.#plateau;
    const validated = [this.best, this.#bestLoss, this.#stop.best, this.#stop.waited];
    metadata.fit = [update, windows, ...validated, rate, heard.best, heard.waited, cooling].join();
    return { tensors, metadata };
  }

  /**
   * Goes on from a snapshot: gives the updates that are done. Everything is checked before anything
   * changes.
   */
  restore(snapshot: Snapshot, windows: number): number {
    const numbers = (snapshot.metadata.fit ?? '').split(',').map(Number);
    // Snapshots of before there was a cooldown lack the last one.
    if (numbers.length === NUMBERS - 1) numbers.push(0);
    if (numbers.length !== NUMBERS || numbers.some(Number.isNaN)) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        '"resume" expected a snapshot that "checkpoint.save" was given',
      );
    }
    const [update, ofWindows, best, bestLoss, lowest, waited, rate, plateau, since, cooling] =
      numbers;
    checkInteger('resume: windows of the data', ofWindows, windows, windows);
    const counts = { update, best, waited, 'waited of the rate': since, cooling };
    for (const [name, count] of Object.entries(counts)) {
      checkInteger(`resume: ${name}`, count, 0, Number.MAX_SAFE_INTEGER);
    }
    checkNumber('resume: learning rate', rate, 0);
    const found = below(snapshot.tensors, BEST);
    const keeps = this.#keepsBest && found.size > 0;
    const kept = keeps ? storeOf(this.#trainer.model).check(found).tensors : undefined;
    this.#trainer.restore(snapshot);
    Object.assign(this.#stop, { best: lowest, waited });
    // Where the run before had none, it begins here; as does the search for the best.
    if (rate! > 0 === this.#plateau.rate > 0) {
      Object.assign(this.#plateau, { rate, cooling });
      Object.assign(this.#plateau.heard, { best: plateau, waited: since });
    }
    if (kept) this.#parameters = kept;
    if (keeps || !this.#keepsBest) [this.best, this.#bestLoss] = [best!, bestLoss!];
    return update!;
  }
}
