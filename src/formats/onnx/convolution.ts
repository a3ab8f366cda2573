/** Convolutions and pools over the steps of a sequence. */
import { asBatch, asSteps, retimed } from './axes.ts';
import { constantAt, flowAt, giving, numbersAt, realsAt } from './call.ts';
import type { Call, Operator } from './call.ts';
import { floatsOf } from './constants.ts';
import { linear } from './linear.ts';
import type { Constant } from './constants.ts';
import type { Dim } from './dims.ts';
import { Rows, asFeatures, axisOf, isFeature, sizeOf, widthOf } from './flow.ts';
import type { Flow } from './flow.ts';
import { Node } from './node.ts';

/** What a window over steps is. */
interface Window {
  readonly flow: Flow;
  /** The axis of the steps, and which of the spatial ones it is. */
  readonly axis: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pads: readonly [number, number];
  readonly auto: string;
}

function windowOf(call: Call, kernels: readonly number[] | undefined, takesPad: boolean): Window {
  const { node, graph } = call;
  let flow = flowAt(call, 0);
  if (!takesPad) flow = graph.build.ready(flow, node);
  const spatial = flow.axes.length - 2;
  if (spatial < 1 || !kernels || kernels.length !== spatial) {
    return node.refuse('its kernel does not fit its input');
  }
  const wide = kernels.map((_, k) => k).filter((k) => kernels[k]! > 1 || flow.axes[k + 2]!.length);
  if (wide.length > 1) node.refuse(`${spatial}-d windows are not supported, only those over steps`);
  const which = wide[0] ?? 0;
  const axis = which + 2;
  asBatch(flow.axes[0]!, node);
  // Of one step a call, which a stream repeats, a window sees no step of another call.
  const isAlone = graph.carried.size > 0 && kernels[which]! > 1 && !flow.axes[axis]!.length;
  if (isAlone && flow.rows.kind !== 'inner') flow = graph.build.unfolded(flow, [], node);
  else flow = asSteps(flow, axis, call);
  asFeatures(flow.axes[1]!, node);
  const pads = node.ints('pads') ?? Array<number>(2 * spatial).fill(0);
  const at = (name: string): number => node.ints(name)?.[which] ?? 1;
  const isElsewhere = (pad: number, k: number): boolean => k % spatial !== which && pad !== 0;
  if (pads.length !== 2 * spatial || pads.some(isElsewhere)) node.refuse('it pads other axes');
  return {
    flow,
    axis,
    kernel: kernels[which]!,
    stride: at('strides'),
    dilation: at('dilations'),
    pads: [pads[which]!, pads[which + spatial]!],
    auto: node.text('auto_pad', 'NOTSET'),
  };
}

/** Steps of padding in front and behind. */
function padsOf(
  { flow, axis, kernel, stride, dilation, pads, auto }: Window,
  node: Node,
): [number, number] {
  if (auto === 'VALID') return [0, 0];
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') {
    if (pads.some((pad) => pad < 0)) node.refuse('its pads are below 0');
    return [...pads];
  }
  const size = sizeOf(flow.axes[axis]!);
  const span = (kernel - 1) * dilation + 1;
  if (stride > 1 && typeof size === 'string') {
    node.refuseOpen(size, 'its auto_pad');
  }
  const total =
    stride === 1
      ? span - 1
      : Math.max((Math.ceil((size as number) / stride) - 1) * stride + span - (size as number), 0);
  const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
  return auto === 'SAME_UPPER' ? [less, more] : [more, less];
}

/** How many windows there are. */
function windowsOf(
  size: Dim,
  total: number,
  span: number,
  stride: number,
  { node, graph }: Call,
): Dim {
  if (typeof size === 'number') {
    const count = Math.floor((size + total - span) / stride) + 1;
    return count > 0 ? count : node.refuse('its input has too few steps for one window');
  }
  const more = total - span + 1;
  if (stride === 1)
    return more === 0 ? size : graph.names.of(`${size}${more > 0 ? '+' : ''}${more}`);
  if (span - total === stride) return graph.names.quotient(size, stride);
  return graph.names.of(`${size} by ${total} ${span} ${stride}`);
}

/** A flow after a layer that has changed its steps. */
function after(flow: Flow, source: string, axis: number, size: Dim): Flow {
  const { input: _, pad: __, ...rest } = flow;
  const same = sizeOf(flow.axes[axis]!) === size;
  if (same) return { ...rest, source };
  const made = axisOf(size, 'time');
  const hasTime = flow.axes[axis]!.length > 0;
  const changed = hasTime
    ? retimed(flow, made)
    : {
        axes: flow.axes.map((each, k) => (k === axis ? made : each)),
        held: [...made, ...flow.held],
      };
  const { rows } = flow;
  const other =
    rows.kind === 'inner' ? new Rows('inner', rows.first.input, rows.first.outer) : rows;
  return { ...rest, source, rows: other, ...changed };
}

