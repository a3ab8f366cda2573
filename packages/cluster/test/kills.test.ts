/** Three kills of each kind, in every run of the tests; `kills.slow.test.ts` has a hundred. */

import { seededRandom } from 'gatefold/node';
import { expect, it } from 'vitest';
import { campaign } from './support/campaign.ts';

it.each(['score', 'train'] as const)(
  '%s goes on to the same bytes',
  async (task) => {
    const { kills } = await campaign(
      task,
      ['worker', 'producer', 'redis'],
      3,
      seededRandom(1),
      (text) => console.log(text),
    );
    expect(kills).toHaveLength(9);
    for (const { inWork } of kills) expect(inWork.length).toBeGreaterThan(0);
  },
  170_000,
);
