export const mutants = {
  'gradient of the outputs dropped': [['s.dy ? f32x4.add(dh, v128.load(s.dy + h)) : dh', 'dh']],
  'gradient of the step after dropped': [
    ['s.dy ? f32x4.add(dh, v128.load(s.dy + h)) : dh', 's.dy ? v128.load(s.dy + h) : dh'],
  ],
  'gradient of the state is not shown': [['if (s.dhSeen) v128.store(s.dhSeen + h, dh);', '']],
};
