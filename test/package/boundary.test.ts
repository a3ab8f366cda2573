import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
// @ts-expect-error a script of the build
import { printFlags } from '../../build/embed.mjs';
// @ts-expect-error a script of the build
import { structsOf } from '../../build/layout.mjs';
import { kernelsOf } from '../../src/engine/engine.ts';
import { MEMORY_FLAGS_AT } from '../../src/engine/generated/wasm-flags.ts';
import { Engine } from '../../src/hosts/default.ts';
import { CALLS } from '../../src/threads/calls.ts';
import { addressArithmetic, calculatedArguments } from '../support/addresses.ts';

// Node 20 has relaxed SIMD behind this flag, later versions have it without.
setFlagsFromString('--experimental-wasm-relaxed-simd');

const MAX_WASM_BYTES = 92 * 1024;
const output = (file: string): Buffer =>
  readFileSync(new URL(`../../build/out/${file}`, import.meta.url));
const moduleOf = (variant: string): WebAssembly.Module =>
  new WebAssembly.Module(new Uint8Array(output(`${variant}.wasm`)));
const exportsOf = (variant: string): string[] =>
  WebAssembly.Module.exports(moduleOf(variant)).map(({ name }) => name);

/** The loops of a .wat that hold no other loop. */
function innermostLoops(variant: string): string[] {
  const lines = output(`${variant}.wat`).toString().split('\n');
  const indentOf = (line: string): number => line.search(/\S/);
  return lines.flatMap((line, from) => {
    if (!/^ *loop\b/.test(line)) return [];
    const to = lines.findIndex(
      (other, index) => index > from && indentOf(other) === indentOf(line) && / *end$/.test(other),
    );
    const body = lines.slice(from + 1, to);
    return body.some((inner) => /^ *loop\b/.test(inner)) ? [] : [body.join('\n')];
  });
}

describe.each(['baseline', 'relaxed'])('%s.wasm', (variant) => {
  test('asks for a memory and a number, and nothing else', () => {
    expect(WebAssembly.Module.imports(moduleOf(variant))).toEqual([
      { module: 'env', name: 'tiles', kind: 'global' },
      { module: 'env', name: 'memory', kind: 'memory' },
    ]);
  });

  test('exports the calls of the interface, in snake case, and no runtime', () => {
    const interfaceFile = readFileSync(
      new URL('../../src/engine/generated/exports.ts', import.meta.url),
      'utf8',
    );
    const declared = [...interfaceFile.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)];
    expect(exportsOf(variant).sort()).toEqual(declared.map(([, name]) => name).sort());
    expect(exportsOf(variant).filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
  });

  test('imports a shared memory where bit 1 of its flags is set', () => {
    const bytes = new Uint8Array(output(`${variant}.wasm`));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const instantiate = (): WebAssembly.Instance =>
      new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { tiles: 0, memory } });
    expect(instantiate).toThrow(WebAssembly.LinkError);
    expect(bytes[MEMORY_FLAGS_AT]).toBe(1);
    bytes[MEMORY_FLAGS_AT] = 3;
    expect(instantiate).not.toThrow();
  });

  test(`takes at most ${MAX_WASM_BYTES} bytes`, () => {
    expect(output(`${variant}.wasm`).length).toBeLessThanOrEqual(MAX_WASM_BYTES);
  });

  test('calls nothing where it multiplies matrices', () => {
    // A walk down the depth of a product keeps its sums in registers; a pointwise loop stores what
    // it makes.
    const walks = innermostLoops(variant).filter(
      (body) =>
        /v128\.load32_splat[^]*(?:f32x4\.mul|relaxed_madd)/.test(body) &&
        !body.includes('v128.store'),
    );
    expect(walks.length).toBeGreaterThan(10);
    for (const body of walks) expect(body).not.toMatch(/\bcall\b/);
  });
});

test('a kernel takes at most four numbers: others are in a descriptor', () => {
  const declared = readFileSync(
    new URL('../../src/engine/generated/exports.ts', import.meta.url),
    'utf8',
  ).matchAll(/^ {2}(\w+)\((.*)\): \w+;$/gm);
  const counts = [...declared].map(
    ([, name, list]) => [name!, list!.split(':').length - 1] as const,
  );
  expect(Object.fromEntries(counts)).toMatchObject({
    product_f32: 1,
    loss_total: 2,
  });
  const long = counts.filter(([, count]) => count > 4).map(([name]) => name);
  expect(long).toEqual([]);
});

