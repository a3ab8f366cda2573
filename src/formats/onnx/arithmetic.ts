/** Operators of each number by itself, of two tensors, and of a row. */
import type { RowActivation } from '../../ops/activations.ts';
import { aligned, heldOrder, perFeature, picked, unmixed, widestOf, widthsOf } from './axes.ts';
import {
  constantAt,
  flowAt,
  fusable,
  giving,
  isConstant,
  owned,
  pass,
  unknownSize,
} from './call.ts';
import type { Call, Operator, Value } from './call.ts';
import { elementsOf } from './constants.ts';
import type { Constant } from './constants.ts';
import { asFeatures, asRows, isFeature, sizeOf, widthOf } from './flow.ts';
import type { Axis, Erf, Flow } from './flow.ts';
import { arithmetic } from './fold.ts';
import { Node } from './node.ts';

const JOINS: Readonly<Record<string, string>> = {
  Add: 'add',
  Sub: 'subtract',
  Mul: 'multiply',
  Div: 'divide',
  Sum: 'add',
  Mean: 'average',
};

/** Features of one flow as often as another one has them. */
export function widened(flow: Flow, like: Flow, call: Call): Flow {
  const { node } = call;
  let wide = flow;
  for (const [axis, atoms] of like.axes.entries()) {
    const own = wide.axes[axis]!;
    const features = atoms.filter(isFeature);
    if (own.length || !features.length) continue;
    const size = sizeOf(features);
    if (typeof size === 'string') unknownSize(node, size);
    call.graph.take(size);
    wide = picked(wide, axis, Array<number>(size).fill(0), call);
  }
  return wide;
}

/** A layer that joins flows feature by feature. */
export function join(call: Call, type: string, given: readonly Flow[]): Value[] {
  const { node, graph } = call;
  const { build } = graph;
  if (given.length > 2 && type !== 'add' && type !== 'multiply')
    node.refuse('it has more than two inputs');
  const together = build.together(aligned(unmixed(given, call), call), node);
  const widest = widestOf(together);
  const order = heldOrder(widest);
  let flows = together.map((flow) => {
    return build.natural({ ...flow, axes: order.map((axis) => flow.axes[axis]!) }, node);
  });
  const counts = flows.map(widthsOf);
  const isKnown = counts.every((count) => typeof count === 'number');
  // A source of one feature stands beside every feature of the other.
  if (isKnown && !(flows.length === 2 && counts.includes(1))) {
    flows = flows.map((flow) => flows.reduce((wide, like) => widened(wide, like, call), flow));
  }
  const { name } = build.add(node, type, {}, flows);
  const first = widestOf(flows);
  const axes = order.map((_, k) => {
    const at = order.indexOf(k);
    return flows.reduce((axis, flow) => {
      const own = flow.axes[at]!;
      return own.length > axis.length ? own : axis;
    }, first.axes[at]!);
  });
  return giving(call, { source: name, rows: first.rows, axes, held: first.held });
}

/** The flow and the constant of a node that has both. */
interface Mixed {
  readonly flow: Flow;
  readonly constant: Constant;
  /** Which input the flow is. */
  readonly at: number;
}

function mixed(call: Call): Mixed | undefined {
  const at = call.inputs.findIndex((value) => value && 'flow' in value);
  const other = call.inputs[1 - at];
  if (at < 0 || call.inputs.length !== 2 || !other || 'flow' in other) return undefined;
  const constant =
    'constant' in other ? other.constant : 'spread' in other ? other.spread.base : undefined;
  if (!constant) return undefined;
  const given = flowAt(call, at);
  const more = Array.from(
    { length: Math.max(constant.dims.length - given.axes.length, 0) },
    (): Axis => [],
  );
  let flow: Flow = { ...given, axes: [...more, ...given.axes] };
  // What has one feature becomes as many as the constant.
  const dims = [
    ...Array<number>(flow.axes.length - constant.dims.length).fill(1),
    ...constant.dims,
  ];
  for (const [axis, size] of dims.entries()) {
    if (size > 1 && !flow.axes[axis]!.length) {
      flow = picked(flow, axis, Array<number>(size).fill(0), call);
    } else if (size > 1) asFeatures(flow.axes[axis]!, call.node);
  }
  return { flow, constant, at };
}

