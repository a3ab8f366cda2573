/**
 * An activation as a layer: y = a(x) of every number, or of softmax and logSoftmax of every row.
 */
import type { RowActivation } from '../../src/ops/activations.ts';
import { curveOf, nearest } from './activation.ts';
import type { Vec } from './math.ts';
import { logSoftmax, logSoftmaxBackward, softmax, softmaxBackward } from './softmax.ts';

/** Of one row: its outputs, dx from dy, and how near it came to a place where a slope jumps. */
interface RowFunction {
  value(x: Vec): Vec;
  backward(x: Vec, dy: Vec): Vec;
  kink(x: Vec): number;
}

function functionOf(activation: RowActivation): RowFunction {
  if (activation === 'softmax') {
    return { value: (x) => softmax(x), backward: softmaxBackward, kink: () => Infinity };
  }
  if (activation === 'logSoftmax') {
    return { value: (x) => logSoftmax(x), backward: logSoftmaxBackward, kink: () => Infinity };
  }
  const curve = curveOf(activation);
  return {
    value: (x) => x.map(curve.value),
    backward: (x, dy) => dy.map((d, k) => d * curve.slope(x[k]!)),
    kink: (x) => nearest(curve.kinks, x),
  };
}

/** x: [rows, width]. */
export function activationForward(activation: RowActivation, x: Vec, width: number): Vec {
  const { value } = functionOf(activation);
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) y.set(value(x.slice(at, at + width)), at);
  return y;
}

export function activationBackward(activation: RowActivation, x: Vec, dy: Vec, width: number): Vec {
  const { backward } = functionOf(activation);
  const dx = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    dx.set(backward(x.slice(at, at + width), dy.slice(at, at + width)), at);
  }
  return dx;
}

/** How near a row came to a place where the derivative jumps. */
export function activationKink(activation: RowActivation, x: Vec): number {
  return functionOf(activation).kink(x);
}
