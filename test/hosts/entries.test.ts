import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Engine as CoreEngine } from '../../src/hosts/core.ts';
import { Engine, wasmBytes } from '../../src/hosts/default.ts';
import { KERNELS } from '../../src/engine/generated/wasm-bytes.ts';
import { decodeBytes } from '../../src/hosts/wasm/text.ts';
// @ts-expect-error a script of the build
import { encodeBytes } from '../../build/embed.mjs';

// Node 20 has relaxed SIMD behind this flag, later versions have it without.
setFlagsFromString('--experimental-wasm-relaxed-simd');

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test('the text of the kernels is plain ASCII without quotes and backslashes, and reads back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = (encodeBytes as (bytes: Uint8Array) => string)(bytes);
      expect(text).toMatch(/^[ !#-[\]-~]*$/);
      expect(decodeBytes(text)).toEqual(bytes);
    }),
  );
  for (const [k, variant] of (['baseline', 'relaxed'] as const).entries()) {
    const bytes = decodeBytes(KERNELS.filter((_, at) => at % 2 === k).join(''));
    expect(Buffer.from(bytes).equals(readFileSync(`build/out/${variant}.wasm`))).toBe(true);
  }
});

describe('the default entry', () => {
  test('takes relaxed SIMD where the host has it', async () => {
    expect((await Engine.create()).variant).toBe('relaxed');
    expect(Engine.createSync({ simd: 'auto' }).variant).toBe('relaxed');
  });

  test('takes the baseline where the host refuses the relaxed module', async () => {
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect((await Engine.create()).variant).toBe('baseline');
    expect(Engine.createSync().variant).toBe('baseline');
  });

  test('takes the baseline where the results must be the same everywhere', async () => {
    expect((await Engine.create({ simd: 'deterministic' })).variant).toBe('baseline');
    expect(Engine.createSync({ simd: 'deterministic' }).variant).toBe('baseline');
  });

  test('makes engines of its own class, within the given memory', async () => {
    const engine = await Engine.create({ maxBytes: 2 ** 20 });
    expect(engine).toBeInstanceOf(Engine);
    expect(Engine.createSync()).toBeInstanceOf(CoreEngine);
    expect(engine.maxBytes).toBe(2 ** 20);
  });

  test.each([
    [{ simd: 'fast' }, /"simd" expected 'auto' or 'deterministic'/],
    [{ deterministic: true }, /no option "deterministic"/],
    [{ maxBytes: -1 }, /"maxBytes" expected/],
    [null, /"options" expected/],
  ])('refuses %j', async (options, message) => {
    const wrong = options as unknown as { simd: 'auto' };
    expect(() => Engine.createSync(wrong)).toThrow(message);
    await expect(Engine.create(wrong)).rejects.toMatchObject({ code: 'ERR_ARGUMENT' });
  });

  test('says what a host without WebAssembly lacks', () => {
    vi.stubGlobal('WebAssembly', undefined);
    const refused = expect.objectContaining({ code: 'ERR_UNSUPPORTED' });
    expect(() => Engine.createSync()).toThrow(refused);
    expect(() => Engine.createSync()).toThrow(/no WebAssembly.*React Native/);
  });

  test('reads what a host of another realm says', async () => {
    const refusal = Object.assign(Object.create(null), { message: 'blocked by CSP' }) as Error;
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(refusal);
    await expect(Engine.create()).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/blocked by CSP.*'wasm-unsafe-eval'/),
    });
  });

  test('names the fix where a policy forbids compiling', async () => {
    const refusal = new WebAssembly.CompileError('Wasm code generation disallowed by embedder');
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(refusal);
    await expect(Engine.create()).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/disallowed by embedder.*'wasm-unsafe-eval'.*module/),
    });
  });
});

test('says what to add, and only that, where a Content-Security-Policy forbids compiling', async () => {
  const said = "Refused to compile: 'unsafe-eval' is not an allowed source of script";
  const refusal = new WebAssembly.CompileError(said);
  vi.spyOn(WebAssembly, 'compile').mockRejectedValue(refusal);
  await expect(Engine.create()).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
    message: `this host refuses the kernels (${said}): add 'wasm-unsafe-eval' to script-src in the Content-Security-Policy`,
  });
});

describe('the core entry', () => {
  test.each(['auto', 'deterministic'] as const)('runs the bytes that %s gives', async (simd) => {
    const bytes = wasmBytes({ simd });
    const wanted = simd === 'auto' ? 'relaxed' : 'baseline';
    const module = new WebAssembly.Module(bytes);
    expect((await CoreEngine.create({ module })).variant).toBe(wanted);
    expect((await CoreEngine.create({ module: bytes })).variant).toBe(wanted);
    expect(CoreEngine.createSync({ module: bytes.buffer }).variant).toBe(wanted);
  });

  test('refuses what is no module of this package', async () => {
    const module = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
    const refused = { name: 'GatefoldError', code: 'ERR_UNSUPPORTED' };
    await expect(CoreEngine.create({ module: module.slice(1) })).rejects.toMatchObject(refused);
    await expect(CoreEngine.create({ module })).rejects.toMatchObject(refused);
    expect(() => CoreEngine.createSync({ module })).toThrow(expect.objectContaining(refused));
  });

  test.each([undefined, null, {}, { module: 'gatefold.wasm' }])('refuses %j', async (options) => {
    const wrong = options as unknown as { module: Uint8Array<ArrayBuffer> };
    const refused = expect.objectContaining({ code: 'ERR_ARGUMENT' });
    await expect(CoreEngine.create(wrong)).rejects.toThrow(refused);
    expect(() => CoreEngine.createSync(wrong)).toThrow(refused);
  });
});
