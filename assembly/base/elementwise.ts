/** The activations over arrays of n numbers, a multiple of four; out may be the input. */

import { sigmoid, tanh } from './math';

export function sigmoidAll(out: usize, x: usize, n: i32): void {
  for (let k: usize = 0; k < (<usize>n) << 2; k += 16) {
    v128.store(out + k, sigmoid(v128.load(x + k)));
  }
}

export function tanhAll(out: usize, x: usize, n: i32): void {
  for (let k: usize = 0; k < (<usize>n) << 2; k += 16) {
    v128.store(out + k, tanh(v128.load(x + k)));
  }
}
