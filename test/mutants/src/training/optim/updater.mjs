export const mutants = {
  'the norm is reported after clipping': [
    ['return { gradNorm, finite: true };', 'return { gradNorm: gradNorm * scale, finite: true };'],
  ],
  'gradients are clipped though they are small': [
    ['Math.min(1, gradClip.norm / (gradNorm + 1e-6))', 'gradClip.norm / (gradNorm + 1e-6)'],
  ],
};
