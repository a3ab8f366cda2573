/**
 * Tiles for vectors of 256 bits, which engines have by `wide`: the same bits as of the others.
 * Here V8 joins no vectors, and they are slow; what it makes of them where it does is tested in
 * `test/hosts`.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { kernelsOf } from '../../src/engine/engine.ts';
import { Engine } from '../../src/hosts/default.ts';
import { Kernels } from '../../src/kernels/primitives.ts';
import { cellForms } from '../support/cells.ts';
import {
  cellConfiguration,
  largeConfigurations,
  optionConfiguration,
  type Configuration,
} from '../support/configuration.ts';
import { requireSameCourse } from '../support/course.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

describe.each(variants)('wide tiles, %s SIMD', (variant) => {
  const plain = createEngine(variant);
  const wide = createEngine(variant, undefined, true);
  afterAll(() => [plain, wide].forEach((engine) => engine.dispose()));

  const requireSame = (configuration: Configuration): void =>
    requireSameCourse(wide, plain, configuration, 'wide tiles');
  const check = (configurations: fc.Arbitrary<Configuration>, numRuns: number): void =>
    fc.assert(fc.property(configurations, requireSame), { seed: 6, numRuns });

  it('are a choice of the engine', () => {
    expect(kernelsOf(wide).imports.env.wide).toBe(1);
    expect(kernelsOf(plain).imports.env.wide).toBe(0);
    const given = { wide: 'yes' } as object;
    expect(() => Engine.createSync(given)).toThrow(/"wide" expected true or false, got 'yes'/);
  });

  it('products of 1 to 20 rows and 1 to 40 columns', () => {
    const random = createRandom(3);
    const [one, other] = [plain, wide].map(Kernels.create) as [Kernels, Kernels];
    for (let m = 1; m <= 20; m++) {
      for (let n = 1; n <= 40; n++) {
        const k = random.integer(1, 30);
        const a = Float32Array.from(random.vector(m * k, 1));
        const b = Float32Array.from(random.vector(k * n, 1));
        expect(other.matmul(a, b, m, k, n), `${m} x ${k} x ${n}`).toEqual(
          one.matmul(a, b, m, k, n),
        );
      }
    }
  });

  it.each(Object.entries(cellForms))('%s', (_, form) => {
    check(cellConfiguration(form), 4);
    check(optionConfiguration(form), 4);
    requireSame(largeConfigurations(form, variant)[2]!);
  });
});
