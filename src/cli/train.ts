import { TextBatches } from '../data/text.ts';
import { GatefoldError } from '../base/errors.ts';
import type { SafetensorsFile } from '../formats/safetensors/read.ts';
import { Model, Trainer, linearDecay } from '../hosts/default.ts';
import type { Engine, FitOptions, Snapshot, TrainingData } from '../hosts/default.ts';
import { TeamEngine } from '../threads/engine.ts';
import { filesOf, readCorpus } from './corpus.ts';
import type { Corpus } from './corpus.ts';
import { createTrainingEngine } from './engine.ts';
import { STATUS_NOT_WRITTEN, fail } from './failure.ts';
import { MAX_COUNTED, trigramBits } from './ngram.ts';
import { Pace } from './pace.ts';
import { Progress } from './progress.ts';
import { report } from './report.ts';
import { onOutputFault, outputFault, say, warn } from './output.ts';
import {
  checkOwnText,
  describeModel,
  notFinite,
  openModelFile,
  readRun,
  saveRun,
  snapshotOf,
} from './run.ts';
import type { SavedRun, Settings } from './run.ts';
import { checkWritable, readModelFile, rescue, trySave } from './save.ts';
import { wordOf } from './shell.ts';

export interface TrainOptions extends Omit<Settings, 'epochs' | 'lr'> {
  readonly lr?: number;
  readonly epochs?: number;
  readonly out?: string;
  readonly resume?: string;
  readonly simd?: 'auto' | 'deterministic';
  /** The options that were given, by name. */
  readonly given: ReadonlySet<string>;
}

/** Options that do not change what has been learned so far. */
const RESUMABLE: ReadonlySet<string> = new Set(['epochs', 'patience', 'out', 'resume', 'simd']);
const DEFAULT_OUT = 'gatefold-model.safetensors';
/** Characters to learn from without `--epochs`: half a minute on two cores. */
const DEFAULT_CHARACTERS = 1_500_000;
const MAX_DEFAULT_EPOCHS = 50;
export const DEFAULT_LR = 0.008;
/** For the cell whose state nothing bounds: at twice that it ran away. */
export const DEFAULT_LR_OPEN = 0.004;
/**
 * Closes a gate to 2 %; at -2 the cell state still ran away (measured on the project's sources).
 */
const CLOSED_FORGET_BIAS = -4;
/** Updates after which a run is saved, where an epoch has more. */
const MOST_UNSAVED = 1000;
/** Updates that the shown loss is the mean of. */
const LOSS_WINDOW = 25;

/** All that is known before the engine starts. */
interface Plan {
  readonly settings: Settings;
  readonly files: readonly string[];
  readonly corpus: Corpus;
  readonly batches: TextBatches;
  readonly validation: TextBatches;
  readonly out: string;
  readonly simd: 'auto' | 'deterministic';
  readonly saved?: { path: string; file: SafetensorsFile; run: SavedRun };
}

function batchesOf(tokens: Int32Array, part: string, { batch, steps }: Settings): TextBatches {
  if (tokens.length > Math.max(batch, 2)) return new TextBatches(tokens, { batch, steps });
  return fail(
    `the text is too short: ${tokens.length} characters for ${part} do not fill --batch ${batch}; give more text or a smaller --batch`,
  );
}

async function openSaved(
  path: string,
  given: ReadonlySet<string>,
): Promise<NonNullable<Plan['saved']>> {
  const changed = [...given].find((name) => !RESUMABLE.has(name));
  if (changed !== undefined) {
    fail(`--${changed} cannot change a run that is resumed: leave it out, or start another`);
  }
  const file = openModelFile(path, await readModelFile(path));
  return { path, file, run: readRun(path, file) };
}

function checkResumable({ path, run }: NonNullable<Plan['saved']>, plan: Plan): void {
  if (run.fingerprint !== plan.corpus.fingerprint) {
    fail(`the text is not the one that ${path} was learning: give the same files, or train anew`);
  }
  const done = Math.floor(run.losses.length / plan.batches.length);
  if (run.losses.length >= plan.settings.epochs * plan.batches.length) {
    fail(`${path} has finished its ${done} epochs: give more, --epochs ${done + 5}`);
  }
}

