/** Where results go: a file that grows beside its final name, and a journal to go on from. */

import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { writeWhole } from '../../node/files.ts';
import { fail, reasonOf } from '../failure.ts';
import { drained, outputFault } from '../output.ts';

/** How far a run has come. */
export interface Journal {
  /** What the run is of: another one does not go on with it. */
  readonly key: string;
  /** The input, and the position and line in it. */
  readonly source: number;
  readonly position: number;
  readonly line: number;
  /** Bytes of the results. */
  readonly bytes: number;
  readonly records: number;
  readonly skipped: number;
  readonly rows: number;
  readonly isDone?: boolean;
}

/** What makes a file of results whole: its first bytes, or another file that is made of them. */
export interface End {
  readonly header?: Uint8Array;
  readonly assemble?: (part: FileHandle, bytes: number, whole: FileHandle) => Promise<void>;
}

export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes sure that a run which is killed from here on goes on from `journal`. */
  keep(journal: Journal): Promise<void>;
  finish(end?: End): Promise<void>;
  close(): Promise<void>;
  /** Whether somebody still takes the results. */
  readonly isOpen: boolean;
}

/** The standard output, from which nothing goes on. */
export const standardOutput: Sink = {
  async write(bytes) {
    if (outputFault() || bytes.length === 0) return;
    if (!process.stdout.write(bytes)) await drained();
  },
  async keep() {},
  async finish() {},
  async close() {},
  get isOpen() {
    return outputFault() === undefined;
  },
};

const partOf = (out: string): string => `${out}.part`;
const wholeOf = (out: string): string => `${out}.part.whole`;
const journalOf = (out: string): string => `${out}.part.json`;

/** The journal of an interrupted run of the same key. */
export async function readJournal(out: string, key: string): Promise<Journal | undefined> {
  try {
    const journal = JSON.parse(await readFile(journalOf(out), 'utf8')) as Journal;
    const { size } = await stat(partOf(out));
    return journal.key === key && size >= journal.bytes ? journal : undefined;
  } catch {
    return undefined;
  }
}

async function writeBeside(path: string, body: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, 'w');
  try {
    await body(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Opens the part of a file, after the bytes that an earlier run has kept. */
export async function openPart(out: string, kept: number | undefined): Promise<Sink> {
  let handle: FileHandle;
  try {
    handle = await open(partOf(out), kept === undefined ? 'w+' : 'r+');
    if (kept !== undefined) await handle.truncate(kept);
  } catch (error) {
    return fail(`cannot write ${partOf(out)}: ${reasonOf(error)}; choose another --out`);
  }
  let at = kept ?? 0;
  const put = async (bytes: Uint8Array, position: number): Promise<void> => {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      done += bytesWritten;
    }
  };
  return {
    isOpen: true,
    async write(bytes) {
      await put(bytes, at);
      at += bytes.length;
    },
    async keep(journal) {
      await handle.datasync();
      await writeWhole(journalOf(out), Buffer.from(`${JSON.stringify(journal)}\n`));
    },
    async finish({ header, assemble } = {}) {
      if (header) await put(header, 0);
      await handle.sync();
      if (assemble) await writeBeside(wholeOf(out), (whole) => assemble(handle, at, whole));
      await handle.close();
      await rename(assemble ? wholeOf(out) : partOf(out), out);
      await rm(partOf(out), { force: true });
      await rm(journalOf(out), { force: true });
    },
    async close() {
      await handle.close().catch(() => {});
    },
  };
}
