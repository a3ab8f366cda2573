/**
 * Characters that are counted, and measured, from the first: more would take minutes, and a `Map`
 * has at most 2^24 entries.
 */
export const MAX_COUNTED = 10_000_000;

/**
 * The yardstick of a character model: counts of each character after the two before it, with one
 * added to every count. Returns its mean loss on `tokens` in bits per character, first two
 * characters left out for want of a context.
 */
export function trigramBits(training: Int32Array, tokens: Int32Array, characters: number): number {
  // A map of what occurs: characters^3 counts of a large vocabulary would not fit anywhere.
  const pairs = new Map<number, number>();
  const triples = new Map<number, number>();
  const pairAt = (text: Int32Array, i: number): number => text[i - 2]! * characters + text[i - 1]!;
  const counted = Math.min(training.length, MAX_COUNTED);
  for (let i = 2; i < counted; i++) {
    const pair = pairAt(training, i);
    const triple = pair * characters + training[i]!;
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    triples.set(triple, (triples.get(triple) ?? 0) + 1);
  }
  let bits = 0;
  const measured = Math.min(tokens.length, MAX_COUNTED);
  for (let i = 2; i < measured; i++) {
    const pair = pairAt(tokens, i);
    const count = triples.get(pair * characters + tokens[i]!) ?? 0;
    bits -= Math.log2((count + 1) / ((pairs.get(pair) ?? 0) + characters));
  }
  return bits / (measured - 2);
}
