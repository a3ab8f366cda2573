/** One cold start, as JSON: `node cold.mjs gatefold|onnxruntime-web`. */
import { readFileSync } from 'node:fs';

const [inputSize, hiddenSize, steps] = [64, 64, 100];
const x = new Float32Array(steps * inputSize).fill(0.1);
const zeros = (...shape) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
/** Weights from somewhere: what gets them is not measured. */
const parameters = new Map([
  ['lstm.weight_ih_l0', zeros(4 * hiddenSize, inputSize)],
  ['lstm.weight_hh_l0', zeros(4 * hiddenSize, hiddenSize)],
  ['lstm.bias_ih_l0', zeros(4 * hiddenSize)],
  ['lstm.bias_hh_l0', zeros(4 * hiddenSize)],
]);
const layer = { type: 'lstm', inputSize, hiddenSize };

const starts = {
  async gatefold() {
    const start = performance.now();
    const { Engine, Model } = await import('../dist/index.js');
    const engine = await Engine.create();
    const model = Model.create(engine, { layers: [layer] }, { init: 'zeros' });
    model.loadStateDict(parameters);
    model.forward(x, { steps });
    return start;
  },
  async 'onnxruntime-web'() {
    const { onnxModel } = await import('../test/peers/onnx-layer.ts');
    const bytes = onnxModel(layer, 'lstm', parameters, { initial: false });
    const start = performance.now();
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
    await session.run({ x: new ort.Tensor('float32', x, [steps, 1, inputSize]) });
    return start;
  },
};

const start = await starts[process.argv[2]]();
const ms = performance.now() - start;
const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(
  process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '',
) ?? ['', process.resourceUsage().maxRSS];
console.log(JSON.stringify({ ms, megabytes: Number(kilobytes) / 1024 }));
process.exit(0);
