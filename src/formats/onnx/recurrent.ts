/** RNN, LSTM and GRU of ONNX, with every attribute and input. */
import type { Tensor } from '../../base/tensor.ts';
import type { Activation } from '../../ops/activations.ts';
import { onnx, toStateDict } from '../shared/layouts.ts';
import type { CellParameters } from '../shared/layouts.ts';
import { asBatch, asSteps } from './axes.ts';
import { constantAt, flowAt, isZeros } from './call.ts';
import type { Call, Operator, StateUse, Value } from './call.ts';
import { floatsOf, numbersOf } from './constants.ts';
import type { Constant } from './constants.ts';
import { Atom, Rows, asFeatures, asRows, axisOf, isFeature, sizeOf } from './flow.ts';
import type { Axis, Flow } from './flow.ts';
import { expanded, transposed } from './fold.ts';
import type { Node } from './node.ts';

/** ONNX' activations by their names in small letters, and which of alpha and beta they take. */
const ACTIVATIONS: Readonly<Record<string, readonly [type: string, numbers: 0 | 1 | 2]>> = {
  relu: ['relu', 0],
  tanh: ['tanh', 0],
  sigmoid: ['sigmoid', 0],
  softsign: ['softsign', 0],
  softplus: ['softplus', 0],
  affine: ['affine', 2],
  leakyrelu: ['leakyRelu', 1],
  thresholdedrelu: ['thresholdedRelu', 1],
  scaledtanh: ['scaledTanh', 2],
  hardsigmoid: ['hardSigmoid', 2],
  elu: ['elu', 1],
};

type Type = 'RNN' | 'LSTM' | 'GRU';
const USUAL: Readonly<Record<Type, readonly string[]>> = {
  RNN: ['tanh'],
  LSTM: ['sigmoid', 'tanh', 'tanh'],
  GRU: ['sigmoid', 'tanh'],
};
const GATES = { RNN: 1, LSTM: 4, GRU: 3 };

/** The activations of all directions; numbers are taken in order by those that need some. */
export function activationsOf(
  node: Node,
  type: Type,
  directions: number,
): Activation[] | undefined {
  const usual = USUAL[type];
  const count = usual.length * directions;
  const given = node.get('activations')?.texts ?? [];
  if (!given.length) return undefined;
  if (given.length < count) node.refuse(`it has ${given.length} activations rather than ${count}`);
  const [alphas, betas] = ['activation_alpha', 'activation_beta'].map((name) => [
    ...node.floats(name),
  ]);
  const list = given.slice(0, count).map((name): Activation => {
    const known = ACTIVATIONS[name.toLowerCase()];
    if (!known) return node.refuse(`its activation "${name}" is not supported`);
    const [own, numbers] = known;
    const alpha = numbers > 0 ? alphas!.shift() : undefined;
    const beta = numbers > 1 ? betas!.shift() : undefined;
    if (alpha === undefined && beta === undefined) return own as Activation;
    return {
      type: own,
      ...(alpha !== undefined && { alpha }),
      ...(beta !== undefined && { beta }),
    } as Activation;
  });
  const isUsual = list.every((one, k) => one === usual[k % usual.length]);
  return isUsual ? undefined : list;
}

interface Cell {
  readonly node: Node;
  readonly type: Type;
  readonly hidden: number;
  readonly directions: number;
  /** Whether the batch is the first axis. */
  readonly isBatchFirst: boolean;
}

