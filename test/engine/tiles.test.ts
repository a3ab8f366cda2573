/**
 * Tiles for vectors of 256 bits, which engines have by `wide`, and those of few sums, which they
 * have on a V8 before 13: the same bits as of the usual ones. Here V8 joins no vectors, and wide
 * tiles are slow; what it makes of them where it does is tested in `test/hosts`.
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
import { createEngine, onV8, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

describe.each(variants)('tiles, %s SIMD', (variant) => {
  const plain = createEngine(variant);
  const wide = createEngine(variant, undefined, 'wide');
  const small = createEngine(variant, undefined, 'small');
  afterAll(() => [plain, wide, small].forEach((engine) => engine.dispose()));

  const requireSame = (configuration: Configuration): void =>
    requireSameCourse(wide, plain, configuration, 'wide tiles');
  const check = (configurations: fc.Arbitrary<Configuration>, numRuns: number): void =>
    fc.assert(fc.property(configurations, requireSame), { seed: 6, numRuns });

  it('are a choice of the engine, and of what V8 can do', () => {
    const tilesOf = (engine: Engine): number => kernelsOf(engine).imports.env.tiles;
    expect([plain, wide, small].map(tilesOf)).toEqual([0, 1, 2]);
    const host = (v8: string): number => onV8(v8, () => tilesOf(Engine.createSync()));
    const isX64 = process.arch === 'x64';
    expect(['11.3.244.8-node.38', '12.9'].map(host)).toEqual(isX64 ? [2, 2] : [0, 0]);
    expect(['13.0', '14.1', 'none'].map(host)).toEqual([0, 0, 0]);
    const given = { wide: 'yes' } as object;
    expect(() => Engine.createSync(given)).toThrow(/"wide" expected true or false, got 'yes'/);
  });

  it('products of 1 to 20 rows and 1 to 40 columns', () => {
    const random = createRandom(3);
    const [one, ...others] = [plain, wide, small].map(Kernels.create) as [Kernels, ...Kernels[]];
    for (let m = 1; m <= 20; m++) {
      for (let n = 1; n <= 40; n++) {
        const k = random.integer(1, 30);
        const a = Float32Array.from(random.vector(m * k, 1));
        const b = Float32Array.from(random.vector(k * n, 1));
        const product = one.matmul(a, b, m, k, n);
        for (const other of others) {
          expect(other.matmul(a, b, m, k, n), `${m} x ${k} x ${n}`).toEqual(product);
        }
      }
    }
  });

  it.each(Object.entries(cellForms))('%s', (_, form) => {
    check(cellConfiguration(form), 2);
    check(optionConfiguration(form), 2);
    requireSame(largeConfigurations(form, variant)[2]!);
  });

  it.each(['lstm', 'gru, reset after'])('small: %s', (name) => {
    const configuration = largeConfigurations(cellForms[name]!, variant)[2]!;
    requireSameCourse(small, plain, configuration, 'small tiles');
  });
});
