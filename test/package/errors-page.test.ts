/** docs/reference/errors.md has every code, and the messages that it shows are those of src/. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/consumer.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = read('docs/reference/errors.md');

test('every code has its part, and every part its code', () => {
  const union = /export type ErrorCode =([^;]+);/.exec(read('src/base/errors.ts'))![1]!;
  const codes = [...union.matchAll(/'(ERR_\w+)'/g)].map(([, code]) => code);
  const parts = [...page.matchAll(/^## (ERR_\w+)$/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(8);
  expect(parts).toEqual(codes);
});

test('every code has a message with cause and cure', () => {
  for (const part of page.split(/^## /m).filter((text) => text.startsWith('ERR_'))) {
    const rows = part.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows.length, part.slice(0, 20)).toBeGreaterThan(0);
    for (const row of rows) {
      const [message, cause, cure] = row.split(/(?<!\\)\|/).slice(1, -1);
      expect(
        [message, cause, cure].every((cell) => cell!.trim().length > 5),
        row,
      ).toBe(true);
    }
  }
});

test('the messages are in the sources', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => read(`src/${path}`))
    .join('\n')
    // Texts that are joined by + are one text.
    .replace(/['`] \+\s+['`]/g, '');
  const messages = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, message]) => message!);
  expect(messages.length).toBeGreaterThan(20);
  for (const message of messages) {
    for (const text of message.split('…').map((part) => part.trim())) {
      if (/\w/.test(text)) expect(sources.includes(text), `${message}: ${text}`).toBe(true);
    }
  }
});
