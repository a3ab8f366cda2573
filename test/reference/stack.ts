/**
 * A recurrent layer over a whole batch of sequences, and backpropagation through time: the loop of
 * the formulas, one sub-layer, one direction, one row of the batch and one time step at a time.
 * Rows of differing lengths are loops of differing lengths, and reading backwards is a loop from
 * the last valid step to the first. Masked steps are none: a loop passes them over, and they have
 * the output of the step that it took before them.
 */
import type { CellState, CellWeights } from './cell.ts';
import type { Masked } from './masking.ts';
import { add, times, type Vec } from './math.ts';
import { stepBackward, stepForward, type Unit, type WholeTape } from './step.ts';

/** What float32 might make of a vector that is stored. */
export type Round = (x: Vec) => Vec;

/** h [L D, B, P]; c [L D, B, H], or empty for a cell without. Forward stands before backward. */
export type StackState = CellState;

export interface Dims {
  readonly steps: number;
  readonly batch: number;
  /** Valid steps of every row; all where absent. */
  readonly lengths?: ArrayLike<number>;
  /** Behind a pool: which rows are of a sequence that has a step; all where absent. */
  readonly counted?: readonly boolean[];
  /** What a model puts out behind the valid steps. */
  readonly padding?: 'zero' | 'repeat';
  /** Of steps within a step: the rows that they are in, [T, B] one after the other. */
  readonly outer?: Dims;
}

/**
 * One direction of one sub-layer, with its masks: those of the input [B, I] and of the recurrent
 * product [B, P or H], zoneout [T, B, P].
 */
export interface Pass extends Unit {
  readonly reverse: boolean;
  readonly weights: CellWeights;
  readonly inputMask?: Vec;
  readonly recurrentMask?: Vec;
  readonly zoneout?: Vec;
  /** What becomes of every new state; exact where absent. */
  readonly round?: Round;
}

/** The directions of one sub-layer, and the mask [T, B, width] of what it hands to the next. */
export interface SubLayer {
  readonly passes: readonly Pass[];
  readonly dropoutMask?: Vec;
}

export type Merge = 'concat' | 'sum' | 'mul' | 'mean' | 'ave';

/** Of one pass: by row, then in the order that the steps were read in. */
type PassTape = WholeTape[][];

export interface StackTape {
  /** By sub-layer, then direction. */
  readonly passes: { readonly tape: PassTape; readonly output: Vec }[][];
  readonly inputSizes: number[];
  readonly kink: number;
  readonly spread: number;
}

const rowOf = (x: Vec, row: number, size: number): Vec => x.subarray(row * size, (row + 1) * size);
const cut = (x: Vec | undefined, row: number, size: number): Vec | undefined =>
  x && rowOf(x, row, size);

/** Views of the states of one row of one place. */
function stateOf(
  states: StackState,
  place: number,
  b: number,
  batch: number,
  unit: Unit,
): CellState {
  const row = place * batch + b;
  const size = states.c.length ? unit.hiddenSize : 0;
  return { h: rowOf(states.h, row, unit.outputSize), c: rowOf(states.c, row, size) };
}

const lengthOf = ({ steps, lengths }: Dims, b: number): number => lengths?.[b] ?? steps;

/**
 * The valid steps of a row in the order in which a pass reads them: those that it takes, with the
 * masked ones that follow each. The first is none, -1, and has those that no step stands before.
 */
function takenSteps(
  dims: Dims,
  b: number,
  isReverse: boolean,
  masked: Masked | undefined,
): { row: number; repeats: number[] }[] {
  const length = lengthOf(dims, b);
  const taken: { row: number; repeats: number[] }[] = [{ row: -1, repeats: [] }];
  for (let k = 0; k < length; k++) {
    const row = (isReverse ? length - 1 - k : k) * dims.batch + b;
    if (masked?.[row]) taken.at(-1)!.repeats.push(row);
    else taken.push({ row, repeats: [] });
  }
  return taken;
}

/** x: [T, B, I]; changes the states of the place from the initial to the last ones. */
function passForward(
  pass: Pass,
  dims: Dims,
  x: Vec,
  states: StackState,
  place: number,
  masked: Masked | undefined,
): { tape: PassTape; output: Vec } {
  const { steps, batch } = dims;
  const { outputSize: size } = pass;
  const width = x.length / (steps * batch);
  const output = new Float64Array(steps * batch * size);
  const tape: PassTape = [];
  for (let b = 0; b < batch; b++) {
    const state = stateOf(states, place, b, batch, pass);
    const own: WholeTape[] = [];
    const [before, ...taken] = takenSteps(dims, b, pass.reverse, masked);
    for (const row of before!.repeats) output.set(state.h, row * size);
    for (const { row, repeats } of taken) {
      const previous = { h: state.h.slice(), c: state.c.slice() };
      const from = x.slice(row * width, (row + 1) * width);
      const step = stepForward(pass, pass.weights, from, previous, {
        input: cut(pass.inputMask, b, width),
        recurrent: cut(pass.recurrentMask, b, previous[pass.cell.seen].length),
        zoneout: cut(pass.zoneout, row, size),
      });
      const { h, c } = step.next;
      state.h.set(pass.round?.(h) ?? h);
      state.c.set(pass.round?.(c) ?? c);
      for (const place of [row, ...repeats]) output.set(state.h, place * size);
      own.push(step.tape);
    }
    tape.push(own);
  }
  return { tape, output };
}

