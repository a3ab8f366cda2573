import { newFloats } from '../base/arrays.ts';
import { reversal } from '../ops/pass.ts';
import { eachRow } from '../graph/rows.ts';
import type { Stretch } from '../ops/pass.ts';
import type { Store } from '../graph/parameters.ts';
import { placesOf } from '../ops/units.ts';
import type { Workspace } from '../graph/workspace.ts';

/** Arrays [L, T, B, H] by layer and gate: see `Model.gates`. */
export type Gates = Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;

/** Collects the gates that the passes over a sequence leave behind. */
export class GateReader {
  readonly gates: Gates;
  readonly #store: Store;
  readonly #rows: number;

  constructor(store: Store, steps: number, batch: number) {
    this.#store = store;
    this.#rows = steps * batch;
    const places = placesOf(store.units);
    const gates = new Map<string, Gates[string]>();
    for (const unit of store.units) {
      if (unit.kind !== 'recurrent' || gates.has(unit.layer)) continue;
      const length = places.get(unit.layer)! * this.#rows * unit.hidden;
      const arrays = unit.form.gates.map((gate) => [gate, newFloats(length, 'the gates')]);
      gates.set(unit.layer, Object.fromEntries(arrays));
    }
    this.gates = Object.fromEntries(gates);
  }

  /** Takes the gates of the pass that has just been made. */
  take(workspace: Workspace, stretch: Stretch): void {
    const mirror = this.#store.causal ? undefined : reversal(stretch.extent);
    for (const { unit, read } of workspace.gateRows()) {
      const { hidden, place: layerPlace, reverse } = unit;
      const arrays = unit.form.gates.map((gate) => this.gates[unit.layer]![gate]!);
      eachRow(stretch, workspace.batch, (place, row) => {
        const values = read(reverse ? mirror![place]! : place);
        const at = (layerPlace * this.#rows + row) * hidden;
        arrays.forEach((array, g) => array.set(values.subarray(g * hidden, (g + 1) * hidden), at));
      });
    }
  }
}
