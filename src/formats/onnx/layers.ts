/** Operators that are layers: products, norms and reductions. */
import { join } from './arithmetic.ts';
import { isTime, perFeature, picked, settle } from './axes.ts';
import {
  constantAt,
  dimsOfValue,
  flowAt,
  giving,
  isConstant,
  numbersAt,
  pass,
  unknownSize,
} from './call.ts';
import type { Call, Operator, Spread, Value } from './call.ts';
import { countOf, floatsOf, sizes } from './constants.ts';
import type { Constant } from './constants.ts';
import { multiply } from './dims.ts';
import type { Dim } from './dims.ts';
import { Atom, asFeatures, asRows, isFeature, sizeOf, widthOf } from './flow.ts';
import type { Axis, Flow } from './flow.ts';
import { arithmetic, expanded, product, reshaped, transposed } from './fold.ts';
import { linear } from './linear.ts';

/** A spread times a matrix, as a spread: what a state of zeros becomes. */
function spreadProduct(value: Value | undefined, matrix: Constant, call: Call): Spread | undefined {
  if (!value || !('spread' in value)) return undefined;
  const { node, graph } = call;
  const { base, dims } = value.spread;
  const depth = dims.at(-1);
  if (typeof depth !== 'number' || dims.length < 2) return undefined;
  const wide = expanded(base, [...base.dims.slice(0, -1), depth], graph);
  const made = product(wide, matrix, node, graph);
  return { base: made, dims: [...dims.slice(0, -1), made.dims.at(-1)!] };
}

/** A product with a matrix that is known. */
export const constantProduct: Operator = (call) => {
  const { node, graph, inputs } = call;
  const [a, b] = inputs;
  const known = b && 'constant' in b ? spreadProduct(a, b.constant, call) : undefined;
  if (known) return [{ spread: known }];
  if (a && b && 'constant' in a && 'constant' in b)
    return [{ constant: product(a.constant, b.constant, node, graph) }];
  const isLeft = a && 'constant' in a;
  const matrix = constantAt(call, isLeft ? 0 : 1, 'one of its inputs')!;
  const flow = flowAt(call, isLeft ? 1 : 0);
  const dims = matrix.dims.length > 2 ? matrix.dims.slice(-2) : matrix.dims;
  if (dims.length !== 2 || countOf(dims) !== matrix.data.length)
    node.refuse('its constant is no matrix');
  const [rows, columns] = dims as [number, number];
  const { data } = matrix;
  const at = (r: number, c: number): number => data[r * columns + c] as number;
  const rank = flow.axes.length;
  if (isLeft) {
    if (rank < 2) node.refuse('its second input is no matrix');
    return linear(call, flow, rank - 2, rows, columns, at);
  }
  return linear(call, flow, rank - 1, columns, rows, (o, i) => at(i, o));
};

export const gemm: Operator = (call) => {
  const { node, graph, inputs } = call;
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const [transA, transB] = [node.int('transA', 0), node.int('transB', 0)];
  const [a, b, c] = inputs;
  const isLeft = a !== undefined && 'constant' in a;
  if (b && 'constant' in b && (!c || 'constant' in c)) {
    const turn = (x: Constant, is: number): Constant => (is ? transposed(x, [1, 0], graph) : x);
    const scale = (x: Constant, by: number): Constant => ({
      ...x,
      data: floatsOf(x).map((n) => n * by),
    });
    const whole = (made: Constant): Constant => {
      const first = scale(made, alpha);
      return c ? arithmetic('Add', [first, scale(c.constant, beta)], node, graph)! : first;
    };
    const matrix = turn(b.constant, transB);
    if (isLeft)
      return [{ constant: whole(product(turn(a.constant, transA), matrix, node, graph)) }];
    const isRow = !c || c.constant.data.length === c.constant.dims.at(-1);
    const known = isRow && !transA ? spreadProduct(a, matrix, call) : undefined;
    if (known) return [{ spread: { ...known, base: whole(known.base) } }];
  }
  if (isLeft) node.refuse('its first input is a constant');
  if (transA) node.refuse('its transA is not supported');
  const matrix = constantAt(call, 1, 'its second input')!;
  if (matrix.dims.length !== 2) node.refuse('its second input is no matrix');
  const [rows, columns] = matrix.dims as [number, number];
  const [outputs, width] = transB ? [rows, columns] : [columns, rows];
  const { data } = matrix;
  const flow = flowAt(call, 0);
  const at = (o: number, i: number): number =>
    alpha * (data[transB ? o * columns + i : i * columns + o] as number);
  if (c && 'flow' in c) {
    if (beta !== 1) node.refuse('its beta is not 1');
    const [made] = linear(call, flow, flow.axes.length - 1, outputs, width, at);
    return join(call, 'add', [(made as { flow: Flow }).flow, c.flow]);
  }
  const given = constantAt(call, 2, 'its bias');
  let bias: Float32Array | undefined;
  if (given) {
    const own = given.dims.at(-1) ?? 1;
    if (own !== given.data.length) node.refuse('its bias has several rows');
    bias = floatsOf(expanded(reshaped(given, [own]), [outputs], graph)).map((x) => x * beta);
  }
  return linear(call, flow, flow.axes.length - 1, outputs, width, at, bias);
};

