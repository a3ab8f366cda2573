/** How far a run over many records has come, for people. */

import { inBytes } from '../models/table.ts';

const [LIVE_MS, PLAIN_MS] = [200, 10_000];
const ERASE_LINE = '\r\x1b[K';

/** A whole number with commas; `toLocaleString` first loads 50 ms worth of tables. */
const grouped = (count: number): string => String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** One line on the errors' output: one that changes on a terminal, elsewhere one now and then. */
export class Meter {
  readonly #total: number | undefined;
  readonly #output = process.stderr;
  readonly #startMs = performance.now();
  #shownMs = this.#startMs;
  #records = 0;
  #bytes = 0;

  /** @param total bytes of input, where that is known. */
  constructor(total: number | undefined) {
    this.#total = total;
  }

  add(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    const nowMs = performance.now();
    const { isTTY, columns } = this.#output;
    if (nowMs - this.#shownMs < (isTTY ? LIVE_MS : PLAIN_MS)) return;
    this.#shownMs = nowMs;
    const line = this.#line();
    this.#output.write(isTTY ? ERASE_LINE + line.slice(0, (columns || 80) - 1) : `${line}\n`);
  }

  get #seconds(): number {
    return (performance.now() - this.#startMs) / 1e3;
  }

  #rates(): string {
    const seconds = this.#seconds;
    const records = grouped(Math.round(this.#records / seconds));
    return `${records} records/s  ${inBytes(this.#bytes / seconds)}/s`;
  }

  #line(): string {
    const parts = [`${grouped(this.#records)} records`, this.#rates()];
    if (this.#total) {
      const left = (this.#seconds * (this.#total - this.#bytes)) / Math.max(this.#bytes, 1);
      parts.unshift(`${Math.floor((100 * this.#bytes) / this.#total)} %`);
      parts.push(`${clock(left)} left`);
    }
    return parts.join('  ');
  }

  /** Ends the live line. */
  end(): void {
    if (this.#output.isTTY && this.#shownMs > this.#startMs) this.#output.write(ERASE_LINE);
  }

  summary(records: number): string {
    const all = `${grouped(records)} records in ${this.#seconds.toFixed(1)} s`;
    return `${all}, ${this.#rates().replace('  ', ', ')}`;
  }
}
