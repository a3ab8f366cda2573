import { afterAll, describe, expect, it } from 'vitest';
import { cellForms } from '../support/cells.ts';
import { churn } from '../support/churn.ts';
import { createEngine, variants } from '../support/engines.ts';
import { silence } from '../support/silence.ts';
import { requireFlat } from '../support/soak.ts';

it('a soak over 100,000 shapes is flat', { timeout: 1_800_000 }, () => requireFlat(100_000));

describe.each(variants)('memory, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it('a million cycles of create and dispose stay flat', { timeout: 1_800_000 }, () => {
    const growth = churn(engine, 1_000_000);
    expect(growth.engine).toBe(0);
    // The smallest object that a cycle could leak takes 12 bytes; tables of weak references breathe
    // by less than this.
    expect(growth.heap).toBeLessThan(4_000_000);
  });

  it.each(Object.entries(cellForms))(
    'a minute of silence at 48 kHz leaves no denormal state: %s',
    { timeout: 600_000 },
    (_, form) => silence(engine, form, 60 * 48_000),
  );
});