/** [D, H] of an initial state that is the same for each sequence. */
function learned(
  value: Value,
  { node, hidden, directions, isBatchFirst }: Cell,
  call: Call,
): Float32Array {
  const given =
    'constant' in value ? value.constant : 'spread' in value ? value.spread.base : undefined;
  if (!given || given.dims.length !== 3) return node.refuse('its initial state has no three axes');
  const turned = isBatchFirst ? transposed(given, [1, 0, 2], call.graph) : given;
  const batch = turned.dims[1]!;
  if (turned.dims[2] !== hidden && turned.dims[2] !== 1)
    node.refuse('its initial state does not fit');
  const wide = expanded(turned, [directions, batch, hidden], call.graph);
  const data = floatsOf(wide);
  const out = new Float32Array(directions * hidden);
  for (let d = 0; d < directions; d++) {
    for (let b = 0; b < batch; b++) {
      for (let k = 0; k < hidden; k++) {
        const x = data[(d * batch + b) * hidden + k]!;
        if (b > 0 && x !== out[d * hidden + k]) {
          node.refuse('its initial state is a constant that differs from sequence to sequence');
        }
        out[d * hidden + k] = x;
      }
    }
  }
  return out;
}

/** Places that are equally far apart. */
function evenly(places: readonly number[], node: Node): Pick<StateUse, 'from' | 'to' | 'step'> {
  const [from = 0, second = from + 1] = places;
  const step = second - from;
  const isEven = step > 0 && places.every((place, k) => place === from + k * step);
  if (!isEven) node.refuse('its initial state is features of an input in another order');
  return { from, to: places.at(-1)! + 1, ...(step > 1 && { step }) };
}

/** Initial states: nothing, parameters, rows of other layers, or the state of the call. */
interface Initial {
  readonly option: Record<string, unknown>;
  readonly parameters: Partial<CellParameters>[];
  /** Names of layers by the letters of the states. */
  readonly sources: Record<string, string>;
}

function initialOf(call: Call, cell: Cell, layer: string): Initial {
  const { node, graph } = call;
  const letters = cell.type === 'LSTM' ? (['h', 'c'] as const) : (['h'] as const);
  const constants: Record<string, Float32Array> = {};
  const sources: Record<string, string> = {};
  const { hidden, directions, isBatchFirst } = cell;
  for (const [k, letter] of letters.entries()) {
    const value = call.inputs[5 + k];
    if (!value || isZeros(value)) continue;
    if (!('flow' in value)) {
      constants[letter] = learned(value, cell, call);
      continue;
    }
    const { flow } = value;
    const [d, b] = isBatchFirst ? [1, 0] : [0, 1];
    if (flow.axes.length !== 3) node.refuse('its initial state has no three axes');
    const origin = graph.originOf(flow, directions * hidden);
    if (origin) {
      asFeatures([...flow.axes[d]!, ...flow.axes[2]!], node);
      asBatch(flow.axes[b]!, node);
      const uses = graph.states.get(origin.input.name) ?? [];
      uses.push({ layer, state: letter, ...evenly(origin.places, node) });
      graph.states.set(origin.input.name, uses);
      continue;
    }
    const { build } = graph;
    asFeatures([...flow.axes[d]!, ...flow.axes[2]!], node);
    asBatch(flow.axes[b]!, node);
    const order = { ...flow, axes: [flow.axes[b]!, flow.axes[d]!, flow.axes[2]!] };
    let row = build.closed(build.natural(order, node), node);
    row.rows.become('row');
    if (row.rows.kind === 'step') {
      if (row.axes.flat().some(({ role }) => role === 'time'))
        node.refuse('its initial state has steps');
      row = build.pool(row, 'last', node);
    }
    if (row.rows.kind !== 'row') node.refuse('its initial state is no row of each sequence');
    sources[letter] = row.source;
  }
  const named = Object.keys(sources).length > 0;
  const fixed = Object.keys(constants).length > 0;
  if (named && fixed) node.refuse('one of its initial states is a constant, the other computed');
  if (named && letters.length > 1 && !(sources['h'] !== undefined && sources['c'] !== undefined)) {
    // The other one is zero: rows of zeros, made of those that are there.
    const there = sources['h'] ?? sources['c']!;
    const missing = sources['h'] === undefined ? 'h' : 'c';
    const flow = { source: there, rows: new Rows('row'), axes: [], held: [] };
    sources[missing] = graph.build.add(node, 'scale', { factor: 0 }, [flow]).name;
  }
  const option = named ? { initialState: sources } : fixed ? { initialState: 'learned' } : {};
  const parameters = Array.from({ length: directions }, (_, d): Partial<CellParameters> => {
    if (!fixed) return {};
    const part = (letter: string): Tensor => {
      const data = constants[letter]?.slice(d * hidden, (d + 1) * hidden);
      return { shape: [hidden], data: data ?? new Float32Array(hidden) };
    };
    return { h0: part('h'), ...(letters.length > 1 && { c0: part('c') }) };
  });
  return { option, parameters, sources };
}

