/**
 * Samples of float32 by their bits, and distances between numbers in units in the last place (ULP).
 */

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

export function fromBits(bits: number): number {
  word[0] = bits;
  return float[0]!;
}

/** Distance between neighbouring float32 numbers around x. */
export function ulp(x: number): number {
  float[0] = Math.abs(x);
  // Denormals have the spacing of the smallest normal numbers.
  const exponent = Math.max(word[0]! >>> 23, 1);
  return 2 ** (exponent - 150);
}

/**
 * `perExponent` numbers of every sign and finite exponent, denormals included, in ascending order;
 * -0 is left out.
 */
export function wholeRange(perExponent: number, offset = 0): Float32Array {
  const stride = Math.max(1, Math.floor(2 ** 23 / perExponent));
  const positive: number[] = [];
  for (let bits = offset % stride; bits < 0x7f800000; bits += stride) positive.push(bits);
  const sample = new Uint32Array(2 * positive.length);
  positive.forEach((bits, k) => {
    sample[positive.length + k] = bits;
    sample[positive.length - 1 - k] = (bits | 0x80000000) >>> 0;
  });
  return new Float32Array(sample.buffer).filter((x) => !Object.is(x, -0));
}

/**
 * `length` neighbours in ascending order, from x on towards larger numbers. x must not be so near 0
 * that they reach it.
 */
export function neighbours(x: number, length: number): Float32Array {
  float[0] = x;
  const first = word[0]!;
  const step = x < 0 ? -1 : 1;
  return new Float32Array(Uint32Array.from({ length }, (_, k) => first + step * k).buffer);
}

/** `length` numbers from the one with these bits on, every `stride`th in the order of the bits. */
export function ascending(bits: number, length: number, stride: number): Float32Array {
  const words = new Uint32Array(length);
  for (let k = 0; k < length; k++) words[k] = bits + k * stride;
  return new Float32Array(words.buffer);
}
