/** Operators that are supported where all that they read is known. */
import { constantAt, integersOf, pass, realsAt } from './call.ts';
import type { Operator } from './call.ts';
import { elementsOf, isKnown } from './constants.ts';
import type { Constant } from './constants.ts';
import { chosen, dequantized, expanded, quantizedConstant, reshaped } from './fold.ts';

export const cast: Operator = (call) => {
  const [value] = call.inputs;
  const to = call.node.int('to', 1);
  const isFloat = to === 1 || to === 10 || to === 11 || to === 16;
  if (!value || !('constant' in value)) return pass(call);
  const { constant } = value;
  if (isFloat === constant.isFloat) return [value];
  if (!isFloat && !isKnown(constant)) return [value];
  const numbers = elementsOf(constant);
  call.graph.take(numbers.length);
  const { dims } = constant;
  if (isFloat) return [{ constant: { dims, data: Float32Array.from(numbers), isFloat } }];
  const data = Float64Array.from(numbers, (x) => (to === 9 ? +(x !== 0) : Math.trunc(x)));
  return [{ constant: { dims, data, isFloat } }];
};

export const constantOfShape: Operator = (call) => {
  const { node, graph } = call;
  const dims = integersOf(call, 0, 'shape')!;
  const tensor = node.get('value')?.tensor;
  const value = tensor
    ? graph.constantOf(tensor)
    : { dims: [1], data: new Float32Array(1), isFloat: true };
  const base = reshaped(
    value,
    dims.map(() => 1),
  );
  if (!dims.every((size) => typeof size === 'number')) return [{ spread: { base, dims } }];
  if (dims.some((size) => size < 0)) node.refuse('a size is below 0');
  return [{ constant: expanded(base, dims as number[], graph) }];
};

export const range: Operator = (call) => {
  const { node, graph } = call;
  const [start, limit, delta] = [0, 1, 2].map((k) => realsAt(call, k, 'range')![0]!);
  const count = Math.max(Math.ceil((limit! - start!) / delta!), 0);
  if (!Number.isFinite(count)) node.refuse('it has no end');
  graph.take(count);
  const { isFloat } = constantAt(call, 0, 'its start')!;
  const list = Array.from({ length: count }, (_, k) => start! + k * delta!);
  return [
    {
      constant: {
        dims: [count],
        data: isFloat ? Float32Array.from(list) : Float64Array.from(list),
        isFloat,
      },
    },
  ];
};

export const not: Operator = (call) => {
  const constant = constantAt(call, 0, 'its input')!;
  return [
    {
      constant: {
        dims: constant.dims,
        data: Float64Array.from(elementsOf(constant), (x) => +!x),
        isFloat: false,
      },
    },
  ];
};

export const where: Operator = (call) => {
  const args = [0, 1, 2].map((k) => constantAt(call, k, 'each of its inputs')!);
  return [{ constant: chosen(args as [Constant, Constant, Constant], call.node, call.graph) }];
};

/** Numbers of a tensor in the steps of their scales: as they are stored, or as they were before. */
export const quantized: Operator = (call) => {
  const { node, graph } = call;
  const [x, scale, zero] = [0, 1, 2].map((k) => constantAt(call, k, 'each of its inputs'));
  const axis = node.axis(node.int('axis', 1), Math.max(x!.dims.length, 2));
  const isOne = scale!.data.length === 1;
  const fits = isOne || (scale!.dims.length === 1 && scale!.data.length === x!.dims[axis]);
  if (!fits || node.int('block_size', 0)) node.refuse('its scales are of blocks of an axis');
  const given = [x!, scale!, zero] as const;
  const isBack = node.type === 'DequantizeLinear';
  const make = isBack ? dequantized : quantizedConstant;
  return [{ constant: make(given, axis, graph) }];
};
