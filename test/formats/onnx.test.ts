import { describe, expect, it } from 'vitest';
import { createRandom } from '../support/random.ts';
import { createEngine } from '../support/engines.ts';
import { chainCase, recurrentCase } from './onnx-cases.ts';
import { loopCase } from './onnx-loops.ts';
import { campaign, difference } from './onnx-oracle.ts';

import { GatefoldError } from '../../src/hosts/default.ts';
import { readOnnx } from '../../src/formats/onnx.ts';
import {
  encodeOnnx,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
} from '../peers/onnx-writer.ts';

describe('generated graphs against onnxruntime-web', () => {
  const engine = createEngine('relaxed');

  it('recurrent nodes over all attributes', async () => {
    expect(await campaign(engine, 'recurrent nodes', recurrentCase, 30)).toEqual([]);
  });

  it('chains of operators', async () => {
    expect(await campaign(engine, 'chains of operators', chainCase, 20)).toEqual([]);
  });

  it('loops and scans over cells', async () => {
    expect(await campaign(engine, 'loops', loopCase, 20)).toEqual([]);
  });
});

/** A graph of some nodes on x [batch, time, 3]. */
function graphOf(nodes: OnnxNode[], more: Partial<OnnxGraph> = {}): Uint8Array {
  return encodeOnnx({
    inputs: [{ name: 'x', dims: ['batch', 'time', 3] }],
    outputs: ['y'],
    initializers: [],
    nodes,
    opset: 17,
    ...more,
  });
}

describe('constants beside what is computed', () => {
  const engine = createEngine('relaxed');
  it.each([
    ['before and behind features', ['before', 'x', 'behind']],
    ['between', ['x', 'before', 'x', 'behind']],
  ])('%s', async (_, inputs) => {
    const rows = (name: string, ...own: number[]): OnnxTensor => ({
      name,
      dims: [2, 3, own.length],
      data: Float32Array.from({ length: 6 * own.length }, (__, k) => own[k % own.length]!),
    });
    const graph: OnnxGraph = {
      inputs: [{ name: 'x', dims: [2, 3, 4] }],
      outputs: ['y'],
      initializers: [rows('before', 0.5, -2), rows('behind', 3)],
      nodes: [
        { opType: 'Tanh', inputs: ['x'], outputs: ['t'] },
        {
          opType: 'Concat',
          inputs: inputs.map((name) => (name === 'x' ? 't' : name)),
          outputs: ['c'],
          attributes: { axis: 2 },
        },
        { opType: 'Sigmoid', inputs: ['c'], outputs: ['y'] },
      ],
      opset: 13,
    };
    const data = Float32Array.from(createRandom(2).vector(24, 1));
    const given = { graph, inputs: [{ name: 'x', shape: [2, 3, 4], data }] };
    expect(await difference(engine, given)).toBeLessThan(1e-6);
  });
});

