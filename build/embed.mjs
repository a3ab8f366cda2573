// Prints the compiled kernels as TypeScript: their bytes for the entries that carry them, their types for the file that calls them.

/** The inverse of src/wasm/text.ts. */
export function encodeBytes(bytes) {
  const symbol = (v) => String.fromCharCode(0x23 + v + (v >= 0x5c - 0x23 ? 1 : 0));
  return Array.from(bytes, (byte) => {
    const v = (byte + 5) & 255;
    return ['', ' ', '!'][Math.floor(v / 91)] + symbol(v % 91);
  }).join('');
}

/** src/generated/wasm-bytes.ts: one string a variant, each a constant of its own so that unused ones fall away. */
export function printBytes(variants) {
  const constants = Object.entries(variants).map(
    ([name, bytes]) =>
      `/** ${bytes.length} bytes */\nexport const ${name.toUpperCase()}: string =\n  "${encodeBytes(bytes)}";\n`,
  );
  return `// Generated from build/out/*.wasm by build/embed.mjs; do not edit.\n\n${constants.join('\n')}`;
}

/** src/generated/exports.ts: the `declare namespace __AdaptedExports` of asc's raw bindings as an interface. */
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
