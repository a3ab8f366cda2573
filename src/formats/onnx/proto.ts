/** The messages of `onnx.proto` that a model needs, by their field numbers. */
import { Allowance, damaged, readMessage } from './protobuf.ts';
import type { Schema } from './protobuf.ts';

const ENTRY: Schema = { 1: ['key', 'text'], 2: ['value', 'text'] };

const TENSOR: Schema = {
  1: ['dims', 'ints'],
  2: ['type', 'int'],
  3: ['segment', 'bytes'],
  4: ['floats', 'pieces'],
  5: ['int32s', 'pieces'],
  6: ['texts', 'pieces'],
  7: ['int64s', 'pieces'],
  8: ['name', 'text'],
  9: ['raw', 'bytes'],
  10: ['doubles', 'pieces'],
  11: ['uint64s', 'pieces'],
  13: ['external', { many: ENTRY }],
  14: ['location', 'int'],
};

const ATTRIBUTE: Schema = {
  1: ['name', 'text'],
  2: ['float', 'float'],
  3: ['int', 'int'],
  4: ['text', 'bytes'],
  5: ['tensor', { one: TENSOR }],
  6: ['graph', 'bytes'],
  7: ['floats', 'floats'],
  8: ['ints', 'ints'],
  9: ['texts', 'texts'],
  20: ['type', 'int'],
  21: ['reference', 'text'],
};

const NODE: Schema = {
  1: ['inputs', 'texts'],
  2: ['outputs', 'texts'],
  3: ['name', 'text'],
  4: ['type', 'text'],
  5: ['attributes', { many: ATTRIBUTE }],
  7: ['domain', 'text'],
};

const DIMENSION: Schema = { 1: ['value', 'int'], 2: ['name', 'text'] };
const SHAPE: Schema = { 1: ['dims', { many: DIMENSION }] };
const TENSOR_TYPE: Schema = { 1: ['element', 'int'], 2: ['shape', { one: SHAPE }] };
const TYPE: Schema = { 1: ['tensor', { one: TENSOR_TYPE }] };
const VALUE: Schema = { 1: ['name', 'text'], 2: ['type', { one: TYPE }] };

const GRAPH: Schema = {
  1: ['nodes', { many: NODE }],
  2: ['name', 'text'],
  5: ['initializers', { many: TENSOR }],
  11: ['inputs', { many: VALUE }],
  12: ['outputs', { many: VALUE }],
  15: ['sparse', 'pieces'],
};

const OPSET: Schema = { 1: ['domain', 'text'], 2: ['version', 'int'] };

const MODEL: Schema = {
  1: ['ir', 'int'],
  2: ['producer', 'text'],
  3: ['producerVersion', 'text'],
  7: ['graph', { one: GRAPH }],
  8: ['opsets', { many: OPSET }],
};

/** Numbers as they lie in the file: a run of them, or one by itself. */
export type Piece = Uint8Array | number;

export interface TensorProto {
  readonly dims: readonly number[];
  readonly type?: number;
  readonly segment?: Uint8Array;
  readonly floats: readonly Piece[];
  readonly int32s: readonly Piece[];
  readonly texts: readonly Piece[];
  readonly int64s: readonly Piece[];
  readonly name?: string;
  readonly raw?: Uint8Array;
  readonly doubles: readonly Piece[];
  readonly uint64s: readonly Piece[];
  readonly external: readonly { readonly key?: string; readonly value?: string }[];
  readonly location?: number;
}

export interface AttributeProto {
  readonly name?: string;
  readonly float?: number;
  readonly int?: number;
  readonly text?: Uint8Array;
  readonly tensor?: TensorProto;
  readonly graph?: Uint8Array;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly texts: readonly string[];
  readonly type?: number;
  readonly reference?: string;
}

export interface NodeProto {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly type?: string;
  readonly attributes: readonly AttributeProto[];
  readonly domain?: string;
}

export interface ValueProto {
  readonly name?: string;
  readonly type?: {
    readonly tensor?: {
      readonly element?: number;
      readonly shape?: {
        readonly dims: readonly { readonly value?: number; readonly name?: string }[];
      };
    };
  };
}

export interface GraphProto {
  readonly nodes: readonly NodeProto[];
  readonly name?: string;
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueProto[];
  readonly outputs: readonly ValueProto[];
  readonly sparse: readonly Piece[];
}

export interface ModelProto {
  readonly ir?: number;
  readonly producer?: string;
  readonly producerVersion?: string;
  readonly graph: GraphProto;
  readonly opsets: readonly { readonly domain?: string; readonly version?: number }[];
}

export function readModelProto(bytes: Uint8Array, allowance: Allowance): ModelProto {
  const model = readMessage(bytes, MODEL, allowance) as unknown as ModelProto;
  if (!model.graph) damaged('it has no graph');
  allowance.takeNodes(model.graph.nodes.length);
  return model;
}

/** Graphs of attributes, each read once for all who ask. */
export class Branches {
  readonly #known = new Map<Uint8Array, GraphProto>();
  readonly #allowance: Allowance;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  of(bytes: Uint8Array): GraphProto {
    const known = this.#known.get(bytes);
    if (known) return known;
    const graph = readMessage(bytes, GRAPH, this.#allowance) as unknown as GraphProto;
    this.#allowance.takeNodes(graph.nodes.length);
    this.#known.set(bytes, graph);
    return graph;
  }
}
