import { checkInteger, checkKeys, checkList, checkNumber, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { checkHorizons, checkSeries } from './series.ts';
import type { SeriesOptions } from './series.ts';
import { ORDER, checkSeed, shuffled } from './shuffle.ts';

/** What is learned from, and what is not. */
export interface Split<T> {
  /** What is learned from. */
  readonly training: T;
  /** What is measured on. */
  readonly validation: T;
}

/** How `splitSeries` divides. */
export interface SeriesSplitOptions extends Pick<SeriesOptions, 'steps' | 'features' | 'horizon'> {
  /** Share of the steps that come before the gap; default 0.8. */
  readonly training?: number;
  /** Steps between the parts, at least the longest horizon and a window, which is the default. */
  readonly gap?: number;
}

/**
 * The past of a series and its future, views both. The steps between them are in neither: no window
 * of the one shares an input or a target with a window of the other, or follows it at once.
 *
 * @example
 *   const { training, validation } = splitSeries(series, { steps: 50 });
 */
export function splitSeries(
  given: ArrayLike<number>,
  options: SeriesSplitOptions,
): Split<Float32Array> {
  checkKeys('options', options, ['steps', 'features', 'horizon', 'training', 'gap']);
  const features = checkInteger('features', options.features ?? 1, 1);
  const steps = checkInteger('steps', options.steps, 1);
  const least = steps + Math.max(...checkHorizons(options.horizon));
  const gap = checkInteger('gap', options.gap ?? least, least);
  const share = checkNumber('training', options.training ?? 0.8, 0, 1);
  const series = checkSeries(given, features);
  const length = series.length / features;
  const end = Math.floor(length * share);
  const begin = end + gap;
  if (end >= least && length - begin >= least) {
    return {
      training: series.subarray(0, end * features),
      validation: series.subarray(begin * features),
    };
  }
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"series" expected at least ${least} steps before and behind a gap of ${gap}, got ${end} and ${length - begin}`,
  );
}

/** How `splitSequences` divides. */
export interface SequenceSplitOptions<T> {
  /** Share of the sequences (about, where they are in groups) that is learned from; default 0.8. */
  readonly training?: number;
  /**
   * What must stay on one side of the split, such as the speaker of a recording; default each
   * sequence by itself.
   */
  readonly group?: (sequence: T, index: number) => string | number;
  /** Of the choice; default 0. */
  readonly seed?: number;
}

/**
 * Some sequences at random, and the others, both in their order.
 *
 * @example
 *   const { training, validation } = splitSequences(sequences, { training: 0.9 });
 */
export function splitSequences<T>(
  sequences: readonly T[],
  options: SequenceSplitOptions<T> = {},
): Split<T[]> {
  checkKeys('options', options, ['training', 'group', 'seed']);
  const share = checkNumber('training', options.training ?? 0.8, 0, 1);
  const seed = checkSeed(options.seed);
  const { group = (_, index) => index } = options;
  if (typeof group !== 'function') {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"group" expected a function of a sequence, got ${show(group)}`,
    );
  }
  const all = Array.from(checkList('sequences', sequences));
  const groupOf = all.map(group);
  const groups = [...new Set(groupOf)];
  const sizes = new Map<string | number, number>();
  for (const name of groupOf) sizes.set(name, (sizes.get(name) ?? 0) + 1);
  const chosen = new Set<string | number>();
  let count = 0;
  for (const place of shuffled(groups.length, seed, 0, ORDER.split)) {
    const size = sizes.get(groups[place]!)!;
    // A group goes where it leaves the count closer to what was asked for.
    if (count + size / 2 > all.length * share) continue;
    chosen.add(groups[place]!);
    count += size;
  }
  return {
    training: all.filter((_, i) => chosen.has(groupOf[i]!)),
    validation: all.filter((_, i) => !chosen.has(groupOf[i]!)),
  };
}
