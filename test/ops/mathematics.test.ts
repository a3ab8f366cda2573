/** Mathematics of every feature where it is not a plain number of a plain number. */
import { expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';

const NUMBERS = [-3, -1.5, -1, -0.25, 0, 1e-40, 0.25, 1, 1.5, 3, Infinity, NaN];
const POWERS = [-2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 7];

it.each(variants)('powers of any number, roots and logarithms, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const check = (activation: object | string, exact: (x: number) => number): void => {
    const layer = { type: 'activation', inputSize: NUMBERS.length, activation } as LayerSpec;
    const model = Model.create(engine, { layers: [layer] });
    const { output } = model.forward(Float32Array.from(NUMBERS), { steps: 1 });
    for (const [k, x] of NUMBERS.entries()) {
      const wanted = Math.fround(exact(Math.fround(x)));
      const [got, label] = [output[k]!, `${JSON.stringify(activation)} of ${x}`];
      if (Number.isFinite(wanted)) {
        expect(Math.abs(got - wanted), label).toBeLessThanOrEqual(2e-7 * Math.abs(wanted));
      } else expect(got, label).toBe(wanted);
    }
    model.dispose();
  };
  for (const alpha of POWERS) check({ type: 'pow', alpha }, (x) => x ** alpha);
  check('sqrt', Math.sqrt);
  check('log', Math.log);
  check('abs', Math.abs);
  check('clip', (x) => Math.max(-1, Math.min(1, x)));
  engine.dispose();
});

it.each(variants)('the first of equal features has the gradient, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const model = Model.create(engine, { layers: [{ type: 'reduceMax', inputSize: 6 }] });
  const trainer = Trainer.create(model, { batch: 1, steps: 2 });
  // What an earlier pass has left in the gradient is not there.
  trainer.forward(Float32Array.of(9, 3, 2, 3, 0, 3, -1, -2, -1, -3, -2, 9));
  trainer.backward({ output: Float32Array.of(5, 7) });
  trainer.forward(Float32Array.of(1, 3, 2, 3, 0, 3, -1, -2, -1, -3, -2, -1));
  const { input } = trainer.backward({ output: Float32Array.of(5, 7) });
  expect([...input!]).toEqual([0, 5, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0]);
  engine.dispose();
});
