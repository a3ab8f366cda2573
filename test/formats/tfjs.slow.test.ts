import { beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../support/tfjs-models.ts';
import { checkModels } from './tfjs-oracle.ts';

beforeAll(prepare);

describe('layers models of TensorFlow.js', () => {
  it('gives the outputs of TensorFlow.js, and trains as it does, for 500 models', async () => {
    const worst = await checkModels(1000, 500);
    console.log(worst);
    expect(worst.trained).toBeGreaterThan(100);
    expect(worst.written).toBeGreaterThan(300);
  });
});
