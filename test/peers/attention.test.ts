/**
 * Attention in gatefold, in onnxruntime-web (ONNX `Attention`) and in TensorFlow.js: its port of
 * Keras' MultiHeadAttention, which it has but does not export, and the formulas of Keras' Attention
 * and AdditiveAttention written with its operations, which differentiates them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';
import { randomLengths } from '../support/options.ts';
import { createProblem, type Problem } from '../support/problem.ts';
import { roundProblem, toStateDict } from '../support/product.ts';
import { createRandom } from '../support/random.ts';
import { encodeOnnx } from './onnx-writer.ts';
import { maxError } from './problems.ts';
import { batchMajor, prepareTfjs, timeMajor } from './tfjs.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const TOLERANCE = 3e-6;
/** By the largest of a gradient. That of one weight is a sum over all steps, which cancels. */
const GRADIENT_TOLERANCE = 3e-5;
/** The first that has `Attention`. */
const OPSET = 23;

const engines = variants.map((variant) => createEngine(variant));
beforeAll(prepareTfjs);
afterAll(() => engines.forEach((engine) => engine.dispose()));

/** Inputs [q, v, k] side by side, each a layer of its own, and what reads them. */
function split(
  sizes: { readonly q: number; readonly v: number; readonly k: number },
  ...layers: readonly object[]
): LayerSpec[] {
  const { q, v, k } = sizes;
  const inputSize = q + v + k;
  const cut = (name: string, from: number, to: number): object => ({
    type: 'slice',
    name,
    inputs: ['input'],
    from,
    to,
    inputSize,
  });
  return [cut('q', 0, q), cut('v', q, q + v), cut('k', q + v, inputSize), ...layers] as LayerSpec[];
}

function problemOf(layers: readonly LayerSpec[], seed: number, isRagged = false): Problem {
  const random = createRandom(seed);
  const [steps, batch] = [random.integer(2, 17), random.integer(1, 4)];
  const dims = isRagged
    ? { steps, batch, lengths: randomLengths(random, steps, batch) }
    : { steps, batch };
  return roundProblem(createProblem({ layers }, dims, random, { scale: () => 0.7 }));
}

/** What a problem gives in every variant, against outputs [T, B, *] and gradients of somebody. */
function requireAlike(
  problem: Problem,
  theirs: ArrayLike<number>,
  gradients: ReadonlyMap<string, ArrayLike<number>>,
): void {
  const { description, parameters, input, doutput } = problem;
  const { batch, ...dims } = problem.dims;
  for (const engine of engines) {
    const model = Model.create(engine, description);
    model.loadStateDict(toStateDict(parameters));
    const trainer = Trainer.create(model, { batch, steps: dims.steps });
    const { output } = trainer.forward(Float32Array.from(input), dims);
    expect(maxError(output, theirs)).toBeLessThan(TOLERANCE);
    if (gradients.size) {
      const { input: dx } = trainer.backward({ output: Float32Array.from(doutput) });
      const own = trainer.gradients();
      for (const [name, wanted] of gradients) {
        const got = name === 'input' ? dx! : own.get(name)!.data;
        const size = Math.max(...Array.from(wanted, Math.abs));
        const error = maxError(got, wanted) / Math.min(1, size);
        expect(error, `${name}, ${engine.variant}`).toBeLessThan(GRADIENT_TOLERANCE);
      }
    }
    model.dispose();
  }
}

it.each([
  [1, false, 'scaledDot'],
  [1, true, 'dot'],
  [2, false, 'dot'],
  [4, true, 'scaledDot'],
] as const)('onnxruntime: %i heads, causal %s, %s', async (heads, causal, score) => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = createRandom(seed);
    const [width, values] = [heads * random.integer(1, 9), heads * random.integer(1, 9)];
    const layer = { type: 'attention', inputs: ['q', 'v', 'k'], heads, causal, score };
    const sizes = { q: width, v: values, k: width };
    const problem = problemOf(split(sizes, layer), seed);
    const { input, dims } = problem;
    const all = { q: [0, width], v: [width, values], k: [width + values, width] } as const;
    const dimsOf = (own: number): number[] => [dims.batch, dims.steps, own];
    const bytes = encodeOnnx({
      inputs: Object.entries(all).map(([name, [, own]]) => ({ name, dims: dimsOf(own) })),
      outputs: ['y'],
      initializers: [],
      nodes: [
        {
          opType: 'Attention',
          inputs: ['q', 'k', 'v'],
          outputs: ['y'],
          attributes: {
            q_num_heads: heads,
            kv_num_heads: heads,
            is_causal: Number(causal),
            ...(score === 'dot' && { scale: { float: 1 } }),
          },
        },
      ],
      opset: OPSET,
    });
    const x = batchMajor(input, dims.steps, dims.batch);
    const given = Object.entries(all).map(([name, [from, own]]) => {
      const part = tf.slice(x, [0, 0, from], [-1, -1, own]).dataSync() as Float32Array;
      return [name, new ort.Tensor('float32', part, dimsOf(own))] as const;
    });
    const session = await ort.InferenceSession.create(bytes);
    const { y } = await session.run(Object.fromEntries(given));
    await session.release();
    const output = tf.tensor3d(y!.data as Float32Array, [dims.batch, dims.steps, values]);
    requireAlike(problem, timeMajor(output), new Map());
  }
});

