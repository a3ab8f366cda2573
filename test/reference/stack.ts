/**
 * Stacked recurrent layers over a whole batch of sequences, and backpropagation through time: the loop of the formulas,
 * one row of the batch and one time step at a time.
 */
import type { Cell, CellState, CellWeights } from './cell.ts';
import { add, type Vec } from './math.ts';

/** h [L, B, H]; c likewise, or empty for a cell without. */
export type StackState = CellState;

export interface Dims {
  readonly steps: number;
  readonly batch: number;
}

/** Tapes by [layer][time][row]. */
export interface StackTape<Tape> {
  readonly tapes: Tape[][][];
  readonly inputSize: number;
}

const rowOf = (x: Vec, row: number, size: number): Vec => x.subarray(row * size, (row + 1) * size);

/** x: [T, B, I]; one CellWeights a layer; the output [T, B, H] is that of the last layer. */
export function stackForward<Tape>(
  cell: Cell<Tape>,
  layers: readonly CellWeights[],
  hiddenSize: number,
  { steps, batch }: Dims,
  x: Vec,
  initial: StackState,
): { output: Vec; final: StackState; tape: StackTape<Tape> } {
  const inputSize = x.length / (steps * batch);
  const final = { h: initial.h.slice(), c: initial.c.slice() };
  const tapes: Tape[][][] = [];
  let input = x;
  let width = inputSize;
  layers.forEach((weights, layer) => {
    const output = new Float64Array(steps * batch * hiddenSize);
    const tapesOfLayer: Tape[][] = [];
    for (let t = 0; t < steps; t++) {
      const tapesOfStep: Tape[] = [];
      for (let b = 0; b < batch; b++) {
        const row = layer * batch + b;
        const h = rowOf(final.h, row, hiddenSize);
        const c = rowOf(final.c, row, hiddenSize);
        const { next, tape } = cell.forward(weights, rowOf(input, t * batch + b, width).slice(), {
          h: h.slice(),
          c: c.slice(),
        });
        h.set(next.h);
        c.set(next.c);
        output.set(next.h, (t * batch + b) * hiddenSize);
        tapesOfStep.push(tape);
      }
      tapesOfLayer.push(tapesOfStep);
    }
    tapes.push(tapesOfLayer);
    input = output;
    width = hiddenSize;
  });
  return { output: input, final, tape: { tapes, inputSize } };
}

/** From dL/d(output) and dL/d(final state), to dL/dx and dL/d(initial state); adds to `gradients`. */
export function stackBackward<Tape>(
  cell: Cell<Tape>,
  layers: readonly CellWeights[],
  gradients: readonly CellWeights[],
  hiddenSize: number,
  { steps, batch }: Dims,
  { tapes, inputSize }: StackTape<Tape>,
  doutput: Vec,
  dfinal: StackState,
): { dx: Vec; dinitial: StackState } {
  const dinitial = { h: dfinal.h.slice(), c: dfinal.c.slice() };
  let dy = doutput;
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    const width = layer === 0 ? inputSize : hiddenSize;
    const dx = new Float64Array(steps * batch * width);
    for (let t = steps - 1; t >= 0; t--) {
      for (let b = 0; b < batch; b++) {
        const dh = rowOf(dinitial.h, layer * batch + b, hiddenSize);
        const dc = rowOf(dinitial.c, layer * batch + b, hiddenSize);
        add(dh, rowOf(dy, t * batch + b, hiddenSize));
        const tape = tapes[layer]![t]![b]!;
        const step = cell.backward(layers[layer]!, gradients[layer]!, tape, {
          h: dh,
          c: dc,
        });
        dh.set(step.dprevious.h);
        dc.set(step.dprevious.c);
        dx.set(step.dx, (t * batch + b) * width);
      }
    }
    dy = dx;
  }
  return { dx: dy, dinitial };
}
