/** What the package adds to the bundle of an application. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
// @ts-expect-error a script of the build
import * as size from '../../build/size.mjs';
import { root } from '../support/consumer.ts';

interface Weight {
  readonly name: string;
  readonly bytes: number;
  readonly budget: number;
}

const { bundleProgram, placeOf, printTables, weigh } = size as {
  bundleProgram(name: string): Promise<string>;
  placeOf(name: string): RegExp;
  printTables(): Promise<Record<string, string>>;
  weigh(): Promise<readonly Weight[]>;
};

test('every file, entry and program is within its budget', async () => {
  const weights = await weigh();
  const names = weights.map(({ name }) => name);
  const most = (name: string): number => weights.find((weight) => weight.name === name)!.budget;
  expect(names).toContain('workerd.js');
  expect(most('wasm/gatefold.wasm')).toBeLessThanOrEqual(92 * 1024);
  for (const { name, bytes, budget } of weights) {
    expect(bytes, name).toBeGreaterThan(1024);
    expect(bytes, name).toBeLessThanOrEqual(budget);
  }
});

test('an import of ONNX for nothing but its layers of programs is kept', async () => {
  const contents = `import './dist/formats/onnx.js';
    export { loadModel } from './dist/formats/safetensors.js';`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    format: 'esm',
    logLevel: 'error',
    write: false,
  });
  expect(outputFiles[0]!.text).toContain('is a program of fixed shapes');
});

test('docs/sizes.md has the sizes of now, to a tenth; `npm run sizes` writes it', async () => {
  const page = readFileSync(join(root, 'docs/sizes.md'), 'utf8');
  // A column is as wide as its figures.
  const plain = (text: string): string => text.replace(/ {2,}/g, ' ').replace(/-{2,}/g, '--');
  const FIGURE = /(\d+\.\d) KB/g;
  const figures = (text: string): number[] =>
    [...text.matchAll(FIGURE)].map(([, kb]) => Number(kb));
  for (const [name, table] of Object.entries(await printTables())) {
    const written = placeOf(name)
      .exec(page)![0]
      .replace(/^.*\n\n/, '');
    expect(plain(written.replace(FIGURE, 'KB'))).toBe(plain(table.replace(FIGURE, 'KB')));
    const now = figures(table);
    expect(now.length).toBeGreaterThan(2);
    for (const [k, given] of figures(written).entries()) {
      // Small differences of large bundles jump by what gzip happens to find.
      const tolerance = Math.max(now[k]! / 10, 0.3);
      expect(Math.abs(given - now[k]!), `${name}: ${given} is ${now[k]}`).toBeLessThanOrEqual(
        tolerance,
      );
    }
  }
});

describe('what a program does not import is not in its bundle', () => {
  /** The classes of a room, whose names dist keeps. */
  const classesOf = (room: string): string[] =>
    readdirSync(join(root, 'src', room), { encoding: 'utf8', recursive: true })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [
        ...readFileSync(join(root, 'src', room, file), 'utf8').matchAll(/^export class (\w+)/gm),
      ])
      .map(([, name]) => name!);
  const namedIn = (bundle: string): Set<string> =>
    new Set([...bundle.matchAll(/static name="(\w+)"/g)].map(([, name]) => name!));
  /** Words of training that no minification changes: options, methods, messages. */
  const WORDS = /\b(adamw|rmsprop|huber|cross-entropy|trainOn|evaluateWindow|earlyStopping)\b/;

  test.each(['inference', 'inference, kernels inlined', 'reading models', 'threads'])(
    '%s has no training and no datasets',
    async (program) => {
      const bundle = await bundleProgram(program);
      const named = namedIn(bundle);
      expect([...named]).toContain('Model');
      const unwanted = [...classesOf('training'), ...classesOf('data')];
      expect(unwanted.filter((name) => named.has(name))).toEqual([]);
      expect(bundle).not.toMatch(WORDS);
    },
  );

  test('training has it: the names and words would be found', async () => {
    const bundle = await bundleProgram('training');
    const named = namedIn(bundle);
    expect(classesOf('training').filter((name) => !named.has(name))).toEqual([]);
    expect(bundle).toMatch(WORDS);
  });

  test.each(['safetensors alone', 'the primitives alone'])('%s has no models', async (program) => {
    const named = namedIn(await bundleProgram(program));
    expect([...named]).toContain('GatefoldError');
    const unwanted = ['graph', 'model', 'training', 'data'].flatMap(classesOf);
    expect(unwanted.filter((name) => named.has(name))).toEqual([]);
  });

  test('functions of training come without its classes', async () => {
    const named = namedIn(await bundleProgram('reading what CTC found'));
    expect([...named]).toContain('Model');
    expect(classesOf('training').filter((name) => named.has(name))).toEqual([]);
  });
});
