import { describeGradcheck } from '../support/gradcheck.ts';

describeGradcheck(300, 8);
