import { newFloats } from '../base/arrays.ts';
import { eachRow } from '../graph/rows.ts';
import type { Node } from '../ops/op.ts';
import type { Stretch } from '../ops/pass.ts';
import type { Store } from '../graph/parameters.ts';
import { countByLayer } from '../graph/graph.ts';
import type { Workspace } from '../graph/workspace.ts';

/** Arrays [L, T, B, H] by layer and gate: see `Model.gates`. */
export type Gates = Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;

/** Collects the gates of the passes over a sequence. */
export class GateReader {
  readonly gates: Gates;
  /** Steps of every node: a convolution before it may leave fewer. */
  readonly #steps: ReadonlyMap<Node, number>;

  constructor({ graph }: Store, totals: readonly number[], batch: number) {
    this.#steps = graph.nodeSteps(totals);
    const nodes = graph.nodes.filter((node, index) => node.gates && !graph.isInside[index]);
    const counts = countByLayer(nodes);
    const gates = new Map<string, Gates[string]>();
    for (const node of nodes) {
      const { layer, gates: own } = node;
      if (gates.has(layer)) continue;
      const length = counts.get(layer)! * this.#steps.get(node)! * batch * own!.width;
      const arrays = own!.names.map((gate) => [gate, newFloats(length, 'the gates')]);
      gates.set(layer, Object.fromEntries(arrays));
    }
    this.gates = Object.fromEntries(gates);
  }

  /** Takes the gates of the pass that has just been made. */
  take(workspace: Workspace, stretch: Stretch): void {
    const places = new Map<string, number>();
    for (const { node, read, extent, mirror } of workspace.gateRows()) {
      const { names, width } = node.gates!;
      const layerPlace = places.get(node.layer) ?? 0;
      places.set(node.layer, layerPlace + 1);
      const arrays = names.map((gate) => this.gates[node.layer]![gate]!);
      const { batch } = workspace;
      const total = this.#steps.get(node)!;
      eachRow({ ...stretch, total, extent }, batch, (place, row) => {
        const values = read(mirror ? mirror[place]! : place);
        const at = (layerPlace * total * batch + row) * width;
        arrays.forEach((array, g) => array.set(values.subarray(g * width, (g + 1) * width), at));
      });
    }
  }
}
