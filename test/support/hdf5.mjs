/**
 * Writes HDF5 files as h5py does by default: superblock 0, groups of symbol tables, object headers
 * of version 1, the global heap for texts of any length.
 */

const NOWHERE = 0xffffffffffffffffn;
const KINDS = {
  Float32Array: [1, 4],
  Float64Array: [1, 8],
  Uint16Array: [1, 2],
  Int32Array: [0, 4],
};

class Bytes {
  #bytes = new Uint8Array(4096);
  length = 0;

  /** Room for so many bytes at a multiple of 8; where it is. */
  take(count) {
    const at = (this.length + 7) & ~7;
    this.length = at + count;
    if (this.length > this.#bytes.length) {
      const more = new Uint8Array(2 * this.length);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    return at;
  }

  put(at, bytes) {
    this.#bytes.set(bytes, at);
  }

  add(bytes) {
    const at = this.take(bytes.length);
    this.put(at, bytes);
    return at;
  }

  done() {
    return this.#bytes.slice(0, this.length);
  }
}

/** Little-endian numbers: [value, bytes] each, texts and arrays as they are. */
function pack(...parts) {
  const bytes = [];
  for (const part of parts) {
    if (typeof part === 'string') bytes.push(...new TextEncoder().encode(part));
    else if (part instanceof Uint8Array) bytes.push(...part);
    else {
      let value = BigInt(part[0]);
      for (let k = 0; k < part[1]; k++, value >>= 8n) bytes.push(Number(value & 255n));
    }
  }
  return Uint8Array.from(bytes);
}

const padded = (bytes, length = (bytes.length + 7) & ~7) => {
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
};

const dataspace = (shape) =>
  pack([1, 1], [shape.length, 1], [0, 6], ...shape.map((size) => [size, 8]));

function numberType(kind, size) {
  if (kind === 0) return pack([0x10, 1], [8, 1], [0, 2], [size, 4], [0, 2], [8 * size, 2]);
  const [exponent, mantissa, bias] = { 2: [5, 10, 15], 4: [8, 23, 127], 8: [11, 52, 1023] }[size];
  const sign = 8 * size - 1;
  return pack(
    [0x11, 1],
    [0x20, 1],
    [sign, 1],
    [0, 1],
    [size, 4],
    [0, 2],
    [8 * size, 2],
    [mantissa, 1],
    [exponent, 1],
    [0, 1],
    [mantissa, 1],
    [bias, 4],
  );
}

const fixedType = (size) => pack([0x13, 1], [1, 3], [size, 4]);
const heapType = () => pack([0x19, 1], [0x0101, 3], [16, 4], [0x13, 1], [0x0100, 3], [1, 4]);

/** @param {Group} root */
export function writeHdf5(root) {
  const out = new Bytes();
  out.take(96);
  const heap = out.take(0);
  const texts = [];
  collect(root);
  const stored = texts.map((text) => new TextEncoder().encode(text));
  const used = stored.reduce((sum, { length }) => sum + 16 + ((length + 7) & ~7), 16);
  const size = Math.max(used + 16, 4096);
  out.add(pack('GCOL', [1, 4], [size, 8]));
  stored.forEach((bytes, k) =>
    out.add(pack([k + 1, 2], [1, 2], [0, 4], [bytes.length, 8], padded(bytes))),
  );
  // What is free is an object too, the last one.
  out.add(pack([0, 8], [size - used, 8]));
  out.take(heap + size - out.length);

  function collect({ attributes = {}, members = {} }) {
    for (const value of Object.values(attributes)) {
      if (typeof value !== 'object' || Array.isArray(value)) texts.push(...[value].flat());
    }
    for (const member of Object.values(members)) if (!member.data) collect(member);
  }

  function attribute(name, value) {
    const isFixed = typeof value === 'object' && !Array.isArray(value);
    const given = isFixed ? value.fixed : value;
    const list = [given].flat();
    const shape = Array.isArray(given) ? [list.length] : [];
    let type = heapType();
    let data = list.map((text) => {
      const length = new TextEncoder().encode(text).length;
      return pack([length, 4], [heap, 8], [texts.indexOf(text) + 1, 4]);
    });
    if (isFixed) {
      const all = list.map((text) => new TextEncoder().encode(text));
      const longest = Math.max(1, ...all.map(({ length }) => length));
      type = fixedType(longest);
      data = all.map((bytes) => padded(bytes, longest));
    }
    // NumPy makes a list without elements one of float64.
    if (list.length === 0) type = numberType(1, 8);
    const named = pack(name, [0, 1]);
    const space = dataspace(shape);
    const head = pack([1, 1], [0, 1], [named.length, 2], [type.length, 2], [space.length, 2]);
    return [12, pack(head, padded(named), padded(type), padded(space), ...data)];
  }

  /** Messages with their headers; those beyond the first three go on in a block of their own. */
  function header(messages) {
    const blocks = messages.map(([type, bytes]) => {
      const whole = padded(bytes);
      return pack([type, 2], [whole.length, 2], [0, 4], whole);
    });
    let [first, count] = [pack(...blocks), blocks.length];
    if (blocks.length > 3) {
      const rest = pack(...blocks.slice(3));
      const at = out.add(rest);
      const onward = pack([16, 2], [16, 2], [0, 4], [at, 8], [rest.length, 8]);
      [first, count] = [pack(...blocks.slice(0, 3), onward), blocks.length + 1];
    }
    return out.add(pack([1, 1], [0, 1], [count, 2], [1, 4], [first.length, 4], [0, 4], first));
  }

  function write(object) {
    if (object.data) {
      const { shape, data } = object;
      const [kind, size] = KINDS[data.constructor.name];
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const at = bytes.length ? BigInt(out.add(bytes)) : NOWHERE;
      const layout = pack([3, 1], [1, 1], [at, 8], [bytes.length, 8]);
      return {
        at: header([
          [1, dataspace(shape)],
          [3, numberType(kind, size)],
          [8, layout],
        ]),
      };
    }
    const { attributes = {}, members = {} } = object;
    const names = Object.keys(members).sort((a, b) => (a < b ? -1 : 1));
    const children = names.map((name) => write(members[name]));
    let segment = pack([0, 8]);
    const places = names.map((name) => {
      const place = segment.length;
      segment = pack(segment, padded(pack(name, [0, 1])));
      return place;
    });
    const data = out.add(segment);
    const local = out.add(pack('HEAP', [0, 4], [segment.length, 8], [1, 8], [data, 8]));
    const nodes = [];
    for (let k = 0; k < names.length; k += 8) {
      const entries = names.slice(k, k + 8).map((_, j) => {
        const child = children[k + j];
        const cache = child.tree
          ? [
              [1, 4],
              [0, 4],
              [child.tree, 8],
              [child.local, 8],
            ]
          : [[0, 24]];
        return pack([places[k + j], 8], [child.at, 8], ...cache);
      });
      const node = pack('SNOD', [1, 2], [entries.length, 2], ...entries);
      nodes.push({
        at: out.add(padded(node, 8 + 8 * 40)),
        last: places[Math.min(k + 8, names.length) - 1],
      });
    }
    const keys = nodes.flatMap(({ at, last }) => [
      [at, 8],
      [last, 8],
    ]);
    const head = ['TREE', [0, 2], [nodes.length, 2], [NOWHERE, 8], [NOWHERE, 8], [0, 8]];
    // HDF5 keeps room for 32 of them.
    const tree = out.add(padded(pack(...head, ...keys), Math.max(544, 32 + 16 * nodes.length)));
    const own = Object.entries(attributes).map(([name, value]) => attribute(name, value));
    return { at: header([[17, pack([tree, 8], [local, 8])], ...own]), tree, local };
  }

  const { at, tree, local } = write(root);
  const end = out.length;
  out.put(
    0,
    pack(
      [0x89, 1],
      'HDF\r\n',
      [0x1a, 1],
      '\n',
      [0, 5],
      [8, 1],
      [8, 1],
      [0, 1],
      [4, 2],
      [16, 2],
      [0, 4],
      [0, 8],
      [NOWHERE, 8],
      [end, 8],
      [NOWHERE, 8],
      [0, 8],
      [at, 8],
      [1, 4],
      [0, 4],
      [tree, 8],
      [local, 8],
    ),
  );
  return out.done();
}
