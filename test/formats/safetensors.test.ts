import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatefoldError } from '../../src/base/errors.ts';
import type { ErrorCode } from '../../src/base/errors.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import type { ReadOptions } from '../../src/formats/safetensors.ts';
import type { Tensor } from '../../src/base/tensor.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/base/utf8.ts';
import { file, mutated } from './files.ts';

function entry(dtype: string, shape: unknown, begin: unknown, end: unknown): object {
  return { dtype, shape, data_offsets: [begin, end] };
}

/** Reads and gives back the refusal. */
function refusal(bytes: Uint8Array | ArrayBuffer, options?: ReadOptions): GatefoldError {
  try {
    readSafetensors(bytes, options);
  } catch (error) {
    if (error instanceof GatefoldError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

const f32 = entry('F32', [2], 0, 8);

/**
 * One broken file for every check of the reader: [what, header, bytes of data, words of the
 * message, code].
 */
const BROKEN: [string, string | object, number, RegExp, ErrorCode?][] = [
  ['a header that is no object', '[]', 0, /not a JSON object/],
  ['space before the header', ' {}', 0, /not a JSON object/],
  ['JSON that breaks off', '{"a":', 0, /not valid JSON/],
  ['a string that never ends', '{"a', 0, /not valid JSON/],
  ['a key with a bad escape', '{"\\q":1}', 0, /not valid JSON/],
  ['a key inside an array', '{"a":["b":1]}', 0, /not valid JSON/],
  ['text behind the object', '{}{}', 0, /not valid JSON/],
  ['a tensor twice', `{"a":${JSON.stringify(f32)},"a":${JSON.stringify(f32)}}`, 8, /twice/],
  ['a tensor twice, once escaped', `{"a":0,"\\u0061":0}`, 8, /twice/],
  ['a field twice', '{"a":{"dtype":"F32","dtype":"F32"}}', 0, /twice/],
  ['metadata twice', '{"__metadata__":{},"__metadata__":{}}', 0, /twice/],
  ['a key of the metadata twice', '{"__metadata__":{"k":"1","k":"2"}}', 0, /twice/],
  ['deep nesting', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`, 0, /too deep/],
  ['very deep nesting', `{"a":${'['.repeat(500_000)}`, 0, /too deep/],
  ['metadata that is no object', { __metadata__: ['x'] }, 0, /metadata is not an object/],
  ['metadata that is null', { __metadata__: null }, 0, /metadata is not an object/],
  ['a number in the metadata', { __metadata__: { k: 1 } }, 0, /more than strings/],
  ['half a surrogate in the metadata', '{"__metadata__":{"k":"\\ud800"}}', 0, /UTF-8 cannot say/],
  ['half a surrogate in a name', `{"\\udc00":${JSON.stringify(f32)}}`, 8, /UTF-8 cannot say/],
  ['a tensor that is no object', { a: 1 }, 0, /tensor 1 of its header is not an object/],
  ['a tensor that is null', { a: null }, 0, /is not an object/],
  ['no dtype', { a: { shape: [2], data_offsets: [0, 8] } }, 8, /unknown dtype/],
  ['an unknown dtype', { a: entry('F33', [2], 0, 8) }, 8, /unknown dtype/],
  ['a dtype from the prototype', { a: entry('constructor', [2], 0, 8) }, 8, /unknown dtype/],
  ['no shape', { a: { dtype: 'F32', data_offsets: [0, 8] } }, 8, /no shape/],
  ['a shape that is no list', { a: entry('F32', { length: 1 }, 0, 8) }, 8, /no shape/],
  ['rank 9', { a: entry('F32', [1, 1, 1, 1, 1, 1, 1, 1, 2], 0, 8) }, 8, /more than 8 dim/],
  ['a negative dimension', { a: entry('F32', [-2], 0, 8) }, 8, /plain whole number/],
  ['a broken dimension', '{"a":{"shape":[2.0]}}', 8, /plain whole number/],
  ['a dimension in powers of ten', '{"a":{"shape":[2e0]}}', 8, /plain whole number/],
  ['a dimension beyond 2^31 - 1', { a: entry('F32', [2 ** 31], 0, 8) }, 8, /impossible dimension/],
  ['a dimension that is text', { a: entry('F32', ['2'], 0, 8) }, 8, /impossible dimension/],
  ['a product that overflows', { a: entry('F32', [65536, 65536, 65536, 65536], 0, 0) }, 0, /large/],
  ['an overflow hidden by a zero', { a: entry('F32', [2e9, 2e9, 2e9, 0], 0, 0) }, 0, /large/],
  ['half a byte', { a: entry('F4', [3], 0, 2) }, 2, /inside a byte/],
  ['no offsets', { a: { dtype: 'F32', shape: [2] } }, 8, /no data offsets/],
  ['three offsets', { a: { dtype: 'F32', shape: [2], data_offsets: [0, 8, 8] } }, 8, /no data off/],
  ['offsets as text', { a: entry('F32', [2], '0', '8') }, 8, /no data offsets/],
  ['offsets beyond 2^53', { a: entry('F32', [2], 0, 2 ** 53 + 2) }, 8, /no data offsets/],
  ['offsets backwards', { a: entry('F32', [2], 8, 0) }, 8, /another size/],
  ['a size unlike the shape', { a: entry('F32', [3], 0, 8) }, 8, /another size/],
  ['a size unlike the dtype', { a: entry('F64', [2], 0, 8) }, 8, /another size/],
  ['a gap at the start', { a: entry('F32', [2], 4, 12) }, 12, /gap or overlaps/],
  ['a gap between', { a: f32, b: entry('F32', [2], 12, 20) }, 20, /gap or overlaps/],
  ['an overlap', { a: f32, b: entry('F32', [2], 4, 12) }, 12, /gap or overlaps/],
  ['the same data twice', { a: f32, b: f32 }, 8, /gap or overlaps/],
  ['data that is cut short', { a: f32 }, 7, /data ends before/],
  ['bytes behind the data', { a: f32 }, 9, /bytes follow/],
  ['bytes and no tensor', {}, 1, /bytes follow/],
];

describe('readSafetensors refuses', () => {
  it.each(BROKEN)('%s', (_, header, dataBytes, message, code = 'ERR_FORMAT') => {
    const error = refusal(file(header, new Uint8Array(dataBytes)));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('no header at all', () => {
    for (let length = 0; length < 8; length++) {
      expect(refusal(new Uint8Array(length)).message).toMatch(/no header/);
    }
    expect(refusal(new Uint8Array(8)).message).toMatch(/not a JSON object/);
  });

  it.each([
    [[0, 0, 0, 0, 0, 0, 0, 0x80], /impossible/],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], /impossible/],
    [[0, 0, 0, 0, 1, 0, 0, 0], /impossible/],
    [[1, 0xe1, 0xf5, 5, 0, 0, 0, 0], /impossible/],
    [[0, 0xe1, 0xf5, 5, 0, 0, 0, 0], /longer than the file/],
    [[3, 0, 0, 0, 0, 0, 0, 0], /longer than the file/],
  ])('the header length %j', (length, message) => {
    const bytes = file('{}', new Uint8Array(0));
    bytes.set(length);
    expect(refusal(bytes).message).toMatch(message);
  });

  it('every file that is cut short anywhere', () => {
    const bytes = file({ a: f32 }, new Uint8Array(8));
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(bytes.slice(0, length)).code).toBe('ERR_FORMAT');
    }
  });

  it.each([
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong three-byte form', [0xe0, 0x80, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a point beyond the last', [0xf4, 0x90, 0x80, 0x80]],
    ['a byte that never leads', [0xf5, 0x80, 0x80, 0x80]],
    ['a sequence without its end', [0xe2, 0x82]],
  ])('a header with %s', (_, raw) => {
    const header = Uint8Array.from([0x7b, 0x22, ...raw, 0x22, 0x7d]);
    expect(refusal(file(header, new Uint8Array(0))).message).toMatch(/not UTF-8/);
  });

  it('a header above the limit, and says which limit would do', () => {
    const bytes = file({ __metadata__: { k: 'x'.repeat(2 ** 20) } }, new Uint8Array(0));
    const { message } = refusal(bytes);
    const needed = Number(/maxHeaderBytes: (\d+)/.exec(message)![1]);
    expect(readSafetensors(bytes, { maxHeaderBytes: needed }).metadata.k).toHaveLength(2 ** 20);
    expect(refusal(bytes, { maxHeaderBytes: needed - 1 }).message).toMatch(/above the limit/);
  });

  it('too many tensors', () => {
    const names = Array.from({ length: 65_537 }, (_, i) => `"${i}":0`);
    expect(refusal(file(`{${names.join()}}`, new Uint8Array(0))).message).toMatch(/65536 tensors/);
  });

  it('tensors above the limit before it copies one', () => {
    const bytes = file({ a: entry('F16', [8], 0, 16) }, new Uint8Array(16));
    expect(refusal(bytes, { maxBytes: 31 })).toMatchObject({ code: 'ERR_MEMORY' });
    expect(refusal(bytes, { maxBytes: 31 }).message).toMatch(/maxBytes: 32/);
    expect(readSafetensors(bytes, { maxBytes: 32 }).tensors.size).toBe(1);
  });

  it.each([NaN, Infinity, -Infinity])('%s, only where finite values are asked for', (value) => {
    const bytes = writeSafetensors(new Map([['a', tensor([2], [1, value])]]));
    expect(readSafetensors(bytes).tensors.get('a')!.data[1]).toBe(value);
    expect(refusal(bytes, { checkFinite: true }).message).toMatch(/NaN or infinity/);
  });

  it('options and sources of the wrong kind', () => {
    for (const maxBytes of [-1, 1.5, NaN, Symbol('1'), Object.create(null)]) {
      const options = { maxBytes: maxBytes as number };
      expect(refusal(new Uint8Array(8), options).code).toBe('ERR_ARGUMENT');
    }
    expect(refusal(new Uint8Array(8), { maxHeaderBytes: 2e8 }).code).toBe('ERR_ARGUMENT');
    const moved = new Uint8Array(8);
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    for (const source of ['text', Object.create(Uint8Array.prototype), moved.buffer]) {
      expect(refusal(source as Uint8Array).code).toBe('ERR_ARGUMENT');
    }
    // An array whose buffer has gone is an empty one, as everywhere.
    expect(refusal(moved).code).toBe('ERR_FORMAT');
  });

  it('without repeating a byte of the file', () => {
    for (const [, header, dataBytes] of BROKEN) {
      const text = typeof header === 'string' ? header : JSON.stringify(header);
      const secret = text.replaceAll('"a"', '"s3cr3t"').replaceAll('"k"', '"s3cr3t"');
      expect(refusal(file(secret, new Uint8Array(dataBytes))).message).not.toContain('s3cr3t');
    }
  });
});

function tensor(shape: number[], values: number[]): Tensor {
  return { shape, data: Float32Array.from(values) };
}

describe('readSafetensors reads', () => {
  it('every dtype it knows as f32', () => {
    const data = new DataView(new ArrayBuffer(8 + 16 + 12 + 6));
    [1.5, -2].forEach((value, i) => data.setFloat32(4 * i, value, true));
    [0.1, -1e-3].forEach((value, i) => data.setFloat64(8 + 8 * i, value, true));
    const halves = [0x3c00, 0xc000, 0x0001, 0x7c00, 0x7bff, 0x8000];
    halves.forEach((bits, i) => data.setUint16(24 + 2 * i, bits, true));
    [0x3f80, 0xbfc0, 0x7f80].forEach((bits, i) => data.setUint16(36 + 2 * i, bits, true));
    const header = {
      single: entry('F32', [2], 0, 8),
      double: entry('F64', [2], 8, 24),
      half: entry('F16', [2, 3], 24, 36),
      brain: entry('BF16', [3, 1], 36, 42),
    };
    const { tensors } = readSafetensors(file(header, new Uint8Array(data.buffer)));
    expect([...tensors.get('single')!.data]).toEqual([1.5, -2]);
    expect([...tensors.get('double')!.data]).toEqual([0.1, -1e-3].map(Math.fround));
    expect([...tensors.get('half')!.data]).toEqual([1, -2, 2 ** -24, Infinity, 65504, -0]);
    expect([...tensors.get('brain')!.data]).toEqual([1, -1.5, Infinity]);
    expect(tensors.get('brain')).toMatchObject({ dtype: 'BF16', shape: [3, 1] });
  });

  it('names that mean something to JavaScript', () => {
    const names = ['__proto__', 'constructor', 'toString', '10', '9', '', 'ünïcødé 😀', 'a\nb"'];
    const tensors = new Map(names.map((name, i) => [name, tensor([1], [i])]));
    const metadata = Object.fromEntries(names.map((name, i) => [name, `${i} ${name}`]));
    const back = readSafetensors(writeSafetensors(tensors, metadata));
    expect([...back.tensors.keys()]).toEqual(names);
    expect(back.tensors.get('__proto__')!.data[0]).toBe(0);
    expect(Object.entries(back.metadata)).toEqual(Object.entries(metadata));
    expect(Object.getPrototypeOf(back.metadata)).toBe(null);
  });

  it('data at any alignment, in any order of the header, and copies it', () => {
    const header = `{"b":${JSON.stringify(entry('F32', [1], 4, 8))},"a":${JSON.stringify(entry('F32', [1], 0, 4))}}`;
    for (let pad = 0; pad < 8; pad++) {
      const whole = new Uint8Array(200);
      const bytes = file(header + ' '.repeat(pad), new Uint8Array(Float32Array.of(1, 2).buffer));
      whole.set(bytes, pad + 1);
      const view = whole.subarray(pad + 1, pad + 1 + bytes.length);
      const { tensors } = readSafetensors(view);
      whole.fill(0xff);
      expect([...tensors].map(([name, { data }]) => [name, ...data])).toEqual([
        ['a', 1],
        ['b', 2],
      ]);
    }
  });

  it('a Buffer of Node, whose slice() is no copy', () => {
    const bytes = Buffer.from(writeSafetensors(new Map([['a', tensor([2], [1, 2])]])));
    const { data } = readSafetensors(bytes).tensors.get('a')!;
    bytes.fill(0);
    expect([...data]).toEqual([1, 2]);
  });

  it('bytes and arrays of another realm, and what is there rather than what a class says', () => {
    const bytes = writeSafetensors(new Map([['a', { shape: [2], data: Float32Array.of(1, 2) }]]));
    const foreign = runInNewContext('Uint8Array.from(list)', { list: [...bytes] }) as Uint8Array;
    expect(foreign instanceof Uint8Array).toBe(false);
    class Liar extends Uint8Array {
      override get length(): number {
        return 1e6;
      }
      override subarray(): Uint8Array<ArrayBuffer> {
        return new Uint8Array(8);
      }
      override slice(): Uint8Array<ArrayBuffer> {
        return new Uint8Array(8);
      }
    }
    for (const source of [foreign, foreign.buffer as ArrayBuffer, Liar.from(bytes)]) {
      expect([...readSafetensors(source).tensors.get('a')!.data]).toEqual([1, 2]);
    }
    const list = [1.5, -2];
    const data = runInNewContext('Float32Array.from(list)', { list }) as Float32Array;
    const back = readSafetensors(writeSafetensors(new Map([['a', { shape: [2], data }]])));
    expect([...back.tensors.get('a')!.data]).toEqual(list);
  });

  it('a copy of bytes that threads share', () => {
    const bytes = writeSafetensors(new Map(), { note: 'here' });
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect(readSafetensors(shared).metadata.note).toBe('here');
  });

  it('an ArrayBuffer, empty tensors, scalars and no tensors at all', () => {
    const tensors = new Map([
      ['empty', tensor([0, 3], [])],
      ['scalar', tensor([], [7])],
    ]);
    const bytes = writeSafetensors(tensors);
    const back = readSafetensors(bytes.buffer as ArrayBuffer).tensors;
    expect(back.get('empty')!.shape).toEqual([0, 3]);
    expect(back.get('scalar')!.data[0]).toBe(7);
    expect(readSafetensors(writeSafetensors(new Map())).tensors.size).toBe(0);
  });
});

describe('writeSafetensors', () => {
  it('gives back any tensors and metadata to the bit', () => {
    const name = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((n) => n !== '__metadata__');
    const values = fc.float32Array({ maxLength: 20 });
    const dictionary = fc.dictionary(name, name, { maxKeys: 4 });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, values), { maxLength: 6 }), dictionary, (pairs, meta) => {
        const tensors = new Map(pairs.map(([key, data]) => [key, { shape: [data.length], data }]));
        const back = readSafetensors(writeSafetensors(tensors, meta));
        expect([...back.tensors.keys()]).toEqual([...tensors.keys()]);
        for (const [key, { data }] of tensors) expect(back.tensors.get(key)!.data).toEqual(data);
        expect({ ...back.metadata }).toEqual({ ...meta });
      }),
    );
  });

  it('aligns the data to 8 bytes for readers that map the file', () => {
    const bytes = writeSafetensors(new Map([['abc', tensor([1], [1])]]));
    expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
  });

  it.each<[string, string, Tensor]>([
    ['the reserved name', '__metadata__', tensor([1], [1])],
    ['half a surrogate', '\ud800', tensor([1], [1])],
    ['a shape of another size', 'a', tensor([2], [1])],
    ['a shape that is not whole', 'a', tensor([1.5], [1])],
    ['nine dimensions', 'a', tensor([1, 1, 1, 1, 1, 1, 1, 1, 1], [1])],
    ['plain arrays', 'a', { shape: [1], data: [1] as unknown as Float32Array }],
  ])('refuses %s', (_, name, value) => {
    const write = (): Uint8Array => writeSafetensors(new Map([[name, value]]));
    expect(write).toThrow(GatefoldError);
  });

  it('reads each part of a tensor once, and believes no getter', () => {
    class Liar extends Float32Array {
      override get byteLength(): number {
        return 4;
      }
    }
    let asked = 0;
    const tensor = {
      shape: [2],
      get data(): Float32Array {
        return asked++ ? new Float32Array(1e6) : Liar.of(1, 2);
      },
    };
    const { tensors } = readSafetensors(writeSafetensors(new Map([['a', tensor]])));
    expect(tensors.get('a')!.data).toEqual(Float32Array.of(1, 2));
  });

  it('refuses metadata that is not text', () => {
    const metadata = { k: 1 as unknown as string };
    expect(() => writeSafetensors(new Map(), metadata)).toThrow(/"k" expected well-formed text/);
  });
});

describe('the UTF-8 codec', () => {
  it('agrees with the platform on every text', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(text, (value) => {
        expect(encodeUtf8(value)).toEqual(new TextEncoder().encode(value));
        expect(decodeUtf8(encodeUtf8(value))).toBe(value);
      }),
    );
    const long = 'aé€😀'.repeat(3000);
    expect(decodeUtf8(encodeUtf8(long))).toBe(long);
  });

  it('agrees with the platform on any bytes', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
        let expected: string | undefined;
        try {
          expected = strict.decode(bytes);
        } catch {
          expected = undefined;
        }
        expect(decodeUtf8(bytes)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('damaged files', () => {
  it('end in a GatefoldError or in tensors that match their shapes', () => {
    fc.assert(
      fc.property(mutated, (bytes) => {
        try {
          for (const { shape, data } of readSafetensors(bytes).tensors.values()) {
            expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(GatefoldError);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('take time in proportion to their size', () => {
    const time = (count: number): number => {
      const keys = Array.from({ length: count }, (_, i) => `"${i}":[]`).join();
      const bytes = file(`{"__metadata__":{${keys}}}`, new Uint8Array(0));
      const start = performance.now();
      for (let i = 0; i < 5; i++) refusal(bytes);
      return performance.now() - start;
    };
    time(20_000);
    expect(time(40_000)).toBeLessThan(20 * Math.max(time(10_000), 1));
  });
});
