import { Kernels } from '../../kernels/index.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Model } from '../../model/model.ts';
import { storeOf } from '../../model/model.ts';
import { createEngine } from '../engine.ts';
import { say } from '../output.ts';
import { openModel, readOptions } from './open.ts';
import type { WiringOptions } from './open.ts';
import { inBytes, inTime, tableOf } from './table.ts';

export interface MeasureOptions extends WiringOptions {
  readonly steps: number;
  readonly batch: number;
}

const ROUNDS = 15;
/** Seconds of a round, which is long against what a clock misses. */
const ROUND = 0.02;

/** The seconds that a call takes, warm, of every round, the quickest first. */
function roundsOf(call: () => void): number[] {
  const seconds = (count: number): number => {
    const start = performance.now();
    for (let k = 0; k < count; k++) call();
    return (performance.now() - start) / 1e3;
  };
  let count = 1;
  while (seconds(count) < ROUND && count < 1e6) count *= 2;
  const rounds = Array.from({ length: ROUNDS }, () => seconds(count) / count);
  return rounds.sort((a, b) => a - b);
}

/** Their median. */
function timeOf(call: () => void): number {
  return roundsOf(call)[Math.floor(ROUNDS / 2)]!;
}

/** Multiply-adds a second of products that stay in the first-level cache. */
function peakOf(engine: Engine): number {
  const kernels = Kernels.create(engine);
  const [m, k, n] = [96, 96, 64];
  const matrix = kernels.matrix(new Float32Array(k * n), k, n);
  const a = new Float32Array(m * k);
  const out = new Float32Array(m * n);
  return (m * k * n) / roundsOf(() => kernels.matmul(a, matrix, m, out))[0]!;
}

/** The command `gatefold bench`; gives the exit status. */
export async function measure(path: string, options: MeasureOptions): Promise<number> {
  const opened = await openModel(path, await readOptions(options));
  const engine = await createEngine('auto');
  try {
    const model = opened.load(engine);
    const { steps, batch } = options;
    const products = productsOf(model);
    const peak = peakOf(engine);
    const rows: string[][] = [];
    const add = (what: string, rowsOfCall: number, call: () => void): void => {
      const seconds = timeOf(call);
      const share = (100 * products * rowsOfCall) / seconds / peak;
      rows.push([what, inTime(seconds), inTime(seconds / rowsOfCall), `${share.toFixed(0)} %`]);
    };
    const stream = streamOf(model);
    if (stream) add('a step', 1, stream);
    for (const count of new Set([1, batch])) {
      const total = model.description.steps ?? steps;
      const call = callOf(model, total, count);
      add(count === 1 ? `${total} steps` : `${count} x ${total} steps`, total * count, call);
    }
    say(`${tableOf(['what', 'time', 'a step', 'of the peak'], rows)}\n\n`);
    say(`${engine.variant} SIMD, ${products.toLocaleString('en')} multiply-adds a step; `);
    say(`peak ${((2 * peak) / 1e9).toFixed(1)} GFLOP/s; engine ${inBytes(engine.bytes)}\n`);
    return 0;
  } finally {
    engine.dispose();
  }
}

/** Elements of matrices, each of which is multiplied and added once at a step. */
export function productsOf(model: Model): number {
  return storeOf(model)
    .parameters.filter(({ shape, layout }) => {
      return shape.length > 1 && ('panels' in layout || 'int8' in layout);
    })
    .reduce((sum, { shape }) => sum + shape.reduce((all, size) => all * size, 1), 0);
}

/** One step of a stream; `undefined` of a model that has none. */
function streamOf(model: Model): (() => void) | undefined {
  const { inputs, outputs } = model;
  if (storeOf(model).graph.noStream !== undefined || inputs.length > 1 || outputs.length > 1) {
    return undefined;
  }
  const stream = model.stream();
  const x = model.takesTokens ? new Int32Array(1) : new Float32Array(model.inputSize).fill(0.1);
  const out = new Float32Array(model.outputSize);
  return () => stream.step(x, out);
}

function callOf(model: Model, steps: number, batch: number): () => void {
  const x = Object.fromEntries(
    model.inputs.map(({ name, size, takesTokens, each }) => {
      const rows = batch * (each === 'sequence' ? 1 : steps);
      return [name, takesTokens ? new Int32Array(rows) : new Float32Array(rows * size).fill(0.1)];
    }),
  );
  return () => void model.forward(x, { steps, batch });
}
