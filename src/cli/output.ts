import { printable } from '../base/errors.ts';

/** Writes text, the only way it reaches the terminal: lines and tabs act, all else is shown. */
export function say(text: string): boolean {
  return process.stdout.write(text.replace(/[^\n\t]+/g, (part) => printable(part)));
}

/** One line for people, apart from what the command writes. */
export function warn(message: string): void {
  process.stderr.write(`gatefold: ${printable(message)}\n`);
}
