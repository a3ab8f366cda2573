import { once } from 'node:events';
import { UNKNOWN } from '../data/text.ts';
import type { Vocabulary } from '../data/text.ts';
import type { Model } from '../hosts/default.ts';
import { seededRandom } from '../base/random.ts';
import { sampleToken } from '../model/outputs.ts';
import { createEngine } from './engine.ts';
import { say } from './output.ts';
import { openModel, openModelFile } from './run.ts';
import { readModelFile } from './save.ts';

export interface SampleOptions {
  readonly prime: string;
  readonly length: number;
  readonly temperature: number;
  readonly seed: number;
}

/** Writes on from `prime`, a character at a time; from the start of a line without one. */
export function* write(
  model: Model,
  vocabulary: Vocabulary,
  options: SampleOptions,
): Generator<string, void> {
  const { prime, length, temperature, seed } = options;
  const stream = model.stream();
  const logits = new Float32Array(model.outputSize);
  const token = new Int32Array(1);
  const random = seededRandom(seed);
  try {
    for (const primed of vocabulary.encode(prime === '' ? '\n' : prime)) {
      token[0] = primed;
      stream.step(token, logits);
    }
    for (let drawn = 0; drawn < length; drawn++) {
      // It has no character to write.
      logits[UNKNOWN] = -Infinity;
      token[0] = sampleToken(logits, { temperature, random });
      yield vocabulary.characters[token[0]]!;
      stream.step(token, logits);
    }
  } finally {
    stream.dispose();
  }
}

/** The command `gatefold sample`; gives the exit status. */
export async function sample(path: string, options: SampleOptions): Promise<number> {
  const file = openModelFile(path, readModelFile(path));
  // The deterministic variant: a seed writes the same text on every machine.
  const engine = await createEngine('deterministic');
  try {
    const { model, vocabulary } = openModel(engine, path, file);
    say(options.prime);
    for (const character of write(model, vocabulary, options)) {
      if (!say(character)) await once(process.stdout, 'drain');
    }
    say('\n');
    return 0;
  } finally {
    engine.dispose();
  }
}
