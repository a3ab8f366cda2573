/** Many sequences over several threads: what each gives is what the model gives it alone. */
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { scoreSequences as score } from '../../src/node/score/score.ts';
import type { ScoreOptions, ScoreResult } from '../../src/node/score/score.ts';
import type { PoolWorker } from '../../src/node/score/pool.ts';
import type { Packed } from '../../src/node/score/batch.ts';
import { saveModel } from '../../src/formats/safetensors.ts';
import { Model } from '../../src/hosts/default.ts';
import type { ModelDescription } from '../../src/hosts/default.ts';
import { build } from '../../src/formats/shared/imported.ts';
import { Net } from '../formats/onnx-program-cases.ts';
import { readAsProgram } from '../formats/onnx-oracle.ts';
import { encodeOnnx } from '../peers/onnx-writer.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

/** The worker as the package has it: Node cannot run its source. */
const packaged = new URL('../../dist/node/score-worker.js', import.meta.url);
const start = (): Worker => new Worker(packaged);
const scoreSequences = <R>(records: Iterable<R> | AsyncIterable<R>, options: ScoreOptions<R>) =>
  score(records, options, start);

const POOLED: ModelDescription = {
  layers: [
    { type: 'lstm', inputSize: 2, hiddenSize: 6 },
    { type: 'pool', mode: 'last' },
    { type: 'linear', outFeatures: 3 },
  ],
};
const STEPS: ModelDescription = { layers: [{ type: 'gru', inputSize: 2, hiddenSize: 3 }] };
const TOKENS: ModelDescription = {
  layers: [
    { type: 'embedding', numEmbeddings: 7, embeddingDim: 3 },
    { type: 'rnn', hiddenSize: 4 },
  ],
};

const engine = createEngine('baseline');
const model = Model.create(engine, POOLED, { seed: 1 });
afterAll(() => engine.dispose());

const lengthOf = (k: number): number => 1 + ((k * 37) % 50);
const record = (k: number): Float32Array =>
  Float32Array.from({ length: 2 * lengthOf(k) }, (_, i) => Math.sin(k + i));
const records = (count: number): Float32Array[] =>
  Array.from({ length: count }, (_, k) => record(k));
const alone = (own: Model, x: Float32Array | Int32Array, width: number): Float32Array =>
  own.forward(x, { steps: x.length / width }).output;

async function all<R>(results: AsyncIterable<ScoreResult<R>>): Promise<ScoreResult<R>[]> {
  const list: ScoreResult<R>[] = [];
  for await (const result of results) list.push(result);
  return list;
}

