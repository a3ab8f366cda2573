/** The comparison of builds: it notices every changed bit, and its configurations cover all. */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { GatefoldError } from '../../src/hosts/default.ts';
import { firstDifference } from './compare.ts';
import { drawConfiguration, optionsIn } from './configuration.ts';
import { compareBuilds } from './run.ts';
import { buildOf, namesOf, NAMES, type Build } from '../support/builds.ts';
import { fromBits } from '../support/floats.ts';
import { openBuild, otherFolder } from '../support/other-build.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the comparison of bits', () => {
  const x = (...values: number[]): { x: Float32Array } => ({ x: Float32Array.from(values) });
  /** A Float32Array of exactly these bits: a number in between might lose those of a NaN. */
  const bits = (...words: number[]): { x: Float32Array } => ({
    x: new Float32Array(Uint32Array.from(words).buffer),
  });

  it('sees equal arrays as equal, every NaN too', () => {
    expect(firstDifference(x(1, -0, NaN, Infinity), x(1, -0, NaN, Infinity))).toBeUndefined();
    expect(firstDifference(bits(0x7fc00001), bits(0x7fc00001))).toBeUndefined();
  });

  it.each([
    ['a last bit', bits(0x3f800000, 0x3f800001), bits(0x3f800000, 0x3f800000), 1],
    ['the sign of zero', x(1, 2, -0), x(1, 2, 0), 2],
    ['the payload of a NaN', bits(0x7fc00001), bits(0x7fc00002), 0],
    ['the sign of a NaN', bits(0x7fc00000), bits(0xffc00000), 0],
    ['a smallest denormal', x(fromBits(1)), x(0), 0],
  ])('sees %s', (_, here, there, index) => {
    expect(firstDifference(here, there)).toMatchObject({ array: 'x', index });
    expect(firstDifference(there, here)).toMatchObject({ array: 'x', index });
  });

  it('sees float64 to its last bit, within views too', () => {
    const here = { x: Float64Array.of(9, 1, 2).subarray(1) };
    const there = { x: Float64Array.of(1, 2 + 2 ** -51) };
    expect(firstDifference(here, there)).toMatchObject({
      index: 1,
      here: expect.stringMatching(/^2 /),
    });
    expect(firstDifference(here, { x: Float64Array.of(1, 2) })).toBeUndefined();
  });

  it('sees arrays of another length or kind, and those that one build lacks', () => {
    expect(firstDifference(x(1), x(1, 2))).toMatchObject({ index: -1 });
    expect(firstDifference(x(1), { x: Float64Array.of(1) })).toMatchObject({ index: -1 });
    expect(firstDifference({}, x(1))).toMatchObject({ index: -1, here: 'nothing' });
    expect(firstDifference(x(1), {})).toMatchObject({ index: -1, there: 'nothing' });
  });

  it('shows both values with their bits', () => {
    expect(firstDifference(x(-0), x(0))).toMatchObject({
      here: '-0 (0x80000000)',
      there: '0 (0x00000000)',
    });
  });
});

describe('the adapter', () => {
  it('tells the face of a build by the methods of its trainers', () => {
    expect(namesOf(NAMES, { step() {} })).toMatchObject({ trainOn: 'step', learningRate: 'lr' });
    expect(namesOf(NAMES, { trainOn() {} })).toMatchObject({ learningRate: 'learningRate' });
    expect(() => namesOf(NAMES, {})).toThrow('have no step() or trainOn()');
  });

  it('calls options what the build calls them', () => {
    const seen: unknown[] = [];
    class Trainer {
      step(): void {}
      evaluate(): void {}
      static create(_: unknown, options: object): Trainer {
        seen.push(options);
        return new Trainer();
      }
    }
    const Model = { create: (_: unknown, description: object) => seen.push(description) };
    const build = buildOf({ Trainer, Model });
    build.createModel({} as never, { layers: [{ type: 'gru', hiddenSize: 2, clip: 3 }] });
    build.createTrainer({} as never, {
      batch: 1,
      steps: 4,
      maxBytes: 5,
      optimizer: { type: 'adam', learningRate: 6 },
      groups: [{ parameters: ['gru'], learningRate: 7 }],
      bptt: { back: 4, every: 2 },
    });
    expect(seen).toEqual([
      { layers: [{ type: 'gru', hiddenSize: 2, preactClip: 3 }] },
      {
        batch: 1,
        steps: 4,
        memory: 5,
        optimizer: { type: 'adam', lr: 6 },
        groups: [{ parameters: ['gru'], lr: 7 }],
        bptt: { steps: 4, every: 2 },
      },
    ]);
  });

  it('refuses to take this build for another one', () => {
    expect(() => otherFolder(`${root}/test/..`, root)).toThrow('is this build itself');
  });
});

