// Faults that people really make in recurrent networks, as edits of the sources. `test/mutants/`
// mirrors the sources: the faults in `assembly/cells/lstm.ts` are in `assembly/cells/lstm.mjs`
// there, each by name with its edits `[from, to]`. A `from` must match the source exactly once.
import { readdir } from 'node:fs/promises';

const folder = new URL('mutants/', import.meta.url);
const paths = await readdir(folder, { recursive: true });

/** @type {{ name: string, file: string, edits: [string, string][] }[]} */
export const mutants = [];
for (const path of paths.filter((name) => name.endsWith('.mjs')).sort()) {
  const file = path.replace(/mjs$/, 'ts');
  const { mutants: own } = await import(new URL(path, folder).href);
  for (const [name, edits] of Object.entries(own)) mutants.push({ name, file, edits });
}
