// A GRU that reads strokes; it is trained, saved and loaded in the page.
import { Model, Trainer, cosineDecay, seededRandom, softmax } from 'gatefold';
import type { Engine, FitProgress } from 'gatefold';
import { ByteStore } from 'gatefold/browser';
import { SequenceBuckets } from 'gatefold/data';
import { loadModel, saveModel } from 'gatefold/formats/safetensors';
import { FEATURES, STEPS, featuresOf, varied } from './strokes.ts';
import type { Stroke } from './strokes.ts';

export interface Example {
  readonly name: string;
  readonly stroke: Stroke;
}

export interface Guess {
  readonly name: string;
  readonly probability: number;
}

const store = new ByteStore('gestures');
/** Of every drawn stroke the model sees so many, each a little different. */
const VARIANTS = 24;
const [BATCH, EPOCHS] = [16, 15];

export class Classifier {
  readonly model: Model;
  readonly names: readonly string[];

  private constructor(model: Model) {
    this.model = model;
    this.names = model.metadata['names'] as readonly string[];
  }

  /** The model that was saved here; undefined where there is none. */
  static async load(engine: Engine): Promise<Classifier | undefined> {
    const bytes = await store.read('model');
    return bytes && new Classifier(loadModel(engine, bytes));
  }

  static create(engine: Engine, names: readonly string[]): Classifier {
    const layers = [
      { type: 'gru', inputSize: FEATURES, hiddenSize: 24 },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: names.length },
    ] as const;
    return new Classifier(Model.create(engine, { layers }, { seed: 1, metadata: { names } }));
  }

  /** Trains and saves. Every fourth stroke of a name is kept apart, to measure with. */
  async learn(
    examples: readonly Example[],
    onProgress: (progress: FitProgress) => void,
  ): Promise<void> {
    const random = seededRandom(1);
    const seen = new Map<string, number>();
    const parts: { input: Float32Array; target: number }[][] = [[], []];
    for (const { name, stroke } of examples) {
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      const target = this.names.indexOf(name);
      const [training, validation] = parts;
      if (count % 4 === 3) validation!.push({ input: featuresOf(stroke), target });
      else {
        for (let k = 0; k < VARIANTS; k++) {
          training!.push({ input: featuresOf(k ? varied(stroke, random) : stroke), target });
        }
      }
    }
    const [data, validation] = parts.map(
      (part) => new SequenceBuckets(part, { batch: BATCH, features: FEATURES }),
    );
    const trainer = Trainer.create(this.model, {
      batch: BATCH,
      steps: STEPS,
      loss: 'cross-entropy',
      optimizer: { type: 'adam', learningRate: 0.01 },
    });
    const run = trainer.fit(data!, {
      epochs: EPOCHS,
      validation,
      learningRate: cosineDecay(0.01),
      yieldEvery: 16,
    });
    for await (const progress of run) onProgress(progress);
    trainer.dispose();
    await store.write('model', saveModel(this.model));
  }

  /** Names with their probabilities, in the order of the names. */
  guess(stroke: Stroke): Guess[] {
    const { output } = this.model.forward(featuresOf(stroke), { steps: STEPS });
    const probabilities = softmax(output);
    return this.names.map((name, k) => ({ name, probability: probabilities[k]! }));
  }
}

/** What was drawn, over reloads. */
export async function loadExamples(): Promise<Example[]> {
  const bytes = await store.read('strokes');
  return bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as Example[]) : [];
}

export async function saveExamples(examples: readonly Example[]): Promise<void> {
  await store.write('strokes', new TextEncoder().encode(JSON.stringify(examples)));
}

export async function forget(): Promise<void> {
  for (const name of await store.names()) await store.remove(name);
}
