import { describe, expect, it } from 'vitest';
import { createEngine } from '../support/engines.ts';
import { createRandom, type Random } from '../support/random.ts';
import type { Engine } from '../../src/hosts/default.ts';
import { chainCase, recurrentCase, type OnnxCase } from './onnx-cases.ts';
import { difference } from './onnx-oracle.ts';

const TOLERANCE = 1e-5;
const [FROM, COUNT] = [Number(process.env['FROM'] ?? 1), Number(process.env['COUNT'] ?? 30)];

/** Runs cases; one that is refused has failed. */
async function campaign(
  engine: Engine,
  title: string,
  draw: (random: Random) => OnnxCase,
): Promise<void> {
  const failures: string[] = [];
  let worst = 0;
  for (let seed = FROM; seed < FROM + COUNT; seed++) {
    try {
      const error = await difference(engine, draw(createRandom(seed)));
      if (!(error < TOLERANCE)) failures.push(`seed ${seed}: ${error}`);
      worst = Math.max(worst, error);
    } catch (error) {
      failures.push(`seed ${seed}: ${String(error)}`);
    }
  }
  console.info(`${title}: ${COUNT}, worst difference ${worst}`);
  expect(failures).toEqual([]);
}

describe('generated graphs against onnxruntime-web', () => {
  const engine = createEngine('relaxed');

  it('recurrent nodes over all attributes', async () => {
    await campaign(engine, 'recurrent nodes', recurrentCase);
  });

  it('chains of operators', async () => {
    await campaign(engine, 'chains of operators', chainCase);
  });
});
