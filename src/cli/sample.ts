import { UNKNOWN } from '../data/text.ts';
import type { Vocabulary } from '../data/text.ts';
import type { Model } from '../hosts/default.ts';
import { GatefoldError } from '../base/errors.ts';
import { seededRandom } from '../base/random.ts';
import { sampleToken } from '../model/outputs.ts';
import { createEngine } from './engine.ts';
import { drained, outputFault, say, warn } from './output.ts';
import { failed, openModel, openModelFile } from './run.ts';
import { readModelFile } from './save.ts';

/** How `sampleToken` draws. */
export interface SampleOptions {
  readonly prime: string;
  readonly length: number;
  readonly temperature: number;
  readonly seed: number;
}

/** Most characters to name of those that a model has never seen. */
const MAX_UNSEEN = 10;

/** Characters of a text that the vocabulary lacks, each once. */
function unseen(vocabulary: Vocabulary, text: string): string[] {
  const known = new Set(vocabulary.characters);
  return [...new Set(text)].filter((character) => !known.has(character));
}

/**
 * What to go on from: the characters of the prime that the model has seen, else the start of a
 * line, else the first character. The token of all others has never been trained.
 */
function opening(vocabulary: Vocabulary, prime: string): Int32Array {
  const known = (text: string): Int32Array =>
    vocabulary.encode(text).filter((token) => token !== UNKNOWN);
  const [primed, line] = [known(prime), known('\n')];
  if (primed.length > 0) return primed;
  return line.length > 0 ? line : known(vocabulary.characters[UNKNOWN + 1] ?? '');
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
    for (const primed of opening(vocabulary, prime)) {
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
  const file = openModelFile(path, await readModelFile(path));
  // The deterministic variant: a seed writes the same text on every machine.
  const engine = await createEngine('deterministic');
  try {
    const { model, vocabulary } = openModel(engine, path, file);
    const strange = unseen(vocabulary, options.prime);
    if (strange.length > 0) {
      const more = strange.length > MAX_UNSEEN ? ' and others' : '';
      const shown = strange.slice(0, MAX_UNSEEN).map((character) => `"${character}"`);
      warn(`the model has never seen ${shown.join(' ')}${more} of --prime: it reads on without`);
    }
    say(options.prime);
    for (const character of write(model, vocabulary, options)) {
      if (!say(character)) await drained();
      if (outputFault()) return 0;
    }
    say('\n');
    return 0;
  } catch (error) {
    if (!(error instanceof GatefoldError) || error.code !== 'ERR_NON_FINITE') throw error;
    return failed(path, 'its outputs are not finite');
  } finally {
    engine.dispose();
  }
}