/** y = x factor + offset. */
function scaled(
  call: Call,
  { flow, at }: Mixed,
  factor: number | number[] | undefined,
  offset: number | number[] | undefined,
): Value[] {
  const { graph, node } = call;
  const isSame = (factor === undefined || factor === 1) && (offset === undefined || offset === 0);
  if (isSame) return [{ flow: owned(graph, node, flow, at) }];
  const layer = fusable(call, at, flow);
  if (layer && offset !== undefined && factor === undefined) {
    if (layer.type === 'scale' && layer.options['offset'] === undefined) {
      layer.options['offset'] = offset;
      return giving(call, flow);
    }
    const isFree = layer.options['bias'] === false && layer.options['activation'] === undefined;
    if (
      isFree &&
      (layer.type === 'linear' || layer.type === 'conv1d' || layer.type === 'convTranspose1d')
    ) {
      const width = widthOf(flow, node);
      graph.take(width);
      delete layer.options['bias'];
      const data =
        typeof offset === 'number'
          ? new Float32Array(width).fill(offset)
          : Float32Array.from(offset);
      layer.tensors.set('bias', { shape: [width], data });
      return giving(call, flow);
    }
  }
  const options = {
    ...(factor !== undefined && { factor }),
    ...(offset !== undefined && { offset }),
  };
  for (const list of [factor, offset]) {
    for (const x of typeof list === 'object' ? list : [list ?? 0]) {
      if (!Number.isFinite(Math.fround(x))) node.refuse(`its constant ${x} is not finite`);
    }
  }
  return giving(call, graph.build.map(node, 'scale', options, flow));
}

export const each = (value: number | number[], of: (x: number) => number): number | number[] =>
  typeof value === 'number' ? of(value) : value.map(of);

/** An activation, in the layer before it where that has none. */
function activated(call: Call, activation: RowActivation, given = flowAt(call, 0)): Value[] {
  const { graph, node } = call;
  const layer = fusable(call, 0, given);
  const takes = ['linear', 'conv1d', 'convTranspose1d'];
  if (layer && takes.includes(layer.type) && layer.options['activation'] === undefined) {
    layer.options['activation'] = activation;
    return giving(call, given);
  }
  return giving(call, graph.build.activation(node, activation, given));
}

/** Folds where all inputs are constants. */
export function folded(call: Call, otherwise: Operator): readonly (Value | undefined)[] {
  const { node, graph, inputs } = call;
  const constants = inputs.map((value) =>
    value && 'spread' in value && value.spread.base.data.length === 1
      ? value.spread.base
      : (value as { constant?: Constant } | undefined)?.constant,
  );
  const { type } = node;
  const name = type === 'Sum' ? 'Add' : type === 'Mean' ? 'none' : type;
  if (inputs.every(isConstant)) {
    const made = arithmetic(name, constants as Constant[], node, graph);
    if (made) return [{ constant: made }];
    return node.refuse('it works on constants, which is not supported');
  }
  const spread = inputs.find((value) => value && 'spread' in value);
  const isKnown = inputs.every((value) => !value || !('flow' in value));
  if (spread && isKnown && 'spread' in spread && constants.every((c) => c)) {
    const made = arithmetic(name, constants as Constant[], node, graph);
    if (made && made.data.length === 1)
      return [
        {
          spread: {
            base: { ...made, dims: spread.spread.dims.map(() => 1) },
            dims: spread.spread.dims,
          },
        },
      ];
  }
  return otherwise(call);
}

/** The error function of x / sqrt(2), which a Gelu begins with. */
export const errorFunction: Operator = (call) => {
  const { node, graph } = call;
  const flow = flowAt(call, 0);
  const { type, options, inputs } = graph.build.layers.get(flow.source) ?? {};
  const isHalf = type === 'scale' && Math.abs(Number(options?.['factor']) - Math.SQRT1_2) < 1e-6;
  if (!isHalf || options?.['offset'] !== undefined) {
    return node.refuse('it is supported as a part of Gelu alone');
  }
  return [{ flow: { ...flow, erf: { of: inputs![0]!, factor: 1, isOne: false } } }];
};