describe('the 300 configurations', () => {
  const all = Array.from({ length: 300 }, (_, seed) => drawConfiguration(seed));
  const layers = all.flatMap((configuration) => [...configuration.layers]);
  /** Values of a key, in a word. */
  const values = (objects: readonly object[], key: string): string[] =>
    [
      ...new Set(objects.map((object) => JSON.stringify((object as Record<string, unknown>)[key]))),
    ].sort();

  it('are the same for the same seed', () => {
    expect(all.map(({ seed }) => drawConfiguration(seed))).toEqual(all);
  });

  it.each([
    ['type', 11],
    ['nonlinearity', 3],
    ['peephole', 3],
    ['inputForget', 2],
    ['resetAfter', 3],
    ['direction', 3],
    ['merge', 5],
    ['mode', 4],
    ['layerNorm', 2],
    ['numLayers', 3],
    ['bias', 3],
  ])('have every %s of layers', (key, count) => {
    expect(values(layers, key).length).toBe(count);
  });

  it.each([
    'activations',
    'clip',
    'cellClip',
    'projSize',
    'projClip',
    'dropout',
    'inputDropout',
    'recurrentDropout',
    'zoneout',
    'tied',
    'activation',
  ])('have layers with %s', (key) => {
    expect(layers.filter((layer) => key in layer).length).toBeGreaterThanOrEqual(5);
  });

  it('train in every way', () => {
    const trainers = all.map(({ trainer }) => trainer);
    const optimizers = trainers.map(({ optimizer }) => optimizer!);
    const clips = trainers.map(({ gradClip = {} }) => ({ mode: Object.keys(gradClip) }));
    expect(
      values(
        trainers.map(({ loss }) => loss),
        'type',
      ),
    ).toHaveLength(6);
    expect(new Set(optimizers.map(({ type, form }) => `${type} ${String(form)}`)).size).toBe(10);
    expect(values(clips, 'mode')).toHaveLength(5);
    for (const few of [
      all.filter(({ budget }) => budget),
      all.filter(({ lengths }) => lengths),
      trainers.filter(({ bptt }) => bptt && bptt.back > bptt.every),
      trainers.filter(({ groups }) => groups?.[0]!.learningRate === 0),
    ]) {
      expect(few.length).toBeGreaterThanOrEqual(5);
    }
  });

  it('tell their options', () => {
    const plain = { type: 'lstm', hiddenSize: 2, bias: true, peephole: 'cell', merge: 'sum' };
    const linear = { type: 'linear', outFeatures: 2 };
    expect(optionsIn({ layers: [plain, linear] })).toEqual([]);
    const layers = [
      { ...plain, clip: 1, zoneout: 0.5 },
      { ...linear, activation: 'relu' },
    ];
    expect(optionsIn({ layers: [...layers, ...layers] })).toEqual([
      'clip',
      'zoneout',
      'activation',
    ]);
  });

  it('run on both variants and numbers of threads', () => {
    const engines = all.map(({ simd, threads }) => `${simd} ${threads}`);
    for (const engine of new Set(engines)) {
      expect(engines.filter((other) => other === engine).length).toBeGreaterThanOrEqual(20);
    }
    expect(new Set(engines).size).toBe(4);
  });
});

describe('two builds', () => {
  let build: Build;
  beforeAll(async () => {
    build = await openBuild(root);
  });
  const range = { from: 0, count: 5 };

  it('are equal where they are the same', async () => {
    const outcome = await compareBuilds(build, build, range);
    expect(outcome.first).toBeUndefined();
    for (const { kind, compared, equal, refusedThere } of outcome.rows) {
      expect(compared, kind).toBeGreaterThanOrEqual(1);
      expect([equal, refusedThere], kind).toEqual([compared, 0]);
    }
    // Only weights of 8 bits, where this host multiplies them wrongly.
    for (const refusal of outcome.refusals.keys()) expect(refusal).toContain('multiplies int8');
  });

  it('differ where one has another bit in one parameter', async () => {
    const other: Build = {
      ...build,
      loadParameters(model, parameters) {
        const [name] = Object.keys(parameters) as [string];
        const { shape, data } = parameters[name]!;
        const flipped = data.slice();
        new Uint32Array(flipped.buffer)[0]! ^= 1;
        build.loadParameters(model, { ...parameters, [name]: { shape, data: flipped } });
      },
    };
    const { rows, first: found } = await compareBuilds(build, other, { from: 0, count: 2 });
    expect(found).toBeDefined();
    const equalOf = (kind: string): number => rows.find((row) => row.kind === kind)!.equal;
    expect(equalOf('fresh parameters')).toBe(2);
    expect(equalOf('five updates')).toBe(0);
  });

  it('leave out what the other has no kind of layer for', async () => {
    const hasConvolution = ({ layers }: { layers: readonly { type: string }[] }): boolean =>
      layers.some(({ type }) => type === 'conv1d');
    const other: Build = {
      ...build,
      createModel(engine, description, options) {
        if (!hasConvolution(description)) return build.createModel(engine, description, options);
        const message = `"layers[3].type" expected 'gru' or 'lstm', got 'conv1d'`;
        throw new GatefoldError('ERR_ARGUMENT', message);
      },
    };
    const drawn = Array.from({ length: 8 }, (_, seed) => drawConfiguration(seed));
    const without = drawn.filter((configuration) => !hasConvolution(configuration));
    const { asked, skipped, first } = await compareBuilds(build, other, { from: 0, count: 8 });
    expect(first).toBeUndefined();
    expect([...asked.keys()]).toEqual(without);
    expect(without.length).toBeLessThan(8);
    const lacking = `ERR_ARGUMENT: "layers[].type" got 'conv1d'`;
    expect([...skipped]).toEqual([[lacking, 8 - without.length]]);
  });

  it('are not compared where the other refuses; this one may not refuse alone', async () => {
    const other: Build = {
      ...build,
      createTrainer() {
        throw new GatefoldError('ERR_UNSUPPORTED', 'no training');
      },
    };
    const { rows, refusals } = await compareBuilds(build, other, { from: 0, count: 2 });
    expect(rows.find(({ kind }) => kind === 'gradients')).toMatchObject({
      compared: 0,
      refusedThere: 2,
    });
    expect(refusals.get('ERR_UNSUPPORTED: no training')).toBe(4);
    await expect(compareBuilds(other, build, { from: 0, count: 1 })).rejects.toThrow(
      /only this build refuses: ERR_UNSUPPORTED: no training/,
    );
  });
});