/**
 * Adds to `gradients`, changes the gradients of the states of the place from the last to the
 * initial ones, and gives dx.
 */
function passBackward(
  pass: Pass,
  gradients: CellWeights,
  dims: Dims,
  tape: PassTape,
  width: number,
  doutput: Vec,
  dstates: StackState,
  place: number,
  masked: Masked | undefined,
): Vec {
  const { steps, batch } = dims;
  const dx = new Float64Array(steps * batch * width);
  for (let b = 0; b < batch; b++) {
    const dstate = stateOf(dstates, place, b, batch, pass);
    const [before, ...taken] = takenSteps(dims, b, pass.reverse, masked);
    const gather = (rows: readonly number[]): void => {
      for (const row of rows) add(dstate.h, rowOf(doutput, row, pass.outputSize));
    };
    for (let k = taken.length - 1; k >= 0; k--) {
      const { row, repeats } = taken[k]!;
      gather([row, ...repeats]);
      const step = stepBackward(pass, pass.weights, gradients, tape[b]![k]!, dstate);
      dstate.h.set(step.dprevious.h);
      dstate.c.set(step.dprevious.c);
      dx.set(step.dx, row * width);
    }
    gather(before!.repeats);
  }
  return dx;
}

/** Outputs [T, B, P] of both directions as one. */
function merged(mode: Merge, a: Vec, b: Vec, size: number): Vec {
  if (mode === 'sum') return a.map((x, k) => x + b[k]!);
  if (mode === 'mean' || mode === 'ave') return a.map((x, k) => (x + b[k]!) / 2);
  if (mode === 'mul') return times(a, b);
  const both = new Float64Array(2 * a.length);
  for (let row = 0; row * size < a.length; row++) {
    both.set(rowOf(a, row, size), 2 * row * size);
    both.set(rowOf(b, row, size), (2 * row + 1) * size);
  }
  return both;
}

/** What both directions get of the gradient of what `merged` gave. */
function shared(mode: Merge, d: Vec, a: Vec, b: Vec, size: number): [Vec, Vec] {
  if (mode === 'sum') return [d, d];
  if (mode === 'mean' || mode === 'ave') return [d.map((x) => x / 2), d.map((x) => x / 2)];
  if (mode === 'mul') return [times(d, b), times(d, a)];
  const half = (which: number): Vec =>
    a.map((_, k) => d[(2 * Math.floor(k / size) + which) * size + (k % size)]!);
  return [half(0), half(1)];
}

/** x: [T, B, I]; the output [T, B, P or 2P] is that of the last sub-layer. */
export function stackForward(
  subLayers: readonly SubLayer[],
  merge: Merge,
  dims: Dims,
  x: Vec,
  initial: StackState,
  masked?: Masked,
): { output: Vec; final: StackState; tape: StackTape } {
  const final = { h: initial.h.slice(), c: initial.c.slice() };
  const tape: StackTape['passes'] = [];
  const inputSizes: number[] = [];
  let input = x;
  subLayers.forEach(({ passes, dropoutMask }, depth) => {
    inputSizes.push(input.length / (dims.steps * dims.batch));
    const results = passes.map((pass, way) =>
      passForward(pass, dims, input, final, depth * passes.length + way, masked),
    );
    tape.push(results);
    const [a, b] = results;
    const output = b ? merged(merge, a!.output, b.output, passes[0]!.outputSize) : a!.output;
    input = times(output, dropoutMask);
  });
  const steps = tape.flat().flatMap((pass) => pass.tape.flat());
  const kink = steps.reduce((least, step) => Math.min(least, step.kink), Infinity);
  const spread = steps.reduce((least, step) => Math.min(least, step.spread ?? least), Infinity);
  return { output: input, final, tape: { passes: tape, inputSizes, kink, spread } };
}

/**
 * From dL/d(output) and dL/d(final state), to dL/dx and dL/d(initial state); adds to `gradients`,
 * by sub-layer and direction.
 */
export function stackBackward(
  subLayers: readonly SubLayer[],
  gradients: readonly (readonly CellWeights[])[],
  merge: Merge,
  dims: Dims,
  tape: StackTape,
  doutput: Vec,
  dfinal: StackState,
  masked?: Masked,
): { dx: Vec; dinitial: StackState } {
  const dinitial = { h: dfinal.h.slice(), c: dfinal.c.slice() };
  let d = doutput;
  for (let depth = subLayers.length - 1; depth >= 0; depth--) {
    const { passes, dropoutMask } = subLayers[depth]!;
    const [a, b] = tape.passes[depth]!;
    const dy = times(d, dropoutMask);
    const shares = b ? shared(merge, dy, a!.output, b.output, passes[0]!.outputSize) : [dy];
    const width = tape.inputSizes[depth]!;
    d = new Float64Array(dims.steps * dims.batch * width);
    passes.forEach((pass, way) => {
      const steps = tape.passes[depth]![way]!.tape;
      const into = gradients[depth]![way]!;
      const place = depth * passes.length + way;
      const share = shares[way]!;
      add(d, passBackward(pass, into, dims, steps, width, share, dinitial, place, masked));
    });
  }
  return { dx: d, dinitial };
}
