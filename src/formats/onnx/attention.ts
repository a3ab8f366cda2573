/** Products of two computed tensors: those that are attention. */
import { isTime } from './axes.ts';
import { flowAt, giving } from './call.ts';
import type { Call, Operator, Value } from './call.ts';
import { isFeature, widthOf } from './flow.ts';
import type { Flow } from './flow.ts';
import { constantProduct } from './layers.ts';

const NO_PRODUCT =
  'it multiplies two computed tensors, which is supported as a part of attention alone';

/** A sequence whose last two axes are its steps and its features, or the other way round. */
function sequence(given: Flow, isTurned: boolean, { node, graph }: Call): Flow {
  const { build } = graph;
  const flow = build.closed(build.ready(given, node), node);
  const [last, other] = [flow.axes.at(-1) ?? [], flow.axes.at(-2) ?? []];
  const [steps, features] = isTurned ? [last, other] : [other, last];
  const outside = flow.axes.slice(0, -2).flat();
  const isOne =
    flow.axes.length > 2 &&
    flow.rows.kind === 'step' &&
    steps.length === 1 &&
    isTime(steps[0]!) &&
    features.every(isFeature) &&
    outside.every(({ role }) => role === 'batch');
  if (!isOne) node.refuse(NO_PRODUCT);
  return build.natural(flow, node);
}

/** Queries times keys: scores of each step of both. */
function scored(call: Call): Value[] {
  const { node } = call;
  const [queries, keys] = [
    sequence(flowAt(call, 0), false, call),
    sequence(flowAt(call, 1), true, call),
  ];
  const isSame =
    widthOf(queries, node) === widthOf(keys, node) && queries.axes.length === keys.axes.length;
  if (!isSame) node.refuse(NO_PRODUCT);
  const axes = [...queries.axes.slice(0, -1), keys.axes.at(-1)!];
  const scores = { queries, keys, axes, factor: 1, isShare: false };
  return [{ flow: { ...queries, axes, scores } }];
}

/** Shares times values: attention. */
function attended(call: Call, { axes, scores }: Flow): Value[] {
  const { node, graph } = call;
  const { build } = graph;
  const isWhole =
    axes.length === scores?.axes.length && axes.every((axis, k) => axis === scores.axes[k]);
  if (!scores?.isShare || !isWhole) return node.refuse(NO_PRODUCT);
  const { keys, factor } = scores;
  const values = sequence(flowAt(call, 1), false, call);
  const isSame =
    values.rows.first === keys.rows.first && values.axes.at(-2)![0] === keys.axes.at(-1)![0];
  if (!isSame || values.axes.length !== keys.axes.length) node.refuse(NO_PRODUCT);
  let { queries } = scores;
  const width = widthOf(queries, node);
  const isUsual = Math.abs(factor * Math.sqrt(width) - 1) < 1e-6;
  if (!isUsual && factor !== 1) queries = build.map(node, 'scale', { factor }, queries);
  const score = isUsual ? 'scaledDot' : 'dot';
  const { name } = build.add(node, 'attention', { score }, [queries, values, keys]);
  const features = values.axes.at(-1)!;
  return giving(call, {
    source: name,
    rows: queries.rows,
    axes: [...queries.axes.slice(0, -1), features],
    held: [...queries.held.filter((atom) => !isFeature(atom)), ...features],
  });
}

export const matMul: Operator = (call) => {
  const [a, b] = call.inputs;
  if (!a || !b || !('flow' in a) || !('flow' in b)) return constantProduct(call);
  return a.flow.scores ? attended(call, a.flow) : scored(call);
};