const paddingOf = (left: number, right: number, span: number): unknown => {
  if (left === 0 && right === 0) return 'valid';
  return right === 0 && left === span - 1 ? 'causal' : [left, right];
};

export const convolution: Operator = (call) => {
  const { node, graph } = call;
  const { build } = graph;
  const W = constantAt(call, 1, 'its weight') ?? node.refuse('it has no weight');
  const kernels = W.dims.slice(2);
  const isPlain = !['strides', 'pads'].some((name) =>
    node.ints(name)?.some((n) => n !== Number(name === 'strides')),
  );
  if (isPlain && kernels.every((size) => size === 1) && node.int('group', 1) === 1) {
    return pointwise(call, W);
  }
  const window = windowOf(call, kernels, true);
  const { kernel, stride, dilation, axis } = window;
  const groups = node.int('group', 1);
  const [outputs, inputs] = W.dims as [number, number];
  const channels = widthOf(window.flow, node);
  if (channels !== inputs * groups) {
    node.refuse(`its weight has ${inputs * groups} channels, and its input ${channels} features`);
  }
  const { pad = [0, 0], ...plain } = window.flow;
  const flow = build.natural(plain, node);
  const own = padsOf(window, node);
  const [left, right] = [own[0] + pad[0], own[1] + pad[1]];
  const span = (kernel - 1) * dilation + 1;
  const padded = sizeOf(flow.axes[axis]!);
  const made = windowsOf(padded, own[0] + own[1], span, stride, call);
  const B = constantAt(call, 2, 'its bias');
  const options = {
    outChannels: outputs,
    kernelSize: kernel,
    ...(stride !== 1 && { stride }),
    ...(dilation !== 1 && { dilation }),
    ...(groups !== 1 && { groups }),
    padding: paddingOf(left, right, span),
    ...(!B && { bias: false }),
  };
  const { name } = build.add(node, 'conv1d', options, [flow], {
    weight: { shape: [outputs, inputs, kernel], data: floatsOf(W) },
    bias: B && { shape: [outputs], data: floatsOf(B) },
  });
  return giving(call, withChannels(after(flow, name, axis, made), outputs));
};

/** A convolution that sees one step alone is a product. */
function pointwise(call: Call, W: Constant): ReturnType<Operator> {
  const flow = flowAt(call, 0);
  if (flow.axes.length !== W.dims.length) call.node.refuse('its kernel does not fit its input');
  const [outputs, inputs] = W.dims as [number, number];
  const bias = constantAt(call, 2, 'its bias');
  const at = (o: number, i: number): number => W.data[o * inputs + i] as number;
  return linear(call, flow, 1, outputs, inputs, at, bias && floatsOf(bias));
}

/** A flow with other features, along its axis of channels. */
function withChannels(flow: Flow, count: number): Flow {
  const made = axisOf(count, 'features');
  const axes = flow.axes.map((each, k) => (k === 1 ? made : each));
  return { ...flow, axes, held: [...flow.held.filter((atom) => !isFeature(atom)), ...made] };
}

export const transposedConvolution: Operator = (call) => {
  const { node, graph } = call;
  const { build } = graph;
  const W = constantAt(call, 1, 'its weight') ?? node.refuse('it has no weight');
  const window = windowOf(call, W.dims.slice(2), false);
  const { kernel, stride, dilation, axis, auto } = window;
  if (node.int('group', 1) !== 1) node.refuse('groups are not supported');
  if (node.ints('output_shape')) node.refuse('its output_shape is not supported');
  const [inputs, outputs] = W.dims as [number, number];
  const flow = build.natural(window.flow, node);
  if (widthOf(flow, node) !== inputs) node.refuse('its weight does not fit');
  const span = (kernel - 1) * dilation + 1;
  let more = node.ints('output_padding')?.[axis - 2] ?? 0;
  let [left, right] = auto === 'VALID' ? [0, 0] : window.pads;
  if (auto.startsWith('SAME')) {
    const total = span - stride + more;
    if (total < 0) more -= total;
    const half = Math.floor(Math.max(total, 0) / 2);
    [left, right] = [half, Math.max(total, 0) - half];
    if (auto === 'SAME_LOWER') [left, right] = [right, left];
  }
  const B = constantAt(call, 2, 'its bias');
  const options = {
    outChannels: outputs,
    kernelSize: kernel,
    stride,
    padding: [left, right],
    ...(more && { outputPadding: more }),
    ...(dilation !== 1 && { dilation }),
    ...(!B && { bias: false }),
  };
  const { name } = build.add(node, 'convTranspose1d', options, [flow], {
    weight: { shape: [inputs, outputs, kernel], data: floatsOf(W) },
    bias: B && { shape: [outputs], data: floatsOf(B) },
  });
  const size = sizeOf(flow.axes[axis]!);
  const rest = span - stride - left - right + more;
  const made =
    typeof size === 'number'
      ? size * stride + rest
      : graph.names.of(`${size} times ${stride} and ${rest}`);
  return giving(call, withChannels(after(flow, name, axis, made), outputs));
};

