/** Numbers that depend on the words given alone: one generator for every call of the campaign. */
export class Random {
  #state;

  constructor(...words) {
    this.#state = words.reduce((hash, word) => mix((hash ^ word) + 0x9e3779b9), 0x2545f491);
  }

  /** From 0 to below 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return mix(this.#state) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  from(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  floats(length, size = 1) {
    return Float32Array.from({ length }, () => (this.next() * 2 - 1) * size);
  }

  integers(length, low, high) {
    return Int32Array.from({ length }, () => this.from(low, high));
  }
}

function mix(word) {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
