import {
  anyTokens,
  checkInteger,
  checkKeys,
  checkList,
  checkNumber,
  checkText,
  show,
} from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';

/** One window of a text: inputs and, one place further, targets, both [T, B] with T = `steps`. */
export interface TextWindow {
  /** Tokens [T, B]. */
  readonly inputs: Int32Array;
  /** Their next tokens [T, B]. */
  readonly targets: Int32Array;
  /** T */
  readonly steps: number;
}

/**
 * A text cut for truncated backpropagation through time. Each of B rows is one contiguous piece of
 * the text, and window w + 1 goes on where window w ended, in every row: the state after one is the
 * state before the next.
 *
 *     row 0  │ window 0 │ window 1 │ ... │ last, maybe shorter │
 *     row 1  │ window 0 │ window 1 │ ... │ last, maybe shorter │
 */
export class TextBatches {
  /** B */
  readonly batch: number;
  /** T of all windows but the last. */
  readonly steps: number;
  /** Windows in one pass over the text. */
  readonly length: number;
  readonly #tokens: Int32Array;
  readonly #rowLength: number;
  readonly #inputs: Int32Array;
  readonly #targets: Int32Array;

  /**
   * `steps` is the length of every window but the last. Fewer than `batch` tokens at the end of the
   * text stay unused.
   */
  constructor(tokens: ArrayLike<number>, options: { batch: number; steps: number }) {
    const own = anyTokens('tokens', tokens);
    checkKeys('options', options, ['batch', 'steps']);
    const batch = checkInteger('batch', options.batch, 1);
    const steps = checkInteger('steps', options.steps, 1);
    this.#rowLength = Math.floor((own.length - 1) / batch);
    if (!(this.#rowLength >= 1)) {
      const message = `"tokens" expected at least ${batch + 1} tokens for a batch of ${batch}, got ${own.length}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    this.batch = batch;
    this.steps = steps;
    this.length = Math.ceil(this.#rowLength / steps);
    this.#tokens = own;
    this.#inputs = new Int32Array(batch * steps);
    this.#targets = new Int32Array(batch * steps);
  }

  /** The targets of one pass over the text. */
  get count(): number {
    return this.batch * this.#rowLength;
  }

  /** Window `index` of the text. Its arrays are overwritten by the next call. */
  window(index: number): TextWindow {
    checkInteger('index', index, 0, this.length - 1);
    const start = index * this.steps;
    const steps = Math.min(this.steps, this.#rowLength - start);
    const inputs = this.#inputs.subarray(0, steps * this.batch);
    const targets = this.#targets.subarray(0, steps * this.batch);
    for (let row = 0; row < this.batch; row++) {
      const from = row * this.#rowLength + start;
      for (let t = 0; t < steps; t++) {
        inputs[t * this.batch + row] = this.#tokens[from + t]!;
        targets[t * this.batch + row] = this.#tokens[from + t + 1]!;
      }
    }
    return { inputs, targets, steps };
  }
}

/** Splits each text by position: the first `fraction` of it, and the rest. */
export function splitByPosition<T>(
  texts: readonly (readonly T[])[],
  fraction: number,
): { head: T[]; tail: T[] } {
  checkNumber('fraction', fraction, 0, 1);
  const all = Array.from(checkList('texts', texts), (text, i) =>
    Array.from(checkList(`texts[${i}]`, text)),
  );
  const cut = (text: readonly T[]): number => Math.floor(text.length * fraction);
  return {
    head: all.flatMap((text) => text.slice(0, cut(text))),
    tail: all.flatMap((text) => text.slice(cut(text))),
  };
}

/** A text, or characters that come from elsewhere; or an error that names the argument. */
function checkCharacters(text: Iterable<string>): Iterable<string> {
  const isIterable = typeof (text as Iterable<string> | null)?.[Symbol.iterator] === 'function';
  return isIterable ? text : checkText('text', text);
}

/**
 * Refuses half of a character: a cut through the middle of one leaves a surrogate, which no file
 * can hold.
 */
function checkWhole(character: string, token: number): void {
  if (!/^\p{Cs}$/u.test(character)) return;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"text" expected whole characters, got half of one, ${show(character)}, as token ${token}: cut texts between characters, as in Array.from(text).slice(0, n).join('')`,
  );
}

/** Token of every character that the vocabulary lacks. */
export const UNKNOWN = 0;

/**
 * The characters (Unicode code points) of a text as tokens 1, 2, ...; 0 is any other.
 *
 * @example
 *   const vocabulary = Vocabulary.of('some text');
 *   const data = new TextBatches(vocabulary.encode('some text'), { batch: 1, steps: 4 });
 */
export class Vocabulary {
  /** By token; that of 0 is empty. */
  readonly characters: readonly string[];
  readonly #tokens: Map<string, number>;

  /** `text` names each character once, in the order of the tokens. */
  constructor(text: string) {
    this.characters = ['', ...checkText('text', text)];
    this.characters.forEach(checkWhole);
    this.#tokens = new Map(this.characters.map((character, token) => [character, token]));
    if (this.#tokens.size !== this.characters.length) {
      throw new GatefoldError('ERR_ARGUMENT', '"text" expected every character once');
    }
  }

  /** All characters of a text, in the order of their code points. */
  static of(text: Iterable<string>): Vocabulary {
    const characters = new Set(checkCharacters(text));
    const points = Array.from(characters, (character) =>
      checkText('text', character).codePointAt(0)!,
    );
    points.sort((a, b) => a - b);
    return new Vocabulary(points.map((point) => String.fromCodePoint(point)).join(''));
  }

  /** V: its characters, and one token for all others. */
  get size(): number {
    return this.characters.length;
  }

  /** The token of each character: [characters of the text]. */
  encode(text: Iterable<string>): Int32Array {
    return Int32Array.from(
      checkCharacters(text),
      (character) => this.#tokens.get(character) ?? UNKNOWN,
    );
  }

  /** What the constructor takes. */
  toString(): string {
    return this.characters.join('');
  }
}
