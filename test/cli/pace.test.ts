/** Threads or not: on machines that are quiet, busy, and busy for a while. */
import { describe, expect, it } from 'vitest';
import { Pace } from '../../src/cli/pace.ts';
import { createRandom } from '../support/random.ts';

/** Runs updates whose milliseconds a machine decides; gives what they took, and how many alone. */
function course(
  updates: number,
  msOf: (isAlone: boolean, update: number) => number,
): { ms: number; alone: number; last: boolean } {
  const engine = { isAlone: false };
  const pace = new Pace(engine);
  let [ms, alone] = [0, 0];
  for (let update = 0; update < updates; update++) {
    const took = msOf(engine.isAlone, update);
    ms += took;
    if (engine.isAlone) alone++;
    pace.add(took);
  }
  return { ms, alone, last: engine.isAlone };
}

const random = createRandom(7);
const noise = (): number => 1 + 0.2 * Math.abs(random.vector(1, 1)[0]!);

describe.each([0.5, 8, 700])('updates of %s ms on one thread', (alone) => {
  const quiet = (isAlone: boolean): number => noise() * (isAlone ? alone : alone / 1.9);
  const busy = (isAlone: boolean): number => noise() * (isAlone ? alone : 3.8 * alone);
  const best = (updates: number, ms: number): number => updates * ms * 1.1;

  it('stay on threads where nobody else works', () => {
    const { ms, last } = course(20_000, quiet);
    expect(ms).toBeLessThan(1.03 * best(20_000, alone / 1.9));
    expect(last).toBe(false);
  });

  it('go to one thread where the others have no core, and cost at most 15 % more', () => {
    for (const updates of [600, 20_000]) {
      const { ms, last } = course(updates, busy);
      expect(ms).toBeLessThan(1.15 * best(updates, alone));
      expect(last).toBe(true);
    }
  });

  it('come back when the cores do, and go again', () => {
    const isBusy = (update: number): boolean => Math.floor(update / 4000) % 2 === 1;
    const { ms, alone: count } = course(16_000, (isAlone, update) =>
      isBusy(update) ? busy(isAlone) : quiet(isAlone),
    );
    expect(ms).toBeLessThan(1.15 * (best(8000, alone) + best(8000, alone / 1.9)));
    expect(count / 16_000).toBeGreaterThan(0.4);
    expect(count / 16_000).toBeLessThan(0.65);
  });

  it('do not change for a pause of the machine', () => {
    const { ms } = course(5000, (isAlone, update) =>
      update % 500 < 1 ? 20 * quiet(isAlone) : quiet(isAlone),
    );
    expect(ms).toBeLessThan(1.15 * best(5000 + 190, alone / 1.9));
  });
});
