/**
 * The few float64 helpers that every reference layer is written in. Matrices are row-major and
 * their number of rows and columns follows from the lengths of the vectors beside them. Everything
 * accumulates (`+=`), so that a sum of products is a sequence of calls, and a gradient is added to
 * what is there.
 */
export type Vec = Float64Array;

/** y += W x, with W [rows, columns] = [y.length, x.length]. */
export function addProduct(y: Vec, w: Vec, x: Vec): void {
  const columns = x.length;
  for (let row = 0; row < y.length; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += w[row * columns + column]! * x[column]!;
    y[row]! += sum;
  }
}

/** dx += W^T dy: the backward of `addProduct` for x. */
export function addTransposedProduct(dx: Vec, w: Vec, dy: Vec): void {
  const columns = dx.length;
  for (let row = 0; row < dy.length; row++) {
    const scale = dy[row]!;
    for (let column = 0; column < columns; column++)
      dx[column]! += scale * w[row * columns + column]!;
  }
}

/** dW += dy x^T: the backward of `addProduct` for W. */
export function addOuter(dw: Vec, dy: Vec, x: Vec): void {
  const columns = x.length;
  for (let row = 0; row < dy.length; row++) {
    const scale = dy[row]!;
    for (let column = 0; column < columns; column++)
      dw[row * columns + column]! += scale * x[column]!;
  }
}

/** y += x; nothing when x is absent, as a layer without biases has it. */
export function add(y: Vec, x: Vec | undefined): void {
  if (x) for (let k = 0; k < y.length; k++) y[k]! += x[k]!;
}

/** dx += dy where a gradient is wanted: the backward of `add` for x. */
export function addTo(dx: Vec | undefined, dy: Vec): void {
  if (dx) add(dx, dy);
}

/** x (.) y; x itself where there is no y. */
export function times(x: Vec, y: Vec | undefined): Vec {
  if (!y) return x;
  const product = new Float64Array(x.length);
  for (let k = 0; k < x.length; k++) product[k] = x[k]! * y[k]!;
  return product;
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

export function norm(x: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k]! * x[k]!;
  return Math.sqrt(sum);
}
