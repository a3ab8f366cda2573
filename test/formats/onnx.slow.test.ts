import { afterAll, describe, expect, it } from 'vitest';
import { createEngine } from '../support/engines.ts';
import { chainCase, recurrentCase } from './onnx-cases.ts';
import { loopCase } from './onnx-loops.ts';
import { campaign, seenOperators } from './onnx-oracle.ts';

describe('generated graphs against onnxruntime-web', () => {
  const engine = createEngine('relaxed');
  afterAll(() => console.info(seenOperators()));

  it('recurrent nodes over all attributes', async () => {
    expect(await campaign(engine, 'recurrent nodes', recurrentCase, 1500)).toEqual([]);
  });

  it('chains of operators', async () => {
    expect(await campaign(engine, 'chains of operators', chainCase, 1000)).toEqual([]);
  });

  it('loops and scans over cells', async () => {
    expect(await campaign(engine, 'loops', loopCase, 500)).toEqual([]);
  });
});
