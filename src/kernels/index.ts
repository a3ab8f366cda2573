/**
 * `gatefold/kernels`: the package's own primitives on typed arrays, for those who build something
 * else on them.
 */

export { Kernels } from './primitives.ts';
export type * from './cells.ts';
export type * from './conv1d.ts';
export type * from './layers.ts';
export type * from './matmul.ts';
export type * from './primitives.ts';
