/**
 * The options of layers as data: each is declared once, with its range and its default. Checks,
 * error texts and the reference page of the docs come from it.
 */

import { checkChoice, checkFlag, checkInteger, checkNumber } from '../base/check.ts';

export interface OptionBase {
  /** One sentence for the reference page. */
  readonly about: string;
  /** What other frameworks call it. */
  readonly pytorch?: string;
  readonly keras?: string;
  readonly onnx?: string;
}

export type OptionSpec = OptionBase &
  (
    | {
        readonly kind: 'integer';
        readonly low: number;
        readonly high?: number;
        readonly otherwise?: number | Otherwise;
      }
    | {
        readonly kind: 'number';
        readonly low: number;
        readonly high?: number;
        readonly otherwise?: number | Otherwise;
      }
    | { readonly kind: 'flag'; readonly otherwise?: boolean | Otherwise }
    | {
        readonly kind: 'choice';
        readonly choices: readonly string[];
        /** Other names of a choice. */
        readonly aliases?: Readonly<Record<string, string>>;
        readonly otherwise?: string | Otherwise;
      }
    /** A value that the op itself checks, by `check`. */
    | {
        readonly kind: 'own';
        readonly expects: string;
        readonly check: (name: string, value: unknown, spec: object) => unknown;
        readonly otherwise?: Otherwise;
      }
  );

/** `off`: kept only where it is given. `before`: the outputs of the layer before. */
type Otherwise = 'off' | 'before' | 'needed';

export type OptionTable = Readonly<Record<string, OptionSpec>>;

const OFF = ['off', 'before', 'needed'];

/** Widest layer, most tokens. */
export const MAX_WIDTH: number = 2 ** 24;

/** A width that is needed. */
export const width = (names: OptionBase): OptionSpec => ({
  kind: 'integer',
  low: 1,
  high: MAX_WIDTH,
  otherwise: 'needed',
  ...names,
});

/** The width of the inputs. */
export const inputWidth = (names: Omit<OptionBase, 'about'> = {}): OptionSpec => ({
  kind: 'integer',
  low: 1,
  high: MAX_WIDTH,
  otherwise: 'before',
  about: 'Features of a step of the inputs.',
  ...names,
});

/** A number of steps. */
export const count = (
  names: OptionBase & { readonly otherwise?: number | Otherwise },
): OptionSpec => ({
  kind: 'integer',
  low: 1,
  high: 2 ** 16,
  otherwise: 'needed',
  ...names,
});

export const flag = (otherwise: boolean | 'off', names: OptionBase): OptionSpec => ({
  kind: 'flag',
  otherwise,
  ...names,
});

/** An option as its table says, or an error that names it. */
export function checkOption(
  name: string,
  value: unknown,
  option: OptionSpec,
  spec: object,
): unknown {
  switch (option.kind) {
    case 'integer':
      return checkInteger(name, value, option.low, option.high);
    case 'number':
      return checkNumber(name, value, option.low, option.high);
    case 'flag':
      return checkFlag(name, value);
    case 'choice':
      return checkChoice(name, option.aliases?.[value as string] ?? value, option.choices);
    case 'own':
      return option.check(name, value, spec);
  }
}

/** The options of a table that a layer gives or that have a default, in the table's order. */
export function readTable(
  table: OptionTable,
  spec: object,
  at: string,
  before: (key: string, value: unknown) => number,
): Record<string, unknown> {
  const given = spec as Readonly<Record<string, unknown>>;
  const read: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(table)) {
    const { otherwise } = option;
    let value = given[key];
    if (otherwise === 'before') {
      read[key] = before(key, value);
      continue;
    }
    if (value === undefined && otherwise === 'off') continue;
    if (value === undefined && !OFF.includes(otherwise as string)) value = otherwise;
    read[key] = checkOption(`${at}.${key}`, value, option, spec);
  }
  return read;
}
