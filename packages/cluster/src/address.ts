/**
 * Where something is: `store:key`. The store is a name from the worker's own configuration; the key
 * is checked before any store sees it. There is no path and no host in an address.
 */

import { refuse, show } from './errors.ts';

export interface Address {
  readonly store: string;
  readonly key: string;
}

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** Every part begins with a letter, digit or underscore: no `.`, no `..`, no hidden file. */
const KEY = /^[A-Za-z0-9_][A-Za-z0-9_.=-]*(?:\/[A-Za-z0-9_][A-Za-z0-9_.=-]*)*$/;
const MAX_KEY = 400;
const MAX_PART = 120;

export function checkName(what: string, value: unknown): string {
  if (typeof value === 'string' && NAME.test(value)) return value;
  return refuse(`"${what}" expected a name such as "data-1", got ${show(value)}`);
}

export function checkKey(value: unknown): string {
  const isKey = typeof value === 'string' && value.length <= MAX_KEY && KEY.test(value);
  if (isKey && value.split('/').every((part) => part.length <= MAX_PART)) return value;
  return refuse(
    `a key has parts of letters, digits and _ . = - with / between, none of which begins with a dot; got ${show(value)}`,
  );
}

/** The address that a text names. */
export function parseAddress(what: string, value: unknown): Address {
  if (typeof value !== 'string')
    return refuse(`"${what}" expected "store:key", got ${show(value)}`);
  const colon = value.indexOf(':');
  if (colon < 0) return refuse(`"${what}" expected "store:key", got ${show(value)}`);
  const store = checkName(what, value.slice(0, colon));
  return { store, key: checkKey(value.slice(colon + 1)) };
}
