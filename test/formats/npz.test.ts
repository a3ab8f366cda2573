import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../src/formats/npz.ts';
import type { NpySource } from '../../src/formats/npz.ts';
import { GatefoldError } from '../../src/base/errors.ts';

/** Written by NumPy itself: see make.py there. */
const fixture = (name: string): Uint8Array =>
  readFileSync(new URL(`../fixtures/npz/${name}`, import.meta.url));

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof GatefoldError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing was refused';
};

describe('arrays of NumPy', () => {
  const kinds = readNpz(fixture('kinds.npz'));
  const numbers = Array.from({ length: 24 }, (_, k) => k);

  it.each(['f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1'])(
    'of %s, in both orders of bytes and of axes',
    (dtype) => {
      const wanted = numbers.map((k) => {
        if (dtype === 'b1') return k % 2;
        const shifted = dtype.startsWith('u') ? k : k - 12;
        return dtype.startsWith('f') ? shifted / 8 : shifted;
      });
      for (const form of ['le', 'be', 'fortran']) {
        const array = kinds.get(dtype + form)!;
        expect(array.shape).toEqual([2, 3, 4]);
        expect(array.dtype).toBe(dtype);
        expect(Array.from(array.data as ArrayLike<number | bigint>, Number)).toEqual(wanted);
      }
    },
  );

  it('of other shapes', () => {
    expect(kinds.get('scalar')).toEqual({ shape: [], data: Float32Array.of(2.5), dtype: 'f4' });
    const vector = { shape: [2], data: Float32Array.of(1.5, -2.5), dtype: 'f4' };
    expect(kinds.get('vector')).toEqual(vector);
    expect(kinds.get('empty')).toEqual({ shape: [0, 3], data: new Float32Array(), dtype: 'f4' });
  });

  it('of versions 2 and 3, deflated, and of all kinds of halves', () => {
    for (const version of [2, 3]) {
      const { data } = readNpy(fixture(`version${version}.npy`));
      expect([...(data as Float32Array)]).toEqual(numbers);
    }
    const deflated = readNpz(fixture('deflated.npz'));
    expect(deflated.get('a')!.data).toEqual(new Float32Array(4096).fill(1));
    const bounded = codeOf(() => readNpz(fixture('deflated.npz'), { maxBytes: 1000 }));
    expect(bounded).toMatch(/^ERR_MEMORY/);
    const { data } = readNpy(fixture('halves.npy'));
    const third = Math.round(0.333 * 4096) / 4096;
    const small = [2 ** -24, -Math.round(6.1e-5 * 2 ** 24) / 2 ** 24];
    const wanted = [0, -0, 1, -2, 65504, ...small, Infinity, -Infinity, NaN, third];
    expect([...(data as Float32Array)]).toEqual(wanted);
  });
});

describe('files of our own', () => {
  const arrays = new Map<string, NpySource>([
    ['x', { shape: [2, 3], data: Float32Array.from({ length: 6 }, (_, k) => k / 3) }],
    ['h0', { shape: [4], data: BigInt64Array.of(1n, -2n, 3n, 4n) }],
    ['scalar', { shape: [], data: Float64Array.of(Math.PI) }],
    ['empty', { shape: [0], data: new Uint8Array() }],
  ]);

  it('come back', () => {
    const read = readNpz(writeNpz(arrays));
    expect([...read.keys()]).toEqual([...arrays.keys()]);
    for (const [name, array] of arrays) expect(read.get(name)).toMatchObject(array);
    expect(readNpy(writeNpy(arrays.get('x')!))).toMatchObject(arrays.get('x')!);
  });

  it('are as NumPy writes them', () => {
    const theirs = fixture('version2.npy');
    const ours = writeNpy({ shape: [2, 3, 4], data: readNpy(theirs).data });
    // Version 1 has two bytes less of length, and the same places.
    const end = ours.length - 96;
    expect(ours.subarray(end)).toEqual(new Uint8Array(theirs.subarray(theirs.length - 96)));
    expect(ours.length).toBe(128 + 96);
  });

  it.each([
    ['a plain list', { shape: [1], data: [1] as never }, /ERR_ARGUMENT: "array" expected \{ shape/],
    ['another length', { shape: [3], data: new Float32Array(2) }, /ERR_SHAPE: "array" expected as/],
    ['no shape', { data: new Float32Array(2) } as never, /ERR_ARGUMENT/],
  ])('refuse %s', (_, array, message) => expect(codeOf(() => writeNpy(array))).toMatch(message));
});

describe('bad files', () => {
  const whole = writeNpy({ shape: [2], data: Float32Array.of(1, 2) });
  const withHeader = (header: string, tail = 8): Uint8Array => {
    const bytes = new Uint8Array(10 + header.length + tail);
    bytes.set(whole.subarray(0, 8));
    new DataView(bytes.buffer).setUint16(8, header.length, true);
    bytes.set(Buffer.from(header, 'latin1'), 10);
    return bytes;
  };
  const dictionary = (descr: string, shape: string): string =>
    `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`;

  it.each([
    ['nothing', new Uint8Array(), /ERR_FORMAT: the file is no .npy/],
    ['a piece', whole.subarray(0, 100), /ERR_FORMAT/],
    ['a byte more', Uint8Array.of(...whole, 0), /ERR_FORMAT.*say 8 bytes, and it has 9/],
    ['a version to come', Uint8Array.of(...whole.subarray(0, 6), 4, 0, 0, 0), /ERR_UNSUPPORTED/],
    ['code', withHeader(dictionary(`__import__('os')`, '(2,)')), /ERR_FORMAT.*header is damaged/],
    ['objects', withHeader(dictionary(`'|O'`, '(1,)')), /ERR_UNSUPPORTED.*elements of "O"/],
    ['complex numbers', withHeader(dictionary(`'<c8'`, '(1,)')), /ERR_UNSUPPORTED/],
    ['records', withHeader(dictionary(`[('a', '<f4')]`, '(2,)')), /ERR_FORMAT/],
    ['a huge shape', withHeader(dictionary(`'<f4'`, '(999999999999999,)')), /ERR_FORMAT/],
    [
      'a shape of text',
      withHeader(dictionary(`'<f4'`, '(2, , 1)')),
      /ERR_FORMAT.*shape is damaged/,
    ],
    ['a long shape', withHeader(dictionary(`'<f4'`, `(${'1'.repeat(3000)})`)), /ERR_FORMAT/],
    ['keys twice', withHeader(`{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}`), /ERR_FORMAT/],
    ['many axes', withHeader(dictionary(`'<f4'`, `(${'1, '.repeat(40)}2)`)), /ERR_FORMAT/],
  ])('are refused: %s', (_, bytes, message) =>
    expect(codeOf(() => readNpy(bytes))).toMatch(message),
  );
});
