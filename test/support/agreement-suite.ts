import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { checkConfiguration, createCampaign, type Campaign } from './agreement.ts';
import { cellForms } from './cells.ts';
import {
  cellConfiguration,
  graphConfiguration,
  layerConfiguration,
  largeConfigurations,
  optionConfiguration,
  stackConfiguration,
  type Configuration,
} from './configuration.ts';
import { createEngine, variants } from './engines.ts';
import { GRAPH_KINDS } from './graphs.ts';
import { SUBJECTS } from './layer-stacks.ts';

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
  const large = createCampaign();
  const timeout = runs * 1000;

  const withOptions = createCampaign(/* with options */ true);
  const optionRuns = Math.ceil(0.75 * runs);

  const agree = (
    configurations: fc.Arbitrary<Configuration>,
    into: Campaign = campaign,
    numRuns: number = runs,
  ): void => {
    fc.assert(
      fc.property(configurations, (configuration) =>
        checkConfiguration(into, engines.get(configuration.variant)!, configuration),
      ),
      { seed, numRuns },
    );
  };

  describe('kernels and reference agree', () => {
    for (const [name, form] of Object.entries(cellForms)) {
      it(`${name}: ${runs} random configurations`, { timeout }, () => {
        agree(cellConfiguration(form));
      });
    }

    for (const [name, form] of Object.entries(cellForms)) {
      it(`${name}, with options: ${optionRuns} random configurations`, { timeout }, () => {
        agree(optionConfiguration(form), withOptions, optionRuns);
      });
    }

    it(`stacks of layers: ${runs} random configurations`, { timeout }, () => {
      agree(stackConfiguration(Object.values(cellForms), false));
    });

    it(`stacks of layers with options: ${optionRuns} random configurations`, { timeout }, () => {
      agree(stackConfiguration(Object.values(cellForms), true), withOptions, optionRuns);
    });

    const graphRuns = Math.ceil(runs < 1000 ? 0.5 * runs : 0.25 * runs);
    it(`graphs of layers: ${graphRuns} random configurations`, { timeout }, () => {
      const kinds = new Map<string, number>();
      const counted = graphConfiguration().map((configuration) => {
        const types = new Set(configuration.description.layers.map(({ type }) => type));
        for (const type of types) kinds.set(type, (kinds.get(type) ?? 0) + 1);
        return configuration;
      });
      agree(counted, withOptions, graphRuns);
      for (const kind of GRAPH_KINDS.filter((name) => name !== 'recurrent')) {
        // 20 of 500; a short run may have one alone.
        const least = graphRuns < 500 ? 1 : 0.04 * graphRuns;
        expect(kinds.get(kind) ?? 0, kind).toBeGreaterThanOrEqual(least);
      }
    });

    it.each(Object.entries(cellForms))('%s: beyond the blocks of the kernels', (name, form) => {
      // Each form on one of the variants: the blocks are the same in both, and the reference takes
      // a second.
      const variant = variants[Object.keys(cellForms).indexOf(name) % variants.length]!;
      for (const configuration of largeConfigurations(form, variant)) {
        checkConfiguration(large, engines.get(variant)!, configuration);
      }
      expect([large.skipped, large.excused]).toEqual([0, 0]);
    });

    it('in enough configurations', () => {
      expect(campaign.configurations).toBeGreaterThanOrEqual(13.8 * runs);
      expect(campaign.excused).toBeLessThan(0.01 * campaign.configurations);
      // States without a bound and layer norms of two or three nearly equal numbers: most of what
      // is left out has several of both.
      expect(withOptions.configurations).toBeGreaterThan(12.5 * optionRuns);
      expect(withOptions.excused).toBeLessThan(0.08 * withOptions.configurations);
    });
  });

  afterAll(() => {
    console.log(`seed ${seed}; random configurations: ${summary(campaign)}`);
    console.log(`with options: ${summary(withOptions)}`);
    console.log(`beyond the blocks of the kernels: ${summary(large)}`);
    for (const engine of engines.values()) engine.dispose();
  });
}

/** Registers a campaign of `runs` random models about each kind of layer. */
export function describeLayerAgreement({ seed, runs }: CampaignOptions): void {
  const engines = new Map(variants.map((variant) => [variant, createEngine(variant)]));
  const campaign = createCampaign(/* with options */ true);
  describe('models and reference agree', () => {
    for (const subject of SUBJECTS) {
      it(`${subject}: ${runs} random models`, { timeout: runs * 1000 }, () => {
        const before = campaign.configurations;
        fc.assert(
          fc.property(layerConfiguration(subject), (configuration) =>
            checkConfiguration(campaign, engines.get(configuration.variant)!, configuration),
          ),
          { seed, numRuns: runs },
        );
        expect(campaign.configurations - before).toBeGreaterThan(0.6 * runs);
      });
    }
  });
  afterAll(() => {
    console.log(`seed ${seed}; layers: ${summary(campaign)}`);
    for (const engine of engines.values()) engine.dispose();
  });
}

function summary({ configurations, excused, skipped, forward, gradient }: Campaign): string {
  return (
    `${configurations} checked, ${skipped} left out (see KINK, SPREAD and LARGEST); ` +
    `${excused} times other numbers were taken (see SENSITIVE)\n` +
    `  worst forward error  ${forward.error.toExponential(2)}, ${forward.where}\n` +
    `  worst gradient error ${gradient.error.toExponential(2)}, ${gradient.where}`
  );
}
