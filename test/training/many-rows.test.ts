/** Gradients that are sums over very many rows, against float64; and the same bits however cut. */
import { afterAll, describe, expect, it } from 'vitest';
import { kernelsOf } from '../../src/engine/engine.ts';
import { NONE } from '../../src/engine/plan.ts';
import { Model, Trainer } from '../../src/hosts/default.ts';
import type { LayerSpec } from '../../src/hosts/default.ts';
import { Buffers } from '../support/buffers.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

/** What is left of a sum by rounding, of the sum of the sizes of its terms. */
const VECTORS = 1e-6;
const WEIGHTS = 2e-5;

/** Terms of sums: all alike, which rounds one way for long, of one sign, and of both. */
const KINDS: Readonly<Record<string, (unit: () => number) => number>> = {
  alike: () => 0.7,
  'of one sign': (unit) => 0.1 + unit(),
  mixed: (unit) => unit() - 0.4,
};

describe.each(variants)('many rows, %s SIMD', (variant) => {
  const engine = createEngine(variant, 2 ** 30);
  afterAll(() => engine.dispose());

  it.each(Object.entries(KINDS))('a linear layer of 1,280,000 rows, terms %s', (_, draw) => {
    const [inputs, outputs, batch, steps] = [1, 5, 8000, 160];
    const random = createRandom(7);
    const unit = (): number => random.unit();
    const x = Float32Array.from({ length: batch * steps * inputs }, () => draw(unit));
    const output = Float32Array.from({ length: batch * steps * outputs }, () => draw(unit));
    const layers = [{ type: 'linear', inFeatures: inputs, outFeatures: outputs }] as const;
    const model = Model.create(engine, { layers });
    const trainer = Trainer.create(model, { batch, steps });
    trainer.forward(x);
    trainer.backward({ output });
    const gradients = trainer.gradients();
    trainer.dispose();
    model.dispose();
    for (let o = 0; o < outputs; o++) {
      let [bias, weight, biasSize, weightSize] = [0, 0, 0, 0];
      for (let r = 0; r < batch * steps; r++) {
        const g = output[r * outputs + o]!;
        bias += g;
        weight += g * x[r]!;
        biasSize += Math.abs(g);
        weightSize += Math.abs(g * x[r]!);
      }
      const [own, ofWeight] = ['bias', 'weight'].map(
        (name) => gradients.get(`linear.${name}`)!.data[o]!,
      );
      expect(Math.abs(own! - bias) / biasSize).toBeLessThan(VECTORS);
      expect(Math.abs(ofWeight! - weight) / weightSize).toBeLessThan(WEIGHTS);
    }
  });

  it('sums of 10,000,000 rows, in passes: biases, and the norm of so many gradients', () => {
    const [rows, passes] = [100_000, 100];
    const buffers = new Buffers(engine, createRandom(1));
    const [x, dy] = [buffers.vector(rows), buffers.vector(4 * rows)];
    const [dw, dwRest] = [buffers.vector(16), buffers.vector(16)];
    const [dBias, bias] = [buffers.doubles(new Float64Array(4)), buffers.vector(4)];
    const product = buffers.descriptor('Product');
    const dense = buffers.descriptor('Dense');
    buffers.place();
    const { kernels } = buffers;
    const { run } = kernels;
    kernels.floats(x).fill(0.3);
    const term = Math.fround(0.7);
    kernels.floats(dy).fill(term);
    kernels.write(dense, { rows, inputs: 1, outputs: 4, x, xRow: 4, y: dy, yRow: 16, product });
    kernels.write(dense, { dw, dwRest, dBias, bias, w: dw });
    for (let k = 0; k < passes; k++) {
      kernels.set(dense, 'summed', k * rows);
      run.dense_backward(dense.address);
    }
    run.sums_take(bias.address, dBias.address, 4);
    run.rest_take(dw.address, dwRest.address, 16);
    const exact = rows * passes * term;
    for (const sum of buffers.read(bias)) expect(Math.abs(sum / exact - 1)).toBeLessThan(VECTORS);
    for (const sum of buffers.read(dw, 4)) {
      expect(Math.abs(sum / (exact * Math.fround(0.3)) - 1)).toBeLessThan(WEIGHTS);
    }
    const squares = 25 * run.gradient_squares(dy.address, 4 * rows);
    expect(Math.abs(squares / (exact * term) - 1)).toBeLessThan(VECTORS);
    // What was taken is not there any more.
    expect([...buffers.readDoubles(dBias), ...buffers.read(dwRest)].every((sum) => !sum)).toBe(
      true,
    );
    buffers.free();
  });

  it('a loss of one row of many elements, and a mean of many steps', () => {
    const [width, term] = [1_000_000, Math.fround(0.7)];
    const layers = [{ type: 'scale', inputSize: 1, factor: 1, offset: 0 }] as const;
    const model = Model.create(engine, { layers: [...layers, { type: 'pool', mode: 'mean' }] });
    const { output } = model.forward(new Float32Array(width).fill(term), { steps: width });
    expect(Math.abs(output[0]! / term - 1)).toBeLessThan(VECTORS);
    model.dispose();

    const kernels = kernelsOf(engine);
    const buffers = new Buffers(engine, createRandom(1));
    const [outputs, targets, losses] = [width, width, 4].map((n) => buffers.vector(n));
    const loss = buffers.descriptor('Loss');
    buffers.place();
    kernels.floats(outputs!).fill(term);
    const places = { outputs: outputs!, targets: targets!, losses: losses!, weights: NONE };
    kernels.write(loss, { kind: 1, rows: 1, width, outputRow: 4 * width, scale: 1, ...places });
    kernels.run.loss_rows(loss.address);
    expect(Math.abs(buffers.read(losses!)[0]! / (width * term) - 1)).toBeLessThan(VECTORS);
    buffers.free();
  });

  const [I, H] = [3, 5];
  const sized = { inputSize: I, hiddenSize: H } as const;
  const causal = { type: 'conv1d', inChannels: I, padding: 'causal', kernelSize: 2 } as const;
  const kinds: Readonly<Record<string, readonly LayerSpec[]>> = {
    rnn: [{ type: 'rnn', ...sized }],
    indrnn: [{ type: 'indrnn', ...sized }],
    mingru: [{ type: 'mingru', ...sized }],
    lstm: [{ type: 'lstm', ...sized }],
    peephole: [{ type: 'lstm', ...sized, peephole: 'diagonal' }],
    coupled: [{ type: 'lstm', ...sized, peephole: 'diagonal', inputForget: true }],
    projected: [{ type: 'lstm', ...sized, projSize: 2 }],
    'layer norm': [{ type: 'lstm', ...sized, layerNorm: true }],
    gru: [{ type: 'gru', ...sized }],
    'gru, layer norm': [{ type: 'gru', ...sized, layerNorm: true }],
    'gru, reset before': [{ type: 'gru', ...sized, resetAfter: false }],
    embedding: [{ type: 'embedding', numEmbeddings: 3, embeddingDim: 4 }],
    tied: [
      { type: 'embedding', numEmbeddings: 3, embeddingDim: 4 },
      { type: 'linear', tied: 'embedding' },
    ],
    conv1d: [{ ...causal, outChannels: 4 }],
    grouped: [{ ...causal, outChannels: 6, groups: 3 }],
    depthwise: [{ ...causal, outChannels: I, groups: I }],
    transposed: [{ type: 'convTranspose1d', inChannels: I, outChannels: 4, kernelSize: 2 }],
    layerNorm: [{ type: 'layerNorm', inputSize: I }],
    rmsNorm: [{ type: 'rmsNorm', inputSize: I }],
    prelu: [{ type: 'prelu', inputSize: I }],
    'one slope': [{ type: 'prelu', inputSize: I, shared: true }],
  };

  /** The gradients of some sequences of 2 steps that are all alike. */
  function gradientsOf(layers: readonly LayerSpec[], batch: number) {
    const model = Model.create(engine, { layers }, { seed: 3 });
    const trainer = Trainer.create(model, { batch, steps: 2 });
    const first = layers[0]!;
    const random = createRandom(5);
    const repeat = (width: number, draw: () => number): number[] =>
      [0, 1].flatMap(() => {
        const row = Array.from({ length: width }, draw);
        return Array.from({ length: batch }, () => row).flat();
      });
    const x =
      first.type === 'embedding'
        ? Int32Array.from(repeat(1, () => 1))
        : Float32Array.from(repeat(I, () => random.unit() - 0.8));
    const { output } = trainer.forward(x);
    const width = output.length / batch;
    const steps = width / model.outputSize;
    const rows = Array.from({ length: steps }, () =>
      Array.from({ length: model.outputSize }, () => 0.2 + random.unit()),
    );
    const slopes = rows.flatMap((row) => Array.from({ length: batch }, () => row).flat());
    trainer.backward({ output: Float32Array.from(slopes) });
    const gradients = trainer.gradients();
    trainer.dispose();
    model.dispose();
    return gradients;
  }

  it.each(Object.entries(kinds))(
    '%s: 16,000 sequences alike have 16,000 times the gradient',
    (_, layers) => {
      const batch = 16_000;
      const all = gradientsOf(layers, batch);
      const worst = [0, 0];
      for (const [name, { shape, data }] of gradientsOf(layers, 1)) {
        const own = all.get(name)!.data;
        // Peepholes are weights, though a vector for each gate.
        const isVector = shape.length === 1 && !/peephole|weight_hh/.test(name);
        const size = Math.max(...data.map(Math.abs));
        data.forEach((one, k) => {
          const error = Math.abs(own[k]! / batch - one) / size;
          worst[Number(isVector)] = Math.max(worst[Number(isVector)]!, error);
        });
      }
      expect(worst[0]).toBeLessThan(WEIGHTS);
      expect(worst[1]).toBeLessThan(VECTORS);
    },
  );
});
