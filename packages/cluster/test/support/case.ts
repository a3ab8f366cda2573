/** A small model, sequences for it, and results by `model.forward`, one sequence at a time. */

import { Engine, Model, seededRandom } from 'gatefold/node';
import { saveModel } from 'gatefold/formats/safetensors';

export const INPUTS = 4;
export const OUTPUTS = 3;

export interface Case {
  readonly model: Uint8Array;
  readonly lines: string;
  /** By id. */
  readonly expected: ReadonlyMap<string, readonly number[]>;
}

/** @param hiddenSize a larger one makes shards take longer. */
export async function makeCase(count: number, hiddenSize = 16): Promise<Case> {
  const engine = await Engine.create();
  const model = Model.create(
    engine,
    {
      layers: [
        { type: 'lstm', inputSize: INPUTS, hiddenSize },
        { type: 'pool', mode: 'last' },
        { type: 'linear', outFeatures: OUTPUTS },
      ],
    },
    { seed: 1 },
  );
  const random = seededRandom(7);
  const expected = new Map<string, readonly number[]>();
  let lines = '';
  for (let k = 0; k < count; k++) {
    const steps = 1 + Math.floor(40 * random());
    const x = Array.from({ length: steps }, () =>
      Array.from({ length: INPUTS }, () => Math.fround(random() - 0.5)),
    );
    const { output } = model.forward(Float32Array.from(x.flat()), { steps });
    expected.set(`r${k}`, [...output]);
    lines += `${JSON.stringify({ id: `r${k}`, x })}\n`;
  }
  const bytes = saveModel(model);
  engine.dispose();
  return { model: bytes, lines, expected };
}

/** Results of files of JSON lines by id; an id that is there twice is an error. */
export function parseResults(text: string): Map<string, readonly number[]> {
  const results = new Map<string, readonly number[]>();
  for (const line of text.split('\n').filter(Boolean)) {
    const { id, y } = JSON.parse(line) as { id: string; y: number[] };
    if (results.has(id)) throw new Error(`${id} has been scored twice`);
    results.set(id, y);
  }
  return results;
}
