import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { OPS } from '../../src/ops/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The rooms of src/, from the ground up: a room imports from itself and from rooms before it. A new
 * file needs no edit here.
 */
const ROOMS = [
  'base',
  'engine',
  'ops',
  'graph',
  'model',
  'data',
  'training',
  'formats',
  'kernels',
  'hosts',
  'threads',
  'browser',
  'node',
  'cli',
];

/**
 * The rooms of assembly/, and what each stands on: a room imports from itself, from that, and from
 * all that this stands on.
 */
const KERNEL_ROOMS: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  base: ['shared'],
  matrix: ['base'],
  layers: ['matrix'],
  cells: ['layers'],
  tensors: ['layers'],
  training: ['base'],
  recurrent: ['cells'],
  threads: ['recurrent', 'training'],
  index: ['threads', 'tensors'],
};

test('docs/architecture.md describes every room', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const described = [...page.matchAll(/^\| `(\w+)` /gm)].map(([, room]) => room);
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true });
  const rooms = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(described).toEqual(ROOMS);
  expect(rooms.sort()).toEqual([...ROOMS].sort());
  const [kernels] = /(?<=## The rooms of assembly\/)[^#]+/.exec(page)!;
  for (const room of Object.keys(KERNEL_ROOMS)) expect(kernels).toMatch(RegExp(`\\b${room}\\b`));
});

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => name.replace(/\.ts$/, ''))
    .sort();
}

function text(folder: string, file: string): string {
  return readFileSync(join(root, folder, `${file}.ts`), 'utf8');
}

/**
 * Files of the folder that a file names, of types too, and those it names from outside of the
 * folder.
 */
