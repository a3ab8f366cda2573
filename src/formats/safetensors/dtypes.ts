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

/** IEEE 754 binary16 in integer steps; every half is exact in f32. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * Each takes a copy of its tensor's bytes, which starts at offset 0: in a file the data may lie at
 * any offset.
 */
export const CONVERT: ReadonlyMap<string, (bytes: ArrayBuffer) => Float32Array> = new Map([
  ['F32', (bytes) => new Float32Array(bytes)],
  ['I8', (bytes) => Float32Array.from(new Int8Array(bytes))],
  ['F64', (bytes) => Float32Array.from(new Float64Array(bytes))],
  ['F16', (bytes) => Float32Array.from(new Uint16Array(bytes), halfToNumber)],
  [
    'BF16',
    (bytes: ArrayBuffer): Float32Array => {
      // A bfloat16 is the upper half of the f32.
      const words = Uint32Array.from(new Uint16Array(bytes), (half) => half << 16);
      return new Float32Array(words.buffer);
    },
  ],
]);
