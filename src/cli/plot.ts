import asciichart from 'asciichart';
import { columns } from './models/table.ts';

/** Columns before a chart: labels and the axis. */
export const LABELS = 9;
const MOST_COLUMNS = 160;

/** Columns of a chart itself, in the terminal as it is. */
export const chartColumns = (): number => Math.min(columns() - LABELS - 1, MOST_COLUMNS);

/** Marks of the lines after the first, which is drawn as a line: they differ without colour. */
export const MARKS: readonly string[] = [...'ox+*#@%&'];

/** What a line of a chart looks like. */
export const markOf = (index: number): string => (index === 0 ? '──' : MARKS[index - 1]!);

/** Means of equal stretches, one a column. */
export function shrink(values: readonly number[], count: number): number[] {
  const columnCount = Math.min(count, values.length);
  return Array.from({ length: columnCount }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / columnCount),
      Math.floor(((i + 1) * values.length) / columnCount),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

export interface Plot {
  readonly height: number;
  readonly min: number;
  readonly max: number;
  readonly format: (value: number) => string;
}

/** Columns of a chart: a line, and others as marks upon it; NaN leaves a column out. */
export function plot(
  [first, ...others]: readonly (readonly number[])[],
  { height, min, max, format }: Plot,
): string {
  const label = (value: number): string => format(value).padStart(LABELS - 2);
  // The first value stands on the axis.
  const series = [first![0]!, ...first!];
  const lines = asciichart.plot(series, { height, min, max, format: label }).split('\n');
  const cells = lines.map((line) => [...line.padEnd(LABELS + first!.length)]);
  others.forEach((values, k) => {
    values.forEach((value, column) => {
      const row = Math.round(((max - value) / (max - min)) * height);
      if (row in cells) cells[row]![LABELS + column] = MARKS[k]!;
    });
  });
  return cells.map((line) => line.join('').trimEnd()).join('\n');
}
