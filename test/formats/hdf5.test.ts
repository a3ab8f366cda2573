import { readFileSync, readdirSync } from 'node:fs';
// @ts-expect-error: plain JavaScript
import * as jsfive from 'jsfive';
import { describe, expect, it } from 'vitest';
import { GatefoldError } from '../../src/base/errors.ts';
import { Hdf5File, floatsOf, isHdf5 } from '../../src/formats/shared/hdf5.ts';
import type { Hdf5Object } from '../../src/formats/shared/hdf5.ts';
import { writeHdf5 } from '../support/hdf5.mjs';

const FOLDER = new URL('../fixtures/keras/', import.meta.url);
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.h5'));

/** What jsfive says of the same object: a group has keys, a dataset a value. */
interface Peer {
  readonly keys?: readonly string[];
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly shape?: readonly number[];
  readonly value?: unknown;
  get(name: string): Peer;
}

const listOf = (value: unknown): unknown[] =>
  Array.isArray(value) || ArrayBuffer.isView(value) ? [...(value as Iterable<unknown>)] : [value];
/** Trailing zeros stay in the texts of jsfive. */
const trimmed = (text: unknown): string => String(text).replace(/\0+$/, '');

/** Compares everything below two objects; counts datasets and attributes. */
function compare(
  own: Hdf5Object,
  peer: Peer,
  counts: { datasets: number; attributes: number },
): void {
  for (const name of own.attributes) {
    expect(own.texts(name)).toEqual(listOf(peer.attrs[name]).map(trimmed));
    counts.attributes++;
  }
  if (own.isGroup) {
    expect(own.names).toEqual(peer.keys);
    for (const name of own.names) compare(own.get(name)!, peer.get(name), counts);
    return;
  }
  const dataset = own.read();
  expect(dataset.shape).toEqual(peer.shape);
  expect([...floatsOf(dataset, own.path)]).toEqual(listOf(peer.value).map(Number));
  counts.datasets++;
}

function compareFile(bytes: Uint8Array): { datasets: number; attributes: number } {
  const counts = { datasets: 0, attributes: 0 };
  const buffer = bytes.slice().buffer;
  const { File } = jsfive as unknown as { File: new (buffer: ArrayBuffer, name: string) => Peer };
  compare(new Hdf5File(bytes).root, new File(buffer, 'file'), counts);
  return counts;
}

const SMALL = (): Uint8Array =>
  writeHdf5({
    attributes: { one: 'text', list: ['a', 'bc', ''], fixed: { fixed: ['abc', 'd'] }, none: [] },
    members: {
      group: {
        members: { inner: { members: { x: { shape: [2], data: Float32Array.of(1, 2) } } } },
      },
      half: { shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
      double: { shape: [1, 1], data: Float64Array.of(0.25) },
      empty: { shape: [0, 3], data: new Float32Array() },
    },
  });

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof GatefoldError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing';
};

describe('HDF5', () => {
  it.each(files)('%s is what jsfive reads', (file) => {
    const counts = compareFile(new Uint8Array(readFileSync(new URL(file, FOLDER))));
    expect(counts.datasets).toBeGreaterThan(2);
    expect(counts.attributes).toBeGreaterThan(2);
  });

  it('has texts of both kinds, float16 to float64, and nothing at all', () => {
    const bytes = SMALL();
    expect(isHdf5(bytes)).toBe(true);
    const { root } = new Hdf5File(bytes);
    expect(root.texts('one')).toEqual(['text']);
    expect(root.texts('list')).toEqual(['a', 'bc', '']);
    expect(root.texts('fixed')).toEqual(['abc', 'd']);
    expect(root.texts('none')).toEqual([]);
    expect(root.texts('other')).toBeUndefined();
    expect([...floatsOf(root.get('half')!.read(), 'half')]).toEqual([1, -2]);
    expect([...floatsOf(root.get('double')!.read(), 'double')]).toEqual([0.25]);
    expect(root.get('empty')!.read().bytes.length).toBe(0);
    expect([...floatsOf(root.get('group/inner/x')!.read(), 'x')]).toEqual([1, 2]);
    expect(root.get('group/x')).toBeUndefined();
  });

  it('refuses what is cut short, at every length', () => {
    const bytes = SMALL();
    for (let length = 0; length < bytes.length; length += 7) {
      const walk = (object: Hdf5Object): void => {
        object.attributes.forEach((name) => object.texts(name));
        if (!object.isGroup) object.read();
        for (const name of object.names) walk(object.get(name)!);
      };
      expect(codeOf(() => walk(new Hdf5File(bytes.slice(0, length)).root))).toMatch(/^ERR_FORMAT/);
    }
  });

  it('names what it does not read', () => {
    const newer = SMALL();
    newer[8] = 2;
    expect(codeOf(() => new Hdf5File(newer))).toMatch(/ERR_UNSUPPORTED.*superblock 2.*latest/);
  });

  it('ends where a file goes in circles', () => {
    const bytes = SMALL();
    const view = new DataView(bytes.buffer);
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
    // A tree whose child is itself.
    for (let at = text.indexOf('TREE'); at >= 0; at = text.indexOf('TREE', at + 1)) {
      view.setBigUint64(at + 32, BigInt(at), true);
    }
    expect(codeOf(() => new Hdf5File(bytes).root.names)).toMatch(/^ERR_FORMAT.*overlaps/);
  });
});
