/** What a graph leaves open: sizes of axes, and values that decide what there is of it. */
import { GatefoldError, shorten } from '../../base/errors.ts';
import { isFloatType } from './constants.ts';
import type { Given } from './graph.ts';
import type { GraphProto } from './proto.ts';

/** Names that an error lists. */
const MAX_NAMES = 24;

/** What nobody has said yet, by the names that `dims` and `set` have for it. */
export interface Open {
  readonly dims: readonly string[];
  /** Inputs of a single whole number. */
  readonly set: readonly string[];
}

export function openOf(
  { inputs, initializers }: GraphProto,
  { dims, set }: Pick<Given, 'dims' | 'set'>,
): Open {
  const known = new Set(initializers.map(({ name }) => name));
  const left = inputs.filter(({ name = '' }) => !set.has(name) && !known.has(name));
  const sizes = left.flatMap(({ name = '', type }) =>
    (type?.tensor?.shape?.dims ?? []).flatMap(({ value, name: symbol }, axis) => {
      const own = symbol || `${name}.${axis}`;
      return (value !== undefined && value > 0) || dims.has(own) ? [] : [own];
    }),
  );
  const values = left.flatMap(({ name = '', type }) => {
    const { element = 1, shape } = type?.tensor ?? {};
    const isOne = shape?.dims.every(({ value }) => value === 1) === true;
    return isOne && !isFloatType(element) ? [name] : [];
  });
  return { dims: [...new Set(sizes)], set: values };
}

const PLAIN = /^[A-Za-z_$][\w$]*$/;

/** Says what to pass, as code and as a command. */
export function refuseOpen(open: Open): never {
  const shown = (['dims', 'set'] as const).flatMap((option) => {
    const names = open[option].slice(0, MAX_NAMES).map(shorten);
    const keys = names.map((name) => (PLAIN.test(name) ? name : JSON.stringify(name)));
    const what = (option === 'dims' ? 'size' : 'value') + (names.length > 1 ? 's' : '');
    return names.length ? [{ option, what, names, keys }] : [];
  });
  const list = shown.map(
    ({ what, names }) => `the ${what} of ${names.map((name) => `"${name}"`).join(', ')}`,
  );
  const code = shown.map(
    ({ option, keys }) => `${option}: { ${keys.map((key) => `${key}: N`).join(', ')} }`,
  );
  const words = shown.map(
    ({ option, names }) => `--${option} ${names.map((name) => `${name}=N`).join(',')}`,
  );
  const verb = shown.flatMap(({ names }) => names).length > 1 ? 'are' : 'is';
  throw new GatefoldError(
    'ERR_UNSUPPORTED',
    `${list.join(' and ')} ${verb} not known: pass { ${code.join(', ')} }, in the command ${words.join(' ')}`,
  );
}
