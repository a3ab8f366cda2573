import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * A device that takes nothing, as /dev/full: one of the folder where that can be made. Who can make
 * one could also replace the real one, if what is tested fails.
 */
export function fullDevice(folder: string): string {
  const path = join(folder, 'full');
  return spawnSync('mknod', [path, 'c', '1', '7']).status === 0 ? path : '/dev/full';
}
