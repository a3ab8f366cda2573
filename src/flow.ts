import type { Workspace } from './workspace.ts';

/**
 * How strong the gradient is at every step of one recurrent layer: the norms of dL/dh and dL/dc over all rows of a step. Each array is
 * [L, T] (of a bidirectional layer [2L, T], as its states): T are the steps of the longest row, in the order in which the layer reads
 * them. `c` only for an LSTM; its gradient includes what reaches the loss through h of the same step.
 */
export interface LayerFlow {
  readonly h: Float64Array;
  readonly c?: Float64Array;
}

/** Gradient flow by layer name. */
export type GradientFlow = Readonly<Record<string, LayerFlow>>;

/** What a measured backward pass has left, by layer. */
export function readFlow(workspace: Workspace): GradientFlow {
  const flow: Record<string, LayerFlow> = {};
  const units = workspace.flow();
  const { steps } = workspace.extent;
  for (const { unit, norms } of units) {
    const places = units.filter((other) => other.unit.layer === unit.layer).length;
    const layer = (flow[unit.layer] ??= {
      h: new Float64Array(places * steps),
      ...(unit.form.hasCellState ? { c: new Float64Array(places * steps) } : {}),
    });
    for (let t = 0; t < steps; t++) {
      const at = unit.place * steps + t;
      layer.h[at] = norms[2 * t]!;
      if (layer.c) layer.c[at] = norms[2 * t + 1]!;
    }
  }
  return flow;
}
