import { expect, it } from 'vitest';
import { runCampaign } from '../support/redzone.ts';

it('50,000 random calls write and read nothing that is not theirs', { timeout: 1_200_000 }, () => {
  const report = runCampaign(50_000);
  console.log(report);
  expect(report).toContain('0 kinds of failures');
});