describe('scoreSequences', () => {
  it.each([0, 1, 2])('gives what the model gives each alone, with %i workers', async (workers) => {
    const given = records(300);
    const reports: number[] = [];
    const onProgress = (progress: { records: number }): void => void reports.push(progress.records);
    const results = await all(scoreSequences(given, { model, workers, batch: 8, onProgress }));
    expect(results.map(({ index }) => index)).toEqual([...given.keys()]);
    for (const { record: own, output } of results) expect(output).toEqual(alone(model, own, 2));
    expect(reports.at(-1)).toBe(300);
  });

  it('runs the bytes of a model, any output, in any order', async () => {
    const own = Model.create(engine, STEPS, { seed: 2 });
    const options = { modelBytes: saveModel(own), workers: 2, batch: 4, ordered: false };
    const given = records(70);
    const results = await all(scoreSequences(given, { ...options, simd: 'deterministic' }));
    expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...given.keys()]);
    for (const { record: x, output, outputs } of results) {
      expect(output).toEqual(alone(own, x, 2));
      expect(Object.values(outputs)).toEqual([output]);
    }
  });

  it('takes tokens, lists and the inputs of what carries them', async () => {
    const own = Model.create(engine, TOKENS, { seed: 2 });
    const given = [[1, 2, 6], [0], [5, 5, 5, 5, 5]].map((tokens, id) => ({ id: `r${id}`, tokens }));
    const input = (row: { tokens: number[] }): number[] => row.tokens;
    const results = await all(scoreSequences(given, { model: own, workers: 0, input }));
    expect(results.map(({ record: { id } }) => id)).toEqual(['r0', 'r1', 'r2']);
    for (const { record: row, output } of results)
      expect(output).toEqual(alone(own, Int32Array.from(row.tokens), 1));
    const nested = [
      [
        [0.5, 0.25],
        [1, 2],
      ],
    ];
    const [one] = await all(
      scoreSequences<unknown>(nested, { model, workers: 0, input: (row) => row as never }),
    );
    expect(one!.output).toEqual(alone(model, Float32Array.of(0.5, 0.25, 1, 2), 2));
  });

  it('runs programs, which models of ONNX may be', async () => {
    const net = new Net(createRandom(1));
    const turned = net.add('Transpose', [net.input(1, 6, 2)]);
    const { graph } = net.done(net.add('Softmax', [turned]));
    const program = build(engine, readAsProgram(encodeOnnx(graph)));
    const given = Array.from({ length: 40 }, (_, k) => record(k).subarray(0, 2).slice());
    const x = given.map(([a, b]) => Float32Array.from({ length: 12 }, (_, i) => a! * i + b!));
    const results = await all(scoreSequences(x, { model: program, workers: 2, batch: 4 }));
    const each = x.map((own) => alone(program, own, 12));
    expect(results.map(({ output }) => output)).toEqual(each);
    program.dispose();
  });

  it('reads no further than results are taken', async () => {
    let read = 0;
    function* source(): Generator<Float32Array> {
      for (;;) yield record(read++ % 10);
    }
    const results = scoreSequences(source(), { model, workers: 1, batch: 2 });
    for (let k = 0; k < 3; k++) await results.next();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(read).toBeLessThanOrEqual(2 * 4 * 16 + 3);
    await results.return();
    const before = read;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(read).toBe(before);
  });

  it('lets nothing wait for longer than it may', async () => {
    const source = async function* (): AsyncGenerator<Float32Array> {
      yield record(1);
      yield record(2);
      await new Promise(() => {});
    };
    const results = scoreSequences(source(), { model, workers: 0, maxLatency: 5 });
    expect((await results.next()).value!.output).toEqual(alone(model, record(1), 2));
    expect((await results.next()).value!.index).toBe(1);
    await results.return();
  });

  it('replaces workers that die, and runs their batches again', async () => {
    let started = 0;
    const sent: string[] = [];
    const lost: string[] = [];
    // Ends its thread before it hands the thread a new batch, which then nobody has done.
    const worker = (): PoolWorker => {
      started++;
      const own = start();
      return {
        on: (event, listener) => own.on(event, listener),
        unref: () => own.unref(),
        terminate: () => own.terminate(),
        postMessage(message, transfer = []) {
          const batch = (message as { message?: Packed }).message;
          if (batch) {
            const key = [...batch.lengths, ...Object.values(batch.x)[0]!.slice(0, 4)].join();
            if (sent.length >= [5, 30, 60][lost.length]! && !sent.includes(key)) {
              lost.push(key);
              void own.terminate();
            }
            sent.push(key);
          }
          own.postMessage(message, transfer);
        },
      };
    };
    const given = records(1200);
    const results = await all(scoreSequences(given, { model, workers: 2, batch: 4, worker }));
    expect(results.map(({ index }) => index)).toEqual([...given.keys()]);
    for (const { record: x, output } of results) expect(output).toEqual(alone(model, x, 2));
    expect(lost).toHaveLength(3);
    for (const key of lost) {
      expect(sent.filter((own) => own === key).length).toBeGreaterThanOrEqual(2);
    }
    expect(started).toBe(5);
  });

  it('ends where no worker begins', async () => {
    const worker = (): Worker => new Worker('process.exit(3)', { eval: true });
    await expect(all(scoreSequences(records(3), { model, workers: 1, worker }))).rejects.toThrow(
      /workers end before they begin/,
    );
  });

  it('names bad records, and skips them or ends', async () => {
    const given = [...records(3), new Float32Array(3), record(4)];
    await expect(all(scoreSequences(given, { model, workers: 0 }))).rejects.toThrow(
      /record 3: "x" expected steps of 2 numbers, got 3 numbers/,
    );
    const bad: number[] = [];
    const onBadRecord = ({ index }: { index: number }): void => void bad.push(index);
    const results = await all(scoreSequences(given, { model, workers: 1, onBadRecord }));
    expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 4]);
    expect(bad).toEqual([3]);
  });

  it('skips what is too long for its memory, and nothing else', async () => {
    const long = new Float32Array(2 * 40_000);
    const bad: number[] = [];
    const onBadRecord = ({ index }: { index: number }): void => void bad.push(index);
    const options = { model, workers: 1, maxBytes: 2 ** 22, onBadRecord };
    const results = await all(scoreSequences([record(0), long, record(2)], options));
    expect(results.map(({ index }) => index)).toEqual([0, 2]);
    expect(bad).toEqual([1]);
  });

  it('ends by a signal, and by an error of the source', async () => {
    const control = new AbortController();
    const results = scoreSequences(records(200), {
      model,
      workers: 0,
      batch: 2,
      signal: control.signal,
    });
    await results.next();
    control.abort(new Error('enough'));
    await expect(all(results)).rejects.toThrow('enough');
    const source = function* (): Generator<Float32Array> {
      yield record(0);
      throw new Error('no more');
    };
    await expect(all(scoreSequences(source(), { model, workers: 0 }))).rejects.toThrow('no more');
  });

  it('refuses options that are none', () => {
    expect(() => scoreSequences([], {})).toThrow(/either "model" or "modelBytes"/);
    expect(() => scoreSequences([], { model, batch: 0 })).toThrow(/"batch"/);
    expect(() => scoreSequences(3 as never, { model })).toThrow(/"records" expected an iterable/);
    expect(() => scoreSequences([], { model, wrokers: 1 } as never)).toThrow(/no option "wrokers"/);
  });
});