describe('addresses are passed on', () => {
  const root = fileURLToPath(new URL('../../src', import.meta.url));
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');

  test.each([
    ['const at = slot.address + 4 * k;', 1],
    ['run.f(4 * k + this.#slot.address);', 1],
    ['const { address } = slot;\nrun.f(address, address + 16);', 1],
    ['const { address: at } = slot;\nat += 4;', 1],
    ['const from = block.address;\nrun.f(k - from);', 1],
    ['const [n, x] = [4, slot.address];\nrun.f(x << 2);', 1],
    ['own[Number(k)]! += first * bytes;\n(run[name] as F)(...own);', 1],
    ['run.f(...args);\nconst half = args[rows]! / 2;', 1],
    ['run.f(...args);\nconst all = 2 * args[1];', 1],
    ['// slot.address + 4', 0],
    ['run.f(part(gates, place * row).address);', 0],
    ['run.f(slots[k]!.address - 4);', 1],
    ['run.f(slot.address, width * 4, -1);', 0],
    ['const { address, length } = slot;\nrun.f(address, 4 * length);', 0],
    ['if (a.address !== b.address) run.f(...args);\nconst n = args.length - 1;', 0],
  ])('%j calculates in %i lines', (source, count) => {
    expect(addressArithmetic(source)).toHaveLength(count);
  });

  test('nobody outside of the engine calculates with them, by name or by place', () => {
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    const guilty = files.filter((file) => addressArithmetic(read(file)).length > 0).sort();
    expect(guilty.filter((file) => !file.startsWith('engine/'))).toEqual([]);
    expect(guilty).toEqual(expect.arrayContaining(['engine/kernels.ts', 'engine/plan.ts']));
  });

  test('threads hand every argument on as it was given', () => {
    const { run } = kernelsOf(Engine.createSync());
    const guilty = CALLS.filter((call) => calculatedArguments(call, run).length > 0);
    expect(guilty.map(({ name }) => name)).toEqual([]);
  });
});

test('the variants differ in relaxed instructions, and in nothing that JavaScript sees', () => {
  expect(exportsOf('relaxed')).toEqual(exportsOf('baseline'));
  expect(output('baseline.wat').toString()).not.toMatch(/relaxed_|\bf32x4\.relaxed/);
  expect(output('relaxed.wat').toString()).toMatch(/f32x4\.relaxed_madd/);
});

test('the debug build traps where an assertion fails, without an import of its own', () => {
  expect(WebAssembly.Module.imports(moduleOf('debug'))).toEqual(
    WebAssembly.Module.imports(moduleOf('baseline')),
  );
});

test('the build refuses kernels whose memory cannot be made shared at one place', () => {
  const baseline = output('baseline.wasm');
  const print = (relaxed: Buffer) => () => printFlags({ baseline, relaxed });
  expect(print(baseline)).not.toThrow();
  expect(print(baseline.subarray(0, MEMORY_FLAGS_AT - 1))).toThrow('"env.memory"');
  expect(print(Buffer.concat([baseline, baseline]))).toThrow('"env.memory"');
  expect(print(Buffer.concat([baseline.subarray(0, 1), baseline]))).toThrow(
    `at ${MEMORY_FLAGS_AT} and ${MEMORY_FLAGS_AT + 1}`,
  );
});

describe('the build reads the structs', () => {
  test('name and type of every field, after those of the struct that is extended', () => {
    const below = `
      /** Not { a: field }. */
      export class Below {
        a: i32; // nor b: f32;
        rate: f32;
      }`;
    const above = `
      export abstract class Cell {
        abstract span(): i32;
      }
      export class Above extends Below {
        /* c: i32; */
        below: Below;
        to: usize;
      }`;
    const own = [
      { name: 'a', type: 'i32' },
      { name: 'rate', type: 'f32' },
    ];
    const more = [
      { name: 'below', type: 'Below' },
      { name: 'to', type: 'usize' },
    ];
    expect([...structsOf({ 'base.ts': below, 'layer.ts': above })]).toEqual([
      ['Below', { file: 'base.ts', fields: own }],
      ['Above', { file: 'layer.ts', fields: [...own, ...more] }],
    ]);
  });

  test.each(['a: f64;', 'a: i16;', 'a: Later;', 'a: i32 = 1;', 'a: i32; b: i32;', '@lazy a: i32;'])(
    'and refuses %j',
    (line) => {
      expect(() => structsOf({ 'odd.ts': `class Odd {\n  ${line}\n}` })).toThrow(
        `Odd has "${line}"`,
      );
    },
  );
});
