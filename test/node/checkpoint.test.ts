/**
 * Runs of `fit` that are interrupted and go on from a file, against the same run without a break:
 * every report, every bit.
 */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeriesWindows } from '../../src/data/index.ts';
import {
  type FitOptions,
  type FitProgress,
  type LayerSpec,
  type Snapshot,
  type StateDict,
  type TrainerOptions,
  type TrainingData,
  GatefoldError,
  Model,
  ReduceOnPlateau,
  TextBatches,
  Trainer,
  checkpointFile,
  linearDecay,
  loadModelFile,
  loadTrainerFile,
} from '../../src/node/index.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { tampered } from '../support/tamper.ts';

const engine = createEngine('baseline');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-checkpoint-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Course {
  readonly layers: readonly LayerSpec[];
  readonly options: Omit<TrainerOptions, 'batch' | 'steps'>;
  readonly data: () => TrainingData;
  readonly validation: () => TrainingData;
  /** Fresh for every part of a run, as for every process. */
  readonly fit: () => Partial<FitOptions>;
}

const [BATCH, STEPS, EPOCHS] = [2, 6, 4];
const tokens = Int32Array.from({ length: 60 }, (_, t) => (t * t + (t % 7)) % 5);
const text = (from: number, to: number) => () =>
  new TextBatches(tokens.subarray(from, to), { batch: BATCH, steps: STEPS / 2 });
const wave = Float32Array.from({ length: 80 }, (_, t) =>
  Math.fround(Math.sin(t / 3) + (t % 5) / 9),
);
const series = (from: number, to: number) => () =>
  new SeriesWindows(wave.subarray(from, to), {
    batch: BATCH,
    steps: STEPS,
    order: 'shuffled',
    seed: 4,
  });

const COURSES: Record<string, Course> = {
  'text, carried states, replayed steps, dropout, momentum and a schedule': {
    layers: [
      { type: 'embedding', numEmbeddings: 5, embeddingDim: 3 },
      { type: 'lstm', hiddenSize: 5, numLayers: 2, dropout: 0.3 },
      { type: 'linear', outFeatures: 5 },
    ],
    options: {
      loss: 'cross-entropy',
      optimizer: { type: 'sgd', lr: 0.1, momentum: 0.9 },
      bptt: { back: STEPS, every: STEPS / 2 },
    },
    data: text(0, 44),
    validation: text(44, 60),
    fit: () => ({ learningRate: linearDecay(0.5), metrics: ['accuracy'] }),
  },
  'a shuffled series, zoneout, a plateau and an early stop': {
    layers: [
      { type: 'gru', inputSize: 1, hiddenSize: 4, zoneout: 0.1 },
      { type: 'linear', outFeatures: 1 },
    ],
    options: { loss: 'huber', optimizer: { type: 'adam', lr: 0.3 }, gradClip: { norm: 1 } },
    data: series(0, 60),
    validation: series(40, 80),
    fit: () => ({
      learningRate: new ReduceOnPlateau(0.3, { patience: 0, factor: 0.3 }),
      earlyStopping: { patience: 3 },
    }),
  },
};

function createTrainer({ layers, options }: Course, seed: number): Trainer {
  const model = Model.create(engine, { layers }, { seed });
  return Trainer.create(model, { batch: BATCH, steps: STEPS, seed: 9, ...options });
}

interface Left {
  readonly reports: FitProgress[];
  readonly model: StateDict;
  readonly snapshot: Snapshot;
}

/** A part of a run in a process of its own: goes on from the file where there is one. */
async function part(
  course: Course,
  path: string,
  options: { seed: number; every?: number; until?: number; by?: 'break' | 'abort'; keep?: boolean },
): Promise<Left> {
  const { every, until, by, seed } = options;
  const trainer = createTrainer(course, seed);
  const file = checkpointFile(path, trainer, { every });
  const controller = new AbortController();
  const reports: FitProgress[] = [];
  const all: FitOptions = {
    epochs: EPOCHS,
    validation: course.validation(),
    keepBest: true,
    signal: controller.signal,
    checkpoint: file,
    resume: await file.load(),
    ...course.fit(),
  };
  for await (const report of trainer.fit(course.data(), all)) {
    reports.push(report);
    if (report.update === until && by === 'abort') controller.abort();
    else if (report.update === until) break;
  }
  const model = trainer.model.stateDict();
  const left = { reports, model, snapshot: trainer.snapshot() };
  trainer.model.dispose();
  return left;
}

