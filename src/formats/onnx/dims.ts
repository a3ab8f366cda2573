/** Sizes of axes: numbers, or products of names that are only known when a model runs. */

/** A number, or a product such as `batch`, `2*batch*time` or `time ÷ 2`, which is whole. */
export type Dim = number | string;

/** Longest name of a size that is computed; longer ones are told apart by a count. */
const MAX_NAME = 80;

interface Product {
  readonly number: number;
  readonly names: readonly string[];
}

function productOf(dim: Dim): Product {
  if (typeof dim === 'number') return { number: dim, names: [] };
  const [first = '', ...others] = dim.split('*');
  const number = Number(first);
  return Number.isInteger(number) && first !== ''
    ? { number, names: others }
    : { number: 1, names: [first, ...others] };
}

/** What stands between a size and what divides it, in the name of the quotient. */
const BY = ' ÷ ';

function dimOf({ number, names }: Product): Dim {
  if (names.length === 0 || number === 0) return number;
  for (const [k, name] of names.entries()) {
    const [size = '', by] = name.split(BY);
    const left = number / Number(by);
    // So many times the quotient is the size again.
    if (by !== undefined && Number.isInteger(left)) {
      return dimOf({ number: left, names: names.map((own, j) => (j === k ? size : own)) });
    }
  }
  const text = [...names].sort().join('*');
  return number === 1 ? text : `${number}*${text}`;
}

export function multiply(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  const [left, right] = [productOf(a), productOf(b)];
  return dimOf({ number: left.number * right.number, names: [...left.names, ...right.names] });
}

/** The quotient where it is whole for all sizes that names may stand for. */
export function divide(a: Dim, b: Dim): Dim | undefined {
  const [left, right] = [productOf(a), productOf(b)];
  const names = [...left.names];
  for (const name of right.names) {
    const at = names.indexOf(name);
    if (at < 0) return undefined;
    names.splice(at, 1);
  }
  const number = left.number / right.number;
  return Number.isInteger(number) ? dimOf({ number, names }) : undefined;
}

export const productOfDims = (dims: readonly Dim[]): Dim => dims.reduce(multiply, 1);

/** The name of a size that follows from others in a way that only equal texts tell. */
export class Names {
  readonly #short = new Map<string, string>();

  of(text: string): string {
    const plain = text.replaceAll('*', '.').replaceAll(BY, '/');
    if (plain.length <= MAX_NAME) return plain;
    const known = this.#short.get(plain) ?? `size ${this.#short.size}`;
    this.#short.set(plain, known);
    return known;
  }

  /** The name of a size that is a part of another: as many times that, it is the whole. */
  quotient(size: string, by: number): string {
    return size.includes('*') || size.includes(BY) ? this.of(`${size} by ${by}`) : size + BY + by;
  }
}
