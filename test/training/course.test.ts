/**
 * What validation decides over a run of `fit`: scripted losses against a plain simulation of the
 * rules.
 */
import { describe, expect, it } from 'vitest';
import {
  type FitEvent,
  type FitOptions,
  type FitProgress,
  type StateDict,
  type TrainingData,
  GatefoldError,
  Model,
  ReduceOnPlateau,
  Trainer,
} from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const engine = createEngine('baseline');
const WINDOWS = 2;

/** One unit, whose bias every update moves: y = b. */
function createTrainer(): Trainer {
  const layers = [{ type: 'linear', inFeatures: 1, outFeatures: 1 }] as const;
  const model = Model.create(engine, { layers }, { seed: 1 });
  const optimizer = { type: 'sgd', lr: 0.01 } as const;
  return Trainer.create(model, { batch: 1, steps: 1, loss: 'mse', optimizer });
}

const data: TrainingData = {
  length: WINDOWS,
  window: () => ({ inputs: new Float32Array(1), targets: Float32Array.of(1e3), steps: 1 }),
};

/** Validation data whose losses are these, one after the other, whatever the model has learned. */
function scripted({ model }: Trainer, losses: readonly number[]): TrainingData {
  let next = 0;
  return {
    length: 1,
    window() {
      const bias = model.stateDict().get('linear.bias')!.data[0]!;
      const targets = Float32Array.of(bias + Math.sqrt(losses[next++]!));
      return { inputs: new Float32Array(1), targets, steps: 1 };
    },
  };
}

interface Run {
  readonly trainer: Trainer;
  readonly reports: FitProgress[];
  /** Parameters after each update. */
  readonly after: StateDict[];
}

async function run(
  losses: readonly number[],
  options: Partial<FitOptions>,
  leave: (update: number) => boolean = () => false,
): Promise<Run> {
  const trainer = createTrainer();
  const validation = scripted(trainer, losses);
  const [reports, after]: [FitProgress[], StateDict[]] = [[], []];
  const all = { epochs: losses.length, validation, ...options };
  for await (const report of trainer.fit(data, all)) {
    reports.push(report);
    after.push(trainer.model.stateDict());
    if (leave(report.update)) break;
  }
  return { trainer, reports, after };
}

interface Rules {
  readonly patience: number;
  readonly minDelta: number;
  readonly plateau: number;
  readonly factor: number;
}

/** The same by the definitions. */
function simulate(measured: readonly number[], { patience, minDelta, plateau, factor }: Rules) {
  const heard: { events: FitEvent[]; best: number; rate: number }[] = [];
  let [best, lowest] = [0, Infinity];
  let [stopBest, stopWaited] = [Infinity, 0];
  let [plateauBest, plateauWaited, rate] = [Infinity, 0, 1];
  measured.some((loss, epoch) => {
    const events: FitEvent[] = [];
    if (loss < lowest) {
      [best, lowest] = [(epoch + 1) * WINDOWS, loss];
      events.push('best');
    }
    if (loss < plateauBest * (1 - 1e-4)) [plateauBest, plateauWaited] = [loss, 0];
    else if (++plateauWaited > plateau) {
      plateauWaited = 0;
      if (rate - rate * factor > 1e-8) {
        rate *= factor;
        events.push('rate-reduced');
      }
    }
    if (loss < stopBest - minDelta) [stopBest, stopWaited] = [loss, 0];
    else stopWaited++;
    const ends = stopWaited === patience;
    if (ends) events.push('early-stop');
    heard.push({ events, best, rate });
    return ends;
  });
  return heard;
}

