import type { Buffers } from './buffers.ts';
import type { Extent } from '../ops/pass.ts';
import { NONE, part } from '../engine/plan.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Slot } from '../engine/plan.ts';
import { philoxKey } from '../base/random.ts';

/** Which masks a pass of training draws: those of pass number `pass` of a seed. */
export interface Draw {
  readonly seed: number;
  readonly pass: number;
  /** The step of the whole sequence that the pass begins with. */
  readonly first: number;
}

/** What a mask is for: part of the counter that its numbers come from. */
const MASK_DROPOUT = 0;
const MASK_ZONEOUT = 1;
const MASK_RECURRENT = 2;

/** A mask over the rows of a pass. */
export interface Mask {
  readonly slot: Slot;
  /** Numbers of a row, and from row to row. */
  readonly width: number;
  readonly row: number;
  /** 4 times the unit's index, plus what the mask is for. */
  readonly stream: number;
  /** Whether there is one row for each row of the batch, rather than for each of every step. */
  readonly fixed: boolean;
  /** Probability of 0, and what the others are. */
  readonly rate: number;
  readonly value: number;
}

/**
 * Draws a mask: a function of seed, pass, stream, step, row of the caller's batch and unit alone,
 * so neither lengths nor the cut of a sequence into passes change it.
 */
export function drawMask(
  kernels: Kernels,
  { slot, width, row, stream, fixed, rate, value }: Mask,
  extent: Extent,
  draw: Draw,
): void {
  const batch = extent.lengths.length;
  const blocks = Math.ceil(width / 4);
  const [low, high] = philoxKey(draw.seed);
  const threshold = Math.round(rate * 2 ** 24);
  const fill = (place: number, at: number, step: number): void => {
    const b = extent.order ? extent.order[place]! : place;
    const block = (step * batch + b) * blocks;
    const { address } = part(slot, at * row);
    kernels.run.mask_fill(address, width, low, high, block, draw.pass, stream, threshold, value);
  };
  if (fixed) {
    for (let place = 0; place < batch; place++) fill(place, place, 0);
    return;
  }
  for (let t = 0; t < extent.steps; t++) {
    const start = extent.offsets[t]!;
    for (let at = start; at < extent.offsets[t + 1]!; at++) fill(at - start, at, draw.first + t);
  }
}

/** The masks of a unit, `index` in its model. */
export function masksOf({ unit, mask, options }: Buffers, index: number): Mask[] {
  const { outputs: width, outputRow: row } = unit;
  const of = (
    slot: Slot,
    width: number,
    kind: number,
    rate: number,
    value: number,
    fixed: boolean,
  ): Mask[] =>
    slot === NONE ? [] : [{ slot, width, row, stream: 4 * index + kind, fixed, rate, value }];
  if (unit.kind === 'dropout') {
    return of(mask, width, MASK_DROPOUT, unit.rate, 1 / (1 - unit.rate), unit.fixed);
  }
  if (unit.kind !== 'recurrent' || !options) return [];
  const { zoneout, recurrentDropout: rate } = unit.form.options!;
  const { zoneMask, recurrentMask } = options;
  return [
    ...of(zoneMask, width, MASK_ZONEOUT, zoneout, 1, false),
    ...of(recurrentMask, unit.depth, MASK_RECURRENT, rate, 1 / (1 - rate), true),
  ];
}
