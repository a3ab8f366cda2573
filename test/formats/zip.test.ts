import { deflateRawSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { GatefoldError } from '../../src/base/errors.ts';
import { encodeUtf8 } from '../../src/base/utf8.ts';
import { inflate } from '../../src/formats/shared/inflate.ts';
import { crc32, readZip } from '../../src/formats/shared/zip.ts';
import { seededRandom } from '../../src/base/random.ts';
import { cpuMs } from '../support/cpu.ts';

const LIMITS = { maxEntries: 100, maxInflated: 2 ** 20 };
const text = (value: string): Uint8Array => encodeUtf8(value);

interface Part {
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly length?: number;
  readonly flags?: number;
  readonly checksum?: number;
  /** Where the directory says that it is. */
  readonly place?: number;
}

const bytesOf = (size: number, value: number): number[] =>
  Array.from({ length: size }, (_, k) => Math.floor(value / 2 ** (8 * k)) % 256);

/** An archive written from the format's description, by hand; `wide` in the form of zip64. */
function archive(parts: readonly Part[], wide = false, comment = ''): Uint8Array {
  const out: number[] = [];
  const directory: number[] = [];
  for (const { name, data, method = 0, length = data.length, flags = 0, ...rest } of parts) {
    const { place = out.length, checksum = crc32(data) } = rest;
    const sizes = [data.length, length];
    const common = [...bytesOf(2, flags), ...bytesOf(2, method), 0, 0, 0, 0];
    // With a descriptor behind the contents (flag 8) the local header says nothing of them.
    const local = flags & 8 ? [0, 0, 0] : [checksum, ...sizes];
    out.push(...bytesOf(4, 0x04034b50), 20, 0, ...common);
    out.push(...local.flatMap((value) => bytesOf(4, value)));
    out.push(...bytesOf(2, name.length), 4, 0, ...name, 0xff, 0xff, 0, 0, ...data);
    if (flags & 8) out.push(...bytesOf(4, 0x08074b50), ...bytesOf(4, checksum));
    const extra = wide
      ? [1, 0, 24, 0, ...[length, data.length, place].flatMap((value) => bytesOf(8, value))]
      : [];
    const narrow = (value: number): number[] => bytesOf(4, wide ? 0xffffffff : value);
    directory.push(...bytesOf(4, 0x02014b50), 20, 0, 20, 0, ...common, ...bytesOf(4, checksum));
    directory.push(...narrow(data.length), ...narrow(length), ...bytesOf(2, name.length));
    directory.push(...bytesOf(2, extra.length), ...bytesOf(10, 0), ...narrow(place));
    directory.push(...name, ...extra);
  }
  const start = out.length;
  out.push(...directory);
  const count = parts.length;
  if (wide) {
    const at = out.length;
    out.push(...bytesOf(4, 0x06064b50), ...bytesOf(8, 44), 20, 0, 20, 0, ...bytesOf(8, 0));
    out.push(...[count, count, directory.length, start].flatMap((value) => bytesOf(8, value)));
    out.push(...bytesOf(4, 0x07064b50), ...bytesOf(4, 0), ...bytesOf(8, at), ...bytesOf(4, 1));
  }
  out.push(...bytesOf(4, 0x06054b50), ...bytesOf(4, 0));
  const ends = wide ? [0xffff, 0xffffffff, 0xffffffff] : [count, directory.length, start];
  out.push(...bytesOf(2, ends[0]!), ...bytesOf(2, ends[0]!));
  out.push(...bytesOf(4, ends[1]!), ...bytesOf(4, ends[2]!));
  out.push(...bytesOf(2, comment.length), ...text(comment));
  return Uint8Array.from(out);
}

const part = (name: string, data = 'data', more: Partial<Part> = {}): Part => ({
  name: text(name),
  data: text(data),
  ...more,
});

function refusal(bytes: Uint8Array, limits = LIMITS): GatefoldError {
  try {
    for (const entry of readZip(bytes, limits).values()) entry.bytes();
  } catch (error) {
    if (error instanceof GatefoldError) return error;
    throw error;
  }
  throw new Error('the archive was accepted');
}

describe('archives that are read', () => {
  const contents = {
    'a/data.pkl': text('stored'),
    'b\\c': text('a backslash is a part of the name'),
    'd/ü': new Uint8Array(20_000).map((_, k) => k % 251),
    empty: new Uint8Array(0),
  };

  it.each([0, 1, 9] as const)('as fflate writes them at level %d', (level) => {
    const entries = readZip(zipSync(contents, { level }), LIMITS);
    expect([...entries.keys()]).toEqual(Object.keys(contents));
    for (const [name, data] of Object.entries(contents)) {
      expect(entries.get(name)!.length).toBe(data.length);
      expect(entries.get(name)!.bytes()).toEqual(data);
    }
  });

  it('in the form of zip64', () => {
    const entries = readZip(archive([part('a', 'one'), part('b', 'two')], true), LIMITS);
    expect([...entries.values()].map((entry) => String.fromCharCode(...entry.bytes()))).toEqual([
      'one',
      'two',
    ]);
  });

  it('with descriptors behind the contents, comments, and names that are not UTF-8', () => {
    const odd = { name: Uint8Array.of(0xe4), data: text('x'), flags: 8 };
    const entries = readZip(archive([odd, part('b')], false, 'a comment'), LIMITS);
    expect([...entries.keys()]).toEqual(['ä', 'b']);
    expect(entries.get('ä')!.bytes()).toEqual(text('x'));
  });

  it('without checksums where they are left out', () => {
    const bytes = archive([part('a', 'data', { checksum: 1 })]);
    expect(refusal(bytes).message).toMatch(/checksum of "a"/);
    const entry = readZip(bytes, { ...LIMITS, checksums: false }).get('a')!;
    expect(entry.bytes()).toEqual(text('data'));
  });

  it('without a copy of what is stored', () => {
    const bytes = archive([part('a')]);
    expect(readZip(bytes, LIMITS).get('a')!.bytes().buffer).toBe(bytes.buffer);
  });
});

describe('archives that are refused', () => {
  const good = archive([part('a'), part('b')]);
  const damaged = (at: number, ...values: number[]): Uint8Array => {
    const bytes = good.slice();
    bytes.set(values, at < 0 ? bytes.length + at : at);
    return bytes;
  };

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /end is missing/],
    ['a file that was cut short', good.slice(0, -1), /end is missing/],
    ['a directory outside of the file', damaged(-6, 0xff, 0xff, 0xff, 0), /outside/],
    ['a directory of too many entries', damaged(-12, 9), /too short/],
    ['a directory elsewhere', damaged(-6, 1), /directory is damaged/],
    ['a local header elsewhere', damaged(0, 1), /"a" is not where/],
    ['another name at the place', damaged(30, 0x62), /"a" is not where/],
    ['a name twice', archive([part('a'), part('a')]), /has "a" twice/],
    ['one place for two', archive([part('a'), part('a', 'data', { place: 0 })]), /overlap/],
    ['a place outside', archive([part('a', 'data', { place: 1e6 })]), /outside of the file/],
    ['two sizes', archive([part('a', 'data', { length: 5 })]), /two sizes/],
    ['what cannot be inflated', archive([part('a', 'xyz', { method: 8 })]), /cannot be inflated/],
    [
      'sizes that DEFLATE has not',
      archive([part('a', 'xyz', { method: 8, length: 9999 })]),
      /cann/,
    ],
  ])('%s', (_, bytes, message) => {
    const error = refusal(bytes);
    expect(error.code).toBe('ERR_FORMAT');
    expect(error.message).toMatch(message);
  });

  it('what other methods have packed, and what is encrypted', () => {
    const packed = refusal(archive([part('a', 'data', { method: 12 })]));
    expect([packed.code, packed.message]).toEqual(['ERR_UNSUPPORTED', expect.stringMatching(/12/)]);
    expect(refusal(archive([part('a', 'data', { flags: 1 })])).code).toBe('ERR_UNSUPPORTED');
  });

  it('more entries and more bytes than the limits', () => {
    const bytes = zipSync({ a: new Uint8Array(1000), b: new Uint8Array(1000) });
    const limits = { maxEntries: 1, maxInflated: 1999 };
    expect(refusal(bytes, limits)).toMatchObject({ code: 'ERR_MEMORY' });
    expect(refusal(bytes, { ...limits, maxEntries: 2 }).message).toMatch(/2000 bytes/);
  });

  it('contents that inflate to less or more than they say', () => {
    for (const [length, other] of [
      [1000, 999],
      [1000, 1001],
    ] as const) {
      const bytes = zipSync({ a: new Uint8Array(length) });
      const view = new DataView(bytes.buffer);
      const directory = view.getUint32(bytes.length - 6, true);
      view.setUint32(directory + 24, other, true);
      expect(refusal(bytes).message).toMatch(/cannot be inflated/);
    }
  });

  it('a bomb, without inflating it', () => {
    const bytes = zipSync({ a: new Uint8Array(2 ** 26) });
    const view = new DataView(bytes.buffer);
    view.setUint32(view.getUint32(bytes.length - 6, true) + 24, 2 ** 19, true);
    expect(bytes.length).toBeLessThan(2 ** 19);
    expect(refusal(bytes).message).toMatch(/cannot be inflated/);
    expect(cpuMs(() => refusal(bytes), 2)).toBeLessThan(100);
  });

  it('or read, with any byte changed', () => {
    const random = seededRandom(1);
    const bytes = zipSync({ a: text('stored'), b: new Uint8Array(500) }, { level: 6 });
    for (let k = 0; k < 4000; k++) {
      const other = bytes.slice();
      for (let n = 0; n < 1 + (k % 3); n++) {
        other[Math.floor(random() * other.length)] = Math.floor(random() * 256);
      }
      try {
        for (const entry of readZip(other, LIMITS).values()) entry.bytes();
      } catch (error) {
        expect(error).toBeInstanceOf(GatefoldError);
      }
    }
  });
});

describe('inflate', () => {
  const random = seededRandom(2);
  /** Bytes that repeat in many ways, or not at all. */
  function bytesOf(length: number, kind: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let k = 0; k < length; k++) {
      const fresh = Math.floor(random() * [256, 4, 1, 256][kind]!);
      bytes[k] = kind === 3 && k > 0 && random() < 0.9 ? bytes[k - 1]! : fresh;
    }
    return bytes;
  }

  it('makes of what zlib packs the same bytes, and of nothing else', () => {
    for (let k = 0; k < 400; k++) {
      const bytes = bytesOf(Math.floor(random() ** 3 * 40_000), k % 4);
      const packed = new Uint8Array(deflateRawSync(bytes, { level: k % 10, strategy: k % 5 }));
      expect(Buffer.compare(inflate(packed, bytes.length)!, bytes)).toBe(0);
      expect(inflate(packed, bytes.length + 1)).toBe(undefined);
      if (bytes.length > 0) expect(inflate(packed, bytes.length - 1)).toBe(undefined);
      expect(inflate(packed.subarray(0, -1), bytes.length)).toBe(undefined);
    }
  });
});
