/** Models of ONNX: graphs as exporters write them. */
import { isOf, kindOf, viewOf } from '../../base/arrays.ts';
import { checkInteger, checkObject, readOptions, toFloats } from '../../base/check.ts';
import { GatefoldError, shorten } from '../../base/errors.ts';
import type { StateDict } from '../../base/tensor.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Model } from '../../model/model.ts';
import type { InputSpec, LayerSpec, ModelDescription } from '../../ops/index.ts';
import { asBytes } from '../shared/bytes.ts';
import { checkImported } from '../shared/check-imported.ts';
import { build } from '../shared/imported.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { settle } from './axes.ts';
import { counter } from './builder.ts';
import type { Layer } from './builder.ts';
import { checkCarry, proposedCarries } from './carry.ts';
import { countOf } from './constants.ts';
import type { Constant } from './constants.ts';
import { productOfDims } from './dims.ts';
import type { Dim } from './dims.ts';
import { isFeature, partOf } from './flow.ts';
import type { Axis, Flow, GraphInput, Role } from './flow.ts';
import { Graph, refuseProblems } from './graph.ts';
import type { Given } from './graph.ts';
import { Node, Refusal } from './node.ts';
import { openOf, refuseOpen } from './open.ts';
import type { Open } from './open.ts';
import { readProgram } from './program/read.ts';
import { Branches, readModelProto } from './proto.ts';
import type { GraphProto, ModelProto, ValueProto } from './proto.ts';
import { Allowance, damaged } from './protobuf.ts';

/** A value of an input: a number, numbers as the file shapes them, or an array with its shape. */
export type OnnxValue =
  | number
  | ArrayLike<number>
  | {
      /** Sizes of its axes. */
      readonly shape: readonly number[];
      /** Its numbers, row-major. */
      readonly data: ArrayLike<number>;
    };

/** How `readOnnx` reads. */
export interface OnnxOptions {
  /**
   * Sizes of axes that have a name in the file, such as `{ batch: 1, time: 512 }`; an axis without
   * one is called by its input and number, `x.1`.
   */
  readonly dims?: Readonly<Record<string, number>>;
  /** Inputs that are always the same, such as `{ sr: 16000 }`. */
  readonly set?: Readonly<Record<string, OnnxValue>>;
  /**
   * Inputs that hold what the call before gave, by the outputs that do: `{ stateN: 'state' }`. They
   * become states of the model, which a stream keeps and which begin as zeros.
   */
  readonly carry?: Readonly<Record<string, string>>;
  /** Files beside the model that have some of its tensors, by the names that it has for them. */
  readonly data?: ReadonlyMap<string, Uint8Array | ArrayBuffer>;
}

const [OLDEST, NEWEST] = [6, 22];

/** Reads a `.onnx` file: what the model is, and its parameters. */
export function readOnnx(
  source: Uint8Array | ArrayBuffer,
  options: OnnxOptions = {},
): ImportedModel {
  const bytes = asBytes(source);
  const given = readOptions('options', options, ['dims', 'set', 'carry', 'data']);
  const allowance = new Allowance(bytes.length);
  const model = readModelProto(bytes, allowance);
  const opset = opsetOf(model);
  const dims = dimsOf(given.dims, model.graph);
  const set = setOf(given.set, model.graph);
  const carry = carryOf(given.carry, model.graph);
  const data = new Map<string, Uint8Array>();
  let size = bytes.length;
  for (const [name, file] of given.data ?? []) {
    data.set(name, asBytes(file));
    size += data.get(name)!.length;
  }
  const branches = new Branches(allowance);
  const all = { dims, set, carry, data, branches, opset };
  const seeming = seemingStates(model.graph, carry);
  const read = (whole: Given['whole'], way: Way = { seeming }): Graph =>
    new Graph(model.graph, { ...all, whole, ...way }, counter(size));
  const first = read(NOTHING);
  let last = first;
  let whole = NOTHING;
  // What follows from a layer is known when that is there: further ones may be found.
  for (let k = 0; last.whole.size && k < MAX_SEARCHES; k++) {
    whole = new Map([...whole, ...last.whole]);
    last = read(whole);
  }
  // With layers for cells that an exporter took apart, or as it is.
  const ways = [
    ...new Map([
      [whole, last],
      [NOTHING, first],
    ]),
  ];
  const others = new Set(model.graph.inputs.slice(1).map(({ name = '' }) => name));
  const more = others.size > seeming.size ? [{ seeming: others }] : [];
  const layouts: readonly (Way | undefined)[] = [
    undefined,
    ...more,
    ...[...more, { seeming }].flatMap((way) => LAYOUTS.map((layout) => ({ ...way, layout }))),
  ];
  const tries = ways.flatMap(([found, graph]) => layouts.map((way) => ({ found, graph, way })));
  try {
    return firstOf(tries, ({ found, graph, way }) => {
      const made = way ? read(found, way) : graph;
      return checked(assembled(model, made, opset, first.before));
    });
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    const open = openOf(model.graph, all);
    if (open.dims.length) throw first.isForeign ? error : refuseOpen(open);
    return otherwise(error, open, (because) =>
      firstOf(ways, ([found]) =>
        checked(readProgram(model, { ...all, whole: found }, counter(size), because)),
      ),
    );
  }
}

