/**
 * Rows of differing lengths, read forward, backward and both ways, against the same node in onnxruntime-web: `sequence_lens` and
 * `direction`. Lengths are at least 1: onnxruntime gives a row of length 0 zeros as its last state rather than its initial one.
 */
import * as ort from 'onnxruntime-web';
import { afterAll, describe, expect, it } from 'vitest';
import { Model } from '../../src/index.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { gatesOf, reorderGates, type RecurrentLayer } from './gates.ts';
import { encodeOnnx, type OnnxAttribute } from './onnx-writer.ts';
import { maxError } from './problems.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

/** As in onnxruntime.test.ts, and for its reason. */
const TOLERANCE = 3e-6;
const CASES = 25;
const SUFFIXES = { forward: [''], reverse: [''], bidirectional: ['', '_reverse'] } as const;
type Direction = keyof typeof SUFFIXES;
const OP_TYPES = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' };
const forms = [
  { type: 'rnn' },
  { type: 'lstm' },
  { type: 'gru' },
  { type: 'gru', resetAfter: false },
] as const;

/** One node; W, R and B hold all directions, one behind the other. */
function onnxNode(
  spec: RecurrentLayer,
  model: Model,
  direction: Direction,
  lengths: Int32Array,
): Uint8Array {
  const tensors = model.stateDict();
  const suffixes = SUFFIXES[direction];
  const [ours, theirs] = [gatesOf(spec, 'gatefold'), gatesOf(spec, 'onnx')];
  const [D, H] = [suffixes.length, spec.hiddenSize];
  const rows = theirs.length * H;
  const all = (...names: string[]): Float32Array =>
    Float32Array.from(
      suffixes.flatMap((suffix) =>
        names.flatMap((name) => [
          ...reorderGates(tensors.get(`${spec.type}.${name}_l0${suffix}`)!.data, ours, theirs),
        ]),
      ),
    );
  const states = spec.type === 'lstm' ? ['h', 'c'] : ['h'];
  const attributes: Record<string, OnnxAttribute> = { hidden_size: H, direction };
  if (spec.type === 'rnn') attributes['activations'] = suffixes.map(() => 'Tanh');
  if (spec.type === 'gru') attributes['linear_before_reset'] = spec.resetAfter === false ? 0 : 1;
  const initials = states.map((s) => `${s}0`);
  return encodeOnnx({
    inputs: [
      { name: 'x', dims: ['T', 'B', spec.inputSize] },
      ...initials.map((name) => ({ name, dims: [D, 'B', H] })),
    ],
    outputs: ['y', ...states.map((s) => `${s}n`)],
    initializers: [
      { name: 'W', dims: [D, rows, spec.inputSize], data: all('weight_ih') },
      { name: 'R', dims: [D, rows, H], data: all('weight_hh') },
      { name: 'B', dims: [D, 2 * rows], data: all('bias_ih', 'bias_hh') },
      { name: 'lengths', dims: [lengths.length], data: lengths },
    ],
    nodes: [
      {
        opType: OP_TYPES[spec.type],
        inputs: ['x', 'W', 'R', 'B', 'lengths', ...initials],
        outputs: ['y', ...states.map((s) => `${s}n`)],
        attributes,
      },
    ],
  });
}

/** ONNX's [T, D, B, H] as [T, B, D H]. */
function concatenated(y: Float32Array, D: number, batch: number, H: number): Float32Array {
  return y.map((_, k) => {
    const [row, column] = [Math.floor(k / (D * H)), k % (D * H)];
    const [t, b] = [Math.floor(row / batch), row % batch];
    return y[((t * D + Math.floor(column / H)) * batch + b) * H + (column % H)]!;
  });
}

describe('lengths and directions in onnxruntime-web', () => {
  const engines = variants.map((variant) => createEngine(variant));
  const worst = { error: 0, models: 0 };
  afterAll(() => {
    engines.forEach((engine) => engine.dispose());
    console.info(
      `worst error over ${worst.models} models with lengths and directions:`,
      worst.error,
    );
  });

  describe.each(forms)('$type, resetAfter $resetAfter', (form) => {
    it.each(Object.keys(SUFFIXES) as Direction[])('%s', { timeout: 60_000 }, async (direction) => {
      for (let seed = 1; seed <= CASES; seed++) {
        const random = createRandom(seed);
        const sizes = { inputSize: random.integer(1, 30), hiddenSize: random.integer(1, 30) };
        const [steps, batch, D, H] = [
          random.integer(1, 16),
          random.integer(1, 5),
          SUFFIXES[direction].length,
          sizes.hiddenSize,
        ];
        const spec: RecurrentLayer = {
          ...form,
          ...sizes,
          ...(direction === 'bidirectional'
            ? { bidirectional: true }
            : { direction: direction === 'reverse' ? 'backward' : 'forward' }),
        };
        const lengths = Int32Array.from({ length: batch }, () => random.integer(1, steps));
        const x = Float32Array.from(random.vector(steps * batch * sizes.inputSize, 1));
        const state = (): Float32Array => Float32Array.from(random.vector(D * batch * H, 1));
        const initial = spec.type === 'lstm' ? { h: state(), c: state() } : { h: state() };
        const label = `seed ${seed}, T ${steps}, lengths ${lengths.join()}, ${JSON.stringify(spec)}`;
        let theirs: ort.InferenceSession.ReturnType | undefined;
        for (const engine of engines) {
          const model = Model.create(engine, { layers: [spec] }, { seed });
          if (!theirs) {
            const bytes = onnxNode(spec, model, direction, lengths);
            const session = await ort.InferenceSession.create(bytes, {
              executionProviders: ['wasm'],
            });
            const tensor = (data: Float32Array, dims: number[]): ort.Tensor =>
              new ort.Tensor('float32', data, dims);
            theirs = await session.run({
              x: tensor(x, [steps, batch, sizes.inputSize]),
              ...Object.fromEntries(
                Object.entries(initial).map(([s, data]) => [`${s}0`, tensor(data, [D, batch, H])]),
              ),
            });
            await session.release();
          }
          const ours = model.forward(x, { steps, batch, lengths, state: { [spec.type]: initial } });
          const last = ours.state[spec.type]!;
          const errors = [
            maxError(ours.output, concatenated(theirs['y']!.data as Float32Array, D, batch, H)),
            maxError(last.h, theirs['hn']!.data as Float32Array),
            ...(last.c ? [maxError(last.c, theirs['cn']!.data as Float32Array)] : []),
          ];
          expect(Math.max(...errors), `${engine.simd}, ${label}`).toBeLessThan(TOLERANCE);
          worst.error = Math.max(worst.error, ...errors);
          worst.models++;
          model.dispose();
        }
      }
    });
  });
});