async function planRun(named: readonly string[], options: TrainOptions): Promise<Plan> {
  const saved = options.resume ? await openSaved(options.resume, options.given) : undefined;
  const out = options.out ?? options.resume ?? DEFAULT_OUT;
  await checkWritable(out, filesOf(named));
  if (saved && named.length === 0) {
    checkOwnText(saved.run, saved.path, `gatefold train --resume ${wordOf(saved.path)}`);
  }
  const corpus = readCorpus(named);
  const { cell, hidden, layers, embedding, steps, batch, clip, seed } = options;
  const lr = options.lr ?? (cell === 'peephole-cell' ? DEFAULT_LR_OPEN : DEFAULT_LR);
  const wanted = Math.round(DEFAULT_CHARACTERS / corpus.training.length);
  const epochs = Math.min(Math.max(wanted, 1), MAX_DEFAULT_EPOCHS);
  const { patience } = options;
  const fresh = { cell, hidden, layers, embedding, steps, batch, epochs, patience, lr, clip, seed };
  const settings = { ...(saved?.run.settings ?? fresh) };
  if (options.epochs !== undefined) settings.epochs = options.epochs;
  if (options.given.has('patience')) settings.patience = patience;
  const plan: Plan = {
    settings,
    files: named,
    corpus,
    batches: batchesOf(corpus.training, 'training', settings),
    validation: batchesOf(corpus.validation, 'validation', settings),
    out,
    // What was begun on the deterministic variant goes on there.
    simd: options.simd ?? (saved?.run.simd === 'baseline' ? 'deterministic' : 'auto'),
    saved,
  };
  if (saved) checkResumable(saved, plan);
  return plan;
}

/**
 * Fresh parameters. Where the gates see the cell state through full matrices nothing bounds it:
 * gates that stay open count it up by one a step, until no gradient passes any more. There the
 * forget gates start closed.
 */
export function createModel(engine: Engine, settings: Settings, characters: number): Model {
  const { cell, hidden, seed } = settings;
  const model = Model.create(engine, describeModel(settings, characters), { seed });
  if (cell !== 'peephole-cell') return model;
  const parameters = model.stateDict();
  for (const [name, { data }] of parameters) {
    if (name.startsWith('lstm.bias_ih')) data.fill(CLOSED_FORGET_BIAS, hidden, 2 * hidden);
  }
  model.loadStateDict(parameters);
  return model;
}

function createTrainer(model: Model, { batch, steps, lr, clip }: Settings): Trainer {
  return Trainer.create(model, {
    batch,
    steps,
    loss: 'cross-entropy',
    optimizer: { type: 'adam', lr },
    gradClip: clip > 0 ? { norm: clip } : undefined,
  });
}

/** What ends a run that can go on later, and its status: 128 and the number of the signal. */
const STATUS_STOPPED = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
type Stop = keyof typeof STATUS_STOPPED;
const SIGNALS: readonly Stop[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/**
 * Runs `work` until a signal asks it to end or nobody takes its output, and says which it was.
 * Node ignores SIGPIPE itself: the name stands for output that failed.
 */
async function whileStoppable(
  work: (signal: AbortSignal) => Promise<void>,
): Promise<Stop | undefined> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => controller.abort(name);
  for (const name of SIGNALS) process.on(name, onSignal);
  const stop = onOutputFault(() => controller.abort('SIGPIPE'));
  await work(controller.signal);
  stop();
  // A stopped run keeps listening: a terminal's Ctrl-C under npm arrives twice, and the second must
  // not kill it.
  if (controller.signal.aborted) return controller.signal.reason as Stop;
  for (const name of SIGNALS) process.off(name, onSignal);
  return undefined;
}

/**
 * A run at work: its trainer, the loss of each update in nats, and the update of the best
 * validation.
 */
interface Run {
  readonly trainer: Trainer;
  readonly losses: number[];
  /** Of this process alone: [update, bits]. */
  readonly validations: [number, number][];
  readonly snapshot: Snapshot | undefined;
  best: number;
  /** Why the last save failed, and what it was to write. */
  unsaved?: { readonly reason: string; readonly bytes: Uint8Array } | undefined;
}