/**
 * Inputs that are carried, or that an output is like: neither the first one, and sizes the same
 * where both are known. Their axes are none of a sequence, whatever their number and sizes are.
 */
function seemingStates(
  { inputs, outputs, initializers }: GraphProto,
  carry: ReadonlyMap<string, string>,
): Set<string> {
  const dimsOf = ({ type }: ValueProto): Dim[] =>
    (type?.tensor?.shape?.dims ?? []).map(({ value = 0, name = '' }) => value || name);
  const known = new Set(initializers.map(({ name }) => name));
  const open = inputs.filter(({ name }) => !known.has(name));
  const names = new Set(open.flatMap(dimsOf));
  const isAlike = (output: readonly Dim[], input: readonly Dim[]): boolean =>
    output.length === input.length &&
    output.some((size, k) => size === input[k] && size !== 1) &&
    // A name that no input has may be any size.
    output.every((size, k) => size === input[k] || (typeof size === 'string' && !names.has(size)));
  const seeming = new Set(carry.values());
  for (const output of outputs.slice(1)) {
    const like = open.slice(1).find((input) => {
      return !seeming.has(input.name ?? '') && isAlike(dimsOf(output), dimsOf(input));
    });
    if (like) seeming.add(like.name ?? '');
  }
  return seeming;
}

const isUnsupported = (error: unknown): error is GatefoldError =>
  error instanceof GatefoldError && error.code === 'ERR_UNSUPPORTED';

/** What layers cannot carry as a program; or what to pass, or both reasons why there is none. */
function otherwise(
  { message }: GatefoldError,
  open: Open,
  of: (because: string) => ImportedModel,
): ImportedModel {
  try {
    return of(message);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    if (open.set.length && error.message.includes('{ set }')) refuseOpen(open);
    const whole = `${message}; as a program of fixed shapes: ${error.message}`;
    throw new GatefoldError('ERR_UNSUPPORTED', whole);
  }
}

/** How often a graph is searched for layers that were taken apart. */
const MAX_SEARCHES = 8;
const NOTHING: Given['whole'] = new Map();

/**
 * What the axes of inputs are taken for: by the first operator that asks, or in a usual order; and
 * which inputs seem to be states.
 */
type Way = Pick<Given, 'layout' | 'seeming'>;

const LAYOUTS: readonly (readonly Role[])[] = [
  ['batch', 'time', 'features'],
  ['time', 'batch', 'features'],
  ['batch', 'features', 'time'],
];

/** The first that is supported; where none is, the error of the first. */
function firstOf<T, R>(list: readonly T[], of: (one: T) => R): R {
  let first: unknown;
  for (const one of list) {
    try {
      return of(one);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      first ??= error;
    }
  }
  throw first;
}

/** Refuses what is no model before an engine takes any memory. */
function checked(imported: ImportedModel): ImportedModel {
  try {
    checkImported(imported);
    return imported;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    throw new GatefoldError('ERR_UNSUPPORTED', `the model cannot be built: ${error.message}`);
  }
}

/**
 * The model of a `.onnx` file.
 *
 * @example
 *   const model = loadOnnx(engine, bytes, { dims: { batch: 1 }, carry: { stateN: 'state' } });
 *   const stream = model.stream();
 */
export function loadOnnx(
  engine: Engine,
  source: Uint8Array | ArrayBuffer,
  options: OnnxOptions = {},
): Model {
  return build(engine, readOnnx(source, options));
}