/** Valid steps of every row, where they are not all: whether they are given. */
function takeLengths(call: Call, flow: Flow, timeAxis: number): boolean {
  const { node, graph } = call;
  const value = call.inputs[4];
  if (!value) return false;
  const steps = sizeOf(flow.axes[timeAxis]!);
  let lengths: string | readonly number[];
  if ('flow' in value) {
    const { input, axes } = value.flow;
    if (!input || axes.length !== 1) return node.refuse('its sequence_lens are computed');
    asRows(axes.flat(), node);
    lengths = input.name;
  } else {
    const constant = constantAt(call, 4, 'its sequence_lens')!;
    const all: readonly unknown[] = Array.from(constant.data as readonly unknown[]);
    if (all.every((length) => length === steps)) return false;
    lengths = numbersOf(constant) ?? node.refuse('its sequence_lens are unknown or not whole');
  }
  if (graph.lengths !== undefined && String(graph.lengths) !== String(lengths)) {
    node.refuse('it has other sequence_lens than another node');
  }
  graph.lengths = lengths;
  return true;
}

function tensorOf(constant: Constant): Tensor {
  return { shape: [...constant.dims], data: floatsOf(constant) };
}

/** The parameters of a direction in gatefold's layout. */
export function parametersOf(
  call: Call,
  type: Type,
  direction: number,
  inputForget: boolean,
): CellParameters {
  const [W, R] = [1, 2].map((k) => tensorOf(constantAt(call, k, 'each of its weights')!));
  const [B, P] = [3, 7].map((k) => {
    const constant = constantAt(call, k, 'each of its weights');
    return constant && tensorOf(constant);
  });
  const options = { direction: direction as 0 | 1 };
  if (type === 'RNN') return onnx.rnn(W!, R!, B, options);
  if (type === 'GRU') return onnx.gru(W!, R!, B, options);
  return onnx.lstm(W!, R!, B, P, { ...options, inputForget });
}

