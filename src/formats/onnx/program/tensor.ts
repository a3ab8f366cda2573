/** Tensors of a program: views of memory that steps fill. */

/** What has elements of its own: an input, what is carried, a constant, or what steps make. */
export interface Store {
  readonly kind: 'input' | 'carry' | 'constant' | 'made';
  readonly size: number;
  /** Of an input or a carry: its name. */
  readonly name?: string;
  readonly data?: Float32Array;
  readonly shape?: readonly number[];
  readonly isMatrix?: boolean;
}

/** Elements of a store: from the first on, so many and so far apart along each axis. */
export interface Tensor {
  readonly store: Store;
  readonly from: number;
  readonly dims: readonly number[];
  readonly strides: readonly number[];
  /** Whether its numbers may have a fraction. */
  readonly isFloat: boolean;
}

export const sizeOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Elements from neighbour to neighbour along each axis, where they lie row by row. */
export function plainStrides(dims: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (let k = dims.length - 1; k >= 0; k--) {
    strides[k] = stride;
    stride *= dims[k]!;
  }
  return strides;
}

/** Whether the elements lie row by row without gaps. */
export function isPlain({ dims, strides }: Tensor): boolean {
  const plain = plainStrides(dims);
  return dims.every((size, k) => size === 1 || strides[k] === plain[k]);
}

/** A tensor with another order of axes. */
export const turned = (tensor: Tensor, order: readonly number[]): Tensor => ({
  ...tensor,
  dims: order.map((axis) => tensor.dims[axis]!),
  strides: order.map((axis) => tensor.strides[axis]!),
});

/** Every `step`th of `count` places of an axis. */
export function cut(tensor: Tensor, axis: number, from: number, count: number, step = 1): Tensor {
  const stride = tensor.strides[axis]!;
  return {
    ...tensor,
    from: tensor.from + from * stride,
    dims: tensor.dims.map((size, k) => (k === axis ? count : size)),
    strides: tensor.strides.map((own, k) => (k === axis ? own * step : own)),
  };
}

/** As axes of these sizes, where axes of 1 repeat and more may stand before them. */
export function spread(tensor: Tensor, dims: readonly number[]): Tensor {
  const shift = dims.length - tensor.dims.length;
  const strides = dims.map((_, k) =>
    k < shift || tensor.dims[k - shift] === 1 ? 0 : tensor.strides[k - shift]!,
  );
  return { ...tensor, dims, strides };
}
