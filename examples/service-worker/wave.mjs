// What is forecast: two waves and a little noise. For Node, the page and its service worker.
import { createRandom } from '../common/random.mjs';

/** Values that a forecast reads, and those that it gives. */
export const [SEEN, HORIZON] = [120, 60];

export function makeWave(length, start = 0) {
  const random = createRandom(1 + start);
  return Float32Array.from({ length }, (_, k) => {
    const t = start + k;
    return 0.6 * Math.sin(t / 9) + 0.3 * Math.sin(t / 3.7 + 1) + 0.03 * random.normal();
  });
}
