import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of live JavaScript objects. */
export function liveHeap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/**
 * Bytes that one call of `f` allocates on the JavaScript heap: the median over segments, so that neither a collection in
 * the middle of one nor a compilation counts. The smallest object takes 12 bytes.
 */
export function allocatedPerCall(f: () => void, segments = 11, calls = 10_000): number {
  for (let k = 0; k < calls; k++) f();
  collect();
  const growth: number[] = [];
  for (let segment = 0; segment < segments; segment++) {
    const before = process.memoryUsage().heapUsed;
    for (let k = 0; k < calls; k++) f();
    growth.push((process.memoryUsage().heapUsed - before) / calls);
  }
  return growth.sort((a, b) => a - b)[segments >> 1]!;
}