describe.each(Object.entries(COURSES))('%s', (name, course) => {
  const at = (what: string): string => join(folder, `${name.length}-${what}.safetensors`);
  let whole: Left;
  beforeAll(async () => {
    whole = await part(course, at('whole'), { seed: 1 });
  });

  it('has something to keep', () => {
    const { reports } = whole;
    const { best, update } = reports.at(-1)!;
    expect(best).toBeGreaterThan(0);
    expect(update).toBeGreaterThan(8);
    const loaded = checkpointFile(at('whole'), createTrainer(course, 2));
    return expect(loaded.load()).resolves.toBeDefined();
  });

  it.each(['break', 'abort'] as const)('by %s after any update, to the last bit', async (by) => {
    const { length } = whole.reports;
    for (let until = 1; until < length; until++) {
      const path = at(`${by}-${until}`);
      const first = await part(course, path, { seed: 1, until, by });
      // Another seed: nothing but the file may matter.
      const second = await part(course, path, { seed: 77 });
      expect(first.reports).toEqual(whole.reports.slice(0, until));
      expect(second.reports).toEqual(whole.reports.slice(until));
      expect(second.model).toEqual(whole.model);
      expect(second.snapshot).toEqual(whole.snapshot);
      expect(readFileSync(path).equals(readFileSync(at('whole')))).toBe(true);
    }
  });

  it('without a last word, from what was saved on the way', async () => {
    const trainer = createTrainer(course, 1);
    const saved: [number, Snapshot][] = [];
    const fit = { epochs: EPOCHS, validation: course.validation(), keepBest: true };
    let updates = 0;
    const save = (snapshot: Snapshot): void => {
      saved.push([updates, snapshot]);
    };
    const all = { ...fit, checkpoint: { every: 2, save }, ...course.fit() };
    for await (const { update } of trainer.fit(course.data(), all)) updates = update;
    const { length } = whole.reports;
    expect(saved.length).toBe(Math.ceil(length / 2));
    for (const [update, resume] of saved) {
      const again = createTrainer(course, 5);
      const reports: FitProgress[] = [];
      const rest = { ...fit, resume, ...course.fit() };
      for await (const report of again.fit(course.data(), rest)) reports.push(report);
      expect(reports).toEqual(whole.reports.slice(update));
      expect(again.model.stateDict()).toEqual(whole.model);
      again.model.dispose();
    }
  });

  it('a finished run goes on with nothing, and its file is a model: the best', async () => {
    const again = await part(course, at('whole'), { seed: 3 });
    expect(again.reports).toEqual([]);
    expect(again.model).toEqual(whole.model);
    const model = await loadModelFile(engine, at('whole'));
    expect(model.stateDict()).toEqual(whole.model);
    // The trainer's own parameters are the last ones.
    const trainer = createTrainer(course, 3);
    await loadTrainerFile(at('whole'), trainer);
    expect(trainer.updates).toBe(whole.reports.length);
    model.dispose();
  });
});

