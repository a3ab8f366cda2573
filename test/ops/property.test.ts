/**
 * The float32 kernels of both SIMD variants against the float64 reference, on random
 * configurations: outputs and final states within 2e-6 of the largest magnitude (with options
 * 5e-6), every gradient within 1e-4 by norm (with options 1e-3), streams equal to whole sequences
 * to the bit. The seed is fixed, so that a change either passes or fails; test/slow draws another one
 * for every run.
 */
import { expect, it } from 'vitest';
import { describeAgreement } from '../support/agreement-suite.ts';
import { checkConfiguration, createCampaign } from '../support/agreement.ts';
import type { Configuration } from '../support/configuration.ts';
import { createEngine } from '../support/engines.ts';

describeAgreement({ seed: Number(process.env['GATEFOLD_SEED'] ?? 20240), runs: 60 });

/** Of what other seeds drew: configurations with numbers that no float32 can follow. */
const BEYOND: Readonly<Record<string, Omit<Configuration, 'variant'>>> = {
  'cells that nearly cancel before a layer norm': {
    description: {
      layers: [
        {
          type: 'lstm',
          peephole: 'cell',
          inputForget: true,
          inputSize: 4,
          hiddenSize: 2,
          numLayers: 2,
          bidirectional: true,
          projSize: 1,
          projClip: 0.36717564405407754,
          cellClip: 0.9726854993961751,
          clip: 0.3639727919828147,
          activations: [
            { type: 'elu', alpha: 0.20793016771785916 },
            { type: 'scaledTanh', alpha: 1.197004993679002, beta: 0.620235200971365 },
            'softplus',
            { type: 'elu', alpha: 1.038082731468603 },
            'elu',
            'tanh',
          ],
          zoneout: 0.5,
          layerNorm: true,
          dropout: 0.7,
          inputDropout: 0.5,
          recurrentDropout: 0.2,
        },
        { type: 'linear', outFeatures: 5 },
      ],
    },
    dims: { steps: 8, batch: 3, padding: 'repeat' },
    ragged: true,
    batchFirst: false,
    zeroInitialState: false,
    spare: 0,
    gradientLimit: Infinity,
    gain: 0.3,
    seed: 1735402325,
  },
  'cells beyond the numbers of float32, whose outputs are clipped': {
    description: {
      layers: [
        {
          type: 'lstm',
          peephole: 'cell',
          inputSize: 4,
          hiddenSize: 3,
          projSize: 2,
          projClip: 0.20159778909292073,
          activations: [
            'silu',
            'gelu',
            { type: 'affine', alpha: -0.029555327724665403, beta: -0.7846612697467208 },
          ],
        },
      ],
    },
    dims: { steps: 12, batch: 3 },
    ragged: false,
    batchFirst: false,
    zeroInitialState: true,
    spare: 0,
    gradientLimit: Infinity,
    gain: 1,
    seed: 114,
  },
};

it.each(Object.entries(BEYOND))('roundings are no faults: %s', (_, configuration) => {
  const engine = createEngine('baseline');
  const campaign = createCampaign(/* with options */ true);
  checkConfiguration(campaign, engine, { ...configuration, variant: 'baseline' });
  expect(campaign.configurations + campaign.skipped).toBe(1);
  engine.dispose();
});
