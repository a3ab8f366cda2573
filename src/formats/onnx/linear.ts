import { wholeRow } from './axes.ts';
import { giving } from './call.ts';
import type { Call, Value } from './call.ts';
import { axisOf, isFeature } from './flow.ts';
import type { Flow } from './flow.ts';

/** A product with a matrix [I, O] of constants, given by its rows for each output. */
export function linear(
  call: Call,
  given: Flow,
  axis: number,
  outputs: number,
  inputs: number,
  weightAt: (o: number, i: number) => number,
  bias?: Float32Array,
): Value[] {
  const { node, graph } = call;
  const { flow, places } = wholeRow(given, axis, call);
  if (places.length !== inputs)
    node.refuse(`its matrix has ${inputs} rows, and its input ${places.length} features`);
  graph.take(outputs * inputs);
  const data = new Float32Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) data[o * inputs + places[i]!] = weightAt(o, i);
  }
  const options = { outFeatures: outputs, ...(!bias && { bias: false }) };
  const { name } = graph.build.add(node, 'linear', options, [flow], {
    weight: { shape: [outputs, inputs], data },
    bias: bias && { shape: [outputs], data: bias },
  });
  const made = axisOf(outputs, 'features');
  const axes = flow.axes.map((each_, k) => (k === axis ? made : each_));
  const rows = flow.held.filter((atom) => !isFeature(atom));
  return giving(call, { source: name, rows: flow.rows, axes, held: [...rows, ...made] });
}
