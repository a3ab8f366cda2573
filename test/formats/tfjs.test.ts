import { beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../support/tfjs-models.ts';
import { checkModels } from './tfjs-oracle.ts';

beforeAll(prepare);

describe('layers models of TensorFlow.js', () => {
  it('gives the outputs of TensorFlow.js, and trains as it does, in all containers', async () => {
    const worst = await checkModels(1, 20);
    expect(worst.trained).toBeGreaterThan(5);
    expect(worst.written).toBeGreaterThan(10);
  });
});
