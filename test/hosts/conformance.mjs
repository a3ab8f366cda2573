// The tests of a group of cases: each gives the bits of the Node that runs the tests.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GROUPS } from './cases.mjs';
import { closeAll } from './drivers/running.mjs';
import { installPackage } from './package.mjs';
import { record } from './records.mjs';

const all = import.meta.env.MODE === 'hosts-slow';

export function conformance(group) {
  const cases = GROUPS[group].filter(({ slow }) => all || !slow);
  let installed;
  let reference;
  beforeAll(async () => {
    installed = await installPackage();
    reference = (await GROUPS.servers[0].run(installed)).deterministic;
  });
  afterAll(async () => {
    await closeAll();
    await installed?.remove();
  });

  describe(`the packed package gives the bits of Node in ${group}:`, () => {
    test.each(cases)('$host, $where', async ({ run, ...row }) => {
      const outcome = await run(installed);
      expect(outcome.deterministic).toEqual(reference);
      expect(outcome.threaded).toEqual(reference);
      expect(outcome.maxBytes).toBe(row.maxBytes);
      expect(outcome.threads, outcome.threadsReason).toBe(row.threads);
      if (row.threads === 1) expect(outcome.threadsReason).toMatch(row.reason);
      expect(Object.keys(outcome.auto.checks)).toEqual(Object.keys(reference.checks));
      await record(row, outcome);
    });
  });
}