function changedErf(erf: Erf, type: string, value: number | number[], node: Node): Erf {
  if ((type === 'Add' || type === 'Sum') && value === 1 && !erf.isOne && erf.factor === 1) {
    return { ...erf, isOne: true };
  }
  if (type === 'Mul' && typeof value === 'number' && erf.isOne) {
    return { ...erf, factor: erf.factor * value };
  }
  return node.refuse('it reads an Erf, which is supported as a part of Gelu alone');
}

/** x / 2 (1 + erf(x / sqrt(2))), in the orders in which exporters multiply. */
function gelu(flows: readonly Flow[], { node, graph }: Call): Flow | undefined {
  const { build } = graph;
  const { erf } = flows.find((flow) => flow.erf) ?? {};
  const other = flows.find((flow) => !flow.erf);
  if (!erf?.isOne || !other) return undefined;
  const layer = build.layers.get(other.source);
  const isScaled = other.source !== erf.of && layer?.type === 'scale' && layer.inputs[0] === erf.of;
  if (other.source !== erf.of && !isScaled) return undefined;
  const by = 2 * erf.factor * (isScaled ? Number(layer.options['factor']) : 1);
  const made = build.activation(node, 'gelu', { ...other, source: erf.of });
  return Math.abs(by - 1) < 1e-6 ? made : build.map(node, 'scale', { factor: by }, made);
}

export const binary: Operator = (call) =>
  folded(call, () => {
    const { node, graph } = call;
    const { type } = node;
    if (node.has('broadcast')) node.refuse('it is of an operator set before 7');
    const mix = mixed(call);
    if (!mix) {
      const flows = call.inputs.map((_, k) => flowAt(call, k));
      const whole = type === 'Mul' ? gelu(flows, call) : undefined;
      if (whole) return giving(call, whole);
      if (JOINS[type]) return flows.length === 1 ? pass(call) : join(call, JOINS[type], flows);
      return node.refuse('it works on two tensors that are computed, which is not supported');
    }
    const { flow, constant, at } = mix;
    const value = perFeature(flow, constant, call);
    const isFirst = at === 0;
    if (flow.erf) return [{ flow: { ...flow, erf: changedErf(flow.erf, type, value, node) } }];
    const { scores } = flow;
    const by = type === 'Mul' ? value : type === 'Div' && isFirst ? each(value, (x) => 1 / x) : [];
    if (scores && typeof by === 'number' && !scores.isShare) {
      return [{ flow: { ...flow, scores: { ...scores, factor: scores.factor * by } } }];
    }
    switch (type) {
      case 'Add':
      case 'Sum':
        return scaled(call, mix, undefined, value);
      case 'Sub':
        if (isFirst)
          return scaled(
            call,
            mix,
            undefined,
            each(value, (x) => -x),
          );
        return scaled(call, mix, -1, value);
      case 'Mul':
        return scaled(call, mix, value, undefined);
      case 'Div': {
        if (isFirst)
          return scaled(
            call,
            mix,
            each(value, (x) => 1 / x),
            undefined,
          );
        const inverse = graph.build.activation(node, { type: 'pow', alpha: -1 }, flow);
        return scaled(call, { ...mix, flow: inverse }, value, undefined);
      }
      case 'Pow':
        if (typeof value !== 'number' || !isFirst)
          return node.refuse('its exponent is no single constant');
        if (value === 1) return pass(call);
        return activated(call, value === 0.5 ? 'sqrt' : { type: 'pow', alpha: value }, flow);
      case 'Min':
      case 'Max': {
        if (typeof value !== 'number')
          return node.refuse('it bounds each feature by a constant of its own');
        if (type === 'Max' && value === 0) return activated(call, 'relu', flow);
        return activated(
          call,
          type === 'Max' ? clip(value, Infinity) : clip(-Infinity, value),
          flow,
        );
      }
      default:
        return node.refuse(
          'it is supported for constants alone: pass { dims } or { set } to fix what it reads',
        );
    }
  });

