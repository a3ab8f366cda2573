// Prints the compiled kernels as TypeScript: their bytes for the entries that carry them, their types for the file that calls them.

/** The inverse of src/hosts/wasm/text.ts. */
export function encodeBytes(bytes) {
  const symbol = (v) => String.fromCharCode(0x23 + v + (v >= 0x5c - 0x23 ? 1 : 0));
  return Array.from(bytes, (byte) => {
    const v = (byte + 5) & 255;
    return ['', ' ', '!'][Math.floor(v / 91)] + symbol(v % 91);
  }).join('');
}

/** Bytes of one variant before it is the other's turn: both are in reach of gzip, which looks back 32 KB. */
const STRIPE = 8192;

/** src/engine/generated/wasm-bytes.ts: stripes of both variants by turns. */
export function printBytes({ baseline, relaxed }) {
  const stripes = [];
  for (let at = 0; at < Math.max(baseline.length, relaxed.length); at += STRIPE) {
    for (const bytes of [baseline, relaxed]) {
      stripes.push(`  "${encodeBytes(bytes.subarray(at, at + STRIPE))}",`);
    }
  }
  return [
    '// Generated from build/out/*.wasm by build/embed.mjs; do not edit.',
    '',
    '/** Stripes of the baseline at even places, of the relaxed variant at odd ones. */',
    'export const KERNELS: readonly string[] = [',
    ...stripes,
    '];',
    '',
  ].join('\n');
}

/** src/engine/generated/exports.ts: the `declare namespace __AdaptedExports` of asc's raw bindings as an interface. */
export function printExports(declarations) {
  const body = /declare namespace __AdaptedExports \{\n([^]*?)\n\}/.exec(declarations)?.[1];
  if (!body) throw new Error('the bindings of asc no longer declare __AdaptedExports');
  const members = body
    .replace(/ {2}\/\*\*[^]*?\*\/\n/g, '')
    .replace(/export function /g, '')
    .replace(/export const (\w+): \{[^]*?\}/g, 'readonly $1: WebAssembly.Global');
  if (/export|memory/.test(members)) throw new Error(`unknown kind of export:\n${members}`);
  return `// Generated from the bindings of asc by build/embed.mjs; do not edit.\n\nexport interface KernelExports {\n${members}\n}\n`;
}
