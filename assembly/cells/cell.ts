/**
 * A cell as a type: never instantiated, called through `changetype<C>(0)`, so that each loop over
 * it compiles to code of its own.
 */

import { Sequence, Step } from '../base/structs';
import { flush } from '../base/simd';
import { putAside } from '../base/vectors';
import { endsBlock } from '../matrix/gemm';
import * as codes from '../shared/codes';


@unmanaged
export abstract class Cell {
  /** V: vectors of one panel of gates. */
  abstract vectors(): i32;
  /** Bytes of the state that one panel covers. */
  abstract span(): i32;
  /**
   * The pointwise forward pass of one panel of one row, whose finished sums become gates: z, h and
   * u are offsets in a row block of gates, in one of states, and in a row of the state. First the
   * gates that need nothing of this step, for all panels of a row: what waits for one waits for
   * all. Then the state.
   */
  abstract gates(s: Step, z: usize, h: usize, u: usize): void;
  abstract state(s: Step, z: usize, h: usize, u: usize): void;
  /**
   * The pointwise backward pass of the same: gates become their gradients; dh, dc become what does
   * not pass through a product.
   */
  abstract backward(s: Step, z: usize, h: usize, u: usize): void;
}

/**
 * A cell whose state goes out in a pass of its own under some policies, once all units of a row are
 * updated: `prepareOutput` does what needs row `row` as a whole, `output` takes each panel. The way
 * back begins with the same.
 */
@unmanaged
export abstract class OutgoingCell extends Cell {
  abstract prepareOutput(q: Sequence, row: i32): void;
  abstract output(s: Step, z: usize, h: usize, u: usize): void;
  abstract outputBack(s: Step, z: usize, h: usize, u: usize): void;
  abstract prepareOutputBack(q: Sequence, row: i32): void;
}

/** dL/dh of the four units at offset h: from the step after and from above. */
// @ts-ignore: decorator
@inline
export function incoming(s: Step, h: usize): v128 {
  let dh = v128.load(s.dh + h);
  dh = flush(s.dy ? f32x4.add(dh, v128.load(s.dy + h)) : dh);
  if (s.dhSeen) v128.store(s.dhSeen + h, dh);
  return dh;
}

/** Puts aside what the rows have added to a vector, after every block of them. */
function endRow(q: Sequence, row: i32): void {
  if (!endsBlock(q.after + row + 1)) return;
  const isOwn = q.cell == codes.CELL_INDEPENDENT;
  const vectors = isOwn ? 1 : q.cell == codes.CELL_LSTM_COUPLED ? 2 : 3;
  putAside(isOwn ? q.dr : q.dPeephole, q.stepRest, (vectors * q.hiddenBytes) >> 2);
}

/**
 * The pointwise pass of panels `first` to `end`, counted from byte z of a row of gates on, for all
 * rows.
 */
export function everyPanel<C extends Cell>(
  q: Sequence,
  z: i32,
  first: i32,
  end: i32,
  back: bool,
): void {
  const cell = changetype<C>(0);
  const span = cell.span();
  const width = cell.vectors() << 4;
  for (let row = 0; row < q.active; row++) {
    const gates = z + row * q.gateRow;
    const state = row * q.stateRow;
    for (let p = first; !back && p < end; p++) {
      cell.gates(q, gates + p * width, state + p * span, p * span);
    }
    for (let p = first; p < end; p++) {
      if (back) cell.backward(q, gates + p * width, state + p * span, p * span);
      else cell.state(q, gates + p * width, state + p * span, p * span);
    }
    if (back && q.stepRest) endRow(q, row);
  }
}

/** The same of a cell whose state goes out apart. */
export function everyOutgoing<C extends OutgoingCell>(
  q: Sequence,
  first: i32,
  end: i32,
  back: bool,
): void {
  const cell = changetype<C>(0);
  if (!back) everyPanel<C>(q, 0, first, end, false);
  const span = cell.span();
  const width = cell.vectors() << 4;
  for (let row = 0; row < q.active; row++) {
    const gates = row * q.gateRow;
    const state = row * q.stateRow;
    if (!back) cell.prepareOutput(q, row);
    for (let p = first; p < end; p++) {
      if (back) cell.outputBack(q, gates + p * width, state + p * span, p * span);
      else cell.output(q, gates + p * width, state + p * span, p * span);
    }
    if (back) cell.prepareOutputBack(q, row);
  }
  if (back) everyPanel<C>(q, 0, first, end, true);
}
