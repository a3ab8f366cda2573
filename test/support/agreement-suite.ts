import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { checkConfiguration, createCampaign } from './agreement.ts';
import { cellForms } from './cells.ts';
import { cellConfiguration, stackConfiguration, type Configuration } from './configuration.ts';
import { createEngine, variants } from './engines.ts';

/** A failure prints the seed and the smallest configuration that still fails. */
export interface CampaignOptions {
  readonly seed: number;
  /** Configurations for each form of cell, and as many stacks of layers. */
  readonly runs: number;
}

/** Registers the tests of a campaign of random configurations. */
export function describeAgreement({ seed, runs }: CampaignOptions): void {
  const engines = new Map(variants.map((variant) => [variant, createEngine(variant)]));
  const campaign = createCampaign();
  const timeout = runs * 1000;

  const agree = (configurations: fc.Arbitrary<Configuration>): void => {
    fc.assert(
      fc.property(configurations, (configuration) =>
        checkConfiguration(campaign, engines.get(configuration.variant)!, configuration),
      ),
      { seed, numRuns: runs },
    );
  };

  describe('kernels and reference agree', () => {
    for (const [name, form] of Object.entries(cellForms)) {
      it(`${name}: ${runs} random configurations`, { timeout }, () => {
        agree(cellConfiguration(form));
      });
    }

    it(`stacks of layers: ${runs} random configurations`, { timeout }, () => {
      agree(stackConfiguration(Object.values(cellForms)));
    });

    it('in enough configurations', () => {
      expect(campaign.configurations).toBeGreaterThanOrEqual(10.5 * runs);
    });
  });

  afterAll(() => {
    const { configurations, skipped, forward, gradient } = campaign;
    console.log(
      `${configurations} random configurations (${skipped} left out near a relu's kink), seed ${seed}\n` +
        `worst forward error  ${forward.error.toExponential(2)}, ${forward.where}\n` +
        `worst gradient error ${gradient.error.toExponential(2)}, ${gradient.where}`,
    );
    for (const engine of engines.values()) engine.dispose();
  });
}
