/** The list of cells: what runs the pointwise pass of each. */

import { gruAfter, gruBefore } from './gru';
import { coupledLstm, lstm } from './lstm';
import { minGru } from './mingru';
import { independentRnn, rnn } from './rnn';
import { Sequence } from '../base/structs';
import * as codes from '../shared/codes';

/**
 * The pointwise pass over the units of panels `first` to `end`, forward or back; of a GRU with
 * reset before over all units, that of its candidate, or else of its gates.
 */
export function pointwise(q: Sequence, first: i32, end: i32, candidate: bool, back: bool): void {
  switch (q.cell) {
    case codes.CELL_RNN:
      return rnn(q, first, end, back);
    case codes.CELL_INDEPENDENT:
      return independentRnn(q, first, end, back);
    case codes.CELL_LSTM:
      return lstm(q, first, end, back);
    case codes.CELL_LSTM_COUPLED:
      return coupledLstm(q, first, end, back);
    case codes.CELL_GRU_AFTER:
      return gruAfter(q, first, end, back);
    case codes.CELL_GRU_BEFORE:
      return gruBefore(q, candidate, back);
    case codes.CELL_MINGRU:
      return minGru(q, first, end, back);
  }
}
