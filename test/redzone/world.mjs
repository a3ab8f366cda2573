/** What one episode has made, everything twice: in the guarded build and in the plain one. */

const WORDS = new Int32Array(2);
const DOUBLE = new Float64Array(WORDS.buffer);

/** A number that two values share if they are the same bits; every NaN is alike. */
export function digest(value, hash = 0x811c9dc5) {
  const add = (word) => (hash = Math.imul(hash ^ word, 0x01000193));
  if (typeof value === 'number') {
    DOUBLE[0] = Number.isNaN(value) ? NaN : value;
    add(WORDS[0]);
    add(WORDS[1]);
  } else if (typeof value === 'string') {
    for (let i = 0; i < value.length; i++) add(value.charCodeAt(i));
  } else if (ArrayBuffer.isView(value)) {
    return ofArray(value, hash);
  } else if (Array.isArray(value) || value instanceof Map) {
    for (const element of value) hash = digest(element, hash);
    add(1);
  } else if (typeof value === 'object' && value !== null) {
    // Models and their like are compared by what they do.
    if (value.constructor !== Object && value.constructor !== undefined)
      return digest(value.constructor.name, hash);
    for (const key of Object.keys(value)) hash = digest(value[key], digest(key, hash));
    add(2);
  } else {
    add(value === undefined ? 3 : value === null ? 4 : Number(value === true) + 5);
  }
  return hash;
}

const ARRAYS = Object.getPrototypeOf(Int8Array.prototype);
/** What an array is, whatever its own class says. */
const truth = (array, key) => Object.getOwnPropertyDescriptor(ARRAYS, key).get.call(array);

function ofArray(array, hash) {
  const kind = truth(array, Symbol.toStringTag);
  if (kind === undefined) return hash;
  const isFloat = kind === 'Float32Array';
  const place = [truth(array, 'buffer'), truth(array, 'byteOffset')];
  const Words = isFloat ? Int32Array : globalThis[kind];
  const words = new Words(...place, truth(array, 'length'));
  for (let i = 0; i < words.length; i++) {
    const word = Number(words[i]);
    const isNaN = isFloat && (word & 0x7fffffff) > 0x7f800000;
    hash = Math.imul(hash ^ (isNaN ? 0x7fc00000 : word), 0x01000193);
  }
  return hash;
}

/** Most of a kind that live at once. */
const MOST = { model: 3, stream: 2, trainer: 2 };

export class World {
  /** Twins by kind. */
  all = { engine: [], model: [], stream: [], trainer: [] };

  constructor(faces) {
    this.faces = faces;
  }

  any(kind, random, where = () => true) {
    const found = this.all[kind].filter(where);
    return found.length ? random.pick(found) : undefined;
  }

  /** Takes two objects as one; an older one goes where there are enough. */
  keep(kind, sides, info = {}) {
    if (this.all[kind].length === MOST[kind]) this.drop(this.all[kind][0]);
    const twin = { kind, sides, ...info };
    this.all[kind].push(twin);
    return twin;
  }

  /** Ends a twin and what lives of it. */
  drop(twin) {
    for (const kind of ['stream', 'trainer']) {
      for (const other of this.all[kind].filter(({ model }) => model === twin)) this.drop(other);
    }
    for (const side of twin.sides) side.dispose?.();
    this.all[twin.kind] = this.all[twin.kind].filter((other) => other !== twin);
  }

  dropAll() {
    for (const kind of ['trainer', 'stream', 'model']) {
      while (this.all[kind].length) this.drop(this.all[kind][0]);
    }
  }

  /** The parameters, states and moments of every twin, of one build. */
  observe(side = 0) {
    const { watch } = this.faces[0];
    watch.isQuiet = true;
    const seen = new Map();
    try {
      for (const twin of this.all.model) {
        const { kernels, values } = this.faces[side].storeOf(twin.sides[side]);
        seen.set(twin, digest(kernels.floats(values)));
      }
      for (const twin of this.all.stream) seen.set(twin, digest(twin.sides[side].save()));
      for (const twin of this.all.trainer) {
        const trainer = twin.sides[side];
        const { tensors, metadata } = trainer.snapshot();
        const own = [...tensors].filter(([name]) => !name.startsWith('model.'));
        seen.set(twin, digest([own, Object.values(metadata), trainer.gradients()]));
      }
    } finally {
      watch.isQuiet = false;
    }
    return seen;
  }
}
