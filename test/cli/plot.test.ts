/** Charts of a terminal: as wide as it is, and legible without colour. */
import { afterEach, expect, it } from 'vitest';
import { LABELS, chartColumns, plot, shrink } from '../../src/cli/plot.ts';
import { wrapped } from '../../src/cli/models/table.ts';

const { columns } = process.stdout;
afterEach(() => {
  process.stdout.columns = columns;
});

it.each([60, 80, 120])('a terminal of %i columns is used, and no line is longer', (width) => {
  process.stdout.columns = width;
  const values = Array.from({ length: 1000 }, (_, t) => Math.sin(t / 90));
  const format = (value: number): string => value.toFixed(2);
  const chart = plot([shrink(values, chartColumns())], { height: 8, min: -1, max: 1, format });
  const longest = Math.max(...chart.split('\n').map((line) => line.length));
  expect(longest).toBe(width - 1);
  const text = 'some words that are more than one line '.repeat(6).trim();
  const lines = wrapped(text).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
  expect(lines.join(' ')).toBe(text);
});

it('marks the lines after the first, each at its height', () => {
  const format = String;
  const options = { height: 4, min: 0, max: 4, format };
  const rows = plot(
    [
      [0, 0, 0],
      [4, NaN, 2],
      [NaN, 3, 2],
    ],
    options,
  ).split('\n');
  const cells = rows.map((row) => row.slice(LABELS).padEnd(3));
  expect(cells).toEqual(['o  ', ' x ', '  x', '   ', '───']);
  expect(rows.map((row) => Number.parseFloat(row))).toEqual([4, 3, 2, 1, 0]);
});

it('means of equal stretches', () => {
  expect(shrink([1, 3, 5, 7], 2)).toEqual([2, 6]);
  expect(shrink([1, 3], 9)).toEqual([1, 3]);
});
