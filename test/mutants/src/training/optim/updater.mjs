export const mutants = {
  'the norm is reported after clipping': [
    ['return { gradNorm, finite: true };', 'return { gradNorm: gradNorm / 2, finite: true };'],
  ],
  'gradients are clipped though they are small': [
    ['if (factor < 1) run.values_scale', 'run.values_scale'],
  ],
  'an update is made though it leaves what is not finite': [
    ['slots.forEach((own, j) => kernels.floats(own).set(before[j]!));', ''],
  ],
  'bounds of parameters that somebody changed are believed': [
    ['if (bounds && version === this.#store.version) return bounds;', 'if (bounds) return bounds;'],
  ],
};
