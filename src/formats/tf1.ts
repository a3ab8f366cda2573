export { loadTf1, readTf1 } from './tf1/read.ts';
export type { Tf1Options } from './tf1/read.ts';
export type { Tf1Source } from './tf1/files.ts';
export type { ImportedModel } from './shared/imported.ts';
