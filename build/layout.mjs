// From the descriptors of the kernels in assembly/ to src/engine/generated/layout.ts. Names and
// types are read from the sources; the compiler of the kernels says where the fields lie.
import { demangle } from '@assemblyscript/loader';

/**
 * The structs of sources by path: the file of each, and its fields after those of the struct that
 * it extends. A struct is a class of fields alone: other classes of the kernels have methods.
 */
export function structsOf(sources) {
  const structs = new Map();
  const classes = /\bclass (\w+)(?: extends (\w+))? \{([^}]*)\}/g;
  for (const [file, source] of Object.entries(sources)) {
    const code = source.replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
    for (const [, name, parent, body] of code.matchAll(classes)) {
      if (body.includes('(')) continue;
      const lines = body.split('\n').map((line) => line.trim());
      const own = lines.filter(Boolean).map((line) => fieldOf(line, name, structs));
      structs.set(name, { file, fields: [...(structs.get(parent)?.fields ?? []), ...own] });
    }
  }
  return structs;
}

function fieldOf(line, struct, structs) {
  const [, name, type] = /^(\w+): (\w+);$/.exec(line) ?? [];
  // Kernels.write knows no other width than these.
  if (['i32', 'f32', 'usize'].includes(type) || structs.has(type)) return { name, type };
  const rule = 'a field is "name: type;" with the type i32, f32, usize or a struct before it';
  throw new Error(`${rule}; ${struct} has "${line}"`);
}

/** A module to compile: it exports the offset of every field, and the size of every struct. */
export function printEntry(structs) {
  const files = [...new Set([...structs.values()].map(({ file }) => file))];
  const imports = files.map(
    (file, k) => `import * as file${k} from '../../${file.replace('.ts', '')}';\n`,
  );
  const enums = [...structs].map(([name, { file, fields }]) => {
    const struct = `file${files.indexOf(file)}.${name}`;
    const offsets = fields.map((field) => `${field.name} = offsetof<${struct}>('${field.name}')`);
    const size = `SIZE = offsetof<${struct}>()`;
    return `export enum ${name} {\n  ${[size, ...offsets].join(',\n  ')},\n}\n`;
  });
  return `${imports.join('')}\n${enums.join('\n')}`;
}

/**
 * `wasm` is the compiled entry: one immutable global a field, `Struct.field`. A struct is printed
 * as the names of its fields in order, because each takes 4 bytes: offsets would take more of a
 * bundle.
 */
export function printLayout(structs, wasm) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
  const compiled = demangle(exports);
  const lines = [...structs].map(([name, { fields }]) => {
    const { SIZE, ...offsets } = compiled[name];
    const order = Object.entries(offsets).sort(([, a], [, b]) => a.value - b.value);
    const hasGap = order.some(([, { value }], index) => value !== 4 * index);
    if (hasGap || SIZE.value !== 4 * order.length)
      throw new Error(`the fields of ${name} do not lie 4 bytes apart`);
    const floats = new Set(fields.filter(({ type }) => type === 'f32').map((field) => field.name));
    const names = order.map(([field]) => field);
    return { name, names, text: names.map((field) => (floats.has(field) ? `${field}~` : field)) };
  });
  const line = ({ name, text }) => `  ${name}: '${text.join(' ')}',\n`;
  const type = ({ name, names }) => `  ${name}: '${names.join("' | '")}';\n`;
  return [
    '// Generated from assembly/ by build/layout.mjs; do not edit.\n',
    '/** The fields of each descriptor, 4 bytes apart; an f32 has a "~" after its name. */',
    `export const FIELDS = {\n${lines.map(line).join('')}};\n`,
    '/** Their names. */',
    `export interface Structs {\n${lines.map(type).join('')}}\n`,
  ].join('\n');
}
