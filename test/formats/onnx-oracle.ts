/** Reads generated graphs, and compares them with onnxruntime-web. */
import * as ort from 'onnxruntime-web';
import { readOnnx } from '../../src/formats/onnx.ts';
import { counter } from '../../src/formats/onnx/builder.ts';
import { readProgram } from '../../src/formats/onnx/program/read.ts';
import { Branches, readModelProto } from '../../src/formats/onnx/proto.ts';
import { Allowance } from '../../src/formats/onnx/protobuf.ts';
import { build } from '../../src/formats/shared/imported.ts';
import type { ImportedModel } from '../../src/formats/shared/imported.ts';
import type { Engine } from '../../src/hosts/default.ts';
import { createRandom, type Random } from '../support/random.ts';
import { encodeOnnx } from '../peers/onnx-writer.ts';
import type { OnnxGraph } from '../peers/onnx-writer.ts';
import '../peers/onnxruntime.ts';
import { turn } from './onnx-cases.ts';
import type { OnnxCase } from './onnx-cases.ts';
import { runImported, worstOf } from './onnx-run.ts';
import type { OnnxArray } from './onnx-run.ts';

/** What onnxruntime makes of a graph. */
export async function oracle(bytes: Uint8Array, inputs: OnnxCase['inputs']): Promise<OnnxArray[]> {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['wasm'],
    logSeverityLevel: 3,
  });
  const feeds: Record<string, ort.Tensor> = {};
  for (const { name, shape, data, type = 'float' } of inputs) {
    feeds[name] =
      type === 'int64'
        ? new ort.Tensor('int64', BigInt64Array.from(Array.from(data, BigInt)), shape)
        : type === 'int32'
          ? new ort.Tensor('int32', Int32Array.from(data), shape)
          : type === 'uint8'
            ? new ort.Tensor('uint8', Uint8Array.from(data), shape)
            : new ort.Tensor('float32', Float32Array.from(data), shape);
  }
  const results = await session.run(feeds);
  await session.release();
  return Object.entries(results).map(([name, { dims, data }]) => {
    return { name, shape: dims, data: data as Float32Array };
  });
}

/** The graph as a program, even where layers could carry it. */
export function readAsProgram(bytes: Uint8Array): ImportedModel {
  const model = readModelProto(bytes, new Allowance(bytes.length));
  const opset = model.opsets.find(({ domain = '' }) => domain === '')!.version!;
  const none = new Map<string, never>();
  const branches = new Branches(new Allowance(bytes.length));
  const given = { dims: none, set: none, carry: none, data: none, whole: none, branches, opset };
  return readProgram(model, given, counter(bytes.length), 'a test');
}

/** The largest difference of a program from onnxruntime; throws where the graph is refused. */
export const programDifference = (engine: Engine, given: OnnxCase): Promise<number> =>
  difference(engine, given, readAsProgram);

/** The largest difference from onnxruntime; throws where the graph is refused. */
export async function difference(
  engine: Engine,
  given: OnnxCase,
  read: (bytes: Uint8Array) => ImportedModel = readOnnx,
): Promise<number> {
  const { graph, inputs, theirs = { graph, inputs }, turned } = given;
  const expected = await oracle(encodeOnnx(theirs.graph), theirs.inputs);
  const model = build(engine, read(encodeOnnx(graph)));
  try {
    const wanted = expected.map((one) => (turned ? turn(one, turned[one.name]!) : one));
    return worstOf(model, runImported(model, inputs), wanted, inputs);
  } finally {
    model.dispose();
  }
}

const TOLERANCE = 1e-5;

/** Of each operator in the graphs so far: how many, the versions, and the worst of their graphs. */
const seen = new Map<string, { count: number; opsets: Set<number>; worst: number }>();

function note({ nodes, opset = 14 }: Omit<OnnxGraph, 'initializers'>, error: number): void {
  for (const { opType, attributes } of nodes) {
    const known = seen.get(opType) ?? { count: 0, opsets: new Set(), worst: 0 };
    const worst = Math.max(known.worst, error);
    seen.set(opType, { count: known.count + 1, opsets: known.opsets.add(opset), worst });
    const body = attributes?.['body'] as { graph: OnnxGraph } | undefined;
    if (body) note({ ...body.graph, opset }, error);
  }
}

/** A line for each operator in the graphs that were compared. */
export function seenOperators(): string {
  const lines = [...seen]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, one]) => {
      const opsets = [...one.opsets].sort((a, b) => a - b);
      return `${type}: ${one.count} nodes, opsets ${opsets.join(' ')}, worst ${one.worst.toExponential(1)}`;
    });
  return lines.join('\n');
}

/** What failed of the first `count` cases: a case that is refused has failed. */
export async function campaign(
  engine: Engine,
  title: string,
  draw: (random: Random) => OnnxCase,
  count: number,
  measure: typeof difference = difference,
): Promise<readonly string[]> {
  const failures: string[] = [];
  let worst = 0;
  for (let seed = 1; seed <= count; seed++) {
    try {
      const given = draw(createRandom(seed));
      const error = await measure(engine, given);
      note(given.graph, error);
      if (!(error < TOLERANCE)) failures.push(`seed ${seed}: ${error}`);
      worst = Math.max(worst, error);
    } catch (error) {
      failures.push(`seed ${seed}: ${String(error)}`);
    }
  }
  console.info(`${title}: ${count}, worst difference ${worst}`);
  return failures;
}
