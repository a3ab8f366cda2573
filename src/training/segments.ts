import { GatefoldError } from '../base/errors.ts';

/**
 * A window of backpropagation in pieces: `count` segments of `segment` steps, the last one maybe
 * shorter.
 */
export interface Segmentation {
  readonly segment: number;
  readonly count: number;
}

/**
 * The fewest segments whose bytes fit into a budget: a workspace for the steps of one, and the
 * states before each, which outweigh it where segments are shorter than about the square root of
 * the steps.
 *
 * @param bytesOf what a segmentation takes.
 */
export function planSegments(
  steps: number,
  budget: number,
  bytesOf: (plan: Segmentation) => number,
): Segmentation {
  let least = Infinity;
  for (let count = 1; count <= steps;) {
    const segment = Math.ceil(steps / count);
    const bytes = bytesOf({ segment, count });
    if (bytes <= budget) return { segment, count };
    least = Math.min(least, bytes);
    // The next count that makes segments shorter.
    count = segment > 1 ? Math.ceil(steps / (segment - 1)) : steps + 1;
  }
  throw new GatefoldError(
    'ERR_MEMORY',
    `"maxBytes" of ${budget} bytes is not enough for ${steps} steps: the trainer needs at least ${least}`,
  );
}
