// What every example needs of a terminal: options, a line of progress, tables.
import { parseArgs } from 'node:util';

/**
 * The options of the command line; `--help` prints `usage` and ends the program, so does an option
 * that is wrong.
 *
 * @param {string} usage
 * @param {Record<string, string | number | boolean>} full Defaults by name. The kind of a default
 *   is the kind of its option.
 * @param {Record<string, string | number | boolean>} quick Those that are others with `--quick`.
 */
export function readOptions(usage, full, quick) {
  const named = Object.entries({ help: false, quick: false, ...full });
  const kinds = named.map(([name, value]) => [
    name,
    { type: typeof value === 'boolean' ? 'boolean' : 'string' },
  ]);
  try {
    const { values } = parseArgs({ options: Object.fromEntries(kinds) });
    process.once('uncaughtException', ({ message }) => {
      console.error(`error: ${message}`);
      process.exit(1);
    });
    if (values.help) {
      console.log(usage.trim());
      process.exit(0);
    }
    const defaults = values.quick ? { ...full, ...quick } : full;
    const convert = ([name, value]) => [name, converted(name, values[name], value)];
    return Object.fromEntries(Object.entries(defaults).map(convert));
  } catch (error) {
    console.error(`${error.message}\n\n${usage.trim()}`);
    process.exit(2);
  }
}

function converted(name, given, fallback) {
  if (given === undefined) return fallback;
  if (typeof fallback !== 'number') return given;
  const number = Number(given);
  if (given !== '' && Number.isFinite(number) && number >= 0) return number;
  throw new Error(`--${name} expected a number of at least 0, got '${given}'`);
}

/**
 * A line that keeps changing on a terminal; elsewhere a line every few seconds, and the last one.
 */
export class Progress {
  #shownMs = -Infinity;
  #line = '';

  show(line) {
    const isLive = process.stderr.isTTY;
    this.#line = line;
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < (isLive ? 100 : 5000)) return;
    this.#shownMs = nowMs;
    this.#write();
  }

  #write() {
    const { isTTY, columns = 80 } = process.stderr;
    process.stderr.write(isTTY ? `\r\x1b[K${this.#line.slice(0, columns - 1)}` : `${this.#line}\n`);
    this.#line = '';
  }

  /** Shows what was said last, and goes on below it. */
  end() {
    if (this.#line) this.#write();
    if (process.stderr.isTTY) process.stderr.write('\n');
    this.#shownMs = -Infinity;
  }
}

/**
 * Trains and tells of it; returns the seconds that it took.
 *
 * @param {import('gatefold').Trainer} trainer
 * @param {string} name Before every line.
 */
export async function train(trainer, data, options, name) {
  const progress = new Progress();
  const start = performance.now();
  let mean = 0;
  for await (const report of trainer.fit(data, options)) {
    const { epoch, epochs, update, updates, loss, validationLoss } = report;
    const seen = (update - 1) % (updates / epochs);
    mean = (mean * seen + loss) / (seen + 1);
    const seconds = (performance.now() - start) / 1000;
    const left = Math.ceil((seconds / update) * (updates - update));
    const validation = validationLoss === undefined ? '' : `, unseen ${validationLoss.toFixed(3)}`;
    progress.show(
      `${name}  pass ${epoch}/${epochs}  ${Math.floor((100 * update) / updates)} %  ` +
        `loss ${mean.toFixed(3)}${validation}  ${left} s left`,
    );
  }
  progress.end();
  return (performance.now() - start) / 1000;
}

/** Columns under a headline: the first to the left, the others to the right. */
export function table(headline, rows) {
  const lines = [headline, ...rows].map((row) => row.map(String));
  const widths = headline.map((_, k) => Math.max(...lines.map((line) => line[k].length)));
  const pad = (text, k) => (k ? text.padStart(widths[k]) : text.padEnd(widths[k]));
  const texts = lines.map((line) => line.map(pad).join('  ').trimEnd());
  return [texts[0], widths.map((width) => '-'.repeat(width)).join('  '), ...texts.slice(1)].join(
    '\n',
  );
}

export const percent = (share) => `${(100 * share).toFixed(1)} %`;
