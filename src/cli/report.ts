import type { Vocabulary } from '../data/text.ts';
import type { Model } from '../hosts/default.ts';
import type { Settings } from './run.ts';
import { write } from './sample.ts';
import { chartColumns, markOf, plot, shrink } from './plot.ts';
import { wordOf } from './shell.ts';

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
  /** Updates after which was validated, with the loss in bits. */
  readonly validations: readonly (readonly [update: number, bits: number])[];
  readonly model: Model;
  readonly vocabulary: Vocabulary;
  readonly settings: Settings;
  readonly out: string;
}

/** The loss of training in bits as a line, and that of the validations upon it. */
function chart({ losses, validations }: Results): string {
  const bits = shrink(losses, chartColumns()).map((nats) => nats / Math.LN2);
  const marks = bits.map(() => NaN);
  for (const [update, validation] of validations) {
    marks[Math.ceil((update * bits.length) / losses.length) - 1] = validation;
  }
  const all = [...bits, ...validations.map(([, validation]) => validation)];
  const [min, max] = [Math.min(...all), Math.max(...all)];
  const format = (value: number): string => value.toFixed(2);
  const height = CHART_ROWS;
  return plot([bits, marks], { height, min, max: Math.max(max, min + 1e-6), format });
}

/** What a finished run says. */
export function report(results: Results): string {
  const { bits, best, trigram, counted, validations, model, vocabulary, settings, out } = results;
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
    `loss in bits/char: ${markOf(0)} training${validations.length ? `, ${markOf(1)} validation` : ''}`,
    chart(results),
    '',
    `a sample at temperature ${SAMPLE_TEMPERATURE}:`,
    sample,
    '',
    `saved to ${out}`,
    `write more with: gatefold sample ${wordOf(out)}`,
    '',
  ].join('\n');
}
