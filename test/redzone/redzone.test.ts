/**
 * Random calls of everything on a memory with guarded gaps: see test/redzone/campaign.mjs. 50,000
 * are in test/slow.
 */
import { expect, it } from 'vitest';
import { runCampaign } from '../support/redzone.ts';

it('2,000 random calls write and read nothing that is not theirs', () => {
  expect(runCampaign(2000)).toContain('0 kinds of failures');
});
