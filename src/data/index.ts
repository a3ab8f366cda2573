/**
 * Sequences cut into batches for `Trainer.fit`: the same seed gives the same order in every host.
 */

export { Normalizer } from './normalizer.ts';
export { SequenceBuckets } from './sequences.ts';
export type { BucketOptions, LabelledSequence, SequenceBatch } from './sequences.ts';
export { SeriesWindows } from './series.ts';
export type { SeriesOptions, SeriesWindow } from './series.ts';
export { splitSequences, splitSeries } from './split.ts';
export type { SequenceSplitOptions, SeriesSplitOptions, Split } from './split.ts';
export { TextBatches, UNKNOWN, Vocabulary, splitByPosition } from './text.ts';
export type { TextWindow } from './text.ts';
