/**
 * Arguments gone wrong. Every way gives a value (or, as `Each`, one for each build) and what the
 * call must do with it: `bad`, refuse it and leave everything as it was, or `either`, that or take
 * it safely.
 */

/** A value that each of the two builds gets one of its own of. */
export class Each {
  constructor(make) {
    this.make = make;
  }
}

/** A place for `length` outputs, which a refused call leaves as they were. */
export class Outputs extends Each {
  constructor(length) {
    super(() => new Float32Array(length).fill(7));
  }

  /** Whether something has been written to one. */
  static areChanged(array) {
    return array.some((value) => value !== 7);
  }
}

const bad = (value) => ({ value, expect: 'bad' });
const either = (value) => ({ value, expect: 'either' });

/** What is no number, no array and no options. */
const JUNK = [
  null,
  'text',
  '3',
  true,
  10n,
  Symbol('junk'),
  () => 3,
  Object.create(null),
  new Date(0),
  [],
  { valueOf: () => 3 },
];

const OTHER_NUMBERS = [NaN, Infinity, -Infinity, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31)];

/** A whole number in a range. */
export const count =
  (low, high = 2 ** 31 - 1) =>
  (random) => {
    if (random.chance(0.4)) return bad(random.pick(JUNK));
    const outside = OTHER_NUMBERS.filter((n) => !(Number.isInteger(n) && n >= low && n <= high));
    return bad(random.pick([...outside, low - 1, ...(high < 2 ** 31 - 1 ? [high + 1] : [])]));
  };

/** The size of something that takes memory: also sizes that no engine has room for. */
export const size = (random) =>
  random.chance(0.3) ? bad(random.pick([2 ** 31 - 1, 2 ** 30, 2 ** 24])) : count(1)(random);

/** A number of at least 0, at most `high`. */
export const number =
  (high = Infinity) =>
  (random) => {
    const wrong = high === Infinity ? [NaN, Infinity, -1] : [NaN, Infinity, -1, high * 2 + 1];
    return bad(random.pick(random.chance(0.4) ? JUNK : wrong));
  };

/** One of some strings. */
export const choice = (random) => bad(random.pick([...JUNK, '', 'constructor', '__proto__', 7]));

/** Neither true nor false. */
export const flag = (random) => bad(random.pick([1, 0, '', 'false', null, {}]));

/** An object of options, none of which has one of this name. */
export const options = (random, good) => {
  if (random.chance(0.5)) return bad({ ...good, nonsense: 1 });
  const junk = JUNK.filter((value) => !isEmptyObject(value));
  return bad(random.pick(junk));
};

const isEmptyObject = (value) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** The same elements in another kind of buffer. */
function over(buffer, good) {
  const array = new good.constructor(buffer, 0, good.length);
  array.set(good);
  return array;
}

/** The same array with lies about itself. */
const LIARS = [
  (Kind, good) =>
    class extends Kind {
      subarray() {
        return Kind.from({ length: good.length }, () => 90_000);
      }
    },
  (Kind, good) =>
    class extends Kind {
      slice() {
        return Kind.from({ length: 3 * good.length }, () => -90_000);
      }
    },
  (Kind, good) =>
    class extends Kind {
      get length() {
        return good.length;
      }
    },
  (Kind) =>
    class extends Kind {
      *[Symbol.iterator]() {
        yield 1e9;
      }
    },
  (Kind) =>
    class extends Kind {
      static get [Symbol.species]() {
        return Float64Array;
      }
    },
  (Kind) =>
    class extends Kind {
      get buffer() {
        return new ArrayBuffer(4);
      }
      get byteOffset() {
        return 4096;
      }
    },
];

/**
 * A typed array of one kind and length, `orLonger` where a longer one is right. `limit` is that of
 * tokens: from 0 to it.
 */
export const array =
  (limit, orLonger = false) =>
  (random, good) => {
    const long = orLonger ? either : bad;
    const Kind = good.constructor;
    const { length } = good;
    const Other = Kind === Float32Array ? Int32Array : Float32Array;
    const ways = [
      () => bad(random.pick(JUNK)),
      () => either(random.pick([Float64Array, Array, Other]).from(good)),
      () => bad(Array.from(good, () => random.pick(['1', null, {}, [1]]))),
      () => bad(Object.assign(Object.create(null), { length })),
      () => bad({ length, [Symbol.toStringTag]: Kind.name, subarray: () => good }),
      () => bad(Object.create(Kind.prototype)),
      () => bad(new DataView(new ArrayBuffer(4 * length))),
      () => long(new Kind(length + random.pick([1, 2, 16, 1000]))),
      () => bad(new Kind(length - 1)),
      () => bad(new Kind(0)),
      () => {
        const gone = good.slice();
        structuredClone(gone.buffer, { transfer: [gone.buffer] });
        return bad(gone);
      },
      () => either(over(new SharedArrayBuffer(4 * length), good)),
      () => either(over(new ArrayBuffer(4 * length, { maxByteLength: 8 * length + 8 }), good)),
      () => {
        const shrunk = over(new ArrayBuffer(4 * length, { maxByteLength: 4 * length }), good);
        shrunk.buffer.resize(4 * (length - 1));
        return bad(shrunk);
      },
      () => {
        const Liar = random.pick(LIARS)(Kind, good);
        const longer = random.pick([0, 0, 7]);
        const liar = new Liar(length + longer);
        for (let i = 0; i < length; i++) liar[i] = good[i];
        return longer && !Object.hasOwn(Liar.prototype, 'length') ? long(liar) : either(liar);
      },
      () =>
        either(
          new Proxy(good, { get: (target, key) => (key === 'length' ? length : target[key]) }),
        ),
    ];
    if (limit !== undefined) {
      const outside = [-1, limit, limit + 600, 2 ** 31 - 1, -(2 ** 31), 1 << 24];
      ways.push(
        ...Array.from({ length: 4 }, () => () => {
          const wrong = good.slice();
          // One may be behind the valid steps of its row, where nothing reads it.
          if (random.chance(0.5)) return bad(wrong.fill(random.pick(outside)));
          wrong[random.from(0, length - 1)] = random.pick(outside);
          return either(wrong);
        }),
      );
    } else {
      ways.push(() => either(good.map(() => random.pick([NaN, Infinity, -Infinity, 1e38, 1e-40]))));
    }
    return random.pick(ways)();
  };

