/** Sequences cut into batches for `Trainer.fit`: the same seed gives the same order in every host. */

export { Normalizer } from './data/normalizer.ts';
export { SequenceBuckets } from './data/sequences.ts';
export type { BucketOptions, LabelledSequence, SequenceBatch } from './data/sequences.ts';
export { SeriesWindows } from './data/series.ts';
export type { SeriesOptions, SeriesWindow } from './data/series.ts';
export { splitSequences, splitSeries } from './data/split.ts';
export type { SequenceSplitOptions, SeriesSplitOptions, Split } from './data/split.ts';
export { TextBatches, UNKNOWN, Vocabulary, splitByPosition } from './data/text.ts';
export type { TextWindow } from './data/text.ts';
