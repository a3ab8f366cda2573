/**
 * Bits of an element of every dtype that the safetensors format names; those of `CONVERT` can be
 * read here.
 */
export const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U8', 8],
  ['I8', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['I16', 16],
  ['U16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['I32', 32],
  ['U32', 32],
  ['F32', 32],
  ['C64', 64],
  ['F64', 64],
  ['I64', 64],
  ['U64', 64],
]);

/** The same bytes at an offset that takes a view of elements of `size` bytes. */
const aligned = (bytes: Uint8Array, size: number): Uint8Array =>
  bytes.byteOffset % size === 0 ? bytes : bytes.slice();

/** Bytes that are converted at a time: those at an odd offset are copied to an even one before. */
const PIECE = 2 ** 20;

/** Elements of two bytes as the f32 whose bits `widen` writes. */
function halvesOf(
  bytes: Uint8Array,
  widen: (halves: Uint16Array, words: Uint32Array) => void,
): Float32Array {
  const words = new Uint32Array(bytes.length / 2);
  const even = bytes.byteOffset % 2 === 0 ? undefined : new Uint8Array(PIECE);
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    even?.set(piece);
    const { buffer, byteOffset } = even ?? piece;
    widen(new Uint16Array(buffer, byteOffset, piece.length / 2), words.subarray(at / 2));
  }
  return new Float32Array(words.buffer);
}

/** A binary16 below 2^-14: its first digit is not implied, and moves up to where that one is. */
function widenSmall(fraction: number): number {
  if (fraction === 0) return 0;
  const shift = Math.clz32(fraction) - 21;
  return ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

/** Every binary16 is exact in f32. */
function widenHalves(halves: Uint16Array, words: Uint32Array): void {
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const exponent = half & 0x7c00;
    const rest = (half & 0x7fff) << 13;
    // What is added to the exponent; the highest one is that of infinities and NaN.
    const bits = exponent
      ? rest + (exponent === 0x7c00 ? 0x7000_0000 : 0x3800_0000)
      : widenSmall(half & 0x3ff);
    words[i] = ((half & 0x8000) << 16) | bits;
  }
}

/** A bfloat16 is the upper half of the f32. */
function widenBrains(halves: Uint16Array, words: Uint32Array): void {
  for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, length } = aligned(bytes, 4);
  return new Float32Array(buffer, byteOffset, length / 4);
}

function doublesOf(bytes: Uint8Array): Float64Array {
  const { buffer, byteOffset, length } = aligned(bytes, 8);
  return new Float64Array(buffer, byteOffset, length / 8);
}

/**
 * Each takes its tensor's bytes, which may lie at any offset. F32 gives a view of them where they
 * lie at a multiple of 4, the others something of their own.
 */
export const CONVERT: ReadonlyMap<string, (bytes: Uint8Array) => Float32Array> = new Map([
  ['F32', floatsOf],
  ['I8', (bytes) => new Float32Array(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length))],
  ['F64', (bytes) => new Float32Array(doublesOf(bytes))],
  ['F16', (bytes) => halvesOf(bytes, widenHalves)],
  ['BF16', (bytes) => halvesOf(bytes, widenBrains)],
]);
