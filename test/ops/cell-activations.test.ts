/**
 * Every activation of a cell and its slope, each alone, over a range of inputs: independent units
 * whose matrix is the identity and whose recurrent weights are 0 give a(x), and x's gradient a'(x).
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer } from '../../src/hosts/default.ts';
import { curveOf, erfc } from '../reference/activation.ts';
import { createEngine, variants } from '../support/engines.ts';
import { activationNames } from '../support/options.ts';

const UNITS = 16;
const STEPS = 400;
/** From -16 to 16; no point is within 1e-3 of a kink. */
const x = Float32Array.from({ length: UNITS * STEPS }, (_, k) => 0.00499 * (k - 3200.4));
/** Of a value of at most 1, or of the value: e^x - 1 and 1 - y^2 lose digits near 0. */
const TOLERANCE = 1e-6;

/** The text's own numbers: Abramowitz and Stegun, table 7.1. */
const ERF = [
  [0.1, 0.1124629160182849],
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [2, 0.9953222650189527],
  [2.9, 0.9999589021219005],
  [3.1, 0.9999883513426328],
] as const;

describe.each(variants)('activations of cells, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  /** a(x) and a'(x). */
  function curve(type: (typeof activationNames)[number]): [Float32Array, Float32Array] {
    const layer = { inputSize: UNITS, hiddenSize: UNITS, bias: false, activations: [type] };
    const model = Model.create(engine, { layers: [{ type: 'indrnn', name: 'a', ...layer }] });
    const identity = Float32Array.from({ length: UNITS ** 2 }, (_, k) => +(k % (UNITS + 1) === 0));
    const weights = { shape: [UNITS, UNITS], data: identity };
    const zeros = { shape: [UNITS], data: new Float32Array(UNITS) };
    model.loadStateDict(
      new Map([
        ['a.weight_ih_l0', weights],
        ['a.weight_hh_l0', zeros],
      ]),
    );
    const trainer = Trainer.create(model, { batch: 1, steps: STEPS });
    const { output } = trainer.forward(x);
    const { input } = trainer.backward({ output: new Float32Array(x.length).fill(1) });
    return [output.slice(), input!.slice()];
  }

  it.each(activationNames)('%s', (type) => {
    const exact = curveOf(type);
    const [values, slopes] = curve(type);
    for (let k = 0; k < x.length; k++) {
      for (const [what, got, wanted] of [
        ['value', values[k]!, exact.value(x[k]!)],
        ['slope', slopes[k]!, exact.slope(x[k]!)],
      ] as const) {
        const error = Math.abs(got - wanted) / Math.max(1, Math.abs(wanted));
        if (!(error <= TOLERANCE)) {
          expect.fail(`${type}, ${what} at ${x[k]}: ${got} rather than ${wanted}`);
        }
      }
    }
  });

  it('gelu and silu keep their digits in the negative tail', () => {
    for (const type of ['gelu', 'silu'] as const) {
      const [values] = curve(type);
      for (let k = 0; k < x.length; k++) {
        if (x[k]! > -0.1 || x[k]! < -9) continue;
        const wanted = curveOf(type).value(x[k]!);
        // The argument of e^x reaches 40, and its roundings 5e-6.
        expect(Math.abs(values[k]! / wanted - 1), `${type}(${x[k]})`).toBeLessThan(1e-5);
      }
    }
  });
});

it('the erf of the reference has the numbers of the tables', () => {
  for (const [at, wanted] of ERF) expect(Math.abs(1 - erfc(at) - wanted)).toBeLessThan(1e-13);
});
