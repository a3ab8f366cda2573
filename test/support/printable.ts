import { expect } from 'vitest';

/** Characters that a terminal obeys, reorders or breaks a line at, but for line feeds and tabs. */
function acts(point: number): boolean {
  const isControl = point < 0x20 ? point !== 0x0a && point !== 0x09 : point >= 0x7f && point < 0xa0;
  const isMark = [0x061c, 0x200e, 0x200f].includes(point);
  const isOrder = (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
  return isControl || isMark || isOrder;
}

/** Fails where a text would do more than be shown. */
export function expectPrintable(text: string): void {
  const points = Array.from(text, (character) => character.codePointAt(0)!);
  expect(points.filter(acts).map((point) => point.toString(16))).toEqual([]);
}

/** Sets a window's title, clears the screen, ends the line, turns the reading direction. */
export const NASTY =
  '\u001b]0;PWNED\u0007\u001b[2J\r\u0000\u007f\u009b31m\u202egpj.\u2066\u2028\u2029\u061c\ufffe';