const REDUCE: Readonly<Record<string, string>> = {
  ReduceMean: 'reduceMean',
  ReduceSum: 'reduceSum',
  ReduceMax: 'reduceMax',
};

export const reduce: Operator = (call) => {
  const { node, graph } = call;
  const { build } = graph;
  const dims = dimsOfValue(call.inputs[0]!);
  const rank = dims.length;
  const given = numbersAt(call, 1, 'axes');
  const isNone = !given?.length;
  if (isNone && node.int('noop_with_empty_axes', 0)) return pass(call);
  const axes = isNone ? dims.map((_, k) => k) : given.map((axis) => node.axis(axis, rank));
  const keep = node.int('keepdims', 1) === 1;
  const isIn = (k: number): boolean => axes.includes(k);
  if (isConstant(call.inputs[0])) return [{ constant: reducedConstant(call, axes, keep) }];
  let flow = build.ready(flowAt(call, 0, 1), node);
  // The last axis of an input has features.
  if (flow.axes.at(-1)!.some(({ role }) => role === undefined)) settle(flow, node);
  const atoms = flow.axes.filter((_, k) => isIn(k)).flat();
  if (atoms.some(({ role }) => role === undefined)) settle(flow, node);
  const features = atoms.filter(isFeature);
  if (features.length) {
    asRows(
      flow.axes.flat().filter((atom) => !isFeature(atom)),
      node,
    );
  }
  const isSquared = node.type === 'ReduceL2' || node.type === 'ReduceSumSquare';
  const type = isSquared ? 'ReduceSum' : node.type;
  if (atoms.some(({ role }) => role === 'batch')) node.refuse('it works on the whole batch');
  if (isSquared) flow = build.activation(node, { type: 'pow', alpha: 2 }, flow);
  if (features.length) {
    const all = flow.held.filter(isFeature);
    const isAll = all.every((atom) => features.includes(atom));
    if (isAll) {
      flow = build.map(node, REDUCE[type]!, {}, flow);
      const none = (list: Axis): Atom[] => list.filter((atom) => !isFeature(atom));
      flow = { ...flow, axes: flow.axes.map(none), held: none(flow.held) };
    } else {
      if (
        type === 'ReduceMax' ||
        !axes.every((k) => flow.axes[k]!.every((atom) => isTime(atom) || isFeature(atom)))
      )
        node.refuse('it works on some features of a row alone');
      for (const axis of axes) flow = added(flow, axis, type === 'ReduceMean', call);
    }
  }
  const time = atoms.find(isTime);
  if (time) {
    flow = build.pool(flow, type === 'ReduceMax' ? 'max' : 'mean', node);
    if (type === 'ReduceSum') {
      if (typeof time.size === 'string') unknownSize(node, time.size);
      flow = build.map(node, 'scale', { factor: time.size }, flow);
    }
  }
  if (node.type === 'ReduceL2') flow = build.activation(node, 'sqrt', flow);
  const rest = keep ? flow.axes : flow.axes.filter((_, k) => !isIn(k));
  return giving(call, { ...flow, axes: rest });
};

/** The sum or the mean over one axis of several that have features. */
function added(flow: Flow, axis: number, isMean: boolean, call: Call): Flow {
  const { node, graph } = call;
  const size = sizeOf(flow.axes[axis]!.filter(isFeature));
  if (typeof size === 'string') unknownSize(node, size);
  if (size === 1) return flow;
  if (size > 64) node.refuse(`it works on an axis of ${size} beside others`);
  const parts = Array.from({ length: size }, (_, k) => picked(flow, axis, [k], call));
  const { name } = graph.build.add(node, 'add', {}, parts);
  const sum = { ...parts[0]!, source: name };
  return isMean ? graph.build.map(node, 'scale', { factor: 1 / size }, sum) : sum;
}

