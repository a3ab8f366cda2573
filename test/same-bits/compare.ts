/** The bits of arrays, one by one. */

/** What a build computed, by name. Losses and norms, which are float64, have an array too. */
export type Answers = Readonly<Record<string, Float32Array | Float64Array>>;

export interface Difference {
  readonly array: string;
  /** -1 where one build lacks the array, or has another length or type. */
  readonly index: number;
  readonly here: string;
  readonly there: string;
}

const wordsOf = ({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, byteLength / 4);

const kindOf = (array: Float32Array | Float64Array | undefined): string =>
  array ? `${array.length} numbers of ${array.BYTES_PER_ELEMENT * 8} bits` : 'nothing';

/** A number and its bits, which tell -0 from 0, and one NaN from another. */
function show(array: Float32Array | Float64Array, index: number): string {
  const words = wordsOf(array.subarray(index, index + 1));
  const bits = Array.from(words, (word) => word.toString(16).padStart(8, '0')).reverse();
  return `${Object.is(array[index], -0) ? '-0' : array[index]} (0x${bits.join('')})`;
}

/** Where the answers of two builds first differ in a bit, or undefined. */
export function firstDifference(here: Answers, there: Answers): Difference | undefined {
  for (const array of new Set([...Object.keys(here), ...Object.keys(there)])) {
    const [ours, theirs] = [here[array], there[array]];
    if (!ours || !theirs || kindOf(ours) !== kindOf(theirs)) {
      return { array, index: -1, here: kindOf(ours), there: kindOf(theirs) };
    }
    const words = wordsOf(theirs);
    const at = wordsOf(ours).findIndex((word, k) => word !== words[k]);
    if (at < 0) continue;
    const index = Math.floor((4 * at) / ours.BYTES_PER_ELEMENT);
    return { array, index, here: show(ours, index), there: show(theirs, index) };
  }
  return undefined;
}
