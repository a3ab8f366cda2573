import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Vocabulary } from '../data/text.ts';
import { GatefoldError } from '../base/errors.ts';
import { gradientFlow } from '../hosts/default.ts';
import type { Engine, Gates, GradientFlow, Model } from '../hosts/default.ts';
import type { SafetensorsFile } from '../formats/safetensors/read.ts';
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
import { createModel } from './train.ts';

export interface FlowOptions {
  readonly steps: number;
  readonly out: string;
  /** Whether to show each model before its training, too. */
  readonly untrained?: boolean;
}

/** Most windows that the gradient is a mean of. */
const MAX_WINDOWS = 32;
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

/** The gates of every step. */
function gatesOf(gates: Gates, flow: GradientFlow, steps: number): LayerGates[] {
  return Object.entries(gates).flatMap(([layer, byName]) => {
    const places = flow[layer]!.h.length / steps;
    return Array.from({ length: places }, (_, place): LayerGates => ({
      layer: titleOf(layer, place, places),
      gates: Object.entries(byName).map(([name, values]) => {
        const units = values.length / places / steps;
        const at = place * steps * units;
        const over = (unit: number): number[] =>
          Array.from({ length: steps }, (_, t) => values[at + t * units + unit]!);
        return { name, rows: Array.from({ length: units }, (_, unit) => over(unit)) };
      }),
    }));
  });
}

/**
 * Follows the loss of the last character of some windows, spread over the text, back through them:
 * how far does an error reach? And the gates at the end of the last window.
 */
function look(
  name: string,
  { model, vocabulary }: { model: Model; vocabulary: Vocabulary },
  points: Int32Array,
  most: number,
): Seen {
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
  const gates = model.gates(x.subarray((batch - 1) * steps), { steps });
  return {
    name,
    windows: batch,
    steps,
    characters: charactersOf(spare, spare + steps),
    reaches: reachesOf(flow, steps, batch),
    gates: gatesOf(gates, flow, steps),
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

/** Bytes by which a model is told from a text: the length of the header, and where that begins. */
const HEAD = 9;

/** Whether a file is of safetensors, whatever it is called. Of a pipe nothing is read. */
function isModel(path: string): boolean {
  const head = new Uint8Array(HEAD);
  try {
    const { size } = statSync(path);
    if (!statSync(path).isFile() || size < HEAD) return false;
    const file = openSync(path, 'r');
    try {
      readSync(file, head);
    } finally {
      closeSync(file);
    }
    const length = new DataView(head.buffer).getBigUint64(0, true);
    return length < size && head[HEAD - 1] === '{'.charCodeAt(0);
  } catch {
    return false;
  }
}

/** Models first, whatever the others are: those are texts. The first is a model in any case. */
function sorted([first, ...others]: readonly string[]): { models: string[]; texts: string[] } {
  const models = others.filter(isModel);
  return { models: [first!, ...models], texts: others.filter((path) => !models.includes(path)) };
}

/** What one model says, and what it would have said before its training. */
function lookAt(
  engine: Engine,
  path: string,
  file: SafetensorsFile,
  points: Int32Array,
  { steps, untrained }: FlowOptions,
): Seen[] {
  const name = basename(path);
  const opened = openModel(engine, path, file);
  const { vocabulary } = opened;
  const subjects = [{ name, ...opened }];
  if (untrained) {
    const model = createModel(engine, readRun(path, file).settings, vocabulary.size);
    subjects.unshift({ name: `${name}, untrained`, model, vocabulary });
  }
  return subjects.map((subject) => {
    const seen = look(subject.name, subject, points, steps);
    checkFinite(seen, path);
    subject.model.dispose();
    return seen;
  });
}

/** The command `gatefold flow`; gives the exit status. */
export async function flow(named: readonly string[], options: FlowOptions): Promise<number> {
  const { out } = options;
  if (!out.endsWith('.svg')) fail(`--out ${out} expected a name that ends in .svg`);
  const { models, texts } = sorted(named);
  const files = filesOf(texts);
  await checkWritable(out, [...models, ...files]);
  const opened: [path: string, file: SafetensorsFile][] = [];
  for (const path of models) opened.push([path, openModelFile(path, await readModelFile(path))]);
  if (texts.length === 0) {
    const command = `gatefold flow ${models.map(wordOf).join(' ')}`;
    for (const [path, file] of opened) checkOwnText(readRun(path, file), path, command);
  }
  const { points } = readPoints(files);
  // The deterministic variant: the same picture on every machine.
  const engine = await createEngine('deterministic');
  let current = models[0]!;
  try {
    const seen = opened.flatMap(([path, file]) => {
      current = path;
      return lookAt(engine, path, file, points, options);
    });
    say(printFlow(seen));
    await save(out, new TextEncoder().encode(drawFlow(seen)));
    say(`\nsaved the pictures to ${out}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    if (error.code === 'ERR_NON_FINITE') failed(current, 'its loss on this text is not finite');
    if (error.code !== 'ERR_MEMORY') throw error;
    return fail(`${error.message}; or choose fewer --steps`);
  } finally {
    engine.dispose();
  }
}
