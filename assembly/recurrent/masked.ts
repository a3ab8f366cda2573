/**
 * Steps at which some rows are masked: such a row keeps h and c as they were, and its gradients
 * pass by the cell. The cell runs over all rows; what it makes of a masked one is nothing, because
 * the gradients that it is given are zero.
 */

import { Sequence } from '../base/structs';
import { incoming } from '../cells/cell';
import { isMasked } from '../layers/masking';
import { stateOf } from './around';

/** Masked rows have the states of the step before, in units `from` to `end`, counted in bytes. */
export function keepStates(q: Sequence, from: i32, end: i32): void {
  const h = stateOf(q);
  for (let row = 0; row < q.active; row++) {
    if (!isMasked(q.masked, q.row + row)) continue;
    const at = row * q.stateRow + from;
    memory.copy(h + at, q.hPrevious + at, end - from);
    if (q.cAll) memory.copy(q.c + at, q.cPrevious + at, end - from);
  }
}

/** Takes the gradients of masked rows from the cell. */
export function setAside(q: Sequence): void {
  const size = q.stateRow;
  for (let row = 0; row < q.active; row++) {
    if (!isMasked(q.masked, q.row + row)) continue;
    const at = row * size;
    for (let k = at; k < at + size; k += 16) v128.store(q.kept + k, incoming(q, k));
    memory.fill(q.dh + at, 0, size);
    if (q.dy) memory.fill(q.dy + at, 0, size);
    if (!q.cAll) continue;
    memory.copy(q.keptCell + at, q.dc + at, size);
    memory.fill(q.dc + at, 0, size);
  }
}

/** Gives them to the step before, as they were. */
export function bringBack(q: Sequence): void {
  const size = q.stateRow;
  for (let row = 0; row < q.active; row++) {
    if (!isMasked(q.masked, q.row + row)) continue;
    const at = row * size;
    memory.copy(q.dh + at, q.kept + at, size);
    if (q.dhSeen) memory.copy(q.dhSeen + at, q.kept + at, size);
    if (!q.cAll) continue;
    memory.copy(q.dc + at, q.keptCell + at, size);
    if (q.dcSeen) memory.copy(q.dcSeen + at, q.keptCell + at, size);
  }
}
