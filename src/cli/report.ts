import asciichart from 'asciichart';
import type { Vocabulary } from '../data/text.ts';
import type { Model } from '../hosts/default.ts';
import type { Settings } from './run.ts';
import { write } from './sample.ts';
import { wordOf } from './shell.ts';

export const CHART_COLUMNS = 64;
const CHART_ROWS = 8;
const SAMPLE_CHARACTERS = 400;
const SAMPLE_TEMPERATURE = 0.7;

export interface Results {
  /** Validation loss in bits per character, and that of the n-gram model. */
  readonly bits: number;
  /** The epoch that is kept, where epochs were compared, and the last one. */
  readonly best: { readonly epoch: number; readonly last: number } | undefined;
  readonly trigram: number;
  /** Characters that it was counted on, where the text has more. */
  readonly counted: number | undefined;
  /** Of every update, in nats. */
  readonly losses: readonly number[];
  readonly model: Model;
  readonly vocabulary: Vocabulary;
  readonly settings: Settings;
  readonly out: string;
}

/** Means of equal stretches, one a column. */
export function shrink(values: readonly number[], columns: number): number[] {
  const count = Math.min(columns, values.length);
  return Array.from({ length: count }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / count),
      Math.floor(((i + 1) * values.length) / count),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

function chart(losses: readonly number[]): string {
  const bits = shrink(losses, CHART_COLUMNS).map((nats) => nats / Math.LN2);
  const format = (value: number): string => value.toFixed(2).padStart(6);
  return asciichart.plot(bits, { height: CHART_ROWS, format });
}

/** What a finished run says. */
export function report(results: Results): string {
  const { bits, best, trigram, counted, losses, model, vocabulary, settings, out } = results;
  const change = Math.round(100 * (1 - bits / trigram));
  const compared = change >= 0 ? `${change} % below` : `${-change} % above`;
  const part =
    counted === undefined ? '' : `, its first ${counted.toLocaleString('en')} characters`;
  const options = {
    prime: '',
    length: SAMPLE_CHARACTERS,
    temperature: SAMPLE_TEMPERATURE,
    seed: settings.seed,
  };
  const sample = [...write(model, vocabulary, options)].join('');
  return [
    '',
    `validation loss   ${bits.toFixed(3)} bits/char, ${compared} the n-gram model`,
    ...(best ? [`best epoch        ${best.epoch} of ${best.last}, kept`] : []),
    `order-2 n-gram    ${trigram.toFixed(3)} bits/char on the same split${part}`,
    '',
    'training loss, bits/char',
    chart(losses),
    '',
    `a sample at temperature ${SAMPLE_TEMPERATURE}:`,
    sample,
    '',
    `saved to ${out}`,
    `write more with: gatefold sample ${wordOf(out)}`,
    '',
  ].join('\n');
}
