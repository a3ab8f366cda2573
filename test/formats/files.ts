import fc from 'fast-check';

/** A safetensors file of any header, right or wrong, and data. */
export function file(header: string | object | Uint8Array, data: Uint8Array): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const head = header instanceof Uint8Array ? header : new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + head.length + data.length);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 8);
  bytes.set(data, 8 + head.length);
  return bytes;
}

const dtype = fc.constantFrom('F32', 'F64', 'F16', 'BF16', 'I8', 'F4', 'F99', 'BOOL', '');
const size = fc.oneof(fc.nat({ max: 4 }), fc.constantFrom(-1, 0.5, 2 ** 31, 2 ** 53, 1e300, '1'));
const offset = fc.oneof(fc.nat({ max: 64 }), fc.constantFrom(-1, 2 ** 32, 2 ** 53, 0.5, null));
const name = fc.constantFrom(
  'a',
  'b',
  'c',
  '__proto__',
  '__metadata__',
  'constructor',
  '\ud800',
  '',
);

/** An entry whose parts are each right or wrong on their own. */
const looseEntry = fc.record(
  {
    dtype,
    shape: fc.oneof(fc.array(size, { maxLength: 9 }), fc.constantFrom(null, {}, 'x')),
    data_offsets: fc.oneof(fc.array(offset, { maxLength: 3 }), fc.constant(null)),
  },
  { requiredKeys: [] },
);

const looseHeader = fc
  .array(fc.tuple(name, fc.oneof(looseEntry, fc.jsonValue({ maxDepth: 3 }))), { maxLength: 5 })
  .map((pairs) => `{${pairs.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`);

/** Entries that fit one another and their data. */
const soundFile = fc
  .array(fc.array(fc.nat({ max: 4 }), { maxLength: 3 }), { maxLength: 4 })
  .map((shapes) => {
    let end = 0;
    const pairs = shapes.map((shape, i): [string, object] => {
      const begin = end;
      end += 4 * shape.reduce((product, length) => product * length, 1);
      return [`t${i}`, { dtype: 'F32', shape, data_offsets: [begin, end] }];
    });
    return file(Object.fromEntries(pairs), new Uint8Array(end));
  });

const looseFile = fc
  .tuple(looseHeader, fc.uint8Array({ maxLength: 64 }))
  .map(([h, d]) => file(h, d));

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat({ max: 400 }),
  remove: fc.nat({ max: 4 }),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc
      .constantFrom('"', '{', '}', '[', ']', ',', ':', '0', '-1', '1e9', '\\', '\\u0000', 'null')
      .map((text) => new TextEncoder().encode(text)),
  ),
});

function apply(bytes: Uint8Array, { at, remove, insert }: Edit): Uint8Array {
  const start = Math.min(at, bytes.length);
  return Uint8Array.from([...bytes.slice(0, start), ...insert, ...bytes.slice(start + remove)]);
}

/**
 * Sound and loose files with up to three edits; half of them get their header length mended, to
 * reach the deeper checks.
 */
export const mutated: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.oneof(soundFile, looseFile), fc.array(edit, { maxLength: 3 }), fc.boolean())
  .map(([bytes, edits, mend]) => {
    const result = edits.reduce(apply, bytes);
    const grown = result.length - bytes.length;
    if (mend && result.length >= 8) {
      const length = new DataView(bytes.buffer).getUint32(0, true) + grown;
      new DataView(result.buffer).setUint32(0, Math.max(length, 0), true);
      result.fill(0, 4, 8);
    }
    return result;
  });