describe('graphs', () => {
  it('names all that is not supported, with its node', () => {
    const bytes = graphOf([
      { opType: 'Loop', inputs: ['', '', 'x'], outputs: ['a'] },
      { opType: 'Det', inputs: ['x'], outputs: ['b'] },
      { opType: 'Det', inputs: ['x'], outputs: ['unused'] },
      { opType: 'Add', inputs: ['a', 'b'], outputs: ['y'] },
    ]);
    const message = messageOf(() => readOnnx(bytes));
    expect(message).toMatch(/Loop "a".*give the Keras file.*; Det "b"/);
    expect(message).not.toContain('unused');
  });

  it('refuses loops that are no layer of steps, with advice', () => {
    const given = (change: (graph: OnnxGraph) => OnnxGraph): string => {
      // The first drawn case that is one `Loop` whose steps are all outputs.
      for (let seed = 1; ; seed++) {
        const { graph } = loopCase(createRandom(seed));
        const loops = graph.nodes.filter(({ opType }) => opType === 'Loop');
        const isPlain = loops.length === 1 && !graph.nodes.some(({ opType }) => opType === 'Scan');
        const isGated = JSON.stringify(loops).includes('Sigmoid');
        if (isPlain && isGated && loops[0]!.inputs[0] !== '') {
          return messageOf(() => readOnnx(encodeOnnx(change(graph))));
        }
      }
    };
    const loopOf = (graph: OnnxGraph): OnnxNode =>
      graph.nodes.find(({ opType }) => opType === 'Loop')!;
    const replaced = (graph: OnnxGraph, own: Partial<OnnxNode>): OnnxGraph => {
      const loop = loopOf(graph);
      const nodes = graph.nodes.map((node) => (node === loop ? { ...loop, ...own } : node));
      return { ...graph, nodes };
    };
    const inBody = (
      graph: OnnxGraph,
      change: (nodes: readonly OnnxNode[]) => OnnxNode[],
    ): OnnxGraph => {
      const { attributes } = loopOf(graph);
      const { graph: body } = attributes!['body'] as { graph: OnnxGraph };
      return replaced(graph, {
        attributes: { body: { graph: { ...body, nodes: change(body.nodes) } } },
      });
    };
    expect(given((graph) => graph)).toBe('nothing was thrown');
    const advice = 'give the Keras file to gatefold/formats/keras';
    const fewer = given((graph) => {
      const three = { name: 'three', dims: [], data: BigInt64Array.of(1n) };
      const initializers = [...graph.initializers, three];
      return replaced(
        { ...graph, initializers },
        { inputs: ['three', ...loopOf(graph).inputs.slice(1)] },
      );
    });
    expect(fewer).toContain('it may not run over all steps of the sequence');
    expect(fewer).toContain(advice);
    const early = given((graph) =>
      inBody(graph, (nodes) =>
        nodes.map((node) => (node.opType === 'Less' ? { ...node, opType: 'Greater' } : node)),
      ),
    );
    expect(early).toContain('whether it goes on depends on what it computes');
    const other = given((graph) =>
      inBody(graph, (nodes) =>
        nodes.map((node) => (node.opType === 'Sigmoid' ? { ...node, opType: 'Abs' } : node)),
      ),
    );
    expect(other).toMatch(/Loop ".*": its body is no step of a recurrent layer/);
    expect(other).toContain(advice);
  });

  it('takes the branch that a fixed input chooses', () => {
    const branch = (opType: string, name: string): Omit<OnnxGraph, 'opset'> => ({
      inputs: [],
      initializers: [],
      outputs: [name],
      nodes: [{ opType, inputs: ['x'], outputs: [name] }],
    });
    const bytes = graphOf(
      [
        { opType: 'Equal', inputs: ['sr', 'rate'], outputs: ['is'] },
        {
          opType: 'If',
          inputs: ['is'],
          outputs: ['y'],
          attributes: {
            then_branch: { graph: branch('Tanh', 'a') },
            else_branch: { graph: branch('Relu', 'b') },
          },
        },
      ],
      {
        inputs: [
          { name: 'x', dims: ['batch', 'time', 3] },
          { name: 'sr', dims: [], type: 'int64' },
        ],
        initializers: [{ name: 'rate', dims: [], data: BigInt64Array.of(16000n) }],
      },
    );
    const chosen = (sr: number): unknown =>
      readOnnx(bytes, { set: { sr } }).description.layers.map((layer) => ({ ...layer }));
    expect(chosen(16000)).toMatchObject([{ type: 'activation', activation: 'tanh' }]);
    expect(chosen(8000)).toMatchObject([{ type: 'activation', activation: 'relu' }]);
    expect(messageOf(() => readOnnx(bytes))).toBe(
      'the sizes of "batch", "time" and the value of "sr" are not known: pass { dims: { batch: N, time: N }, set: { sr: N } }, in the command --dims batch=N,time=N --set sr=N',
    );
    expect(messageOf(() => readOnnx(bytes, { dims: { batch: 1 } }))).toContain(
      'pass { dims: { batch: 1, time: N }, set: { sr: N } }, in the command --dims batch=1,time=N --set sr=N',
    );
    expect(messageOf(() => readOnnx(bytes, { dims: { batch: 1, time: 2 } }))).toBe(
      'the value of "sr" is not known: pass { set: { sr: N } }, in the command --set sr=N',
    );
    expect(messageOf(() => readOnnx(bytes, { set: { rate: 1 } }))).toContain('"x", "sr"');
  });

  it('carries a state that something is added to which is nothing', () => {
    const weights = (name: string, ...dims: number[]): OnnxTensor => {
      const data = Float32Array.from(
        createRandom(5).vector(
          dims.reduce((a, b) => a * b),
          1,
        ),
      );
      return { name, dims, data };
    };
    const bytes = encodeOnnx({
      inputs: [
        { name: 'x', dims: ['batch', 3] },
        { name: 'state', dims: [2, 'batch', 2] },
        { name: 'sr', dims: [], type: 'int64' },
      ],
      outputs: ['y', 'stateN'],
      initializers: [
        weights('W', 1, 8, 3),
        weights('R', 1, 8, 2),
        { name: 'front', dims: [1], data: BigInt64Array.of(0n) },
        { name: 'parts', dims: [2], data: BigInt64Array.of(1n, 1n) },
        { name: 'none', dims: [], data: BigInt64Array.of(0n) },
      ],
      nodes: [
        { opType: 'Unsqueeze', inputs: ['x', 'front'], outputs: ['steps'] },
        { opType: 'Split', inputs: ['state', 'parts'], outputs: ['h', 'c'] },
        {
          opType: 'LSTM',
          inputs: ['steps', 'W', 'R', '', '', 'h', 'c'],
          outputs: ['', 'hN', 'cN'],
          attributes: { hidden_size: 2 },
        },
        { opType: 'Concat', inputs: ['hN', 'cN'], outputs: ['both'], attributes: { axis: 0 } },
        { opType: 'Mul', inputs: ['sr', 'none'], outputs: ['nothing'] },
        { opType: 'Cast', inputs: ['nothing'], outputs: ['zero'], attributes: { to: 1 } },
        { opType: 'Add', inputs: ['both', 'zero'], outputs: ['stateN'] },
        { opType: 'Relu', inputs: ['hN'], outputs: ['y'] },
      ],
      opset: 15,
    });
    const options = { dims: { batch: 1 }, set: { sr: 16_000 } };
    expect(readOnnx(bytes, options).metadata['proposedCarry']).toEqual({ stateN: 'state' });
    const { description } = readOnnx(bytes, { ...options, carry: { stateN: 'state' } });
    expect(description.layers.map(({ type }) => type)).toEqual(['lstm', 'activation']);
  });

  it('refuses operator sets that it does not know, and what is no ONNX file', () => {
    const nodes = [{ opType: 'Relu', inputs: ['x'], outputs: ['y'] }];
    expect(messageOf(() => readOnnx(graphOf(nodes, { opset: 23 })))).toContain('6 to 22');
    for (const bytes of [new Uint8Array(), Uint8Array.of(8, 8, 58, 200), new Uint8Array(99)]) {
      expect(messageOf(() => readOnnx(bytes))).toContain('no ONNX file');
    }
  });
});

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof GatefoldError) return error.message;
    throw error;
  }
  return 'nothing was thrown';
}
