/** Pickles that want to run something, or to cost much: none does either. */
import { describe, expect, it } from 'vitest';
import { GatefoldError } from '../../src/base/errors.ts';
import { loadPytorch, readPytorch } from '../../src/formats/pytorch.ts';
import { Engine } from '../../src/hosts/default.ts';
import { cpuMs } from '../support/cpu.ts';
// @ts-expect-error: JavaScript without types
import * as pickles from '../support/pickles.mjs';

type Any = unknown;
const { call, floats, legacy, opcodes, persistent, pickle, raw, tensor, tuple, zipped } =
  pickles as Record<string, (...values: Any[]) => Any> as {
    call: (name: string, ...args: Any[]) => object;
    floats: (...values: number[]) => Uint8Array;
    legacy: (value: Any, storages?: object) => Uint8Array;
    opcodes: (value: Any) => number[];
    persistent: (...items: Any[]) => Any;
    pickle: (value: Any) => Uint8Array;
    raw: (...bytes: number[]) => Any;
    tensor: (key: string, shape: number[], more?: object) => Any;
    tuple: (...items: Any[]) => Any;
    zipped: (value: Any, storages?: object) => Uint8Array;
  };

const WEIGHT = floats(1, 2, 3, 4, 5, 6);
const dict = (entries: Record<string, Any>): Map<string, Any> => new Map(Object.entries(entries));
const weight = tensor('0', [2, 3]);
const names = (bytes: Uint8Array): string[] => [...readPytorch(bytes).tensors.keys()];

