/**
 * How long is measured: rounds of so many milliseconds in so many fresh processes (in a page: so
 * many fresh models).
 */
export const THOROUGH = { processes: 3, timing: { rounds: 5, roundMs: 60, warmUpMs: 300 } };
export const QUICK = { processes: 1, timing: { rounds: 2, roundMs: 20, warmUpMs: 50 } };
