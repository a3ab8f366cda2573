import { basename } from 'node:path';
import type { Vocabulary } from '../data/text.ts';
import { GatefoldError } from '../base/errors.ts';
import { gradientFlow } from '../hosts/default.ts';
import type { Gates, GradientFlow, Model } from '../hosts/default.ts';
import { filesOf } from './corpus.ts';
import { createEngine } from './engine.ts';
import { fail } from './failure.ts';
import { drawFlow, printFlow } from './flow-charts.ts';
import type { LayerGates, Reach, Seen } from './flow-charts.ts';
import { say } from './output.ts';
import { checkOwnText, failed, openModel, openModelFile, readRun } from './run.ts';
import { checkWritable, readModelFile, save } from './save.ts';
import { wordOf } from './shell.ts';
import { readPoints } from './texts.ts';

export interface FlowOptions {
  readonly steps: number;
  readonly out: string;
}

/** Most windows that the gradient is a mean of. */
const MAX_WINDOWS = 32;
/** Most characters at the end of the last window whose gates are shown. */
const MAX_SHOWN = 128;
/** A target that counts for nothing. */
const NOTHING = -1;

/** Layers and directions of a stack, by name. */
function titleOf(layer: string, place: number, places: number): string {
  return places === 1 ? layer : `${layer} ${place + 1}`;
}

/** The norm of each row's gradient, as root mean square over the rows: the loss is their mean. */
function reachesOf(flow: GradientFlow, steps: number, batch: number): Reach[] {
  const scale = Math.sqrt(batch);
  return Object.entries(flow).flatMap(([layer, norms]) => {
    const places = norms.h.length / steps;
    return Array.from({ length: places }, (_, place) => place).flatMap((place) =>
      (['h', 'c'] as const).flatMap((state): Reach[] => {
        const own = norms[state]?.subarray(place * steps, (place + 1) * steps);
        if (!own) return [];
        const title = titleOf(layer, place, places);
        return [{ layer: title, state, norms: Array.from(own, (norm) => norm * scale).reverse() }];
      }),
    );
  });
}

/** The gates of the last `shown` steps. */
function gatesOf(gates: Gates, flow: GradientFlow, steps: number, shown: number): LayerGates[] {
  return Object.entries(gates).flatMap(([layer, byName]) => {
    const places = flow[layer]!.h.length / steps;
    return Array.from({ length: places }, (_, place): LayerGates => ({
      layer: titleOf(layer, place, places),
      gates: Object.entries(byName).map(([name, values]) => {
        const units = values.length / places / steps;
        const at = (place * steps + steps - shown) * units;
        const over = (unit: number): number[] =>
          Array.from({ length: shown }, (_, t) => values[at + t * units + unit]!);
        return { name, rows: Array.from({ length: units }, (_, unit) => over(unit)) };
      }),
    }));
  });
}

/**
 * Follows the loss of the last character of some windows, spread over the text, back through them:
 * how far does an error reach? And the gates at the end of the last window.
 */
function look(model: Model, vocabulary: Vocabulary, points: Int32Array, most: number): Seen {
  if (points.length < 3) fail('the text is too short: give at least 3 characters');
  const steps = Math.min(most, points.length - 1);
  const batch = Math.min(MAX_WINDOWS, Math.floor((points.length - 1) / steps));
  const spare = points.length - 1 - steps;
  const charactersOf = (from: number, to: number): string[] =>
    Array.from(points.subarray(from, to), (point) => String.fromCodePoint(point));
  const x = new Int32Array(batch * steps);
  const target = new Int32Array(batch * steps).fill(NOTHING);
  for (let b = 0; b < batch; b++) {
    const first = batch === 1 ? spare : Math.floor((b * spare) / (batch - 1));
    const tokens = vocabulary.encode(charactersOf(first, first + steps + 1));
    x.set(tokens.subarray(0, steps), b * steps);
    target[(b + 1) * steps - 1] = tokens[steps]!;
  }
  const loss = { type: 'cross-entropy', ignoreIndex: NOTHING } as const;
  const flow = gradientFlow(model, { x, target, loss, steps, batch, batchFirst: true });
  const shown = Math.min(steps, MAX_SHOWN);
  const gates = model.gates(x.subarray((batch - 1) * steps), { steps });
  return {
    windows: batch,
    steps,
    characters: charactersOf(spare + steps - shown, spare + steps),
    reaches: reachesOf(flow, steps, batch),
    gates: gatesOf(gates, flow, steps, shown),
  };
}

/** Refuses to draw what is no number. */
function checkFinite({ reaches, gates }: Seen, path: string): void {
  const lines = [
    ...reaches.map(({ norms }) => norms),
    ...gates.flatMap((layer) => layer.gates.flatMap(({ rows }) => rows)),
  ];
  if (lines.every((values) => values.every(Number.isFinite))) return;
  failed(path, 'its gates or gradients on this text are not finite');
}

/** The command `gatefold flow`; gives the exit status. */
export async function flow(
  path: string,
  named: readonly string[],
  options: FlowOptions,
): Promise<number> {
  const { out } = options;
  if (!out.endsWith('.svg')) fail(`--out ${out} expected a name that ends in .svg`);
  const files = filesOf(named);
  await checkWritable(out, [path, ...files]);
  const file = openModelFile(path, await readModelFile(path));
  if (named.length === 0) {
    checkOwnText(readRun(path, file), path, `gatefold flow ${wordOf(path)}`);
  }
  const { points } = readPoints(files);
  // The deterministic variant: the same picture on every machine.
  const engine = await createEngine('deterministic');
  try {
    const { model, vocabulary } = openModel(engine, path, file);
    const seen = look(model, vocabulary, points, options.steps);
    checkFinite(seen, path);
    say(printFlow(seen));
    await save(out, new TextEncoder().encode(drawFlow(basename(path), seen)));
    say(`\nsaved the pictures to ${out}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    if (error.code === 'ERR_NON_FINITE') failed(path, 'its loss on this text is not finite');
    if (error.code !== 'ERR_MEMORY') throw error;
    return fail(`${error.message}; or choose fewer --steps`);
  } finally {
    engine.dispose();
  }
}
