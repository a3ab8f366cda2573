/** Columns of a terminal, or of what reads the output in its place. */
export function columns(): number {
  return Math.max(40, process.stdout.columns || 80);
}

/**
 * Rows as lines of aligned columns: the first to the left, those of numbers to the right. The
 * widest text column is cut so that lines fit.
 */
export function tableOf(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [titles, ...rows];
  const widths = titles.map((_, k) => Math.max(...all.map((row) => (row[k] ?? '').length)));
  const isNumber = titles.map((_, k) =>
    rows.every((row) => row[k] === undefined || /^[-+]?[\d.,e+-]*( ?[%a-zA-Z/]+)?$/.test(row[k])),
  );
  const over = widths.reduce((sum, width) => sum + width + 2, -2) - columns();
  if (over > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = Math.max(8, widths[widest]! - over);
  }
  const cell = (text: string, k: number): string => {
    const width = widths[k]!;
    const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
    return isNumber[k] && k > 0 ? cut.padStart(width) : cut.padEnd(width);
  };
  const line = (row: readonly string[]): string =>
    titles
      .map((_, k) => cell(row[k] ?? '', k))
      .join('  ')
      .trimEnd();
  const rule = '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  return [line(titles), rule, ...rows.map(line)].join('\n');
}

/** A text in lines that fit beside `indent` columns, cut between words. */
export function wrapped(text: string, indent = 0): string {
  const width = columns() - indent;
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}

const UNITS = ['B', 'KB', 'MB', 'GB'];

/** Bytes as people say them. */
export function inBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

/** A duration as people say it. */
export function inTime(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(2)} us`;
  return seconds < 1 ? `${(seconds * 1e3).toFixed(2)} ms` : `${seconds.toFixed(2)} s`;
}
