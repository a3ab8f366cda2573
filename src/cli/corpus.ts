import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UNKNOWN, Vocabulary } from '../data/text.ts';
import { fail } from './failure.ts';
import { readPoints } from './texts.ts';

/** The package, seen from `dist/cli.js`. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What people wrote here: [folder, pattern of names]. Nothing generated, no lock file. */
const OWN_TEXTS: readonly (readonly [string, RegExp])[] = [
  ['assembly', /\.ts$/],
  ['src', /\.ts$/],
  ['test', /\.(ts|py)$/],
  ['bench', /\.(ts|js|mjs)$/],
  ['build', /\.mjs$/],
  ['examples', /\.(ts|js|mjs|html)$/],
  ['docs', /\.md$/],
];
const OWN_DOCUMENTS: readonly string[] = ['README.md', 'CHANGELOG.md'];
const NOT_OWN: ReadonlySet<string> = new Set(['node_modules', 'generated', 'gen', 'out']);

/** The share of each file that is trained on; the rest validates. */
const TRAINING_SHARE = 0.9;

/** Text of the command: what to learn, and what to be measured on. */
export interface Corpus {
  readonly vocabulary: Vocabulary;
  readonly training: Int32Array;
  readonly validation: Int32Array;
  /** Tells one text from another, so that a run resumes only on its own. */
  readonly fingerprint: string;
}

function listFolder(folder: string, names: RegExp): string[] {
  let entries: string[];
  try {
    entries = readdirSync(join(ROOT, folder), { recursive: true }) as string[];
  } catch {
    return [];
  }
  const isOwn = (path: string): boolean => !path.split(sep).some((part) => NOT_OWN.has(part));
  const wanted = entries.filter((path) => names.test(path) && isOwn(path));
  return wanted.map((path) => join(ROOT, folder, path)).sort();
}

/** The project's own sources and documents, which only a clone of it has. */
function ownFiles(): string[] {
  const sources = OWN_TEXTS.flatMap(([folder, names]) => listFolder(folder, names));
  if (sources.length === 0) {
    fail(
      'the installed package has no sources to learn from: name a text file, gatefold train book.txt',
    );
  }
  const documents = readdirSync(ROOT).filter((name) => OWN_DOCUMENTS.includes(name));
  return [...sources, ...documents.sort().map((name) => join(ROOT, name))];
}

/** The files of a run, by name; the project's own without any. */
export function filesOf(named: readonly string[]): readonly string[] {
  return named.length > 0 ? named : ownFiles();
}

/** Highest code point, and one. */
const POINTS = 0x110000;

/** The characters of code points, each once, in their order. */
function vocabularyOf(pieces: readonly Int32Array[]): Vocabulary {
  const seen = new Uint8Array(POINTS);
  for (const piece of pieces) for (const point of piece) seen[point] = 1;
  let text = '';
  for (let point = 0; point < POINTS; point++) if (seen[point]) text += String.fromCodePoint(point);
  return new Vocabulary(text);
}

/** Makes code points tokens. */
function encode(points: Int32Array, vocabulary: Vocabulary): void {
  const tokens = new Int32Array(POINTS).fill(UNKNOWN);
  vocabulary.characters.forEach((character, token) => {
    if (token !== UNKNOWN) tokens[character.codePointAt(0)!] = token;
  });
  for (let i = 0; i < points.length; i++) points[i] = tokens[points[i]!]!;
}

/** Reads and splits the files; the project's own without any. */
export function readCorpus(named: readonly string[]): Corpus {
  const { points, ends, fingerprint } = readPoints(filesOf(named));
  const texts = ends.map((end, k) => points.subarray(k ? ends[k - 1] : 0, end));
  const cuts = texts.map((text) => Math.floor(text.length * TRAINING_SHARE));
  const vocabulary = vocabularyOf(texts.map((text, k) => text.subarray(0, cuts[k])));
  encode(points, vocabulary);
  // In place: a text may take most of the memory. The rests go out of the way first.
  const count = cuts.reduce((sum, cut) => sum + cut, 0);
  const validation = new Int32Array(points.length - count);
  let at = 0;
  texts.forEach((text, k) => {
    validation.set(text.subarray(cuts[k]), at);
    at += text.length - cuts[k]!;
  });
  at = 0;
  texts.forEach((text, k) => {
    points.copyWithin(at, text.byteOffset / 4, text.byteOffset / 4 + cuts[k]!);
    at += cuts[k]!;
  });
  return { vocabulary, training: points.subarray(0, count), validation, fingerprint };
}
