import { printable, shorten } from '../base/errors.ts';

/** Names to show of a list that a file holds. */
const NAMES_SHOWN = 8;

/** A path as a word of a shell's command, whoever chose it: nothing in it acts. */
export function wordOf(path: string): string {
  const word = printable(path.startsWith('-') ? `./${path}` : path);
  return /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The first of some names out of a file as words, each cut where it is long. */
export function someWords(names: readonly string[]): string {
  const words = names.slice(0, NAMES_SHOWN).map((name) => wordOf(shorten(name)));
  return [...words, ...(names.length > NAMES_SHOWN ? ['...'] : [])].join(' ');
}
