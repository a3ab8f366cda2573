// Words by a model, for the edge and for the page: with the same seed the same ones, since
// `simd: 'deterministic'` gives the same bits on every machine.
import { Engine, sampleToken, seededRandom } from 'gatefold';
import { loadModel } from 'gatefold/formats/safetensors';

/** Words that nobody has to wait for: a request may not ask for more. */
export const MOST = 200;

let opened;

/** The model beside this file, which is fetched once in each isolate and in each page. */
export function openModel() {
  opened ??= (async () => {
    const response = await fetch(new URL('./model.bin', import.meta.url));
    if (!response.ok) throw new Error(`the model came with ${response.status}`);
    const engine = await Engine.create({ simd: 'deterministic' });
    return loadModel(engine, new Uint8Array(await response.arrayBuffer()));
  })();
  return opened;
}

export const wordsOf = (text) => text.toLowerCase().match(/\p{L}+|[.]/gu) ?? [];

/**
 * Words one by one, after those that the text begins with. The names of the tokens travel in the
 * model's metadata; token 0 is every word that it does not know.
 */
export function* writeWords(model, { text, seed, count }) {
  const { words } = model.metadata;
  const random = seededRandom(seed);
  const logits = new Float32Array(model.outputSize);
  const stream = model.stream();
  try {
    for (const word of ['.', ...wordsOf(text)]) {
      stream.step([Math.max(0, words.indexOf(word))], logits);
    }
    for (let k = 0; k < count; k++) {
      logits[0] = -Infinity;
      const token = sampleToken(logits, { temperature: 0.8, random });
      yield words[token];
      stream.step([token], logits);
    }
  } finally {
    stream.dispose();
  }
}
