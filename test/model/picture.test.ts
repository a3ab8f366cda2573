/** The picture of a model: what its SVG file says, read back without the code that draws it. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, summary } from '../../src/hosts/default.ts';
import type { LayerSpec, ModelDescription } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { drawGraph } from '../support/graphs.ts';
import { NASTY, expectPrintable } from '../support/printable.ts';
import { createRandom } from '../support/random.ts';
import { parseXml } from '../support/xml.ts';

const engine = createEngine('baseline');
afterAll(() => engine.dispose());

const picture = (description: ModelDescription): string =>
  summary(Model.create(engine, description, { init: 'zeros' }), { svg: true });

interface Box {
  readonly name: string;
  readonly texts: readonly string[];
  readonly looks: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  /** Straight lines down. */
  readonly passes: readonly { x: number; top: number; bottom: number }[];
  /** [reader, source] by their names. */
  readonly edges: readonly string[];
}

/** Reads a picture; fails where it is no SVG file of boxes and edges. */
function read(svg: string): Picture {
  const elements = parseXml(svg);
  const [root] = elements;
  expect(root!.name).toBe('svg');
  const [width, height] = ['width', 'height'].map((key) => Number(root!.attributes.get(key)));
  expect(root!.attributes.get('viewBox')).toBe(`0 0 ${width} ${height}`);
  const boxes: (Box & { texts: string[] })[] = [];
  const starts = new Map<string, { box: Box } | { end: string }>();
  const at = (x: number, y: number): string => `${x} ${y}`;
  for (const { name, attributes, text } of elements) {
    const [x, y, w, h] = ['x', 'y', 'width', 'height'].map((key) => Number(attributes.get(key)));
    if (name === 'text') {
      const box = boxes.at(-1)!;
      expect(x).toBe((box.left + box.right) / 2);
      expect(y! - 10).toBeGreaterThan(box.top);
      expect(y!).toBeLessThan(box.bottom);
      box.texts.push(text);
    }
    if (name !== 'rect' || attributes.get('class') === 'paper') continue;
    const looks = `${attributes.get('rx')} ${attributes.get('class') ?? ''}`.trim();
    boxes.push({ name: '', texts: [], looks, left: x!, right: x! + w!, top: y!, bottom: y! + h! });
  }
  const named = boxes.map((box) => ({ ...box, name: box.texts[0]! }));
  const path = elements.find(({ name }) => name === 'path')!.attributes.get('d')!;
  const passes: { x: number; top: number; bottom: number }[] = [];
  const curves: { from: string; to: string; isEnd: boolean }[] = [];
  const pattern = /M(\d+) (\d+)(?:v(\d+)|C\d+ \d+ \d+ \d+ (\d+) (\d+)(m-4-7l4 7l4-7)?)/gy;
  let length = 0;
  for (const [whole, ...groups] of path.matchAll(pattern)) {
    length += whole.length;
    const [x, y, down, toX, toY] = groups.slice(0, 5).map(Number) as number[];
    if (groups[2]) passes.push({ x: x!, top: y!, bottom: y! + down! });
    else curves.push({ from: at(x!, y!), to: at(toX!, toY!), isEnd: groups[5] !== undefined });
  }
  expect(length).toBe(path.length);
  const edges: string[] = [];
  for (const box of named) starts.set(at((box.left + box.right) / 2, box.top), { box });
  for (const { x, top, bottom } of passes) starts.set(at(x, top), { end: at(x, bottom) });
  expect(starts.size).toBe(named.length + passes.length);
  const follow = (from: string, source: string): void => {
    for (const { to, isEnd } of curves.filter((curve) => curve.from === from)) {
      const next = starts.get(to)!;
      expect('box' in next).toBe(isEnd);
      if ('box' in next) edges.push(`${next.box.name} < ${source}`);
      else follow(next.end, source);
    }
  };
  for (const { left, right, bottom, name } of named) follow(at((left + right) / 2, bottom), name);
  return { width: width!, height: height!, boxes: named, passes, edges };
}

/** What a description says that layers read, each source once. */
function edgesOf({ layers, inputs = ['input'] }: ModelDescription): string[] {
  const names = layers.map(({ name }) => name!);
  const [first] = inputs.map((input) => (typeof input === 'string' ? input : input.name));
  return layers.flatMap(({ name, inputs: own, ...rest }, k) => {
    const { initialState } = rest as { initialState?: object };
    const states = typeof initialState === 'object' ? Object.values(initialState) : [];
    const reads = [...(own ?? [names[k - 1] ?? first!]), ...states].map((source: string) =>
      names.includes(source) ? source : source.replace(/\.[hc\d.]+$/, ''),
    );
    return [...new Set(reads)].map((source) => `${name} < ${source}`);
  });
}

