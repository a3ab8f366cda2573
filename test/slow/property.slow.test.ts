import { describeAgreement } from '../support/agreement-suite.ts';

const seed = Number(process.env['GATEFOLD_SEED'] ?? Date.now() % 2 ** 31);

describeAgreement({ seed, runs: 2000 });
