// Prints src/engine/generated/layout.ts: where the fields of the kernels' descriptors lie, as the compiler of the kernels laid them out.
import { demangle } from '@assemblyscript/loader';

/** `wasm` exports one immutable global a field, `Struct.field`; `Struct.SIZE` is the number of bytes. */
export function printLayout(wasm) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
  const structs = Object.entries(demangle(exports)).filter(([, struct]) => struct?.SIZE);
  if (structs.length === 0) throw new Error('assembly/layout.entry.ts exports no layout');
  const print = ([name, fields]) => {
    const lines = Object.entries(fields).map(([field, { value }]) => `  ${field}: ${value},`);
    return `export const ${name} = {\n${lines.join('\n')}\n} as const;\n`;
  };
  return `// Generated from assembly/layout.entry.ts by build/layout.mjs; do not edit.\n\n${structs.map(print).join('\n')}`;
}
