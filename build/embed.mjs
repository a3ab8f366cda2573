// Prints the compiled kernels as TypeScript: their bytes for the entries that carry them, their
// types for the file that calls them.

/** The inverse of src/hosts/wasm/text.ts. */
export function encodeBytes(bytes) {
  const symbol = (v) => String.fromCharCode(0x23 + v + (v >= 0x5c - 0x23 ? 1 : 0));
  return Array.from(bytes, (byte) => {
    const v = (byte + 5) & 255;
    return ['', ' ', '!'][Math.floor(v / 91)] + symbol(v % 91);
  }).join('');
}

/** A memory `env.memory` among the imports; the flags of its limits follow. */
const MEMORY_IMPORT = Buffer.from('\x03env\x06memory\x02', 'latin1');

/** Where a module has the flags of its imported memory: bit 0 for a maximum, bit 1 for shared. */
function memoryFlagsAt(bytes) {
  const module = Buffer.from(bytes);
  const at = module.indexOf(MEMORY_IMPORT);
  const flags = at + MEMORY_IMPORT.length;
  if (at < 0 || at !== module.lastIndexOf(MEMORY_IMPORT) || module[flags] !== 1)
    throw new Error('the kernels do not import one memory "env.memory" that has a maximum');
  return flags;
}

/**
 * Bytes of one variant before it is the other's turn: both are in reach of gzip, which looks back
 * 32 KB.
 */
const STRIPE = 8192;

const NOTE = '// Generated from build/out/*.wasm by build/embed.mjs; do not edit.';

/** src/engine/generated/wasm-flags.ts. */
export function printFlags({ baseline, relaxed }) {
  const [at, atRelaxed] = [baseline, relaxed].map(memoryFlagsAt);
  if (at !== atRelaxed) throw new Error(`the flags of the memory are at ${at} and ${atRelaxed}`);
  return `${NOTE}\n
/** Where both variants have the flags of their imported memory. */
export const MEMORY_FLAGS_AT = ${at};\n`;
}

/** src/engine/generated/baseline-bytes.ts. */
export function printBaseline({ baseline }) {
  return `${NOTE}\n\nexport const BASELINE: string =\n  "${encodeBytes(baseline)}";\n`;
}

/** src/engine/generated/wasm-bytes.ts: stripes of both variants by turns. */
export function printBytes({ baseline, relaxed }) {
  const stripes = [];
  for (let from = 0; from < Math.max(baseline.length, relaxed.length); from += STRIPE) {
    for (const bytes of [baseline, relaxed]) {
      stripes.push(`  "${encodeBytes(bytes.subarray(from, from + STRIPE))}",`);
    }
  }
  return [
    NOTE,
    '',
    '/** Stripes of the baseline at even places, of the relaxed variant at odd ones. */',
    'export const KERNELS: readonly string[] = [',
    ...stripes,
    '];',
    '',
  ].join('\n');
}

/**
 * src/engine/generated/exports.ts: the `declare namespace __AdaptedExports` of asc's raw bindings
 * as an interface.
 */
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
