/**
 * The masks that a trainer draws, as the documentation says: bit u of row b at step t of a mask
 * comes from word u % 4 of the Philox block ((t B + b) ceil(width / 4) + floor(u / 4), pass, 4 unit
 * + kind, 1) of the seed, the units being counted in the order of the model. A mask that is fixed
 * over time is that of step 0. Within a step, of K steps, it is b K + t with b the row around.
 * Zoneout counts steps in the order that its direction reads them in.
 */
import type { ModelDescription } from '../../src/ops/index.ts';
import { philox, philoxKey } from '../../src/base/random.ts';
import { dimsOf, layersOf, maskShapes } from '../reference/layers.ts';
import type { Masks } from '../reference/network.ts';
import type { Dims } from '../reference/stack.ts';

const KINDS = { dropout: 0, input: 0, zoneout: 1, recurrent: 2 } as const;
type Kind = keyof typeof KINDS;

interface MaskedUnit {
  readonly unit: number;
  readonly reverse: boolean;
  /** The rows that it runs over. */
  readonly dims: Dims;
}

/**
 * Numbers of the units that draw masks, and whether they read backwards, by the keys of the masks.
 */
function unitsOf(description: ModelDescription, inputs: Dims): Map<string, MaskedUnit> {
  const units = new Map<string, MaskedUnit>();
  let count = 0;
  const layers = layersOf(description);
  const rows = dimsOf(layers, inputs);
  for (const [place, layer] of layers.entries()) {
    // No layer that changes the rows draws masks itself.
    const dims = rows[place]!.after;
    const set = (key: string, reverse = false): void => {
      units.set(key, { unit: count, reverse, dims });
    };
    if (layer.kind === 'slice' && layer.isInput) continue;
    if (layer.kind !== 'recurrent') {
      set(`${layer.name}.dropout`);
      // A join is a unit for each pair.
      count += layer.kind === 'join' ? layer.widths.length - 1 : 1;
      continue;
    }
    const { name, spec, ways } = layer;
    for (let depth = 0; depth < (spec.numLayers ?? 1); depth++) {
      if (depth > 0 && spec.dropout) {
        set(`${name}.${depth - 1}.dropout`);
        count++;
      }
      if (spec.inputDropout) {
        set(`${name}.${depth}.input`);
        count++;
      }
      ways.forEach(({ reverse }, way) => {
        set(`${name}.${depth * ways.length + way}.recurrent`);
        set(`${name}.${depth * ways.length + way}.zoneout`, reverse);
        count++;
      });
      if (ways.length > 1) count++;
    }
  }
  return units;
}

export function masksOfTrainer(
  description: ModelDescription,
  dims: Dims,
  seed: number,
  pass: number,
): Masks {
  const units = unitsOf(description, dims);
  const key = philoxKey(seed);
  return new Map(
    [...maskShapes(description, dims)].map(([name, { shape, p }]) => {
      const kind = name.slice(name.lastIndexOf('.') + 1) as Kind;
      const width = shape.at(-1)!;
      const values = new Float64Array(shape.reduce((a, b) => a * b, 1));
      const { unit, reverse, dims: own } = units.get(name)!;
      const { steps, batch, lengths, outer } = own;
      for (let k = 0; k < values.length; k++) {
        const [row, u] = [Math.floor(k / width), k % width];
        const [t, b] = [Math.floor(row / batch), row % batch];
        const step = reverse ? (lengths?.[b] ?? steps) - 1 - t : t;
        if (step < 0) continue;
        const counter = outer ? b * steps + step : step * batch + b;
        const block = counter * Math.ceil(width / 4) + Math.floor(u / 4);
        const words = philox(key, [block, pass, 4 * unit + KINDS[kind], 1]);
        const through = words[u % 4]! >>> 8 >= Math.round(p * 2 ** 24);
        if (kind === 'zoneout') values[k] = Number(!through);
        else values[k] = through ? Math.fround(1 / (1 - p)) : 0;
      }
      return [name, values];
    }),
  );
}
