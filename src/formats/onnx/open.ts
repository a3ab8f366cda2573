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
  /** What has been said, for an option that says all. */
  readonly given: Readonly<Record<'dims' | 'set', readonly (readonly [string, unknown])[]>>;
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
  const fixed = [...set].flatMap(([name, { data }]) =>
    data.length === 1 ? [[name, data[0]] as const] : [],
  );
  return { dims: [...new Set(sizes)], set: values, given: { dims: [...dims], set: fixed } };
}

const PLAIN = /^[A-Za-z_$][\w$]*$/;

/** Says what to pass, as code and as a command. */
export function refuseOpen(open: Open): never {
  const shown = (['dims', 'set'] as const).flatMap((option) => {
    const names = open[option].slice(0, MAX_NAMES);
    if (!names.length) return [];
    const what = (option === 'dims' ? 'size' : 'value') + (names.length > 1 ? 's' : '');
    const all = [...open.given[option], ...names.map((name) => [name, 'N'] as const)].map(
      ([name, value]) => [shorten(name), value] as const,
    );
    return [{ option, what, names, all }];
  });
  const list = shown.map(
    ({ what, names }) => `the ${what} of ${names.map((name) => `"${shorten(name)}"`).join(', ')}`,
  );
  const code = shown.map(({ option, all }) => {
    const pairs = all.map(
      ([name, value]) => `${PLAIN.test(name) ? name : JSON.stringify(name)}: ${value}`,
    );
    return `${option}: { ${pairs.join(', ')} }`;
  });
  const words = shown.map(
    ({ option, all }) => `--${option} ${all.map((pair) => pair.join('=')).join(',')}`,
  );
  const verb = shown.flatMap(({ names }) => names).length > 1 ? 'are' : 'is';
  throw new GatefoldError(
    'ERR_UNSUPPORTED',
    `${list.join(' and ')} ${verb} not known: pass { ${code.join(', ')} }, in the command ${words.join(' ')}`,
  );
}
