import { performance } from 'node:perf_hooks';
import { describe, expect, test } from 'vitest';
// @ts-expect-error: plain JavaScript, for campaigns outside of tests too
import { Inputs, Tally, corpusOf, randomOf, readers } from './campaign.mjs';

/** A smoke of each reader: its corpus, and inputs for a second. Campaigns are `npm run fuzz`. */
const MILLISECONDS = 800;
const MOST = 2000;

describe.each(readers() as string[])('%s', (reader) => {
  test('survives its corpus and a second of inputs', async () => {
    const inputs = await Inputs.create(reader);
    const tally = new Tally();
    for (const [name, bytes] of corpusOf(reader)) {
      tally.add(name, await inputs.read(bytes, randomOf(0)));
    }
    const own = new Tally();
    for (const seed of inputs.seeds) {
      tally.add('seed', await inputs.read(seed, randomOf(0)));
    }
    const end = performance.now() + MILLISECONDS;
    for (let number = 0; number < MOST && performance.now() < end; number++) {
      own.add(number, await inputs.read(inputs.bytes(number), randomOf(number)));
    }
    expect(tally.failures).toEqual([]);
    expect(own.failures).toEqual([]);
    expect(own.accepted).toBeGreaterThan(own.inputs / 10);
  });
});
