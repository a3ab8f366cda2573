import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createConsumer, root, type Consumer } from './support/consumer.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code], index) => ({
  title: `js block ${index + 1}: ${code!.trim().split('\n')[0]}`,
  code: code!,
}));

/** What a fragment takes for granted: a model with a trainer and data, and the bytes of a file with its parameters. */
const SETTING = `
import * as setting from 'gatefold';
import { writeSafetensors } from 'gatefold/formats/safetensors';
const model = setting.Model.create(setting.Engine.createSync(), {
  layers: [
    { type: 'embedding', numEmbeddings: 3, embeddingDim: 2 },
    { type: 'lstm', hiddenSize: 3 },
    { type: 'linear', outFeatures: 3 },
  ],
});
const bytes = writeSafetensors(model.stateDict());
const trainer = setting.Trainer.create(model, { batch: 2, steps: 5, loss: 'cross-entropy' });
const tokens = Int32Array.from({ length: 100 }, (_, t) => (t * t) % 3);
const data = new setting.TextBatches(tokens, { batch: 2, steps: 5 });
const validation = data;
`;

let consumer: Consumer;
beforeAll(() => {
  consumer = createConsumer();
});
afterAll(() => consumer.remove());

test('the README shows how', () => {
  expect(blocks.length).toBeGreaterThan(1);
});

test.each(blocks)('$title', ({ code }) => {
  const isWhole = /\bmodel = /.test(code);
  const output = consumer.run(isWhole ? code : SETTING + code);
  if (/console\.log/.test(code)) expect(output).not.toBe('');
  expect(output).not.toMatch(/NaN|undefined/);
});

test('every entry that the README names exists', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: object;
  };
  const named = [...readme.matchAll(/[`']gatefold(\/[\w./-]+)?[`']/g)].map(
    ([, path]) => `.${path ?? ''}`,
  );
  expect(named.filter((path) => !(path in exports))).toEqual([]);
});

test('no placeholder is left', () => {
  expect(readme.match(/@[A-Z]{2,}@|\b(?:TODO|TBD|XXX)\b/g)).toBeNull();
});
