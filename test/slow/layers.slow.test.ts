import { describeLayerAgreement } from '../support/agreement-suite.ts';
import { describeLayerGradcheck } from '../support/gradcheck.ts';

const seed = Number(process.env['GATEFOLD_SEED'] ?? Date.now() % 2 ** 31);

describeLayerGradcheck({ cases: 200, most: 8 });
describeLayerAgreement({ seed, runs: 200 });