function importsOf(folder: string, file: string): { inside: string[]; outside: string[] } {
  const statements = text(folder, file).matchAll(
    /^(?:import|export)\s+(?:[^;'"]*?\bfrom\s+)?['"](\.[^'"]+)['"]/gm,
  );
  const paths = [...statements]
    .map(([, path]) => path!)
    .filter((path) => !path.includes('.wasm'))
    .map((path) => relative(folder, join(folder, dirname(file), path)).replace(/\.ts$/, ''));
  return {
    inside: paths.filter((path) => !path.startsWith('..')),
    outside: paths.filter((path) => path.startsWith('..')),
  };
}

/** A file at the top is a room of its own. */
const roomOf = (file: string): string => file.split('/')[0]!;

/** The rooms that a room may import from; none where there is no such room. */
function reach(folder: string, room: string): readonly string[] {
  if (folder === 'src') return ROOMS.slice(0, ROOMS.indexOf(room) + 1);
  const below = KERNEL_ROOMS[room];
  return below ? [room, ...below.flatMap((name) => reach(folder, name))] : [];
}

/** A chain of imports that comes back to its beginning. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    done.add(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle) return cycle;
    }
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe.each(['assembly', 'src'])('%s', (folder) => {
  const files = sources(folder);

  test('every file has a room', () => {
    expect(files.filter((file) => reach(folder, roomOf(file)).length === 0)).toEqual([]);
  });

  test('imports go downwards', () => {
    const climbs = files.flatMap((file) =>
      importsOf(folder, file)
        .inside.filter((path) => !reach(folder, roomOf(file)).includes(roomOf(path)))
        .map((path) => `${file} -> ${path}`),
    );
    expect(climbs).toEqual([]);
  });

  test('imports never come back', () => {
    const graph = new Map(files.map((file) => [file, importsOf(folder, file).inside]));
    expect(findCycle(graph)).toBeUndefined();
  });

  test('of the other half only the plain constants are known', () => {
    const foreign = files.flatMap((file) => importsOf(folder, file).outside);
    expect(foreign.filter((path) => !path.startsWith('../assembly/shared/'))).toEqual([]);
  });
});

describe('boundaries in src', () => {
  const users = (pattern: RegExp): string[] =>
    sources('src').filter((file) => pattern.test(text('src', file)));

  test('the layout of descriptors and the exports of the kernels are known to plan.ts and kernels.ts alone', () => {
    expect(users(/generated\/(layout|exports)\.ts/)).toEqual(['engine/kernels', 'engine/plan']);
  });

  test('the bytes of the kernels are known to one file, which the entries alone import', () => {
    expect(users(/generated\/wasm-bytes\.ts/)).toEqual(['hosts/wasm/inline']);
    expect(users(/from '[^']*wasm\/inline\.ts/)).toEqual([
      'browser/program',
      'hosts/default',
      'threads/index',
    ]);
  });

  test('a layer is asked, never compared by its name, and listed in ops/index alone', () => {
    // A padding and a parameter have these names too.
    const kinds = [...OPS.keys()].filter((kind) => kind !== 'repeat' && kind !== 'scale');
    expect(kinds).toContain('lstm');
    const code = (file: string): string => text('src', file).replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
    const quoted = `['"](?:${kinds.join('|')})['"]`;
    const comparison = new RegExp(`(?:[=!]==?|case)\\s*${quoted}|${quoted}\\s*[=!]==?`);
    // Two kinds in one array, set or map; a description in code is no list of kinds.
    const list = new RegExp(`\\[[^\\]{}]*${quoted}[^\\]{}]*${quoted}`);
    expect("if (layer.type === 'pool')").toMatch(comparison);
    expect("const KINDS = ['lstm', 'gru'];").toMatch(list);
    // Readers of files translate the names of others.
    const outside = sources('src').filter((file) => !/^(?:ops|formats)\//.test(file));
    const guilty = (pattern: RegExp): string[] =>
      outside.filter((file) => pattern.test(code(file)));
    expect(guilty(comparison)).toEqual([]);
    expect(guilty(list)).toEqual([]);
    const inside = sources('src').filter((file) => file.startsWith('ops/') && file !== 'ops/index');
    expect(inside.filter((file) => list.test(code(file)))).toEqual([]);
  });

  test('a loss is asked, never compared by its name, and listed in losses/index alone', () => {
    const list = /\bKINDS\b[^=]*= \{([^}]*)\}/.exec(text('src', 'training/losses/index'))![1]!;
    const names = [...list.matchAll(/^ +'?([\w-]+)'?[:,]/gm)].map(([, name]) => name!);
    expect(names).toContain('ctc');
    const code = (file: string): string => text('src', file).replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
    const quoted = `['"](?:${names.join('|')})['"]`;
    const comparison = new RegExp(`(?:[=!]==?|case)\\s*${quoted}|${quoted}\\s*[=!]==?`);
    expect("if (loss.type !== 'ctc')").toMatch(comparison);
    const isOutside = (file: string): boolean => !file.startsWith('training/losses/');
    const outside = sources('src').filter(isOutside);
    expect(outside.filter((file) => comparison.test(code(file)))).toEqual([]);
    // Two names in one file are a list, quoted or as keys.
    const named = (file: string): string[] =>
      names.filter((name) => new RegExp(`['"]${name}['"]|\\b${name}:`).test(code(file)));
    expect(named('training/losses/index').length).toBeGreaterThan(1);
    expect(outside.filter((file) => named(file).length > 1)).toEqual([]);
  });

  test('nobody but arena.ts makes views of the memory', () => {
    expect(users(/memory\.buffer[,)]/).filter((file) => file !== 'engine/arena')).toEqual([]);
  });
});

/**
 * The files of both halves that name a kind of layer. `gatefold/kernels` has a convolution of its
 * own, which no model uses; readers of other formats translate names.
 */
function filesNaming(kind: RegExp): string[] {
  return ['assembly', 'src'].flatMap((folder) =>
    sources(folder)
      .filter((file) => !/^(?:engine\/generated|kernels|formats)\//.test(file))
      .filter((file) => kind.test(`${file}\n${text(folder, file)}`))
      .map((file) => `${folder}/${file}`),
  );
}

test.each([
  ['mingru', 6, /mingru|minimal gated/i, 'cells/mingru', 'ops/recurrent/mingru'],
  // Its transpose and pools of windows have parts of it.
  ['conv1d', 7, /conv1d/i, 'layers/conv1d', 'ops/conv1d'],
] as const)('of %s at most %i files know', (_, most, kind, kernels, op) => {
  const files = filesNaming(kind);
  expect(files).toEqual(expect.arrayContaining([`assembly/${kernels}`, `src/${op}`]));
  expect(files.length, files.join(' ')).toBeLessThanOrEqual(most);
});

test('kernels never allocate', () => {
  const allocation = /\bnew\s|\b(?:Static)?Array<|\b(?:Map|Set|string|heap|__new|__alloc)\b/;
  const code = (file: string): string =>
    text('assembly', file).replace(/\/\*[^]*?\*\/|\/\/.*|'[^']*'/g, '');
  const guilty = sources('assembly').filter(
    (file) => file !== 'base/abort' && allocation.test(code(file)),
  );
  expect(guilty).toEqual([]);
});
