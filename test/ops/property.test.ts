/**
 * The float32 kernels of both SIMD variants against the float64 reference, on random
 * configurations: outputs and final states within 2e-6 of the largest magnitude (with options
 * 5e-6), every gradient within 1e-4 by norm, streams equal to whole sequences to the bit. The seed
 * is fixed, so that a change either passes or fails; test/slow draws another one for every run.
 */
import { describeAgreement } from '../support/agreement-suite.ts';

describeAgreement({ seed: Number(process.env['GATEFOLD_SEED'] ?? 20240), runs: 200 });
