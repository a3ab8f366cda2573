import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GatefoldError } from '../../src/base/errors.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import { mutated } from '../formats/files.ts';

const RUNS = Number(process.env.GATEFOLD_FUZZ_RUNS ?? 1_000_000);

it(`reads or refuses ${RUNS} damaged files`, { timeout: 0 }, () => {
  let accepted = 0;
  fc.assert(
    fc.property(mutated, (bytes) => {
      try {
        const { tensors, metadata } = readSafetensors(bytes);
        accepted++;
        const again = readSafetensors(writeSafetensors(tensors, metadata));
        if (again.tensors.size !== tensors.size) throw new Error('a tensor was lost');
      } catch (error) {
        if (!(error instanceof GatefoldError)) throw error;
      }
    }),
    { numRuns: RUNS },
  );
  // A campaign that refuses everything at the first check tests nothing.
  expect(accepted).toBeGreaterThan(RUNS / 50);
});
