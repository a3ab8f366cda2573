/** Where a run stands, for people. */
export interface Standing {
  readonly epoch: number;
  readonly epochs: number;
  /** Updates made, of all. */
  readonly update: number;
  readonly updates: number;
  readonly bits: number;
  /** Of the last validation. */
  readonly validationBits?: number | undefined;
  readonly gradNorm: number;
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
}

const LIVE_INTERVAL_MS = 100;
/** Lines of a whole run where the output is no terminal. */
const PLAIN_LINES = 20;
const ERASE_LINE = '\r\x1b[K';

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function describe(at: Standing): string {
  const validated = at.validationBits;
  return [
    `epoch ${at.epoch}/${at.epochs}`,
    `${Math.floor((100 * at.update) / at.updates)} %`,
    `${at.bits.toFixed(3)} bits/char`,
    ...(validated === undefined ? [] : [`validation ${validated.toFixed(3)}`]),
    `gradient ${at.gradNorm.toFixed(2)}`,
    `${Math.round(at.tokensPerSecond).toLocaleString('en')} tokens/s`,
    `${clock(at.secondsLeft)} left`,
  ].join('  ');
}

/** One line that keeps changing on a terminal; elsewhere a line now and then. */
export class Progress {
  readonly #output: NodeJS.WriteStream;
  #shownMs = -Infinity;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  show(at: Standing): void {
    if (!this.#output.isTTY) {
      const every = Math.ceil(at.updates / PLAIN_LINES);
      if (at.update % every === 0 || at.update === at.updates)
        this.#output.write(`${describe(at)}\n`);
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < LIVE_INTERVAL_MS && at.update < at.updates) return;
    this.#shownMs = nowMs;
    const width = Math.max((this.#output.columns || 80) - 1, 1);
    this.#output.write(ERASE_LINE + describe(at).slice(0, width));
  }

  /** Ends the live line, so that what follows stands below it. */
  end(): void {
    if (this.#output.isTTY && this.#shownMs > -Infinity) this.#output.write('\n');
  }
}
