import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Vocabulary, splitByPosition } from '../data/text.ts';
import { fail, reasonOf } from './failure.ts';

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

function readText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    fail(`cannot read ${path}: ${reasonOf(error)}; name text files that exist`);
  }
  if (bytes.length === 0) fail(`${path} is empty: name a file with text in it`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return fail(`${path} is not UTF-8 text: convert it, iconv -f latin1 -t utf-8 FILE > NEW`);
  }
}

/** The texts of the files; the project's own without any. */
export function readTexts(files: readonly string[]): string[] {
  return (files.length > 0 ? files : ownFiles()).map(readText);
}

/** Reads and splits the files; the project's own without any. */
export function readCorpus(files: readonly string[]): Corpus {
  const texts = readTexts(files);
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length} `).update(text);
  const { head, tail } = splitByPosition(
    texts.map((text) => [...text]),
    TRAINING_SHARE,
  );
  const vocabulary = Vocabulary.of(head);
  return {
    vocabulary,
    training: vocabulary.encode(head),
    validation: vocabulary.encode(tail),
    fingerprint: hash.digest('hex'),
  };
}