export const recurrent: Operator = (call) => {
  const { node, graph } = call;
  const { build } = graph;
  const type = node.type as Type;
  const way = node.text('direction', 'forward').toLowerCase();
  if (!['forward', 'reverse', 'bidirectional'].includes(way))
    node.refuse(`its direction is "${way}"`);
  const directions = way === 'bidirectional' ? 2 : 1;
  const isBatchFirst = node.int('layout', 0) === 1;
  const W = constantAt(call, 1, 'its W') ?? node.refuse('it has no W');
  const R = constantAt(call, 2, 'its R') ?? node.refuse('it has no R');
  const hidden = R.dims[2] ?? 0;
  const wide = GATES[type] * hidden;
  const B = constantAt(call, 3, 'its B');
  const P = type === 'LSTM' ? constantAt(call, 7, 'its P') : undefined;
  const fits = (constant: Constant | undefined, ...shape: number[]): boolean =>
    !constant ||
    shape.every((size, k) => constant.dims[k] === size && constant.dims.length === shape.length);
  const inputs = W.dims[2] ?? 0;
  if (
    !hidden ||
    !fits(W, directions, wide, inputs) ||
    !fits(R, directions, wide, hidden) ||
    !fits(B, directions, 2 * wide) ||
    !fits(P, directions, 3 * hidden) ||
    node.int('hidden_size', hidden) !== hidden
  ) {
    node.refuse('its weights do not fit together');
  }
  const cell: Cell = { node, type, hidden, directions, isBatchFirst };
  const given = flowAt(call, 0);
  if (given.axes.length !== 3) node.refuse('its input has no three axes');
  const [timeAxis, batchAxis] = isBatchFirst ? [1, 0] : [0, 1];
  asBatch(given.axes[batchAxis]!, node);
  // Steps within a step of which there is one are none.
  let flow = build.closed(build.ready(given, node), node);
  flow = asSteps(flow, timeAxis, call);
  asFeatures(flow.axes[2]!, node);
  const time = flow.axes[timeAxis]!;
  if (time.some(({ role }) => role !== 'time')) node.refuse('its steps are more than one axis');
  flow = build.natural(flow, node);
  const isEnding = takeLengths(call, flow, timeAxis);
  const { outer } = flow.rows.first;
  const isGiven = [5, 6].some((k) => call.inputs[k] && 'flow' in call.inputs[k]);
  if (outer && isGiven) {
    // A state that is given is that of the sequence, whose steps these are.
    outer.become('row');
    if (outer.kind !== 'row') node.refuse('it begins each step with a state that is given');
  }

  const inputForget = type === 'LSTM' && node.int('input_forget', 0) !== 0;
  const activations = activationsOf(node, type, directions);
  const clip = node.get('clip')?.float;
  const layer = build.add(
    node,
    type.toLowerCase(),
    {
      inputSize: inputs,
      hiddenSize: hidden,
      ...(!B && { bias: false }),
      ...(way === 'reverse' && { direction: 'backward' }),
      ...(directions === 2 && { bidirectional: true }),
      ...(type === 'GRU' && !node.int('linear_before_reset', 0) && { resetAfter: false }),
      ...(inputForget && { inputForget }),
      ...(P && { peephole: 'diagonal' }),
      ...(activations && { activations }),
      ...(clip !== undefined && clip > 0 && { clip }),
    },
    [flow],
  );
  if (isEnding) graph.ending.add(layer.name);
  const initial = initialOf(call, cell, layer.name);
  Object.assign(layer.options, initial.option);
  build.toEnd(layer);
  graph.take(W.data.length + R.data.length);
  for (let d = 0; d < directions; d++) {
    const parameters = { ...parametersOf(call, type, d, inputForget), ...initial.parameters[d] };
    const place = { reverse: d === 1 };
    for (const [role, tensor] of toStateDict('', parameters, place)) {
      layer.tensors.set(role.slice(1), tensor);
    }
  }

  const D = axisOf(directions, 'features');
  const H = axisOf(hidden, 'features');
  const batch = flow.axes[batchAxis]!;
  const rows = flow.held.filter((atom) => !isFeature(atom));
  const axes: Axis[] = isBatchFirst ? [batch, time, D, H] : [time, D, batch, H];
  const Y: Flow = { source: layer.name, rows: flow.rows, axes, held: [...rows, ...D, ...H] };
  // Of one step a call, which a stream repeats, the last step is every step.
  const isCarried = [...graph.states].some(
    ([input, uses]) => graph.carried.has(input) && uses.some((use) => use.layer === layer.name),
  );
  const isEvery = isCarried && !time.length && flow.rows.kind === 'step';
  const last = (letter: string): Value => ({
    flow:
      isEvery && letter === 'h'
        ? { ...Y, axes: isBatchFirst ? [batch, D, H] : [D, batch, H] }
        : {
            source: `${layer.name}.${letter}`,
            rows: flow.rows.outer ?? new Rows('row', flow.rows.first.input),
            axes: isBatchFirst ? [batch, D, H] : [D, batch, H],
            held: [...rows.filter((atom: Atom) => !time.includes(atom)), ...D, ...H],
          },
  });
  layer.owner = node.outputs[0] ?? '';
  // Of a single step the last state is the output.
  const isOne = time.length === 0 && flow.rows.kind === 'step' && way !== 'reverse';
  const single = { flow: { ...Y, axes: isBatchFirst ? [batch, D, H] : [D, batch, H] } };
  return [{ flow: Y }, isOne ? single : last('h'), last('c')];
};
