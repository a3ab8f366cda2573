import { adding } from './tasks/adding.ts';
import { copyMemory } from './tasks/copy.ts';
import { counting } from './tasks/counting.ts';
import { temporalOrder } from './tasks/order.ts';
import { embeddedReber } from './tasks/reber.ts';
import type { Settings, Task } from './tasks/task.ts';

/** Not those on which the settings were chosen, 1 to 3. */
export const SEEDS: readonly number[] = [11, 12, 13];

const COMMON = { batch: 32, rate: 0.01, clip: 1 };
/** A forget gate of sigmoid(5) keeps a share of 1 / e for 150 steps, of sigmoid(6) for 400. */
const ADDING: Settings = { ...COMMON, hidden: 32, remember: 5, cap: 150_000 };

/** The tasks of the report. */
export const TASKS: readonly Task[] = [
  adding(100, ADDING),
  adding(200, ADDING),
  adding(500, { ...ADDING, remember: 6, cap: 75_000 }),
  temporalOrder(100, { ...COMMON, hidden: 24, remember: 3, cap: 200_000 }),
  copyMemory(5, 20, { ...COMMON, hidden: 40, remember: 4, cap: 300_000 }),
  embeddedReber({ ...COMMON, hidden: 16, remember: 1, cap: 200_000 }),
  counting(10, 20, { ...COMMON, batch: 10, hidden: 8, remember: 2, cap: 500_000 }),
];

/**
 * Those that show the claims in a minute: where gates are needed, and where they are not. Copying
 * takes the gated nets too long.
 */
export const SHORT_TASKS: readonly Task[] = [
  adding(60, { ...COMMON, hidden: 24, remember: 4, cap: 25_000 }),
  temporalOrder(50, { ...COMMON, hidden: 16, remember: 3, cap: 30_000 }),
  embeddedReber({ ...COMMON, hidden: 16, remember: 1, cap: 40_000 }),
  counting(10, 20, { ...COMMON, batch: 10, hidden: 8, remember: 2, cap: 100_000 }),
];
