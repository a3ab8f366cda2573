/**
 * Steps later, row by row: with a state s of n steps and the valid steps x of a row, y is the first
 * part of [s, x], as long as x, and the next state is its last n steps.
 */
import type { Vec } from './math.ts';
import type { Dims } from './stack.ts';

/** Places of the features of step t of row b among [T, B, width]. */
const placeOf = (t: number, b: number, batch: number, width: number): number =>
  (t * batch + b) * width;

/** All pairs of a number that is read and one that is made of it. */
function eachMove(
  late: number,
  { steps, batch, lengths }: Dims,
  width: number,
  move: (fromState: boolean, from: number, toState: boolean, to: number) => void,
): void {
  for (let b = 0; b < batch; b++) {
    const length = lengths?.[b] ?? steps;
    for (let p = 0; p < late + length; p++) {
      const from = placeOf(p < late ? p : p - late, b, batch, width);
      const to = placeOf(p < length ? p : p - length, b, batch, width);
      for (let k = 0; k < width; k++) move(p < late, from + k, p >= length, to + k);
    }
  }
}

/** x: [T, B, width], state: [late, B, width]. */
export function delayForward(
  late: number,
  dims: Dims,
  width: number,
  x: Vec,
  state: Vec,
): { output: Vec; final: Vec } {
  const [output, final] = [new Float64Array(x.length), new Float64Array(state.length)];
  eachMove(late, dims, width, (fromState, from, toState, to) => {
    (toState ? final : output)[to] = (fromState ? state : x)[from]!;
  });
  return { output, final };
}

/** From dL/dy and dL/d(last state). */
export function delayBackward(
  late: number,
  dims: Dims,
  width: number,
  dy: Vec,
  dfinal: Vec,
): { dx: Vec; dinitial: Vec } {
  const [dx, dinitial] = [new Float64Array(dy.length), new Float64Array(dfinal.length)];
  eachMove(late, dims, width, (fromState, from, toState, to) => {
    (fromState ? dinitial : dx)[from] = (toState ? dfinal : dy)[to]!;
  });
  return { dx, dinitial };
}
