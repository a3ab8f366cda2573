import { expect, it } from 'vitest';
import { createEngine } from '../support/engines.ts';
import { kill } from '../support/kill.ts';
import { courseOfThreads } from '../support/threads-course.ts';

it('workers that end at 300 random points are errors in time', { timeout: 1_800_000 }, async () => {
  const engine = createEngine('baseline');
  const expected = courseOfThreads(engine);
  engine.dispose();
  const counts = new Map<string, number>();
  let latest = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const { what, nth } = await kill(seed, expected);
    counts.set(what, (counts.get(what) ?? 0) + 1);
    latest = Math.max(latest, nth);
  }
  console.log(`ended at 300 points up to call ${latest}:`, Object.fromEntries(counts));
  expect([...counts.values()].reduce((sum, n) => sum + n)).toBe(300);
});
