/** Faults that write past a slot. Each `from` must match its file exactly once. */
export const faults = [
  {
    name: 'rows gathered: one element more of the last',
    file: 'assembly/layers/rows.ts',
    from: 'source(d, row), d.width);',
    to: 'source(d, row), d.width + (row == end - 1 ? 4 : 0));',
  },
  {
    name: 'rows added: a vector after the last',
    file: 'assembly/base/vectors.ts',
    from: 'k < (<usize>vectors) << 4;',
    to: 'k <= (<usize>vectors) << 4;',
  },
  {
    name: 'mask: a block after the last',
    file: 'assembly/layers/masks.ts',
    from: 'for (let k = 0; k < d.width; k += 4)',
    to: 'for (let k = 0; k <= d.width; k += 4)',
  },
  {
    name: 'pool: a vector after the last row',
    file: 'assembly/layers/pool.ts',
    from: 'k < d.width && first < end; k += 16',
    to: 'k <= d.width && first < end; k += 16',
  },
  {
    name: 'embedding: one element after the last row',
    file: 'assembly/layers/embedding.ts',
    from: 'token * d.rowBytes, d.rowBytes);',
    to: 'token * d.rowBytes, d.rowBytes + (r == d.rows - 1 ? 4 : 0));',
  },
  {
    name: 'loss: of the row after the last',
    file: 'assembly/training/loss.ts',
    from: 'store<f32>(l.losses + (r << 2), <f32>loss);\n    y +=',
    to: 'store<f32>(l.losses + (r << 2) + 4, <f32>loss);\n    y +=',
  },
  {
    name: 'adam: a vector after the last parameter',
    file: 'assembly/training/optim.ts',
    from: 'function adam(u: Update): void {\n  for (let k: usize = 0; k < (<usize>u.count) << 2',
    to: 'function adam(u: Update): void {\n  for (let k: usize = 0; k <= (<usize>u.count) << 2',
  },
  {
    name: 'int8: one element after an unpacked row',
    file: 'assembly/matrix/int8.ts',
    from: 'store<f32>(plain, <f32>load<i8>',
    // Behind the row there is room for its outlier.
    to: 'store<f32>(plain + 12, <f32>load<i8>',
  },
  {
    name: 'states: memory for one element less',
    file: 'src/ops/recurrent/recurrent.ts',
    from: 'const h = plan.reserve(states);',
    to: 'const h = plan.reserve(states - 1);',
  },
  {
    name: 'gates: memory for one element less',
    file: 'src/ops/recurrent/recurrent.ts',
    from: 'const gates = plan.reserve(rows * gateRow);',
    to: 'const gates = plan.reserve(rows * gateRow - 1);',
  },
  {
    name: 'a carry: memory for one element less of its inputs',
    file: 'src/training/tbptt.ts',
    from: 'plan.reserve(most * batch * width)',
    to: 'plan.reserve(most * batch * width - (most ? 1 : 0))',
  },
  {
    name: 'segments: memory for one state less',
    file: 'src/training/segmented.ts',
    from: 'reserveStates(plan, store.graph, batch, count + 1)',
    to: 'reserveStates(plan, store.graph, batch, count)',
  },
];
