/**
 * Models of 4,096 layers of every kind: what each call costs, and that it is linear in their
 * number.
 */
import { expect, it } from 'vitest';
import { Engine } from '../../src/hosts/default.ts';
import { MANY, costsOf } from '../support/many-layers.ts';

it.each(Object.keys(MANY))('%s', async (kind) => {
  const engine = await Engine.create({ simd: 'deterministic', maxBytes: 2 ** 30 });
  const describe = MANY[kind]!;
  costsOf(engine, describe(256));
  const few = costsOf(engine, describe(1024));
  const many = costsOf(engine, describe(4096));
  engine.dispose();
  const figures = Array.from(many, ([call, cost]) => `${call} ${cost.toFixed(0)}`);
  console.log(`4,096 ${kind}, ms of processor time: ${figures.join(', ')}`);
  for (const [call, cost] of many) {
    expect(cost, call).toBeLessThan(10 * Math.max(few.get(call)!, 10));
  }
});