/** A list one of whose numbers is another one when it is read again. */
function changing(values, place) {
  let reads = 0;
  const changed = { length: values.length };
  for (const [k, value] of values.entries()) {
    const get = () => (k === place && reads++ > 0 ? 90_000 : value);
    Object.defineProperty(changed, k, { get, enumerable: true });
  }
  return changed;
}

/** Anything but what is wanted: another kind of value altogether. */
export const kind = (random) => bad(random.pick(JUNK.filter((value) => !isEmptyObject(value))));

/** A list of `good.length` numbers of at least 0. */
export const weights = (random, good) => {
  const wrong = [...good];
  wrong[random.from(0, wrong.length - 1)] = random.pick([-1, NaN, Infinity, 'text', {}]);
  return bad(random.pick([wrong, [...good, 1], 'text', 7, {}]));
};

/** A list of `good.length` whole numbers up to `most`. */
export const list = (most) => (random, good) => {
  const ways = [
    () => bad(random.pick([null, 'text', 7, {}])),
    () => bad([...good, 1]),
    () => bad([...good].slice(1)),
    () => {
      const wrong = [...good];
      wrong[random.from(0, wrong.length - 1)] = random.pick([
        -1,
        most + 1,
        NaN,
        1.5,
        2 ** 31,
        Infinity,
        null,
        '1',
        {},
        undefined,
      ]);
      return bad(wrong);
    },
    () => {
      const first = random.from(0, good.length - 1);
      return either(new Each(() => changing([...good], first)));
    },
  ];
  return random.pick(ways)();
};

/** The states of a model, or their gradients. */
export const state = (random, good) => {
  const names = Object.keys(good);
  if (!names.length || random.chance(0.3))
    return bad(random.pick([{ nonsense: {} }, null, 7, 'h']));
  const name = random.pick(names);
  const layer = good[name];
  const part = random.pick(Object.keys(layer));
  const { value, expect } = array()(random, layer[part]);
  return { value: { ...good, [name]: { ...layer, [part]: value } }, expect };
};

/** Bytes of a file: each flipped, cut or grown somewhere. */
export const bytes = (random, good) => {
  const ways = [
    () => bad(random.pick(JUNK)),
    () => bad(good.slice(0, random.from(0, good.length - 1))),
    () => bad(Uint8Array.from([...good, 0])),
    () => bad(new Uint8Array(good.length)),
    () => {
      const flipped = good.slice();
      flipped[random.from(0, flipped.length - 1)] ^= 1 << random.from(0, 7);
      return either(flipped);
    },
    () => {
      // Somewhere in the header, where sizes and places are.
      const flipped = good.slice();
      const header = new DataView(good.buffer, good.byteOffset).getUint32(0, true);
      const digits = '0123456789,[]{}":-eE.\\ ';
      const at = random.from(8, 7 + header);
      flipped[at] = digits.charCodeAt(random.from(0, digits.length - 1));
      return either(flipped);
    },
  ];
  return random.pick(ways)();
};

/** `args` with the value at a path replaced. */
export function replaced(args, [key, ...rest], value) {
  const copy = Array.isArray(args) ? [...args] : { ...args };
  copy[key] = rest.length ? replaced(args[key], rest, value) : value;
  return copy;
}

/**
 * One of the spots (path and kind) of some arguments, what is to stand there, and what has to come
 * of it.
 */
export function spoil(random, args, spots) {
  const usable = spots.filter(([path]) => valueAt(args, path) !== undefined);
  if (!usable.length) return undefined;
  const [path, kind] = random.pick(usable);
  const { value, expect } = kind(random, valueAt(args, path));
  // An option that is null is one that is absent, in some places.
  const isAbsent = value === null && path.length > 1;
  return { path, value, expect: isAbsent ? 'either' : expect };
}

const valueAt = (value, path) => path.reduce((inner, key) => inner?.[key], value);
