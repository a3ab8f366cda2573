// Declarations of the package: tsc prints one file for each source, rollup joins them to one for
// each entry. What several entries name is in chunks, so that a class is one type to all of them.
import { readFile, rm } from 'node:fs/promises';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { filesOf, replace, tool } from './steps.mjs';

const TYPES = 'build/out/types';
const CONFIG = 'build/out/tsconfig.json';

/** Only subclasses in the package call it, so its parameters are left out, as of private ones. */
const PROTECTED = /^( +protected constructor)\([^]*?\);$/gm;

/**
 * Types of the library that have a parameter from TypeScript 5.7 on, as every version can name
 * them.
 */
const OF_ANY_VERSION = [
  [/\bUint8Array<ArrayBuffer>/g, 'ReturnType<typeof Uint8Array.of>'],
  [/\bArrayBufferView<ArrayBuffer>/g, 'ArrayBufferView'],
];

function publicText(text) {
  const narrowed = text.replace(PROTECTED, '$1();');
  return OF_ANY_VERSION.reduce((all, [type, same]) => all.replace(type, same), narrowed);
}

/** Files of dist/ by name, for entries given as sources by name. */
export async function declarations(entries) {
  await rm(TYPES, { recursive: true, force: true });
  const files = Object.values(entries).map((source) => `../../${source}`);
  await replace(CONFIG, JSON.stringify({ extends: '../tsconfig.json', files }));
  await tool('typescript/lib/tsc.js', '-p', CONFIG);
  for (const file of await filesOf(TYPES)) {
    await replace(file, publicText(await readFile(file, 'utf8')));
  }
  const input = Object.fromEntries(
    Object.entries(entries).map(([name, source]) => [
      name,
      `${TYPES}/${source.replace(/\.ts$/, '.d.ts')}`,
    ]),
  );
  const bundle = await rollup({
    input,
    plugins: [dts()],
    onwarn: ({ code, message }) => {
      // The worker of threads exports nothing.
      if (code !== 'EMPTY_BUNDLE') throw new Error(message);
    },
  });
  const { output } = await bundle.generate({
    entryFileNames: '[name].d.ts',
    chunkFileNames: ({ name }) => `chunks/${name.replace(/\.d$/, '')}-[hash].d.ts`,
    hoistTransitiveImports: false,
    minifyInternalExports: false,
  });
  return output.map(({ fileName, code }) => [fileName, code]);
}
