/** Our own float32 weights, beside those of 8 bits. */
import * as ours from './gatefold.mjs';

export const name = 'gatefold-float32';
export const { version } = ours;

export function lacks({ kind }) {
  return kind === 'int8' ? undefined : 'the same';
}

export function prepare(benchCase, data) {
  return ours.prepare(benchCase, data, 'float32');
}
