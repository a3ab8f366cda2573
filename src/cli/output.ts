import { printable } from '../base/errors.ts';
import { reasonOf } from './failure.ts';

/** Why the output takes no more, and who wants to know. */
let broken: NodeJS.ErrnoException | undefined;
const waiting = new Set<() => void>();

/** Makes an output that ends or fails a fact to ask for, rather than the end of the process. */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    broken ??= error;
    for (const tell of waiting) tell();
  });
  // Where nothing can be said, the status has to do.
  process.stderr.on('error', () => {});
}

/** Why nothing that is said is read any more: the reader is gone, or could not keep it. */
export function outputFault(): { readonly isClosed: boolean; readonly reason: string } | undefined {
  if (!broken) return undefined;
  // A terminal that is gone says EIO.
  const isClosed = broken.code === 'EPIPE' || (broken.code === 'EIO' && process.stdout.isTTY);
  return { isClosed, reason: isClosed ? 'nobody reads it any more' : reasonOf(broken) };
}

/** Calls `tell` when the output fails, until the function that it returns is called. */
export function onOutputFault(tell: () => void): () => void {
  waiting.add(tell);
  return () => waiting.delete(tell);
}

/** Writes text, the only way it reaches the terminal: lines and tabs act, all else is shown. */
export function say(text: string): boolean {
  if (broken) return true;
  return process.stdout.write(text.replace(/[^\n\t]+/g, (part) => printable(part)));
}

/** Waits until the output takes more, or never will. */
export function drained(): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      process.stdout.off('drain', done);
      stop();
      resolve();
    };
    const stop = onOutputFault(done);
    process.stdout.on('drain', done);
    if (broken) done();
  });
}

/** One line for people, apart from what the command writes. */
export function warn(message: string): void {
  process.stderr.write(`gatefold: ${printable(message)}\n`);
}
