import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadOnnx, readOnnx } from '../../src/formats/onnx.ts';
import { loadModel, saveModel } from '../../src/formats/safetensors.ts';
import { Model, Trainer } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { EDGES, edgeCases, programCase } from './onnx-program-cases.ts';
import { campaign, programDifference } from './onnx-oracle.ts';

const engine = createEngine('relaxed');

describe('operators of programs against onnxruntime-web', () => {
  it('each at the edges of its semantics', async () => {
    const failures: string[] = [];
    for (const { names, graph } of edgeCases(createRandom(7))) {
      const error = await programDifference(engine, graph);
      if (!(error < 1e-5)) failures.push(`${names.join()}: ${error}`);
    }
    expect(failures).toEqual([]);
    expect(Object.keys(EDGES).length).toBeGreaterThan(120);
  });

  it('generated graphs', async () => {
    const failures = await campaign(engine, 'programs', programCase, 20, programDifference);
    expect(failures).toEqual([]);
  });
});

const FOLDER = 'test/fixtures/onnx';
const bytesOf = (name: string): Uint8Array => readFileSync(`${FOLDER}/${name}.onnx`);

/** What PyTorch computed, frame by frame (test/fixtures/onnx/programs.py). */
function framesOf(name: string, model: Model): { x: Float32Array; y: Float32Array } {
  const file = readFileSync(`${FOLDER}/${name}.bin`);
  const all = new Float32Array(file.buffer, file.byteOffset, file.length / 4);
  const { inputSize, outputSize } = model;
  const count = all.length / (inputSize + outputSize);
  const [x, y] = [new Float32Array(count * inputSize), new Float32Array(count * outputSize)];
  for (let t = 0; t < count; t++) {
    const at = t * (inputSize + outputSize);
    x.set(all.subarray(at, at + inputSize), t * inputSize);
    y.set(all.subarray(at + inputSize, at + inputSize + outputSize), t * outputSize);
  }
  return { x, y };
}

function worst(a: Float32Array, b: Float32Array): number {
  return a.length === b.length ? Math.max(...a.map((x, k) => Math.abs(x - b[k]!))) : Infinity;
}

const NETS: Readonly<Record<string, Parameters<typeof readOnnx>[1]>> = {
  enhancer: {
    carry: { caches_out: 'caches', states_out: 'states', attention_out: 'attention' },
  },
  packed: { carry: { states_out: 'states_in' } },
  second: { carry: { states_out: 'states_in' } },
  voice: { carry: { stateN: 'state' } },
  denoiser: { dims: { batch: 1, frames: 14 } },
};

describe('nets of PyTorch as programs', () => {
  it.each(Object.keys(NETS))('%s: forward, stream and a saved model', (name) => {
    const model = loadOnnx(engine, bytesOf(name), NETS[name]);
    const { x, y } = framesOf(name, model);
    const steps = y.length / model.outputSize;
    expect(worst(model.forward(x, { steps }).output, y)).toBeLessThan(2e-5);

    const stream = model.stream();
    const out = new Float32Array(y.length);
    const step = out.subarray(0, model.outputSize);
    stream.step(x.subarray(0, model.inputSize), step);
    expect(worst(step, y.subarray(0, model.outputSize))).toBeLessThan(2e-5);
    stream.reset();
    stream.run(x, out, steps);
    expect(out).toEqual(model.forward(x, { steps }).output);

    const saved = loadModel(engine, saveModel(model));
    expect(saved.forward(x, { steps }).output).toEqual(out);
    for (const one of [model, saved]) one.dispose();
  });

  it('tells why it is a program, its shapes and what may be carried', () => {
    const { metadata, description } = readOnnx(bytesOf('enhancer'));
    expect(metadata).toMatchObject({
      program: expect.stringMatching(/"/),
      shapes: { spectrum: [1, 33, 1, 2], caches_out: [1, 8, 4, 9, 3] },
      proposedCarry: { caches_out: 'caches', states_out: 'states', attention_out: 'attention' },
    });
    expect(description.layers[0]).toMatchObject({ type: 'program' });
  });

  it('runs rows of a batch beside one another', () => {
    const model = loadOnnx(engine, bytesOf('packed'), NETS['packed']);
    const { x, y } = framesOf('packed', model);
    const steps = y.length / model.outputSize;
    const both = Float32Array.from([...x, ...x.map((n) => n / 2)]);
    const { output, state } = model.forward(both, { steps, batch: 2, batchFirst: true });
    expect(output.subarray(0, y.length)).toEqual(model.forward(x, { steps }).output);
    const half = model.forward(
      x.map((n) => n / 2),
      { steps },
    );
    expect(output.subarray(y.length)).toEqual(half.output);
    expect(state['mask']!.h.subarray(48)).toEqual(half.state['mask']!.h);
  });

  it('has no training', () => {
    const model = loadOnnx(engine, bytesOf('packed'), NETS['packed']);
    const options = { loss: 'mse', batch: 1, steps: 2 } as const;
    expect(() => Trainer.create(model, options)).toThrow(
      '"mask" is a program of fixed shapes, which cannot be trained',
    );
    model.dispose();
  });

  it('names the sizes that it needs', () => {
    expect(() => readOnnx(bytesOf('denoiser'))).toThrow(
      'the sizes of "batch", "frames" are not known: pass { dims: { batch: N, frames: N } }, in the command --dims batch=N,frames=N',
    );
    expect(() => readOnnx(bytesOf('enhancer'), { carry: { caches_out: 'states' } })).toThrow(
      /"carry" cannot keep "caches_out" as "states".*\[1, 8, 4, 9, 3\] and \[1, 9, 8\]/,
    );
  });

  it('refuses a description whose steps reach outside of their tensors', () => {
    const { description } = readOnnx(bytesOf('packed'), NETS['packed']);
    const text = JSON.stringify(description);
    const layer = description.layers[0] as unknown as { steps: object[]; tensors: number[] };
    const changed = (change: (own: typeof layer) => void): (() => void) => {
      const own = JSON.parse(text) as typeof description;
      change(own.layers[0] as never);
      return () => Model.create(engine, own).dispose();
    };
    expect(changed(() => undefined)).not.toThrow();
    const numbers = [-1, 0, 0.5, 2 ** 20, 2 ** 31, Number.NaN, '1', null];
    let refused = 0;
    for (let k = 0; k < layer.steps.length; k++) {
      for (const key of ['to', 'a', 'b', 'axes', 'matrix', 'layer', 'steps', 'width', 'op']) {
        for (const value of numbers) {
          const call = changed(({ steps }) => {
            const step = steps[k] as Record<string, unknown>;
            const own = step[key];
            if (Array.isArray(own) && Array.isArray(own[0])) own[0][k % 4] = value;
            else if (Array.isArray(own)) own[k % 2] = value;
            else if (typeof own === 'object')
              Object.assign(own!, { rows: value, hiddenSize: value });
            else if (own !== undefined) step[key] = value;
          });
          try {
            call();
          } catch (error) {
            refused++;
            expect((error as Error).name).toBe('GatefoldError');
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
