/**
 * Random models with convolutions, normalisations, activations and single biases among recurrent
 * layers against the float64 reference, whole and as streams; and that reference against central
 * differences.
 */
import { describeLayerAgreement } from './support/agreement-suite.ts';
import { describeLayerGradcheck } from './support/gradcheck.ts';

describeLayerGradcheck({ cases: 25, most: 3 });
describeLayerAgreement({ seed: Number(process.env['GATEFOLD_SEED'] ?? 4711), runs: 20 });
