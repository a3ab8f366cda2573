/** The text of a summary, worked out by hand, and what holds for that of every model. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, summary } from '../../src/hosts/default.ts';
import type { LayerSpec } from '../../src/hosts/default.ts';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import { createEngine } from '../support/engines.ts';
import { NASTY } from '../support/printable.ts';

const engine = createEngine('baseline');
afterAll(() => engine.dispose());

const init = 'zeros';
const make = (...layers: LayerSpec[]): Model => Model.create(engine, { layers }, { init });

const layers: LayerSpec[] = [
  { type: 'embedding', numEmbeddings: 65, embeddingDim: 24 },
  { type: 'lstm', inputSize: 24, hiddenSize: 32, numLayers: 2, projSize: 24, direction: 'forward' },
  { type: 'linear', outFeatures: 65, tied: 'embedding', bias: true },
  { type: 'gru', name: 'both', hiddenSize: 50, bidirectional: true, merge: 'sum', bias: false },
  { type: 'pool', mode: 'max' },
  { type: 'linear', outFeatures: 3 },
];

// Parameters: 65 24; 2 (4 32 (24 + 24 + 2) + 24 32); 65; 2 3 50 (65 + 50); 0; 3 (50 + 1).
const TABLE = `\
layer      type       output      parameters    bytes
-----------------------------------------------------
embedding  embedding  [T, B, 24]       1,560    6,240
  options numEmbeddings 65, embeddingDim 24
lstm       lstm       [T, B, 24]      14,336   57,344
  states h [2, B, 24], c [2, B, 32]
  options hiddenSize 32, numLayers 2, projSize 24
linear     linear     [T, B, 65]          65      260
  options tied embedding
both       gru        [T, B, 50]      34,500  138,000
  states h [2, B, 50]
  options hiddenSize 50, bias false, bidirectional true, merge sum
pool       pool       [B, 50]              0        0
  options mode max
linear2    linear     [B, 3]             153      612
  options outFeatures 3
-----------------------------------------------------
6 layers                              50,614  202,456
`;

it('is a table of the layers', () => {
  expect(summary(make(...layers))).toBe(TABLE);
});

it('counts the bytes of 8 bits with a scale for each row', () => {
  const model = make({ type: 'linear', inFeatures: 100, outFeatures: 7 });
  expect(summary(model.quantize())).toBe(`\
layer    type    output        parameters  bytes
------------------------------------------------
linear   linear  [T, B, 7]            707    756
  options inFeatures 100, outFeatures 7
------------------------------------------------
1 layer          int8 weights         707    756
`);
});

describe('whatever the model is', () => {
  it.each(Object.entries(cellForms))('names the options that were given: %s', (_, form) => {
    const spec = recurrentLayer(form, { inputSize: 3, hiddenSize: 9, numLayers: 2 });
    const model = make(spec);
    const text = summary(model);
    const usual = make({ type: spec.type, inputSize: 3, hiddenSize: 9 } as LayerSpec);
    const [own, defaults] = [model, usual].map(({ description }) => description.layers[0]!);
    for (const [key, value] of Object.entries(own!)) {
      const same = JSON.stringify(value) === JSON.stringify(defaults![key as keyof LayerSpec]);
      const isNamed = new RegExp(`(options|,|^   ) ${key} `, 'm').test(text);
      expect([key, isNamed]).toEqual([key, key !== 'type' && !(same && !key.endsWith('Size'))]);
    }
    const total = model.parameterCount.toLocaleString('en-US');
    expect(text.trimEnd().split('\n').at(-1)).toContain(` ${total} `);
  });

  it('has short lines of plain characters', () => {
    const activations = Array.from({ length: 3 }, () => ({
      type: 'scaledTanh',
      alpha: 0.123456789,
    }));
    const text = summary(
      make({ type: 'rnn', name: NASTY.slice(0, 100), inputSize: 3, hiddenSize: 4 }, {
        type: 'lstm',
        name: 'n'.repeat(256),
        hiddenSize: 4,
        activations,
      } as LayerSpec),
    );
    expect(text).toContain('nnn...');
    expect(text).toContain('scaledTanh');
    expect(text).toMatch(/^[\n -~]+$/);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('takes models alone', () => {
    const gone = make({ type: 'linear', inFeatures: 2, outFeatures: 2 });
    gone.dispose();
    expect(() => summary(gone)).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
    for (const wrong of [null, undefined, {}, 'text', 3]) {
      const refused = expect.objectContaining({ code: 'ERR_ARGUMENT' });
      expect(() => summary(wrong as unknown as Model)).toThrow(refused);
    }
  });
});