/** Saves a run; where that fails it warns, and the training goes on: the next save may succeed. */
async function keep(
  { settings, corpus, files, out }: Plan,
  run: Run,
  now: Snapshot,
): Promise<void> {
  const { trainer, losses } = run;
  const bad = notFinite(now.tensors);
  if (bad !== undefined) {
    fail(`"${bad}" is not finite after update ${losses.length}: choose a smaller --lr`);
  }
  const vocabulary = corpus.vocabulary.toString();
  const { variant: simd } = trainer.model.engine;
  const known = { settings, files, fingerprint: corpus.fingerprint, simd, vocabulary };
  const bytes = saveRun(trainer, now, { ...known, losses });
  const reason = await trySave(out, bytes);
  if (reason !== undefined && reason !== run.unsaved?.reason) {
    warn(`cannot write ${out}: ${reason}; the training goes on, and the next save tries again`);
  }
  run.unsaved = reason === undefined ? undefined : { reason, bytes };
}

/** Where the run is saved in the end: in another place, if it has to be. */
async function placeOf({ out }: Plan, { unsaved }: Run): Promise<string> {
  if (!unsaved) return out;
  const place = await rescue(out, unsaved.bytes);
  const end = place === undefined ? 'the run is not saved' : `the run is in ${place} instead`;
  warn(`cannot write ${out}: ${unsaved.reason}; ${end}`);
  return place ?? out;
}

function fitOptions(plan: Plan, run: Run, signal: AbortSignal): FitOptions {
  const { settings, validation, batches } = plan;
  const { patience } = settings;
  return {
    epochs: settings.epochs,
    signal,
    learningRate: linearDecay(settings.lr),
    checkpoint: {
      every: Math.min(batches.length, MOST_UNSAVED),
      save: (now) => keep(plan, run, now),
    },
    resume: run.snapshot,
    ...(patience ? { validation, keepBest: true, earlyStopping: { patience } } : {}),
  };
}

/**
 * Trains to the end of the plan, or to a signal; saves the run after every epoch, and at the end.
 */
async function learn(plan: Plan, run: Run, signal: AbortSignal): Promise<void> {
  const progress = new Progress(process.stdout);
  const startedMs = performance.now();
  const { trainer, losses, validations } = run;
  const from = losses.length;
  let tokens = 0;
  let validationBits: number | undefined;
  const { engine } = trainer.model;
  const pace = engine instanceof TeamEngine && engine.threads > 1 ? new Pace(engine) : undefined;
  let begunMs = 0;
  // Read at the start of every update.
  const batches: TrainingData = {
    length: plan.batches.length,
    window(index) {
      const window = plan.batches.window(index);
      begunMs = performance.now();
      return window;
    },
  };
  for await (const report of trainer.fit(batches, fitOptions(plan, run, signal))) {
    // What comes with a validation is no update.
    if (report.validationLoss === undefined) pace?.add(performance.now() - begunMs);
    losses.push(Math.fround(report.loss));
    tokens += report.targetCount;
    const seconds = (performance.now() - startedMs) / 1000;
    const recent = losses.slice(-LOSS_WINDOW);
    if (report.validationLoss !== undefined) {
      validationBits = report.validationLoss / Math.LN2;
      validations.push([losses.length, validationBits]);
    }
    run.best = report.best ?? run.best;
    progress.show({
      ...report,
      bits: recent.reduce((sum, nats) => sum + nats, 0) / recent.length / Math.LN2,
      validationBits,
      tokensPerSecond: tokens / seconds,
      secondsLeft: ((report.updates - report.update) * seconds) / (report.update - from),
    });
  }
  progress.end();
}

/** How many threads a run has, where there are more than one. */
const threadsOf = (engine: Engine): string =>
  engine instanceof TeamEngine && engine.threads > 1 ? ` on ${engine.threads} threads` : '';

