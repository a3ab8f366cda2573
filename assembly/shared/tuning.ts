// Sizes that both halves cut their work by: asc and tsc read this file as it is.

/** Bytes that one chunk of steps may fill before they are used: half of a second-level cache. */
export const CHUNK_BYTES = 1048576;
/** A chunk has at least that many steps, whatever they fill. */
export const CHUNK_STEPS = 8;
/**
 * Rows whose gradients of weights are summed before the sum is put aside: a power of two. A window
 * of fewer needs no place for it.
 */
export const SUM_ROWS = 1024;
/** Inputs from which on each tap of a convolution has a sum of its own. */
export const TAP_SUM = 64;
