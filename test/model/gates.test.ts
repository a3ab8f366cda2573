/**
 * The gates over time explain the states: with them alone, each cell's formula gives the outputs of
 * the model again.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, type LayerSpec } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const [steps, batch, H] = [300, 2, 5];
const sizes = { inputSize: 3, hiddenSize: H };
const layers: LayerSpec[] = [
  { type: 'rnn', ...sizes },
  { type: 'lstm', ...sizes },
  { type: 'lstm', ...sizes, inputForget: true, peephole: 'diagonal' },
  { type: 'gru', ...sizes },
  { type: 'gru', ...sizes, resetAfter: false },
];

describe.each(variants)('gates, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());
  const x = Float32Array.from(createRandom(1).vector(steps * batch * 3, 2));

  /** h of every step from the gates of one layer and direction, in the order it is read. */
  function replay(
    type: string,
    gates: Readonly<Record<string, Float32Array>>,
    from: number,
    order: number[],
  ): Map<number, number> {
    const states = new Map<number, number>();
    for (let unit = 0; unit < batch * H; unit++) {
      let [h, c] = [0, 0];
      for (const t of order) {
        const at = t * batch * H + unit;
        const gate = (name: string): number => gates[name]![from + at]!;
        if (type === 'rnn') h = gate('hidden');
        else if (type === 'gru') h = (1 - gate('update')) * gate('new') + gate('update') * h;
        else {
          const forget = gates['forget'] ? gate('forget') : 1 - gate('input');
          c = forget * c + gate('input') * gate('cell');
          h = gate('output') * Math.tanh(c);
        }
        states.set(at, h);
      }
    }
    return states;
  }

  const forward = Array.from({ length: steps }, (_, t) => t);
  it.each(layers)('$type ($peephole, $resetAfter) over more than one chunk', (layer) => {
    const model = Model.create(engine, { layers: [layer] }, { seed: 3 });
    const { output } = model.forward(x, { steps, batch });
    const gates = model.gates(x, { steps, batch })[layer.type]!;
    for (const [at, h] of replay(layer.type, gates, 0, forward))
      expect(Math.abs(h - output[at]!)).toBeLessThan(1e-5);
    model.dispose();
  });

  it('both directions, differing lengths, rows first', () => {
    const model = Model.create(
      engine,
      { layers: [{ type: 'gru', ...sizes, bidirectional: true }] },
      { seed: 3 },
    );
    const [T, lengths] = [6, [6, 3]];
    const options = { steps: T, batch, lengths };
    const part = x.subarray(0, T * batch * 3);
    const { output } = model.forward(part, options);
    const gates = model.gates(part, options)['gru']!;
    for (let b = 0; b < batch; b++) {
      for (const [way, order] of [
        forward.slice(0, lengths[b]),
        forward.slice(0, lengths[b]).reverse(),
      ].entries()) {
        const states = replay('gru', gates, way * T * batch * H, order);
        for (const t of order) {
          for (let k = 0; k < H; k++) {
            const row = t * batch + b;
            expect(
              Math.abs(states.get(row * H + k)! - output[row * 2 * H + way * H + k]!),
            ).toBeLessThan(1e-5);
          }
        }
      }
    }
    expect(
      gates['update']!.subarray((4 * batch + 1) * H, (4 * batch + 2) * H).every(
        (value) => value === 0,
      ),
    ).toBe(true);
    const rows = new Float32Array(part.length);
    for (let t = 0; t < T; t++)
      for (let b = 0; b < batch; b++)
        for (let k = 0; k < 3; k++) rows[(b * T + t) * 3 + k] = part[(t * batch + b) * 3 + k]!;
    const turned = model.gates(rows, { ...options, batchFirst: true })['gru']!;
    expect(turned['reset']![(1 * T + 2) * H]).toBe(gates['reset']![(2 * batch + 1) * H]);
  });
});