function opsetOf({ opsets }: ModelProto): number {
  const own = opsets.find(({ domain = '' }) => domain === '' || domain === 'ai.onnx');
  const version = own?.version ?? damaged('it does not say the version of its operators');
  if (version >= OLDEST && version <= NEWEST) return version;
  const message = `the file has operators of version ${version}: ${OLDEST} to ${NEWEST} are supported`;
  throw new GatefoldError('ERR_UNSUPPORTED', message);
}

/** Refuses names of a caller that the file does not have. */
function checkNames(option: string, given: object, known: ReadonlySet<string>): void {
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue;
    const list = [...known].map((one) => `"${shorten(one)}"`).join(', ');
    const message = `"${option}" names "${shorten(name)}", and the file has ${list || 'none'}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
}

function dimsOf(given: OnnxOptions['dims'], { inputs }: GraphProto): Map<string, number> {
  const names = inputs.flatMap(({ name = '', type }) =>
    (type?.tensor?.shape?.dims ?? []).flatMap(({ value, name: symbol }, axis) =>
      value !== undefined && value > 0 ? [] : [symbol || `${name}.${axis}`],
    ),
  );
  if (given === undefined) return new Map();
  checkNames('dims', checkObject('dims', given), new Set(names));
  return new Map(
    Object.entries(given).map(([name, size]) => [
      name,
      checkInteger(`dims.${shorten(name)}`, size, 1),
    ]),
  );
}

function setOf(given: OnnxOptions['set'], { inputs }: GraphProto): Map<string, Constant> {
  if (given === undefined) return new Map();
  checkNames('set', checkObject('set', given), new Set(inputs.map(({ name = '' }) => name)));
  return new Map(
    Object.entries(given).map(([name, value]) => {
      const type = inputs.find((input) => input.name === name)!.type?.tensor;
      const own = type?.shape?.dims.map(({ value: size = -1 }) => size) ?? [];
      const at = `set.${shorten(name)}`;
      const isPlain = typeof value === 'number';
      const isList = Array.isArray(value) || kindOf(value) !== undefined;
      const tensor = value as { shape: readonly number[]; data: ArrayLike<number> };
      const list = isPlain ? [value] : isList ? (value as ArrayLike<number>) : tensor.data;
      const floats = toFloats(at, list);
      if (!isOf('Float32Array', floats)) {
        throw new GatefoldError('ERR_ARGUMENT', `"${at}" expected a number or an array of numbers`);
      }
      const data = viewOf('Float32Array', floats).slice();
      const shape = isPlain || isList ? own : [...tensor.shape];
      const fits = countOf(shape) === data.length && shape.every((size) => size >= 0);
      const dims = fits ? shape : isPlain ? [] : [data.length];
      const isFloat = [1, 10, 11, 16].includes(type?.element ?? 1);
      return [name, { dims, data: isFloat ? data : Float64Array.from(data), isFloat }];
    }),
  );
}

function carryOf(given: OnnxOptions['carry'], graph: GraphProto): Map<string, string> {
  if (given === undefined) return new Map();
  const namesOf = (values: GraphProto['inputs']): Set<string> =>
    new Set(values.map(({ name = '' }) => name));
  const [outputs, inputs] = [namesOf(graph.outputs), namesOf(graph.inputs)];
  checkNames('carry', checkObject('carry', given), outputs);
  const pairs = Object.entries(given);
  for (const [output, input] of pairs) {
    if (typeof input !== 'string') {
      const message = `"carry.${shorten(output)}" expected the name of an input`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    checkNames('carry', { [input]: 0 }, inputs);
  }
  const taken = pairs.map(([, input]) => input);
  if (new Set(taken).size < taken.length || pairs.length === outputs.size) {
    const message = '"carry" expected another input for each output, and an output that is left';
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  return new Map(pairs);
}

/** What is in a layer's way of being an output, as a node would be. */
const place = (name: string, type = 'output'): Node =>
  new Node({ type, name, inputs: [], outputs: [name], attributes: [] }, NEWEST);

/** Axes in words: `batch`, `time`, `features`, 1, and several of them with `*`. */
function wordsOf(axes: readonly Axis[]): string[] {
  return axes.map((axis) => {
    const words = axis.map(({ role }) => role ?? 'features');
    const once = words.filter((word, k) => word !== words[k - 1]);
    return once.join('*') || '1';
  });
}

function assembled(
  { graph: proto, producer }: ModelProto,
  graph: Graph,
  opset: number,
  before: number,
): ImportedModel {
  const outputs = new Map<string, Flow>();
  for (const { name = '' } of proto.outputs) {
    const value = graph.valueOf(name);
    if (!value || 'unknown' in value) continue;
    if ('flow' in value) outputs.set(name, value.flow);
    else graph.problems.set(name, [`output "${shorten(name)}": it depends on no input`]);
  }
  refuseProblems(proto, graph);
  const { build: builder } = graph;
  try {
    for (const input of graph.inputs.values()) settleInput(input);
    for (const [name, flow] of outputs) outputs.set(name, finished(graph, name, flow));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new GatefoldError('ERR_UNSUPPORTED', `the model cannot be read: ${error.message}`);
  }
  const carries = proposedCarries(graph, outputs);
  for (const [output, input] of graph.given.carry) {
    checkCarry(graph, outputs.get(output), { output, input });
    outputs.delete(output);
    carries.delete(output);
  }
  const kept = reachable(
    builder.layers,
    [...outputs.values()].map(({ source }) => source),
  );
  checkEnds(graph, kept);
  const renamed = new Map<string, string>();
  for (const [name, flow] of outputs) {
    let layer = kept.get(flow.source);
    if (!layer || renamed.has(layer.name)) {
      layer = builder.add(place(name, 'identity'), 'activation', { activation: 'identity' }, [
        flow,
      ]);
      kept.set(layer.name, layer);
    }
    renamed.set(layer.name, name);
  }
  const nameOf = (source: string): string => {
    const whole = renamed.get(source);
    if (whole !== undefined) return whole;
    const dot = source.lastIndexOf('.');
    const part = kept.has(source) ? undefined : renamed.get(source.slice(0, Math.max(dot, 0)));
    return part === undefined ? source : part + source.slice(dot);
  };
  const tensors: StateDict = new Map();
  const layers = [...kept.values()].map((layer) => {
    const { type, inputs, options, spreads } = layer;
    const name = nameOf(layer.name);
    for (const [role, tensor] of layer.tensors) tensors.set(`${name}.${role}`, tensor);
    const initial = options['initialState'];
    const named = typeof initial === 'object';
    return {
      type: spreads && isOfRows(spreads.kind) ? 'reshape' : type,
      name,
      inputs: inputs.map(nameOf),
      ...options,
      ...(named && {
        initialState: Object.fromEntries(
          Object.entries(initial as Record<string, string>).map(([k, from]) => [k, nameOf(from)]),
        ),
      }),
    } as unknown as LayerSpec;
  });
  const read = new Set([...kept.values()].flatMap(readsOf));
  const inputs = [...graph.inputs.values()].filter(({ name }) => read.has(name));
  if (graph.given.carry.size && inputs.every(({ rows }) => rows.kind === 'row')) {
    const problem = 'a state is carried from call to call, and a call has a sequence, not a step';
    throw new GatefoldError('ERR_UNSUPPORTED', problem);
  }
  const states = [...graph.states].flatMap(([name, uses]) => {
    const own = uses.filter(({ layer }) => kept.has(layer));
    if (own.length && read.has(name)) {
      const problem = `the input "${shorten(name)}" is an initial state and is read by other nodes too`;
      throw new GatefoldError('ERR_UNSUPPORTED', problem);
    }
    return own.map((use) => ({ input: name, ...use, layer: nameOf(use.layer) }));
  });
  const description: ModelDescription = {
    inputs: inputSpecs(inputs),
    layers,
    outputs: [...outputs.keys()],
  };
  const used = [
    ...inputs,
    ...[...graph.inputs.values()].filter(({ name }) => graph.states.has(name)),
  ];
  return {
    description,
    tensors,
    metadata: {
      format: 'onnx',
      opset,
      ...(producer && { producer: shorten(producer) }),
      nodes: { before, after: layers.length },
      inputs: Object.fromEntries(used.map(({ name, axes }) => [name, wordsOf(axes)])),
      outputs: Object.fromEntries([...outputs].map(([name, { axes }]) => [name, wordsOf(axes)])),
      ...(states.length && { states }),
      ...(graph.given.carry.size && { carry: Object.fromEntries(graph.given.carry) }),
      ...(carries.size && { proposedCarry: Object.fromEntries(carries) }),
      ...(graph.lengths !== undefined && { lengths: graph.lengths }),
    },
  };
}

const isOfRows = (kind: string | undefined): boolean => kind === 'row';

/** What an input is that no operator has told. */
function settleInput(input: GraphInput): void {
  const { name, rows, axes } = input;
  if (!input.isTokens)
    settle({ source: name, rows, axes, held: axes.flat() }, place(name, 'input'));
  else {
    for (const role of ['batch', 'time'] as const) {
      if (input.atoms.some((atom) => atom.role === role)) continue;
      input.atoms.find((atom) => atom.role === undefined)?.become(role);
    }
  }
  if (rows.kind !== undefined) return;
  const isRow = !input.time && !input.isTokens && !rows.first.isSpread;
  rows.become(isRow ? 'row' : 'step');
}

/** An output whose features are in the order of its axes, and that has no steps within a step. */
function finished(graph: Graph, name: string, flow: Flow): Flow {
  const node = place(name);
  const part = partOf(flow);
  if (part) node.refuse(part);
  const { build: builder } = graph;
  const closed = builder.unfurled(builder.closed(flow, node), node);
  const whole = closed.rows.kind === 'inner' ? builder.flattened(closed, node) : closed;
  return builder.natural(whole, node);
}

/** Layers whose outputs of a step depend on other steps. */
const MIXING: ReadonlySet<string> = new Set(
  (
    'rnn lstm gru attention pool reverse delay flatten conv1d convTranspose1d ' +
    'maxPool1d averagePool1d upsample1d'
  ).split(' '),
);

/** Where sequences end early, refuses layers that read what lies behind their ends in the file. */
function checkEnds({ lengths, ending }: Graph, layers: ReadonlyMap<string, Layer>): void {
  if (lengths === undefined) return;
  for (const { name, type } of layers.values()) {
    if (!MIXING.has(type) || ending.has(name)) continue;
    const problem = `"${shorten(name)}" reads steps behind the ends of sequences that sequence_lens shortens`;
    throw new GatefoldError('ERR_UNSUPPORTED', `the model cannot be read: ${problem}`);
  }
}

const readsOf = ({ inputs, options }: Layer): string[] => {
  const initial = options['initialState'];
  const more = initial && typeof initial === 'object' ? Object.values(initial as object) : [];
  return [...inputs, ...(more as string[])];
};

/** The layers that outputs depend on, in their order. */
function reachable(
  layers: ReadonlyMap<string, Layer>,
  outputs: readonly string[],
): Map<string, Layer> {
  const seen = new Set<Layer>();
  const queue = [...outputs];
  const layerOf = (source: string): Layer | undefined =>
    layers.get(source) ?? layers.get(source.slice(0, Math.max(source.lastIndexOf('.'), 0)));
  for (let source = queue.pop(); source !== undefined; source = queue.pop()) {
    const layer = layerOf(source);
    if (!layer || seen.has(layer)) continue;
    seen.add(layer);
    queue.push(...readsOf(layer));
  }
  return new Map([...layers].filter(([, layer]) => seen.has(layer)));
}

function inputSpecs(inputs: readonly GraphInput[]): InputSpec[] {
  const sequences = inputs.filter(({ rows }) => rows.kind === 'step');
  const leaders = new Map<unknown, string>();
  const fixed = new Set<unknown>();
  for (const { rows, name, isFixed } of sequences) {
    if (!leaders.has(rows.first)) leaders.set(rows.first, name);
    if (isFixed) fixed.add(rows.first);
  }
  return inputs.map(({ name, rows, atoms, isTokens, time }): InputSpec => {
    const size = productOfDims(atoms.filter(isFeature).map((atom) => atom.size));
    const known = isTokens || typeof size !== 'number' ? undefined : { size };
    if (rows.kind === 'row') return { name, ...known, each: 'sequence' };
    const leader = leaders.get(rows.first)!;
    const steps = time?.size ?? 1;
    return {
      name,
      ...known,
      ...(leader !== sequences[0]!.name && { stepsOf: leader }),
      ...(fixed.has(rows.first) && typeof steps === 'number' && { steps }),
    };
  });
}