export const windowPool: Operator = (call) => {
  const { node, graph } = call;
  const { build } = graph;
  const window = windowOf(call, node.ints('kernel_shape'), false);
  const { kernel, stride, dilation, axis } = window;
  if (dilation !== 1) node.refuse('dilated windows are not supported');
  const isMax = node.type === 'MaxPool';
  if (node.outputs.length > 1 && node.outputs[1] !== '')
    node.refuse('places of maxima are not supported');
  const { flow } = window;
  const [left, before] = padsOf(window, node);
  let right = before;
  const size = sizeOf(flow.axes[axis]!);
  const counts = node.int('count_include_pad', 0) === 1;
  if (node.int('ceil_mode', 0) && stride > 1) {
    if (typeof size === 'string') return node.refuseOpen(size, 'its ceil_mode');
    // A window more where one begins within the input or its padding in front.
    const exact = (size + left + right - kernel) / stride;
    const more = Math.ceil(exact) * stride < size + left ? Math.ceil(exact) : Math.floor(exact);
    const extra = more * stride + kernel - (size + left + right);
    if (extra > 0) {
      if (!isMax && counts) node.refuse('ceil_mode with count_include_pad is not supported');
      right += extra;
    }
  }
  const options = {
    poolSize: kernel,
    stride,
    padding: paddingOf(left, right, kernel),
    ...(!isMax && !counts && { countPadding: false }),
  };
  const { name } = build.add(node, isMax ? 'maxPool1d' : 'averagePool1d', options, [flow]);
  return giving(call, after(flow, name, axis, windowsOf(size, left + right, kernel, stride, call)));
};

export const globalPool: Operator = (call) => {
  const { node, graph } = call;
  let flow = flowAt(call, 0, 2);
  const axes = flow.axes
    .slice(2)
    .map((_, k) => k + 2)
    .filter((k) => flow.axes[k]!.length);
  if (axes.length > 1) node.refuse('it works on several axes, which is not supported');
  asBatch(flow.axes[0]!, node);
  const [axis] = axes;
  if (axis === undefined) return giving(call, flow);
  flow = asSteps(flow, axis, call);
  asFeatures(flow.axes[1]!, node);
  return giving(call, graph.build.pool(flow, node.type === 'GlobalMaxPool' ? 'max' : 'mean', node));
};

export const upsample: Operator = (call) => {
  const { node, graph } = call;
  const at = node.type === 'Resize' && node.opset >= 11 ? 2 : 1;
  const given = call.inputs[at];
  const flow = graph.build.ready(flowAt(call, 0), node);
  let scales = given ? realsAt(call, at, 'scales') : node.get('scales')?.floats;
  if (!scales?.length) {
    const wanted = numbersAt(call, 3, 'sizes') ?? node.refuse('it has no scales');
    scales = flow.axes.map((axis, k) => {
      const size = sizeOf(axis);
      return typeof size === 'number'
        ? wanted[k]! / size
        : node.refuse('it needs to know the sizes: pass { dims }');
    });
  }
  const changed = scales.map((_, k) => k).filter((k) => scales[k] !== 1);
  const mode = node.text('mode', 'nearest');
  const coordinates = node.text(
    'coordinate_transformation_mode',
    node.opset < 11 ? 'asymmetric' : 'half_pixel',
  );
  const nearest = node.text('nearest_mode', node.opset < 11 ? 'floor' : 'round_prefer_floor');
  const repeats =
    coordinates === 'asymmetric'
      ? nearest === 'floor'
      : coordinates === 'half_pixel' && nearest.startsWith('round');
  if (!changed.length) return giving(call, flow);
  const [axis] = changed as [number];
  const times = scales[axis]!;
  if (
    changed.length > 1 ||
    axis < 2 ||
    mode !== 'nearest' ||
    !repeats ||
    !Number.isInteger(times)
  ) {
    node.refuse('only steps can be repeated, a whole number of times each');
  }
  const steps = asSteps(flow, axis, call);
  const { name } = graph.build.add(node, 'upsample1d', { size: times }, [steps]);
  const size = sizeOf(steps.axes[axis]!);
  const made = typeof size === 'number' ? size * times : graph.names.of(`${size} times ${times}`);
  return giving(call, after(steps, name, axis, made));
};