describe('what does not fit', () => {
  const course = Object.values(COURSES)[0]!;
  const path = (): string => join(folder, 'own.safetensors');
  beforeAll(async () => {
    await part(course, path(), { seed: 1 });
  });

  const refusal = async (trainer: Trainer, file: string): Promise<string> => {
    const error: unknown = await checkpointFile(file, trainer)
      .load()
      .then(() => undefined)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GatefoldError);
    expect((error as GatefoldError).code).toBe('ERR_FORMAT');
    return (error as GatefoldError).message;
  };

  it('a file that is not there is no error, one that cannot be read is', async () => {
    const trainer = createTrainer(course, 1);
    expect(await checkpointFile(join(folder, 'none'), trainer).load()).toBe(undefined);
    await expect(checkpointFile(folder, trainer).load()).rejects.toThrow(/EISDIR/);
  });

  it('a run that began on the other variant goes on with a warning', async () => {
    const relaxed = createEngine('relaxed');
    const model = Model.create(relaxed, { layers: course.layers });
    const options = { batch: BATCH, steps: STEPS, ...course.options };
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const odd = join(folder, 'own\u001b[2J');
    copyFileSync(path(), odd);
    expect(await checkpointFile(odd, Trainer.create(model, options)).load()).toBeDefined();
    const { message } = await warned;
    expect(message).toMatch(/own\\u001b\[2J began on baseline SIMD and goes on with relaxed/);
    relaxed.dispose();
  });

  it('a file of a variant that does not exist', async () => {
    const bytes = tampered(readFileSync(path()), ({ metadata }) => {
      const kept = JSON.parse(metadata['gatefold.trainer']!) as object;
      metadata['gatefold.trainer'] = JSON.stringify({ ...kept, simd: '\u001b]0;PWNED\u0007' });
    });
    const odd = join(folder, 'odd.safetensors');
    writeFileSync(odd, bytes);
    expect(await refusal(createTrainer(course, 1), odd)).toMatch(/no SIMD variant/);
  });

  it('a file that was cut anywhere', async () => {
    const bytes = readFileSync(path());
    const trainer = createTrainer(course, 1);
    const cut = join(folder, 'cut.safetensors');
    const random = createRandom(1);
    const lengths = [0, 1, 7, 8, bytes.length - 1];
    while (lengths.length < 40) lengths.push(random.integer(0, bytes.length - 1));
    for (const length of lengths) {
      writeFileSync(cut, bytes.subarray(0, length));
      expect(await refusal(trainer, cut)).toContain(`${cut} is not a`);
    }
  });

  it('a file in which any bit has flipped', async () => {
    const bytes = readFileSync(path());
    const trainer = createTrainer(course, 1);
    const flipped = join(folder, 'flipped.safetensors');
    const random = createRandom(2);
    const before = trainer.model.stateDict();
    // Spaces fill the header up, and a bit of one may turn into another blank.
    const header = 8 + Number(bytes.readBigUInt64LE(0));
    const end = bytes.subarray(0, header).toString('latin1').trimEnd().length;
    for (let i = 0; i < 300; i++) {
      const place = random.integer(0, bytes.length - 1);
      if (place >= end && place < header) continue;
      const copy = Uint8Array.from(bytes);
      copy[place]! ^= 1 << random.integer(0, 7);
      writeFileSync(flipped, copy);
      expect(await refusal(trainer, flipped), `byte ${place}`).toContain(`${flipped} is not a`);
    }
    expect(trainer.model.stateDict()).toEqual(before);
  });

  it('a run over other data, of another model or another optimizer', async () => {
    const other = createTrainer(Object.values(COURSES)[1]!, 1);
    expect(await refusal(other, path())).toMatch(/of a trainer of another model/);
    const trainer = createTrainer(course, 1);
    const resume = await checkpointFile(path(), trainer).load();
    const fit = { epochs: EPOCHS, resume };
    const longer = text(0, 60)();
    expect(() => trainer.fit(longer, fit)).toThrow(/"resume: windows of the data"/);
    const adam = {
      ...course,
      options: { ...course.options, optimizer: { type: 'adam', lr: 1 } },
    } as const;
    const unlike = createTrainer(adam, 1);
    expect(() => unlike.fit(course.data(), fit)).toThrow(GatefoldError);
    expect(unlike.updates).toBe(0);
    expect(() => trainer.fit(course.data(), { ...fit, from: 3 })).toThrow(/"from"/);
  });
});

it('a process that is killed while it writes leaves a whole file', async () => {
  const path = join(folder, 'killed.safetensors');
  const entry = fileURLToPath(new URL('../../dist/node.js', import.meta.url));
  const script = `
    import { Engine, Model, Trainer, checkpointFile } from ${JSON.stringify(`file://${entry}`)};
    const engine = await Engine.create({ simd: 'deterministic' });
    const model = Model.create(engine, { layers: [{ type: 'lstm', inputSize: 256, hiddenSize: 256 }] });
    const trainer = Trainer.create(model, { batch: 1, steps: 1 });
    const file = checkpointFile(${JSON.stringify(path)}, trainer);
    const snapshot = trainer.snapshot();
    snapshot.metadata.fit = '0,1,0,Infinity,Infinity,0,0,Infinity,0';
    for (let k = 0; ; k++) {
      await file.save(snapshot);
      if (k === 0) console.log('begun');
    }`;
  const layers = [{ type: 'lstm', inputSize: 256, hiddenSize: 256 }] as const;
  const model = Model.create(engine, { layers });
  const trainer = Trainer.create(model, { batch: 1, steps: 1 });
  for (const afterMs of [0, 13, 29, 47]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
    await new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('close', () => reject(new Error(complaint)));
    });
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(await checkpointFile(path, trainer).load()).toBeDefined();
  }
  const left = readdirSync(folder).filter((name) => name.startsWith('killed'));
  for (const name of left.filter((other) => other.endsWith('.part'))) rmSync(join(folder, name));
  model.dispose();
});