function refusal(bytes: Uint8Array): GatefoldError {
  try {
    readPytorch(bytes);
  } catch (error) {
    if (error instanceof GatefoldError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('what a pickle would call', () => {
  it.each([
    ['os.system', ['touch /tmp/gatefold-was-here']],
    ['posix.system', ['true']],
    ['builtins.eval', ['globalThis.wasHere = true']],
    ['builtins.getattr', [call('builtins.__import__', 'os'), 'system']],
    ['__builtin__.apply', [call('os.system', 'true'), []]],
    ['torch.hub.load', ['somebody/something', 'model']],
    ['runpy._run_code', ['import os', dict({})]],
  ] as [string, Any[]][])('%s is a name, and its arguments are data', (name, args) => {
    const value = dict({ weight, evil: call(name, ...args) });
    for (const write of [zipped, legacy]) {
      const file = readPytorch(write(value, { 0: WEIGHT }));
      expect([...file.tensors.keys()]).toEqual(['weight']);
      expect([...file.tensors.get('weight')!.data]).toEqual([1, 2, 3, 4, 5, 6]);
    }
    expect((globalThis as { wasHere?: true }).wasHere).toBe(undefined);
  });

  it('is a name too where it stands for a tensor, a storage or a dict', () => {
    const system = call('os.system', 'true');
    expect(names(zipped(system))).toEqual([]);
    const [storage, args] = [call('os.system', 'true'), [0, tuple(1), tuple(1)]];
    const made = call('torch._utils._rebuild_tensor_v2', storage, ...args);
    expect(refusal(zipped(dict({ made }))).message).toMatch(/without a storage/);
    expect(names(zipped({ ...system, state: dict({ weight }) }, { 0: WEIGHT }))).toEqual([
      'weight',
    ]);
  });
});

describe('names', () => {
  it('from the prototype are names like others', () => {
    const own = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const value = dict({ plain: 3 });
    for (const name of own) value.set(name, new Map([['__proto__', weight]]));
    value.set('also', new Map([['__proto__', new Map([['polluted', true]])]]));
    const file = readPytorch(zipped(value, { 0: WEIGHT }));
    expect([...file.tensors.keys()]).toEqual(own.map((name) => `${name}.__proto__`));
    expect(({} as { polluted?: true }).polluted).toBe(undefined);
    expect(JSON.stringify(file.metadata)).not.toContain('polluted');
  });

  it('that are there twice are refused', () => {
    const twice = raw(
      ...opcodes(dict({})),
      0x28,
      ...['w', weight, 'w', weight].flatMap(opcodes),
      0x75,
    );
    expect(refusal(zipped(twice, { 0: WEIGHT })).message).toMatch(/"w" twice/);
    const dotted = dict({ 'a.b': weight, a: dict({ b: weight }) });
    expect(refusal(zipped(dotted, { 0: WEIGHT })).message).toMatch(/"a.b" twice/);
  });

  it('without end are refused', () => {
    const value = dict({ ['n'.repeat(2000)]: dict({ w: weight }) });
    expect(refusal(zipped(value, { 0: WEIGHT })).message).toMatch(/too long/);
  });
});

describe('values that hold one another', () => {
  it('are gone through once', () => {
    // a = [a, {self: a}, w]
    const list = [
      0x5d,
      0x71,
      0,
      0x28,
      0x68,
      0,
      ...opcodes(dict({ self: raw(0x68, 0) })),
      ...opcodes(weight),
      0x65,
    ];
    expect(names(zipped(raw(...list), { 0: WEIGHT }))).toEqual(['2']);
  });

  it.each([2, 40, 2000])('in %d levels, each the one before it ten times', (levels) => {
    // Memo 0 is the last list.
    const level = [
      0x71,
      0,
      0x30,
      0x5d,
      0x28,
      ...Array.from({ length: 10 }, () => [0x68, 0]).flat(),
      0x65,
    ];
    const parts = [[0x80, 2], opcodes([]), ...Array<number[]>(levels).fill(level), [0x2e]];
    const bytes = Uint8Array.from(parts.flat());
    expect(cpuMs(() => names(bytes), 2)).toBeLessThan(200);
    expect(names(bytes)).toEqual([]);
  });

  it('nested a million deep', () => {
    const count = 2 ** 20;
    const deep = new Uint8Array(2 * count + 3).fill(0x5d, 2, count + 2).fill(0x61, count + 2);
    deep.set([0x80, 2]);
    deep.set([0x61, 0x2e], 2 * count + 1);
    const took = cpuMs(() => refusal(deep), 2);
    expect(refusal(deep).code).toBe('ERR_MEMORY');
    expect(took).toBeLessThan(200);
  });

  it('nested as deep as a pickle of such a size may', () => {
    const count = 10_000;
    const bytes = Uint8Array.from([
      0x80,
      2,
      ...Array(count + 1).fill(0x5d),
      ...Array(count).fill(0x61),
      0x2e,
    ]);
    expect(names(bytes)).toEqual([]);
  });
});

describe('sizes', () => {
  const huge = [0xff, 0xff, 0xff, 0x7f];
  it.each<[string, number[]]>([
    ['a text', [0x58, ...huge]],
    ['a text of 2^63', [0x8d, ...huge, ...huge]],
    ['bytes', [0x42, ...huge]],
    ['a long', [0x8b, ...huge]],
    ['a frame', [0x95, ...huge, ...huge]],
    ['a string', [0x54, ...huge]],
    ['a memo', [0x4e, 0x72, ...huge]],
    ['what was never remembered', [0x6a, ...huge]],
    ['a memo in digits', [0x4e, ...Buffer.from('p99999999999\n')]],
    ['a memo that is no number', [0x4e, ...Buffer.from('pnan\n')]],
    ['a memo below 0', [0x4e, ...Buffer.from('p-1\n')]],
    ['a number without end', [0x49, ...Buffer.from('1'.repeat(100_000)), 10]],
    ['a number that is none', [0x46, ...Buffer.from('0x10\n')]],
  ])('%s longer than the file is refused', (_, codes) => {
    for (const bytes of [pickle(raw(...codes)), zipped(raw(...codes))]) {
      const run = (): GatefoldError => refusal(bytes);
      // A frame is passed over as what it is: bytes of the pickle.
      expect(run().code).toBe('ERR_FORMAT');
      expect(cpuMs(run, 2)).toBeLessThan(100);
    }
  });

  it.each<[string, object, RegExp]>([
    ['a storage that is not there', { length: 6, key: '7' }, /no storage "7"|without a storage/],
    ['a storage shorter than it says', { length: 7, size: [7], stride: [1] }, /24 bytes of 28/],
    ['a tensor outside of its storage', { offset: 1 }, /outside of its storage/],
    ['a stride outside of it', { stride: [4, 1] }, /outside of its storage/],
    ['an offset below 0', { offset: -1 }, /impossible offset/],
    ['an offset that is no number', { offset: 'x' }, /impossible offset/],
    ['an infinite offset', { offset: Infinity }, /impossible offset/],
    ['a stride below 0', { stride: [-3, 1] }, /impossible stride/],
    ['a size below 0', { size: [-2, 3] }, /impossible size/],
    ['half an element', { size: [1.5, 3] }, /impossible size/],
    ['a size of 2^40', { size: [2 ** 40, 3] }, /impossible size/],
    ['sizes of 2^60', { size: [2 ** 30, 2 ** 30], stride: [0, 0] }, /impossibly large/],
    ['nine dimensions', { size: Array(9).fill(1), stride: Array(9).fill(1) }, /more than 8 dim/],
    ['other strides than sizes', { stride: [1] }, /other dimensions/],
    ['storages of an unknown class', { type: 'EvilStorage' }, /unknown class torch.EvilStorage/],
    ['a storage of a negative size', { length: -6 }, /size of a storage/],
  ])('%s is refused', (_, more, message) => {
    const { key = '0' } = more as { key?: string };
    const value = dict({ w: tensor(key, [2, 3], more) });
    for (const write of [zipped, legacy]) {
      const error = refusal(write(value, { 0: WEIGHT }));
      // What a legacy file has no storage for is known earlier.
      if (write === zipped || !/shorter|not there/.test(_)) expect(error.message).toMatch(message);
      expect(error.code).toBe('ERR_FORMAT');
    }
  });

  it('one number as 2^31 is refused before it is made', () => {
    const expanded = tensor('0', [2 ** 31 - 1], { length: 1, stride: [0] });
    const bytes = zipped(dict({ w: expanded }), { 0: floats(1) });
    expect(refusal(bytes).code).toBe('ERR_MEMORY');
    expect(cpuMs(() => refusal(bytes), 2)).toBeLessThan(50);
  });

  it('a thousand views of one storage, each another, are refused before they are made', () => {
    const count = 1000;
    const storage = floats(...Array(count).fill(1));
    const views = dict({});
    for (let k = 0; k < count; k++) views.set(`w${k}`, tensor('0', [k + 1], { length: count }));
    expect(refusal(zipped(views, { 0: storage })).code).toBe('ERR_MEMORY');
    const same = dict({});
    for (let k = 0; k < count; k++) same.set(`w${k}`, tensor('0', [count], { length: count }));
    const { tensors } = readPytorch(zipped(same, { 0: storage }));
    expect(new Set([...tensors.values()].map(({ data }) => data)).size).toBe(1);
  });

  it('values that take more than a file of their size may', () => {
    for (const code of [0x5d, 0x7d, 0x29, 0x8f, 0x4e, 0x28]) {
      const bytes = new Uint8Array(2 ** 20).fill(code);
      bytes.set([0x80, 2]);
      expect(refusal(bytes).code).toBe('ERR_MEMORY');
      expect(cpuMs(() => refusal(bytes), 2)).toBeLessThan(100);
    }
  });
});

describe('views', () => {
  it('of one storage have their offsets and strides', () => {
    const more = (size: number[], stride: number[], offset: number): object => ({
      length: 6,
      size,
      stride,
      offset,
    });
    const value = dict({
      whole: tensor('0', [2, 3]),
      turned: tensor('0', [3, 2], more([3, 2], [1, 3], 0)),
      column: tensor('0', [2], more([2], [3], 1)),
      row: tensor('0', [3], more([3], [1], 3)),
      again: tensor('0', [2, 2], more([2, 2], [0, 1], 4)),
      none: tensor('0', [0, 3], more([0, 3], [3, 1], 6)),
      number: tensor('0', [], more([], [], 5)),
    });
    for (const write of [zipped, legacy]) {
      const { tensors } = readPytorch(write(value, { 0: WEIGHT }));
      const read = Object.fromEntries([...tensors].map(([name, { data }]) => [name, [...data]]));
      expect(read).toEqual({
        whole: [1, 2, 3, 4, 5, 6],
        turned: [1, 4, 2, 5, 3, 6],
        column: [2, 5],
        row: [4, 5, 6],
        again: [5, 6, 5, 6],
        none: [],
        number: [6],
      });
    }
  });

  it('of legacy files begin where their view does', () => {
    const view = persistent(
      'storage',
      pickles.global('torch.FloatStorage'),
      '0',
      'cpu',
      6,
      tuple('1', 2, 3),
    );
    const args = [view, 1, tuple(2), tuple(1), false, call('collections.OrderedDict')];
    const value = dict({ w: call('torch._utils._rebuild_tensor_v2', ...args) });
    expect([...readPytorch(legacy(value, { 0: WEIGHT })).tensors.get('w')!.data]).toEqual([4, 5]);
  });
});

describe('pickles of Python 2', () => {
  it('have the items of an OrderedDict as arguments, and texts of bytes', () => {
    const name = raw(0x55, 1, 0x77);
    const value = call('collections.OrderedDict', [[name, weight]]);
    expect(names(legacy(value, { 0: WEIGHT }))).toEqual(['w']);
  });

  it('of protocol 0 are text', () => {
    const text = "(dp0\nS'a\\x62'\np1\n(lp2\nI1\naL2L\naF0.5\naI01\naVü\\u00fc\nas.";
    expect(readPytorch(new Uint8Array(Buffer.from(text, 'utf8'))).metadata).toEqual({
      source: 'pytorch',
      file: { ab: [1, 2, 0.5, true, 'üü'] },
    });
  });
});

describe('what would not end or fit', () => {
  it.each<[string, number[]]>([
    ['values that are not there', [0x30]],
    ['a mark that is not there', [0x74]],
    ['an item of no dict', [0x5d, 0x4e, 0x4e, 0x73]],
    ['a key without a value', [0x7d, 0x28, 0x4e, 0x75]],
    ['an element of no list', [0x7d, 0x4e, 0x61]],
    ['a state of what has none', [0x5d, 0x7d, 0x62]],
    ['a class that is no text', [0x4e, 0x4e, 0x93]],
    ['an unknown opcode', [0xff]],
    ['values below a mark', [0x4e, 0x28, 0x30]],
  ])('%s', (_, codes) => {
    expect(refusal(pickle(raw(...codes))).code).toBe('ERR_FORMAT');
  });

  it.each<[string, number[]]>([
    ['extension codes', [0x82, 1]],
    ['buffers elsewhere', [0x97]],
    ['a later protocol', [0x80, 9]],
  ])('%s', (_, codes) => {
    expect(refusal(pickle(raw(...codes))).code).toBe('ERR_UNSUPPORTED');
  });

  it('a file cut short anywhere', async () => {
    const engine = await Engine.create({ simd: 'deterministic' });
    const layers = [{ type: 'linear', inFeatures: 3, outFeatures: 2, bias: false }] as const;
    const value = dict({ linear: dict({ weight }) });
    for (const whole of [zipped(value, { 0: WEIGHT }), legacy(value, { 0: WEIGHT })]) {
      loadPytorch(engine, whole, { description: { layers } }).dispose();
      for (let end = 0; end < whole.length; end++) {
        expect(refusal(whole.slice(0, end)).code).toBe('ERR_FORMAT');
      }
    }
    engine.dispose();
  });
});

describe('a file of 1 MB', () => {
  const MB = 2 ** 20 - 8192;
  /** What is promised, and what a busy machine may take. */
  const [PROMISED_MS, MOST_MS] = [200, 1000];
  const repeated = (bytes: number, of: (k: number) => number[], before: Any = []): Uint8Array => {
    const parts: number[][] = [[0x80, 2], opcodes(before), [0x71, 0, 0x30, 0x5d, 0x28]];
    for (let k = 0, size = 0; size < bytes; k++) size += parts[parts.push(of(k)) - 1]!.length;
    return Uint8Array.from([...parts.flat(), 0x65, 0x2e]);
  };
  const long = 'n'.repeat(MB / 2);
  const cells = dict(Object.fromEntries(Array.from({ length: 256 }, (_, k) => [`k${k}`, k])));
  const memo = [0x68, 0];
  const bytesOf = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));
  /** A stream of blocks, each with tables of its own and nothing else. */
  const blocks = (): Uint8Array => {
    const bits: number[] = [];
    const put = (value: number, count: number): void => {
      for (let k = 0; k < count; k++) bits.push((value >> k) & 1);
    };
    put(4, 3);
    put(0, 5);
    put(0, 5);
    put(14, 4);
    // Code lengths: of 18 and 1 one bit each.
    for (const symbol of [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1]) {
      put(symbol === 18 || symbol === 1 ? 1 : 0, 3);
    }
    for (const zeros of [138, 118]) {
      put(1, 1);
      put(zeros - 11, 7);
    }
    put(0, 2);
    put(0, 1);
    const count = Math.floor((8 * MB) / bits.length);
    const out = new Uint8Array(MB);
    for (let k = 0; k < count * bits.length; k++) out[k >> 3]! |= bits[k % bits.length]! << (k & 7);
    return out;
  };

  const BOMBS: Record<string, () => Uint8Array> = {
    'empty dicts': () => repeated(MB / 16, () => [0x7d]),
    'objects of one state': () => {
      const object = [...bytesOf('ca\nb\n'), 0x29, 0x81, ...memo, 0x62];
      return repeated(MB, () => object, cells);
    },
    'dicts of one long key': () => repeated(MB / 4, () => [0x7d, ...memo, 0x5d, 0x73], long),
    'classes of one long name': () => {
      const call = [...memo, ...memo, 0x93, 0x29, 0x52];
      return repeated(MB / 4, () => call, long);
    },
    'storages of one long key': () => {
      const storage = [0x28, ...opcodes('storage'), ...bytesOf('ctorch\nFloatStorage\n'), ...memo];
      return repeated(MB / 4, () => [...storage, ...opcodes('cpu'), 0x4b, 0, 0x74, 0x51], long);
    },
    'tensors of nothing': () => {
      const own = opcodes(tensor('0', [0], { length: 0 }));
      const one = (k: number): number[] => [...opcodes(`t${k}`), ...own];
      const list = repeated(MB / 4, one).subarray(8, -2);
      const start = [0x80, 2, 0x7d, 0x28];
      return zipped(Uint8Array.from([...start, ...list, 0x75, 0x2e]), { 0: new Uint8Array(0) });
    },
    'deep paths': () => {
      const level = [...opcodes('nnnnnnnn'), 0x7d];
      const tail = [...opcodes('w'), ...opcodes(weight), 0x73];
      const path = Array<number[]>(50).fill(level).flat();
      const one = [0x7d, ...path, ...tail, ...Array<number>(50).fill(0x73)];
      return repeated(MB / 2, () => one);
    },
    'a vocabulary': () => repeated(MB / 3, (k) => [...opcodes(`word ${k}`), 0x4b, k & 255]),
    'digits and escapes': () => repeated(MB / 8, (k) => bytesOf(`I${k}\nVa\\u0041${k}\n`)),
    marks: () => new Uint8Array(MB).fill(0x28),
    'remembered values': () => repeated(MB / 8, (k) => [0x5d, 0x72, k & 255, (k >> 8) & 255, 0, 0]),
    'lines without end': () => Uint8Array.from([0x63, ...new Uint8Array(MB).fill(0x61)]),
    'entries of a zip': () =>
      zipped(
        dict({}),
        Object.fromEntries(Array.from({ length: 8000 }, (_, k) => [k, new Uint8Array(0)])),
      ),
    'a deflated file of blocks': () => {
      const bytes = zipped(dict({ w: tensor('0', [MB / 4]) }), { 0: blocks() });
      const view = new DataView(bytes.buffer);
      let at = view.getUint32(bytes.length - 6, true);
      while (view.getUint32(at + 24, true) !== MB) {
        at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true);
      }
      view.setUint16(at + 10, 8, true);
      return bytes;
    },
  };

  it.each(Object.keys(BOMBS))('%s', (name) => {
    const bytes = BOMBS[name]!();
    expect(bytes.length).toBeLessThan(1.2 * 2 ** 20);
    const read = (): string => {
      try {
        readPytorch(bytes);
        return 'accepted';
      } catch (error) {
        expect(error).toBeInstanceOf(GatefoldError);
        expect((error as GatefoldError).message.length).toBeLessThan(400);
        return (error as GatefoldError).code;
      }
    };
    const outcome = read();
    const took = cpuMs(read, 3, PROMISED_MS / 4);
    console.log(`${took.toFixed(0).padStart(6)} ms  ${name}, ${bytes.length} bytes, ${outcome}`);
    expect(took).toBeLessThan(MOST_MS);
  });
});