function announce({ corpus, settings, files }: Plan, model: Model, engine: Engine): void {
  const from = files.length > 0 ? files.join(', ') : "the project's own sources";
  const count = (value: number): string => value.toLocaleString('en');
  say(
    `learning ${count(corpus.training.length)} characters of ${from}, ` +
      `${count(corpus.validation.length)} more to validate on\n` +
      `${settings.cell} ${settings.layers} x ${settings.hidden}, ` +
      `${count(model.parameterCount)} parameters, ${engine.variant} SIMD${threadsOf(engine)}, seed ${settings.seed}\n`,
  );
}

/** The run to be, or the saved one. */
function begin(trainer: Trainer, plan: Plan, engine: Engine): Run {
  if (!plan.saved) return { trainer, losses: [], validations: [], snapshot: undefined, best: 0 };
  const { path, file, run } = plan.saved;
  const snapshot = snapshotOf(trainer, path, file, run);
  if (run.simd !== engine.variant) {
    warn(
      `${path} began on ${run.simd} SIMD and goes on with ${engine.variant}: the last bits will differ`,
    );
  }
  return { trainer, losses: [...run.losses], validations: [], snapshot, best: 0 };
}

async function trainPlan(plan: Plan, engine: Engine): Promise<number> {
  const { settings, corpus, files, batches } = plan;
  const { vocabulary } = corpus;
  const model = createModel(engine, settings, vocabulary.size);
  const trainer = createTrainer(model, settings);
  const run = begin(trainer, plan, engine);
  const { losses, validations } = run;
  announce(plan, model, engine);
  const before = losses.length;
  const stopped = await whileStoppable((signal) => learn(plan, run, signal));
  const updates = settings.epochs * batches.length;
  const out = await placeOf(plan, run);
  if (stopped && losses.length < updates) {
    const command = ['gatefold train --resume', ...[out, ...files].map(wordOf)].join(' ');
    const end = `stopped after ${losses.length} of ${updates} updates; go on with: ${command}`;
    const fault = outputFault();
    if (!fault) say(`${end}\n`);
    else if (fault.isClosed) warn(`the output ended, ${fault.reason}: ${end}`);
    else warn(end);
    // A reader that is gone says less than what else went wrong.
    return run.unsaved || (fault && !fault.isClosed) ? STATUS_NOT_WRITTEN : STATUS_STOPPED[stopped];
  }
  if (!stopped && losses.length === before) {
    const { patience } = settings;
    fail(
      `the run had ended early, by --patience ${patience}: give more, --patience ${2 * patience}`,
    );
  }
  const bits = trainer.evaluate(plan.validation).loss / Math.LN2;
  const epochOf = (update: number): number => update / batches.length;
  const best = run.best ? { epoch: epochOf(run.best), last: epochOf(losses.length) } : undefined;
  const trigram = trigramBits(corpus.training, corpus.validation, vocabulary.size);
  const isPart = Math.max(corpus.training.length, corpus.validation.length) > MAX_COUNTED;
  const counted = isPart ? MAX_COUNTED : undefined;
  say(
    report({ bits, best, trigram, counted, losses, validations, model, vocabulary, settings, out }),
  );
  return run.unsaved ? STATUS_NOT_WRITTEN : 0;
}

/** About the multiply-adds of an update, without those of its gradients. */
function workOf({ settings, corpus }: Plan): number {
  const { hidden, embedding, layers, batch, steps } = settings;
  const perStep = 4 * hidden * (embedding + (2 * layers - 1) * hidden);
  return batch * steps * (perStep + hidden * corpus.vocabulary.size);
}

/** The command `gatefold train`; gives the exit status. */
export async function train(files: readonly string[], options: TrainOptions): Promise<number> {
  const plan = await planRun(files, options);
  const engine = await createTrainingEngine(plan.simd, workOf(plan));
  try {
    return await trainPlan(plan, engine);
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    if (error.code === 'ERR_NON_FINITE') fail('the loss is not finite: choose a smaller --lr');
    if (error.code === 'ERR_THREADS') {
      const command = ['gatefold train --resume', ...[plan.out, ...files].map(wordOf)].join(' ');
      fail(`a thread of the run ended or stood still: go on from the last save, ${command}`);
    }
    if (error.code !== 'ERR_MEMORY') throw error;
    return fail(`${error.message}; or choose a smaller --hidden, --batch or --steps`);
  } finally {
    engine.dispose();
  }
}
