import { describe, expect, it } from 'vitest';
import { GatefoldError, printable, shorten } from '../../src/base/errors.ts';
import { NASTY, expectPrintable } from '../support/printable.ts';

describe('printable', () => {
  it('escapes exactly what would act', () => {
    expect(printable('\u001b[31m\u009b\n\u2028\u202e\ufffe')).toBe(
      '\\u001b[31m\\u009b\\u000a\\u2028\\u202e\\ufffe',
    );
    expect(printable('\u{1fffe}')).toBe('\\u{1fffe}');
    expect(printable('half \ud83d')).toBe('half \\ud83d');
    const shown = 'café 😀 日本 עברית العربية 👩‍👩‍👧 "\\u001b" …';
    expect(printable(shown)).toBe(shown);
  });

  it('leaves no character that the test knows', () => {
    const points = Array.from({ length: 0x110000 }, (_, point) => String.fromCodePoint(point));
    expectPrintable(printable(points.join('')));
  });
});

it('a message is one line that is safe to print, and so is the stack', () => {
  const error = new GatefoldError('ERR_ARGUMENT', `"${NASTY}\n" is wrong`);
  expectPrintable(error.message);
  expect(error.message).not.toContain('\n');
  expect(error.message).toContain('\\u001b]0;PWNED\\u0007');
  expectPrintable(error.stack!);
});

it('a long text is cut where it is shown', () => {
  expect(shorten('n'.repeat(1e6))).toHaveLength(81);
  expect(shorten('short')).toBe('short');
});