/** Outputs, and gradients of inputs and parameters, of a function of tensors [B, T, *]. */
function requireTensors(
  problem: Problem,
  apply: (x: tf.Tensor3D, parameters: ReadonlyMap<string, tf.Tensor>) => tf.Tensor,
): void {
  const { steps, batch } = problem.dims;
  tf.engine().startScope();
  const x = tf.variable(batchMajor(problem.input, steps, batch));
  const held = new Map(
    [...problem.parameters].map(([name, { shape, data }]) => [
      name,
      tf.variable(tf.tensor(Float32Array.from(data), [...shape])),
    ]),
  );
  const dy = batchMajor(problem.doutput, steps, batch);
  const loss = (): tf.Scalar => tf.sum(tf.mul(apply(x, held), dy));
  const { grads } = tf.variableGrads(loss, [x, ...held.values()]);
  const gradients = new Map<string, Float32Array>([['input', timeMajor(grads[x.name]!)]]);
  for (const [name, { name: own }] of held) {
    gradients.set(name, grads[own]!.dataSync() as Float32Array);
  }
  requireAlike(problem, timeMajor(apply(x, held)), gradients);
  tf.engine().endScope();
  for (const variable of [x, ...held.values()]) variable.dispose();
}

/** [B, T, T]: large and negative where a query sees no key. */
function maskOf({ dims: { steps, batch, lengths } }: Problem, causal: boolean): tf.Tensor3D {
  const hidden = Array.from({ length: batch * steps * steps }, (_, at) => {
    const [b, i, j] = [Math.floor(at / steps ** 2), Math.floor(at / steps) % steps, at % steps];
    return j >= (lengths?.[b] ?? steps) || (causal && j > i) ? -1e9 : 0;
  });
  return tf.tensor3d(hidden, [batch, steps, steps]);
}

/** [B, T, 1]: 1 where a query is there, as what stands behind is 0 in gatefold. */
const thereOf = ({ dims: { steps, batch, lengths } }: Problem): tf.Tensor3D =>
  tf.tensor3d(
    Array.from({ length: batch * steps }, (_, at) =>
      Number(at % steps < (lengths?.[Math.floor(at / steps)] ?? steps)),
    ),
    [batch, steps, 1],
  );