const sorted = (texts: readonly string[]): string[] => [...texts].sort();

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

function expectClear({ width, height, boxes, passes }: Picture): void {
  for (const [k, box] of boxes.entries()) {
    expect(Math.min(box.left, box.top)).toBeGreaterThan(0);
    expect(box.right).toBeLessThan(width);
    expect(box.bottom).toBeLessThan(height);
    for (const other of boxes.slice(0, k)) expect(overlap(box, other)).toBe(false);
    for (const { x, top } of passes) {
      if (top === box.top) expect(x < box.left || x > box.right).toBe(true);
    }
  }
}

describe('a picture', () => {
  it.each([...Array(60).keys()])(
    'has the layers and edges of graph %i, none over another',
    (seed) => {
      const random = createRandom(seed);
      const sizes = { steps: 9, width: () => random.integer(1, 6), withOptions: false };
      const drawn = drawGraph(random, sizes);
      const layers = drawn.layers.map((layer, k) => ({ name: `layer${k}`, ...layer }));
      const description = { ...drawn, layers: layers as LayerSpec[] };
      const found = read(picture(description));
      expect(sorted(found.edges)).toEqual(sorted(edgesOf(description)));
      expectClear(found);
    },
  );

  it('says of every box what it is', () => {
    const { boxes, edges } = read(
      picture({
        inputs: ['source', { name: 'target', stepsOf: 'target' }],
        outputs: ['gru', 'length'],
        layers: [
          { type: 'lstm', name: 'encoder', inputSize: 4, hiddenSize: 16 },
          { type: 'linear', name: 'length', inputs: ['encoder.c'], outFeatures: 1 },
          {
            type: 'gru',
            inputs: ['target'],
            inputSize: 3,
            hiddenSize: 16,
            initialState: { h: 'encoder.h' },
          },
        ],
      }),
    );
    expect(boxes.map(({ texts, looks }) => [...texts, looks])).toEqual(
      expect.arrayContaining([
        ['source', 'input [T, B, 4]', '29'],
        ['target', 'input [T2, B, 3]', '29'],
        ['encoder', 'lstm [T, B, 16]', '1,408 parameters', '4'],
        ['length', 'linear [B, 1]', '17 parameters', '4 end'],
        ['gru', '[T2, B, 16]', '1,008 parameters', '4 end'],
      ]),
    );
    expect(boxes.length).toBe(5);
    expect(sorted(edges)).toEqual([
      'encoder < source',
      'gru < encoder',
      'gru < target',
      'length < encoder',
    ]);
  });

  it('is a chain from top to bottom, and dark where the reader is', () => {
    const svg = picture({
      layers: [
        { type: 'embedding', numEmbeddings: 3, embeddingDim: 4 },
        { type: 'lstm', hiddenSize: 5 },
        { type: 'pool', mode: 'last' },
      ],
    });
    const { boxes, passes } = read(svg);
    const middles = boxes.map(({ left, right }) => (left + right) / 2);
    expect(new Set(middles).size).toBe(1);
    expect(boxes.map(({ top }) => top)).toEqual([16, 114, 212, 310]);
    expect(passes).toEqual([]);
    expect(svg).toContain('@media(prefers-color-scheme:dark)');
  });

  it('shows any name as text', () => {
    for (const name of [NASTY.slice(0, 9), '<script>&amp;"\'', '漢字'.repeat(30), '</text>']) {
      const svg = picture({ layers: [{ type: 'linear', name, inFeatures: 1, outFeatures: 1 }] });
      const { boxes } = read(svg);
      expectPrintable(svg);
      expect(boxes.length).toBe(2);
      const shown = boxes[1]!.name.replace(/\.\.\.$/, '');
      if (!name.startsWith(NASTY[0]!)) expect(name.startsWith(shown)).toBe(true);
      expect(boxes[1]!.name.length).toBeLessThanOrEqual(20);
    }
  });

  it('has at most 512 boxes', () => {
    const layers = Array.from({ length: 512 }, (_, k): LayerSpec => {
      return { type: 'reduceMax', ...(k === 0 && { inputSize: 3 }) };
    });
    const message = /has 513: use summary\(model\)/;
    const refused = expect.objectContaining({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
    expect(() => picture({ layers })).toThrow(refused);
    expect(
      read(
        picture({
          layers: layers
            .slice(1)
            .map((layer, k) => (k ? layer : { ...layer, inputSize: 3 })) as LayerSpec[],
        }),
      ).boxes.length,
    ).toBe(512);
  });
});
