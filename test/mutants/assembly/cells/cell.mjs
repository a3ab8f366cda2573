export const mutants = {
  'gradient of the outputs dropped': [['s.dy ? f32x4.add(dh, v128.load(s.dy + h)) : dh', 'dh']],
  'gradient of the step after dropped': [
    ['s.dy ? f32x4.add(dh, v128.load(s.dy + h)) : dh', 's.dy ? v128.load(s.dy + h) : dh'],
  ],
  'what steps add up is not put aside': [['if (back && q.stepRest) endRow(q, row);', '']],
  'the last peephole is not put aside': [
    ['CELL_LSTM_COUPLED ? 2 : 3', 'CELL_LSTM_COUPLED ? 2 : 2'],
  ],
  'independent units put peepholes aside': [['isOwn ? q.dr : q.dPeephole', 'q.dPeephole']],
  'gradient of the state is not shown': [['if (s.dhSeen) v128.store(s.dhSeen + h, dh);', '']],
};