describe('TensorFlow.js', () => {
  it.each([
    ['dot', false],
    ['dot', true],
    ['scaledDot', false],
    ['additive', false],
    ['concat', false],
    ['concat', true],
  ] as const)('the formulas of Keras, %s, learned scale %s', (score, scale) => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = createRandom(seed);
      const heads = score === 'scaledDot' ? random.integer(1, 4) : 1;
      const [width, values] = [heads * random.integer(1, 9), heads * random.integer(1, 9)];
      const causal = seed % 4 === 0;
      const layer = { type: 'attention', inputs: ['q', 'v', 'k'], score, scale, causal, heads };
      const sizes = { q: width, v: values, k: width };
      const problem = problemOf(split(sizes, layer), seed, seed % 2 > 0);
      requireTensors(problem, (x, parameters) => {
        const part = (from: number, own: number): tf.Tensor3D[] =>
          Array.from({ length: heads }, (_, head) =>
            tf.slice(x, [0, 0, from + (head * own) / heads], [-1, -1, own / heads]),
          );
        const [qs, vs, ks] = [
          part(0, width),
          part(width, values),
          part(width + values, width),
        ] as const;
        const a = parameters.get('attention.scale') ?? tf.scalar(1);
        const w = parameters.get('attention.weight')!;
        const outputs = qs.map((q, head) => {
          const both = (): tf.Tensor => tf.add(tf.expandDims(q, 2), tf.expandDims(ks[head]!, 1));
          const products = (): tf.Tensor => tf.matMul(q, ks[head]!, false, true);
          const scores = {
            dot: () => tf.mul(products(), a),
            scaledDot: () => tf.div(products(), Math.sqrt(width / heads)),
            additive: () => tf.sum(tf.mul(w, tf.tanh(both())), -1),
            concat: () => tf.mul(w, tf.sum(tf.tanh(tf.mul(a, both())), -1)),
          }[score]();
          const p = tf.softmax(tf.add(scores, maskOf(problem, causal)));
          return tf.matMul(p as tf.Tensor3D, vs[head]!);
        });
        return tf.mul(tf.concat(outputs, -1), thereOf(problem));
      });
    }
  });

  /** What its layer has of a projection. */
  interface Dense {
    setWeights(weights: tf.Tensor[]): void;
    readonly kernel: { read(): tf.Variable };
    readonly bias: { read(): tf.Variable };
  }
  interface MultiHead {
    call(q: tf.Tensor, given: object): tf.Tensor;
    readonly queryDense: Dense;
    readonly keyDense: Dense;
    readonly valueDense: Dense;
    readonly outputDense: Dense;
  }
  type MultiHeadClass = new (options: object) => MultiHead;

  let MultiHeadAttention: MultiHeadClass;
  beforeAll(async () => {
    const file = '@tensorflow/tfjs-layers/dist/layers/nlp/multihead_attention';
    const { outputFiles } = await build({
      stdin: { contents: `export { MultiHeadAttention } from '${file}';`, resolveDir: '.' },
      bundle: true,
      format: 'cjs',
      platform: 'node',
      external: ['@tensorflow/tfjs-core'],
      write: false,
    });
    // So that both have the same tfjs-core.
    const run = new Function('exports', 'module', 'require', outputFiles[0]!.text);
    const module = { exports: {} as { MultiHeadAttention: MultiHeadClass } };
    run(module.exports, module, createRequire(import.meta.url));
    ({ MultiHeadAttention } = module.exports);
    // The only method of a tensor that it takes for granted.
    (tf.Tensor.prototype as { add?: unknown }).add ??= function add(this: tf.Tensor, b: tf.Tensor) {
      return tf.add(this, b);
    };
  });

  it.each([
    [1, false],
    [2, false],
    [3, true],
  ] as const)("Keras' MultiHeadAttention of %i heads, causal %s", (heads, causal) => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = createRandom(seed);
      const [width, keyDim, valueDim] = [1, 1, 1].map(() => random.integer(1, 7)) as [
        number,
        number,
        number,
      ];
      const linear = (name: string, outFeatures: number): object => ({
        type: 'linear',
        name: `${name}Dense`,
        inputs: [name],
        outFeatures,
      });
      const problem = problemOf(
        split(
          { q: width, v: width, k: width },
          linear('q', heads * keyDim),
          linear('k', heads * keyDim),
          linear('v', heads * valueDim),
          { type: 'attention', heads, causal, inputs: ['qDense', 'vDense', 'kDense'] },
          { type: 'linear', name: 'outDense', outFeatures: width },
        ),
        seed,
      );
      const layer = new MultiHeadAttention({ numHeads: heads, keyDim, valueDim });
      const apply = (x: tf.Tensor): tf.Tensor => {
        const [query, value, key] = tf.split(x, 3, -1) as [tf.Tensor, tf.Tensor, tf.Tensor];
        return layer.call(query, { value, key, useCausalMask: causal });
      };
      const { steps, batch } = problem.dims;
      const x = batchMajor(problem.input, steps, batch);
      apply(x);
      // Its kernels are [inputs, heads, size], and [heads, size, outputs].
      const dense = { q: layer.queryDense, k: layer.keyDense, v: layer.valueDense };
      const all = { ...dense, out: layer.outputDense };
      for (const [name, own] of Object.entries(all)) {
        const [weight, bias] = ['weight', 'bias'].map((kind) => {
          const { shape, data } = problem.parameters.get(`${name}Dense.${kind}`)!;
          return tf.tensor(Float32Array.from(data), [...shape]);
        });
        const kernel = tf.reshape(tf.transpose(weight!), own.kernel.read().shape);
        own.setWeights([kernel, tf.reshape(bias!, own.bias.read().shape)]);
      }
      // It has no gradient of its products, `einsum`.
      requireAlike(problem, timeMajor(apply(x)), new Map());
    }
  });
});