function reducedConstant(
  { node, inputs, graph }: Call,
  axes: readonly number[],
  keep: boolean,
): Constant {
  const { constant } = inputs[0] as { constant: Constant };
  const { dims, isFloat } = constant;
  const kept = dims.map((_, k) => k).filter((k) => !axes.includes(k));
  const turned = transposed(constant, [...kept, ...axes], graph);
  const count = axes.reduce((n, axis) => n * dims[axis]!, 1);
  const out = Array.from({ length: countOf(kept.map((k) => dims[k]!)) }, (_, o): Dim => {
    const part = Array.from<Dim>(turned.data.slice(o * count, (o + 1) * count) as readonly Dim[]);
    if (node.type === 'ReduceProd') return part.reduce(multiply, 1);
    const numbers = part.map((x) => (typeof x === 'number' ? x : unknownSize(node, x)));
    if (node.type === 'ReduceMax') return Math.max(...numbers);
    if (node.type === 'ReduceMin') return Math.min(...numbers);
    if (node.type !== 'ReduceSum' && node.type !== 'ReduceMean')
      node.refuse('it works on constants');
    const sum = numbers.reduce((a, b) => a + b, 0);
    return node.type === 'ReduceMean' ? sum / count : sum;
  });
  const sizes_ = keep ? dims.map((n, k) => (axes.includes(k) ? 1 : n)) : kept.map((k) => dims[k]!);
  return isFloat
    ? { dims: sizes_, data: Float32Array.from(out as number[]), isFloat }
    : sizes(out, sizes_);
}

/** Numbers of each channel, along an axis of features, in the order that rows hold. */
function channels(call: Call, flow: Flow, k: number, axis: number, what: string): Float32Array {
  const constant = constantAt(call, k, what);
  const rank = flow.axes.length;
  if (!constant) return call.node.refuse(`it has no ${what}`);
  const dims = Array<number>(rank).fill(1);
  dims[axis] = constant.data.length;
  const list = perFeature(flow, reshaped(constant, dims), call);
  const width = widthOf(flow, call.node);
  call.graph.take(width);
  return typeof list === 'number' ? new Float32Array(width).fill(list) : Float32Array.from(list);
}

export const batchNorm: Operator = (call) => {
  const { node, graph } = call;
  const flow = graph.build.ready(flowAt(call, 0, 1), node);
  if (node.int('training_mode', 0)) node.refuse('its training mode is not supported');
  const axis = Math.min(1, flow.axes.length - 1);
  asFeatures(flow.axes[axis]!, node);
  // Other axes than the channels and the batch are steps.
  for (const [k, atoms] of flow.axes.entries()) if (k !== axis) asRows(atoms, node);
  const roles = ['weight', 'bias', 'running_mean', 'running_var'];
  const parameters = Object.fromEntries(
    roles.map((role, k) => {
      const data = channels(call, flow, k + 1, axis, `"${role}"`);
      return [role, { shape: [data.length], data }];
    }),
  );
  const options = { eps: node.float('epsilon', 1e-5) };
  return giving(call, graph.build.map(node, 'batchNorm', options, flow, parameters));
};

export const layerNorm: Operator = (call) => {
  const { node, graph } = call;
  const flow = graph.build.ready(flowAt(call, 0), node);
  const axis = node.axis(node.int('axis', -1), flow.axes.length);
  const over = flow.axes.slice(axis).flat();
  asFeatures(over, node);
  for (const atoms of flow.axes.slice(0, axis)) asRows(atoms, node);
  const scale = perFeature(flow, constantAt(call, 1, 'its scale')!, call);
  const offset = constantAt(call, 2, 'its bias');
  const bias = offset && perFeature(flow, offset, call);
  const width = widthOf(flow, node);
  graph.take(2 * width);
  const tensor = (list: number | number[]): { shape: number[]; data: Float32Array } => ({
    shape: [width],
    data: typeof list === 'number' ? new Float32Array(width).fill(list) : Float32Array.from(list),
  });
  const options = { eps: node.float('epsilon', 1e-5), ...(bias === undefined && { bias: false }) };
  const parameters = { weight: tensor(scale), bias: bias === undefined ? undefined : tensor(bias) };
  return giving(call, graph.build.map(node, 'layerNorm', options, flow, parameters));
};

export const prelu: Operator = (call) => {
  const { node, graph } = call;
  const flow = graph.build.ready(flowAt(call, 0), node);
  const slope = constantAt(call, 1, 'its slope')!;
  const list = perFeature(flow, slope, call);
  const isShared = typeof list === 'number';
  const data = isShared ? Float32Array.of(list) : Float32Array.from(list);
  const parameters = { weight: { shape: [data.length], data } };
  return giving(call, graph.build.map(node, 'prelu', { shared: isShared }, flow, parameters));
};
