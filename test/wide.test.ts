/**
 * Tiles for vectors of 256 bits, which `enableFastLane` asks for: the same bits as of the others.
 * Here V8 joins no vectors, and they are slow; what it makes of them where it does is tested in
 * `test/hosts`.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importsOf, widen } from '../src/engine/imports.ts';
import { Kernels } from '../src/kernels/primitives.ts';
import { cellForms } from './support/cells.ts';
import {
  cellConfiguration,
  largeConfigurations,
  optionConfiguration,
  type Configuration,
} from './support/configuration.ts';
import { requireSameCourse } from './support/course.ts';
import { createEngine, variants } from './support/engines.ts';
import { createRandom } from './support/random.ts';

const narrow = variants.map((variant) => createEngine(variant));
const memory = new WebAssembly.Memory({ initial: 1 });

describe.each(variants)('wide tiles, %s SIMD', (variant) => {
  const plain = narrow[variants.indexOf(variant)]!;
  let wide: typeof plain;
  beforeAll(() => {
    widen();
    wide = createEngine(variant);
  });
  afterAll(() => [plain, wide].forEach((engine) => engine.dispose()));

  const requireSame = (configuration: Configuration): void =>
    requireSameCourse(wide, plain, configuration, 'wide tiles');
  const check = (configurations: fc.Arbitrary<Configuration>, numRuns: number): void =>
    fc.assert(fc.property(configurations, requireSame), { seed: 6, numRuns });

  it('are asked for', () => expect(importsOf(memory).env.wide).toBe(1));

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
