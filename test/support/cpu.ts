import process from 'node:process';

/**
 * Processor time of a call in milliseconds: the least of some runs, of one where that is below
 * `enough`.
 */
export function cpuMs(run: () => void, runs = 1, enough = 0): number {
  let least = Infinity;
  for (let k = 0; k < runs && least > enough; k++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