describe('a course of validations', () => {
  it('finds the best, reduces the rate and ends as the rules say, for 200 courses', async () => {
    const random = createRandom(8);
    const seen = new Set<string>();
    for (let course = 0; course < 200; course++) {
      const rules: Rules = {
        patience: random.integer(1, 5),
        minDelta: random.pick([0, 0.3]),
        plateau: random.integer(0, 3),
        factor: random.pick([0.5, 0.1]),
      };
      const losses = Array.from({ length: 12 }, () =>
        random.pick([NaN, Infinity, 1, 2, 3, 4, 1.5, 2.25, 1.2]),
      );
      const { patience, minDelta, plateau, factor } = rules;
      const learningRate = new ReduceOnPlateau(1, { patience: plateau, factor });
      const options = { learningRate, earlyStopping: { patience, minDelta } };
      const { reports } = await run(losses, options);
      const validated = reports.filter(({ update }) => update % WINDOWS === 0);
      const measured = validated.map(({ validationLoss }) => validationLoss!);
      const expected = simulate(measured, rules);
      expect(validated.length).toBe(expected.length);
      expect(reports.length).toBe(WINDOWS * expected.length);
      expected.forEach(({ events, best, rate }, epoch) => {
        const report = validated[epoch]!;
        expect(report.best).toBe(best);
        expect(report.events).toEqual(events);
        events.forEach((event) => seen.add(event));
        // The rate counts from the next update on.
        const next = reports[(epoch + 1) * WINDOWS];
        if (next) expect(next.learningRate).toBe(rate);
      });
    }
    expect([...seen].sort()).toEqual(['best', 'early-stop', 'rate-reduced']);
  });

  const losses = [3, NaN, 2, -0.5, 4, 2.5];
  const bestUpdate = 3 * WINDOWS;
  it.each<[string, Partial<FitOptions>, ((update: number) => boolean)?]>([
    ['the end', {}],
    ['an early stop', { earlyStopping: { patience: 2 } }],
    ['a break', {}, (update) => update === 9],
  ])('after %s the model has the best parameters', async (_, options, leave) => {
    const { trainer, reports, after } = await run(losses, { ...options, keepBest: true }, leave);
    expect(Math.max(...reports.map(({ best = 0 }) => best))).toBe(bestUpdate);
    expect(trainer.model.stateDict()).toEqual(after[bestUpdate - 1]);
    expect(trainer.model.stateDict()).not.toEqual(after.at(-1));
    // Without the option it has the last ones.
    const plain = await run(losses, options, leave);
    expect(plain.trainer.model.stateDict()).toEqual(after.at(-1));
  });

  it('also after an abort, and after an error', async () => {
    const controller = new AbortController();
    const aborted = await run(losses, { keepBest: true, signal: controller.signal }, (update) => {
      if (update === 9) controller.abort();
      return false;
    });
    expect(aborted.reports.length).toBe(9);
    expect(aborted.trainer.model.stateDict()).toEqual(aborted.after[bestUpdate - 1]);
    const trainer = createTrainer();
    let best: StateDict | undefined;
    const failing: TrainingData = {
      length: WINDOWS,
      window(index, epoch) {
        const { inputs, steps } = data.window(index);
        return { inputs, steps, targets: Float32Array.of(epoch === 2 ? NaN : 1e3) };
      },
    };
    const options = { epochs: 4, validation: scripted(trainer, [2, 3, 4, 5]), keepBest: true };
    await expect(async () => {
      for await (const { events } of trainer.fit(failing, options)) {
        if (events?.length) best = trainer.model.stateDict();
      }
    }).rejects.toThrow(expect.objectContaining({ code: 'ERR_NON_FINITE' }) as GatefoldError);
    expect(trainer.model.stateDict()).toEqual(best);
  });

  it('losses that are not finite are never the best', async () => {
    const { trainer, reports, after } = await run([NaN, Infinity], { keepBest: true });
    expect(reports.some(({ best, events }) => best || events?.length)).toBe(false);
    expect(trainer.model.stateDict()).toEqual(after.at(-1));
  });

  it.each<[Partial<FitOptions>, RegExp]>([
    [{ keepBest: true, validation: undefined }, /"keepBest" .* need "validation"/],
    [{ metrics: ['mae'], validation: undefined }, /need "validation"/],
    [{ earlyStopping: { patience: 2 }, validation: undefined }, /need "validation"/],
    [{ learningRate: new ReduceOnPlateau(1), validation: undefined }, /need "validation"/],
    [{ earlyStopping: { patience: 0 } }, /"earlyStopping.patience" expected a whole number from 1/],
    [{ earlyStopping: { patience: 1, minDelta: -1 } }, /"earlyStopping.minDelta"/],
    [{ earlyStopping: { patience: 1, delta: 1 } as { patience: number } }, /no option "delta"/],
    [{ metrics: ['perplexity'] }, /the loss "mse" expected 'mae', got 'perplexity'/],
    [{ checkpoint: { every: 0, save: () => {} } }, /"checkpoint.every"/],
    [{ resume: { tensors: new Map(), metadata: {} } }, /"resume" expected a snapshot/],
  ])('refuses %o at the call', (options, message) => {
    const trainer = createTrainer();
    const all = { epochs: 1, validation: scripted(trainer, [1]), ...options };
    expect(() => trainer.fit(data, all)).toThrow(message);
    expect(trainer.updates).toBe(0);
  });
});