const LARGEST = 3.4e38;

const clip = (alpha: number, beta: number): RowActivation => ({
  type: 'clip',
  alpha: Math.max(alpha, -LARGEST),
  beta: Math.min(beta, LARGEST),
});

/** Operators of each number by itself, as activations. */
export const ACTIVATIONS: Readonly<Record<string, (node: Node, call: Call) => RowActivation>> = {
  Relu: () => 'relu',
  Tanh: () => 'tanh',
  Sigmoid: () => 'sigmoid',
  Softsign: () => 'softsign',
  Softplus: () => 'softplus',
  Abs: () => 'abs',
  Neg: () => 'neg',
  Sqrt: () => 'sqrt',
  Log: () => 'log',
  Reciprocal: () => ({ type: 'pow', alpha: -1 }),
  LeakyRelu: (node) => ({ type: 'leakyRelu', alpha: node.float('alpha', 0.01) }),
  ThresholdedRelu: (node) => ({ type: 'thresholdedRelu', alpha: node.float('alpha', 1) }),
  HardSigmoid: (node) => ({
    type: 'hardSigmoid',
    alpha: node.float('alpha', 0.2),
    beta: node.float('beta', 0.5),
  }),
  Elu: (node) => ({ type: 'elu', alpha: node.float('alpha', 1) }),
  Selu: (node) => {
    const [alpha, gamma] = [node.float('alpha', 1.67326), node.float('gamma', 1.0507)];
    if (Math.abs(alpha - 1.67326) < 1e-4 && Math.abs(gamma - 1.0507) < 1e-4) return 'selu';
    return node.refuse('its alpha and gamma are not the usual ones');
  },
  Gelu: (node) =>
    node.text('approximate', 'none') === 'none'
      ? 'gelu'
      : node.refuse('its form by tanh is not supported'),
  Clip: (node, call) => {
    const [low, high] = ['min', 'max'].map((name, k) => {
      const constant = constantAt(call, k + 1, `its "${name}"`);
      return constant ? elementsOf(constant)[0] : node.get(name)?.float;
    });
    return clip(low ?? -Infinity, high ?? Infinity);
  },
};

export const unary: Operator = (call) =>
  folded(call, () => activated(call, ACTIVATIONS[call.node.type]!(call.node, call)));

/** e^x = s(x) / s(-x) with the sigmoid s, right to the last digits of float32. */
export const exponential: Operator = (call) =>
  folded(call, () => {
    const { node, graph } = call;
    const flow = flowAt(call, 0);
    const up = graph.build.activation(node, 'sigmoid', flow);
    const negative = graph.build.activation(node, 'neg', flow);
    const down = graph.build.activation(node, 'sigmoid', negative);
    return join(call, 'divide', [up, down]);
  });

export const hardSwish: Operator = (call) => {
  const flow = flowAt(call, 0);
  const gate = call.graph.build.activation(
    call.node,
    { type: 'hardSigmoid', alpha: 1 / 6, beta: 0.5 },
    flow,
  );
  return join(call, 'multiply', [flow, gate]);
};

export const softmax: Operator = (call) => {
  const { node } = call;
  const flow = call.graph.build.unfurled(flowAt(call, 0), node);
  const rank = flow.axes.length;
  const axis = node.axis(node.int('axis', node.opset >= 13 ? -1 : 1), rank);
  const { scores } = flow;
  if (scores && !scores.isShare && axis === rank - 1 && node.type === 'Softmax') {
    return [{ flow: { ...flow, scores: { ...scores, isShare: true } } }];
  }
  const over = node.opset >= 13 ? flow.axes[axis]! : flow.axes.slice(axis).flat();
  asFeatures(over, node);
  asRows(
    flow.axes.flat().filter((atom) => !over.includes(atom) && !isFeature(atom)),
    node,
  );
  const others = flow.held.filter((atom) => isFeature(atom) && !over.includes(atom));
  if (others.length) node.refuse('it works on some features of a row alone');
  return activated(call, node.type === 'Softmax' ? 'softmax' : 'logSoftmax', flow);
};
