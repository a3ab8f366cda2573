/** The text of a summary, worked out by hand, and what holds for that of every model. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, summary } from '../../src/hosts/default.ts';
import type { LayerSpec, ModelDescription } from '../../src/hosts/default.ts';
import { dimsOf, layersOf } from '../reference/layers.ts';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import { createEngine } from '../support/engines.ts';
import { drawGraph } from '../support/graphs.ts';
import { NASTY } from '../support/printable.ts';
import { createRandom } from '../support/random.ts';

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

const TRANSLATION: ModelDescription = {
  inputs: ['source', { name: 'target', stepsOf: 'target' }, { name: 'speaker', each: 'sequence' }],
  outputs: ['words', 'language'],
  layers: [
    { type: 'embedding', name: 'table', numEmbeddings: 9, embeddingDim: 4 },
    { type: 'conv1d', name: 'pairs', outChannels: 6, kernelSize: 2, stride: 2 },
    { type: 'lstm', name: 'encoder', hiddenSize: 5 },
    { type: 'linear', name: 'language', inputs: ['encoder.h'], outFeatures: 3 },
    { type: 'linear', name: 'start', inputs: ['speaker'], inFeatures: 2, outFeatures: 5 },
    {
      type: 'lstm',
      name: 'decoder',
      inputs: ['target'],
      inputSize: 2,
      hiddenSize: 5,
      initialState: { h: 'start', c: 'encoder.c' },
    },
    { type: 'split', name: 'parts', sizes: [2, 3] },
    { type: 'concat', name: 'both', inputs: ['parts.1', 'target', 'parts.0', 'decoder'] },
    { type: 'linear', name: 'words', outFeatures: 7 },
  ],
};

// 9 4; 6 (4 2 + 1); 4 5 (6 + 5 + 2); 3 (5 + 1); 5 (2 + 1); 4 5 (2 + 5 + 2); 0; 0; 7 (12 + 1).
const TRANSLATION_TABLE = `\
layer     type       reads             output       parameters  bytes
---------------------------------------------------------------------
source    input                        [T, B]
target    input                        [T2, B, 2]
speaker   input                        [B, 2]
table     embedding  source            [T, B, 4]            36    144
  options numEmbeddings 9, embeddingDim 4
pairs     conv1d                       [T', B, 6]           54    216
  options outChannels 6, kernelSize 2, stride 2
encoder   lstm                         [T', B, 5]          260  1,040
  states h [1, B, 5], c [1, B, 5]
  options hiddenSize 5
language  linear     encoder.h         [B, 3]               18     72
  options outFeatures 3
start     linear     speaker           [B, 5]               15     60
  options inFeatures 2, outFeatures 5
decoder   lstm       target            [T2, B, 5]          180    720
  states h [1, B, 5], c [1, B, 5]
  options inputSize 2, hiddenSize 5, initialState {"h":"start","c":"encoder.c"}
parts     split                        [T2, B, 2]            0      0
  options sizes [2,3]
both      concat     parts.1, target,  [T2, B, 12]           0      0
                     parts.0, decoder
words     linear                       [T2, B, 7]           91    364
  options outFeatures 7
---------------------------------------------------------------------
9 layers                                                   654  2,616
  outputs words, language
`;

it('names inputs, outputs and what layers read', () => {
  expect(summary(Model.create(engine, TRANSLATION, { init }))).toBe(TRANSLATION_TABLE);
});

it('says how many steps there are where the description does', () => {
  const layers: LayerSpec[] = [
    { type: 'conv1d', inChannels: 12, outChannels: 12, kernelSize: 3 },
    { type: 'unfold', name: 'inner', steps: 4 },
    { type: 'gru', hiddenSize: 2 },
    { type: 'maxPool1d', poolSize: 2 },
    { type: 'flatten' },
    { type: 'reshape', name: 'longer', steps: 20 },
    { type: 'pool', mode: 'last' },
    { type: 'repeat', name: 'again', steps: 3 },
  ];
  const model = Model.create(engine, { layers, steps: 7 }, { init });
  const shapes = [...summary(model).matchAll(/^\w+ .*?\[(.*?)\]/gm)].map(([, shape]) => shape);
  expect(shapes).toEqual([
    '5, B, 12',
    '5, B, 4, 3',
    '5, B, 4, 2',
    '5, B, 2, 2',
    '5, B, 4',
    '20, B, 1',
    'B, 1',
    '3, B, 1',
  ]);
});

it('has a name for every way in which steps follow from others', () => {
  const half = { outChannels: 2, kernelSize: 2, stride: 2 };
  const third = { ...half, stride: 3 };
  const model = make(
    { type: 'conv1d', name: 'a', inChannels: 2, ...half },
    { type: 'conv1d', name: 'b', inputs: ['a'], ...third },
    { type: 'conv1d', name: 'c', inputs: ['input'], inChannels: 2, ...third },
    { type: 'conv1d', name: 'd', inputs: ['input'], inChannels: 2, ...half },
    { type: 'conv1d', name: 'e', inputs: ['d'], ...third },
    { type: 'add', name: 'f', inputs: ['e', 'b'] },
    { type: 'pool', name: 'g', mode: 'last' },
    { type: 'pool', name: 'h', inputs: ['c'], mode: 'last' },
    { type: 'add', name: 'i', inputs: ['g', 'h'] },
  );
  const shapes = [...shapesOf(summary(model))].map(([name, [steps]]) => `${name} ${steps}`);
  expect(shapes).toEqual(["a T'", "b T'2", "c T'3", "d T'", "e T'2", "f T'2", 'g B', 'h B', 'i B']);
});

/** Shapes of the layers of a summary by their names, whose names are words. */
function shapesOf(text: string): Map<string, string[]> {
  const rows = [...text.matchAll(/^(\w+) .*?\[(.*?)\]/gm)];
  return new Map(rows.map(([, name, shape]) => [name!, shape!.split(', ')]));
}

