// Philox4x32-10, after Salmon et al. 2011: asc and tsc read this file as it is.

/** Multipliers of a round, and what a round adds to the key. */
export const M0 = 0xd2511f53;
export const M1 = 0xcd9e8d57;
export const W0 = 0x9e3779b9;
export const W1 = 0xbb67ae85;
export const ROUNDS = 10;
