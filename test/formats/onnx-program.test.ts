import { describe, expect, it } from 'vitest';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { EDGES, edgeCase, programCase } from './onnx-program-cases.ts';
import { campaign, programDifference } from './onnx-oracle.ts';

describe('operators of programs against onnxruntime-web', () => {
  const engine = createEngine('relaxed');

  it.each(Object.keys(EDGES))('%s', async (name) => {
    const error = await programDifference(engine, edgeCase(name, createRandom(7)));
    expect(error).toBeLessThan(1e-5);
  });

  it('generated graphs', async () => {
    const failures = await campaign(engine, 'programs', programCase, 20, programDifference);
    expect(failures).toEqual([]);
  });
});