it.each([...Array(60).keys()])('gives the rows of graph %i as the reference has them', (seed) => {
  const random = createRandom(seed);
  const sizes = { steps: 9, width: () => random.integer(1, 6), withOptions: false };
  const description = drawGraph(random, sizes);
  const shapes = shapesOf(summary(Model.create(engine, description, { init })));
  const places = layersOf(description);
  const batch = 2;
  for (const steps of description.steps ? [9] : [9, 10, 13, 40]) {
    const dims = dimsOf(places, { steps, batch });
    const known = new Map([['B', batch]]);
    for (const [k, { name }] of places.entries()) {
      const shape = shapes.get(name);
      if (!shape || places.map((place) => place.name).lastIndexOf(name) > k) continue;
      const { steps: own, batch: rows } = dims[k]!.after;
      const all = own * rows;
      const [symbol, ...rest] = shape.slice(0, -1);
      const others = rest.reduce((n, text) => n * (known.get(text) ?? Number(text)), 1);
      // A name stands for one number of steps wherever it is.
      const first = known.get(symbol!) ?? (symbol!.startsWith('T') ? all / others : Number(symbol));
      if (symbol!.startsWith('T')) known.set(symbol!, first);
      expect([name, first * others]).toEqual([name, all]);
    }
  }
});

it('counts the bytes of 8 bits with a scale for each row and column', () => {
  const model = make({ type: 'linear', inFeatures: 100, outFeatures: 7 });
  expect(summary(model.quantize())).toBe(`\
layer    type    output        parameters  bytes
------------------------------------------------
linear   linear  [T, B, 7]            707  1,156
  options inFeatures 100, outFeatures 7
------------------------------------------------
1 layer          int8 weights         707  1,156
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

  it('has short lines where layers read many', () => {
    const names = ['first', 'second', 'third'].map((name) => name.padEnd(40, '-'));
    const layers: LayerSpec[] = [
      ...names.map((name) => ({
        type: 'linear' as const,
        name,
        inputs: ['input'],
        inFeatures: 3000,
        outFeatures: 1000,
      })),
      { type: 'averagePool1d', inputs: [names[1]!], poolSize: 3, stride: 1, padding: 'same' },
      { type: 'concat', inputs: [...names, 'averagePool1d', ...names] },
    ];
    const lines = summary(make(...layers)).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    const figures = lines.filter((line) => /\d$/.test(line) && !/options/.test(line));
    expect(figures.length).toBe(6);
    for (const line of figures) expect(line.length).toBe(lines[0]!.length);
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
