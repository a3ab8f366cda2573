/**
 * How frameworks lay out the parameters of one recurrent layer and direction, and gatefold's, which
 * are PyTorch's: matrices [G H, I] and [G H, H], gates `i f g o` (LSTM) and `r z n` (GRU).
 *
 * One letter is one gate: `i` input, `f` forget, `g` candidate, `o` output; `r` reset, `z` update,
 * `n` new; `h` the only one of an RNN.
 */
import { newFloats } from '../../base/arrays.ts';
import { checkObject, checkText, ownFloats, readOptions, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { StateDict, Tensor } from '../../base/tensor.ts';
import { checkMap } from './maps.ts';

/**
 * Parameters of one recurrent layer and direction, by their names in a `stateDict()` without the
 * layer and `_l0`. With `bias_ih` alone the layer has `bias: 'single'`, without both `bias: false`.
 */
export interface CellParameters {
  /** [G H, I]. */
  readonly weight_ih: Tensor;
  /** [G H, H]. */
  readonly weight_hh: Tensor;
  /** [G H]. */
  readonly bias_ih?: Tensor;
  /** [G H]. */
  readonly bias_hh?: Tensor;
  /** [3, H]: input, forget, output; [2, H] of coupled gates. */
  readonly weight_peephole?: Tensor;
  /** [H], of a layer with `initialState: 'learned'`. */
  readonly h0?: Tensor;
  /** [H], of an LSTM with `initialState: 'learned'`. */
  readonly c0?: Tensor;
}

type Role = keyof CellParameters;

const ROLES: readonly Role[] = [
  'weight_ih',
  'weight_hh',
  'bias_ih',
  'bias_hh',
  'weight_peephole',
  'h0',
  'c0',
];

/** The order of the gates wherever they lie one after the other. */
const GATES = {
  own: { lstm: 'ifgo', coupled: 'igo', gru: 'rzn', rnn: 'h', peephole: 'ifo', few: 'io' },
  keras: { lstm: 'ifgo', gru: 'zrn', rnn: 'h' },
  onnx: { lstm: 'iofg', gru: 'zrn', rnn: 'h', peephole: 'iof' },
  tf1: { lstm: 'igfo', gates: 'rz', candidate: 'n', rnn: 'h' },
  nam: { lstm: 'ifgo' },
} as const;

/** A matrix of gates, or a part of one: where the weight of a unit for a column lies. */
interface Gates {
  readonly order: string;
  readonly data: Float32Array;
  /** Where it begins. */
  readonly at?: number;
  /** From unit to unit, and so from gate to gate: H of these. */
  readonly row: number;
  /** From column to column. */
  readonly column: number;
}

/** What a cell has, as a framework keeps it. */
interface Cell {
  readonly input: readonly Gates[];
  readonly recurrent: readonly Gates[];
  readonly biases: readonly (readonly Gates[])[];
}

interface Sizes {
  /** The order of gatefold's rows. */
  readonly own: string;
  readonly inputs: number;
  readonly hidden: number;
}

/** [G H, C]: a row for each unit. */
const rows = (order: string, data: Float32Array, columns: number, at = 0): Gates => {
  return { order, data, at, row: columns, column: 1 };
};
/** [C, G H]: a column for each unit. */
const columns = (order: string, data: Float32Array, units: number, at = 0): Gates => {
  return { order, data, at, row: 1, column: units };
};
const vector = (order: string, data: Float32Array, at = 0): Gates => rows(order, data, 1, at);

/** Copies the gates that both have: the one permutation there is. */
function moveGates(from: Gates, to: Gates, hidden: number, count: number): void {
  for (const [place, gate] of [...to.order].entries()) {
    const source = from.order.indexOf(gate);
    if (source < 0) continue;
    const isWhole = from.column === 1 && to.column === 1 && from.row === count && to.row === count;
    if (isWhole) {
      // All of a gate lies side by side in both.
      const begin = (from.at ?? 0) + source * hidden * count;
      const piece = from.data.subarray(begin, begin + hidden * count);
      to.data.set(piece, (to.at ?? 0) + place * hidden * count);
      continue;
    }
    for (let unit = 0; unit < hidden; unit++) {
      let read = (from.at ?? 0) + (source * hidden + unit) * from.row;
      let write = (to.at ?? 0) + (place * hidden + unit) * to.row;
      for (let k = 0; k < count; k++, read += from.column, write += to.column) {
        to.data[write] = from.data[read]!;
      }
    }
  }
}

/** A tensor of gatefold, out of the pieces that have its gates. */
function gathered(
  pieces: readonly Gates[],
  order: string,
  hidden: number,
  shape: number[],
): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = newFloats(count, 'a parameter');
  const perUnit = count / (order.length * hidden);
  for (const piece of pieces) moveGates(piece, rows(order, data, perUnit), hidden, perUnit);
  return { shape, data };
}

/** Gatefold's parameters of a framework's cell. */
function parametersOf({ input, recurrent, biases }: Cell, sizes: Sizes): CellParameters {
  const { own, inputs, hidden } = sizes;
  const wide = own.length * hidden;
  const [first, second] = biases.map((bias) => gathered(bias, own, hidden, [wide]));
  return {
    weight_ih: gathered(input, own, hidden, [wide, inputs]),
    weight_hh: gathered(recurrent, own, hidden, [wide, hidden]),
    ...(first && { bias_ih: first }),
    ...(second && { bias_hh: second }),
  };
}

/** Writes gatefold's parameters into a framework's cell; of one bias the sum of both. */
function spread(parameters: CellParameters, cell: Cell, { own, inputs, hidden }: Sizes): void {
  const write = (role: Role, pieces: readonly Gates[], count: number): void => {
    const tensor = parameters[role];
    if (!tensor) return;
    for (const piece of pieces) moveGates(rows(own, tensor.data, count), piece, hidden, count);
  };
  write('weight_ih', cell.input, inputs);
  write('weight_hh', cell.recurrent, hidden);
  const [first, second] = cell.biases;
  write('bias_ih', first ?? [], 1);
  if (second) write('bias_hh', second, 1);
  const { bias_hh: hh } = parameters;
  if (!first || second || !hh) return;
  const sum = Float32Array.from(hh.data, (value, k) => value + (parameters.bias_ih?.data[k] ?? 0));
  for (const piece of first) moveGates(vector(own, sum), piece, hidden, 1);
}

const list = (shape: readonly (number | string)[]): string => `[${shape.join(', ')}]`;

/**
 * An array of a caller.
 *
 * @param meaning its shape in letters: `[I, 4H]`.
 * @param sizes the same in numbers; a letter is any size.
 */
function take(name: string, tensor: Tensor, meaning: string, sizes: (number | string)[]): Tensor {
  const { shape, data } = checkObject(name, tensor) as Tensor;
  if (!Array.isArray(shape)) {
    const message = `"${name}" expected { shape, data }, got ${show(tensor)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const own = [...shape] as number[];
  const fits = (size: number, k: number): boolean =>
    typeof sizes[k] === 'number' ? size === sizes[k] : Number.isSafeInteger(size) && size > 0;
  if (own.length !== sizes.length || !own.every(fits)) {
    const here = list(sizes) === meaning ? '' : `, here ${list(sizes)}`;
    const message = `"${name}" expected the shape ${meaning}${here}, got ${list(own)}`;
    throw new GatefoldError('ERR_SHAPE', message);
  }
  const count = own.reduce((product, size) => product * size, 1);
  return { shape: own, data: ownFloats(`${name}.data`, data, count, list(own)) };
}

/** A size that an array says, which others have to fit: 1 where it says none. */
function sizeAt(name: string, tensor: Tensor, axis: number): number {
  const size: unknown = (checkObject(name, tensor) as Tensor).shape?.[axis];
  return typeof size === 'number' && Number.isSafeInteger(size) && size > 0 ? size : 1;
}

/** Parameters of gatefold that a caller gives, checked, and their sizes. */
function own(given: CellParameters, order: string): { parameters: CellParameters; sizes: Sizes } {
  const parameters = readOptions('parameters', given, ROLES);
  const count = order.length;
  const hidden = sizeAt('weight_hh', parameters.weight_hh, 1);
  const wide = count * hidden;
  const [letters, H] = [count > 1 ? `${count}H` : 'H', hidden];
  const inputs = sizeAt('weight_ih', parameters.weight_ih, 1);
  const seeing = count - 1;
  const shapes: Record<Role, [meaning: string, sizes: (number | string)[]]> = {
    weight_hh: [`[${letters}, H]`, [wide, H]],
    weight_ih: [`[${letters}, I]`, [wide, 'I']],
    bias_ih: [`[${letters}]`, [wide]],
    bias_hh: [`[${letters}]`, [wide]],
    weight_peephole: [`[${seeing}, H]`, [seeing, H]],
    h0: ['[H]', [H]],
    c0: ['[H]', [H]],
  };
  const checked = ROLES.flatMap((role) => {
    const tensor = parameters[role];
    const isNeeded = role === 'weight_ih' || role === 'weight_hh';
    return tensor || isNeeded ? [[role, take(role, tensor!, ...shapes[role])]] : [];
  });
  return {
    parameters: Object.fromEntries(checked) as CellParameters,
    sizes: { own: order, inputs, hidden },
  };
}

/** Refuses parameters that a layout has no place for. */
function refuse(parameters: CellParameters, layout: string, ...roles: readonly Role[]): void {
  const given = roles.find((role) => parameters[role]);
  if (given === undefined) return;
  throw new GatefoldError('ERR_UNSUPPORTED', `"${given}" has no place in ${layout}`);
}

const zeros = (...shape: number[]): Tensor => {
  return {
    shape,
    data: newFloats(
      shape.reduce((a, b) => a * b, 1),
      'a parameter',
    ),
  };
};

/** Kernels of Keras: units in columns, one bias. */
export interface KerasCell {
  /** [I, G H]. */
  readonly kernel: Tensor;
  /** [H, G H]. */
  readonly recurrent: Tensor;
  /** [G H], of a GRU with reset after [2, 3H]: input, recurrent. */
  readonly bias?: Tensor;
}

/** Where Keras keeps the gates; `own` is the order of gatefold. */
function kerasGates({ kernel, recurrent, bias }: KerasCell, order: string, hidden: number): Cell {
  const units = order.length * hidden;
  const count = bias ? bias.shape.length : 0;
  return {
    input: [columns(order, kernel.data, units)],
    recurrent: [columns(order, recurrent.data, units)],
    biases: Array.from({ length: count }, (_, k) => [vector(order, bias!.data, k * units)]),
  };
}

function fromKeras(given: KerasCell, order: string, ownOrder: string, two = false): CellParameters {
  const hidden = sizeAt('recurrent', given.recurrent, 0);
  const count = order.length;
  const units = count * hidden;
  const wide = count > 1 ? `${count}H` : 'H';
  const recurrent = take('recurrent', given.recurrent, `[H, ${wide}]`, [hidden, units]);
  const kernel = take('kernel', given.kernel, `[I, ${wide}]`, ['I', units]);
  const biasShape = two ? [2, units] : [units];
  const bias =
    given.bias && take('bias', given.bias, two ? `[2, ${wide}]` : `[${wide}]`, biasShape);
  const cell = kerasGates({ kernel, recurrent, bias }, order, hidden);
  return parametersOf(cell, { own: ownOrder, inputs: kernel.shape[0]!, hidden });
}

function toKeras(given: CellParameters, order: string, ownOrder: string, two = false): KerasCell {
  const { parameters, sizes } = own(given, ownOrder);
  refuse(parameters, "Keras' layers", 'weight_peephole', 'h0', 'c0');
  const { inputs, hidden } = sizes;
  const units = order.length * hidden;
  const hasBias = parameters.bias_ih ?? parameters.bias_hh;
  const cell: KerasCell = {
    kernel: zeros(inputs, units),
    recurrent: zeros(hidden, units),
    ...(hasBias && { bias: two ? zeros(2, units) : zeros(units) }),
  };
  spread(parameters, kerasGates(cell, order, hidden), sizes);
  return cell;
}

/** Axes in the opposite order, e.g. [K, I, O] as [O, I, K]. */
function reversed({ shape, data }: Tensor): Tensor {
  const [first, last] = [shape[0]!, shape.at(-1)!];
  const between = data.length / (first * last);
  const result = newFloats(data.length, 'a parameter');
  for (let a = 0, at = 0; a < first; a++) {
    for (let b = 0; b < between; b++) {
      for (let c = 0; c < last; c++) result[(c * between + b) * first + a] = data[at++]!;
    }
  }
  return { shape: [...shape].reverse(), data: result };
}

/** Whether the reset gate of a GRU acts after the recurrent product. */
export interface GruLayout {
  /** Default true. */
  readonly resetAfter?: boolean;
}

function isAfter(options: GruLayout | undefined): boolean {
  return readOptions('options', options ?? {}, ['resetAfter']).resetAfter !== false;
}

const { own: OWN, keras: KERAS, onnx: ONNX, tf1: TF1, nam: NAM } = GATES;

/** Keras 2 and 3, TensorFlow.js: units in columns, LSTM `i f c o`, GRU `z r h`. */
export interface KerasLayouts {
  /** `kernel` [I, 4H], `recurrent` [H, 4H], `bias` [4H]. */
  lstm(kernel: Tensor, recurrent: Tensor, bias?: Tensor): CellParameters;
  /** The inverse of `lstm`. */
  toLstm(parameters: CellParameters): KerasCell;
  /** `kernel` [I, 3H], `recurrent` [H, 3H], `bias` [2, 3H], without reset after [3H]. */
  gru(kernel: Tensor, recurrent: Tensor, bias?: Tensor, options?: GruLayout): CellParameters;
  /** The inverse of `gru`. */
  toGru(parameters: CellParameters, options?: GruLayout): KerasCell;
  /** `kernel` [I, H], `recurrent` [H, H], `bias` [H]. */
  rnn(kernel: Tensor, recurrent: Tensor, bias?: Tensor): CellParameters;
  /** The inverse of `rnn`. */
  toRnn(parameters: CellParameters): KerasCell;
  /** The `weight` [O, I] of a `kernel` [I, O], or the other way round. */
  dense(kernel: Tensor): Tensor;
  /** The `weight` [O, I, K] of a `kernel` [K, I, O], or the other way round. */
  conv1d(kernel: Tensor): Tensor;
}

export const keras: KerasLayouts = {
  lstm: (kernel, recurrent, bias) => fromKeras({ kernel, recurrent, bias }, KERAS.lstm, OWN.lstm),
  toLstm: (parameters) => toKeras(parameters, KERAS.lstm, OWN.lstm),
  gru: (kernel, recurrent, bias, options) =>
    fromKeras({ kernel, recurrent, bias }, KERAS.gru, OWN.gru, isAfter(options)),
  toGru: (parameters, options) => toKeras(parameters, KERAS.gru, OWN.gru, isAfter(options)),
  rnn: (kernel, recurrent, bias) => fromKeras({ kernel, recurrent, bias }, KERAS.rnn, OWN.rnn),
  toRnn: (parameters) => toKeras(parameters, KERAS.rnn, OWN.rnn),
  dense: (kernel) => reversed(take('kernel', kernel, '[I, O]', ['I', 'O'])),
  conv1d: (kernel) => reversed(take('kernel', kernel, '[K, I, O]', ['K', 'I', 'O'])),
};

/** Arrays of Keras 1 by their names without the layer's: `W_i` [I, H], `U_i` [H, H], `b_i` [H]. */
export type Keras1Cell = Readonly<Record<string, Tensor>>;

/** A name of Keras 1 for each of our letters. */
const KERAS1 = {
  lstm: { i: '_i', f: '_f', g: '_c', o: '_o' },
  gru: { r: '_r', z: '_z', n: '_h' },
  rnn: { h: '' },
} as const;

function keras1Gates(cell: Keras1Cell, names: object, hidden: number): Cell {
  const each = (letter: string, of: (order: string, data: Float32Array) => Gates): Gates[] =>
    Object.entries(names).map(([gate, name]) => of(gate, cell[letter + name]!.data));
  return {
    input: each('W', (order, data) => columns(order, data, hidden)),
    recurrent: each('U', (order, data) => columns(order, data, hidden)),
    biases: [each('b', (order, data) => vector(order, data))],
  };
}

function fromKeras1(given: Keras1Cell, names: object, ownOrder: string): CellParameters {
  const suffixes = Object.values(names) as string[];
  const keys = suffixes.flatMap((suffix) => [`W${suffix}`, `U${suffix}`, `b${suffix}`]);
  const arrays = readOptions('arrays', given, keys);
  const hidden = sizeAt(`U${suffixes[0]}`, arrays[`U${suffixes[0]}`]!, 0);
  const inputs = sizeAt(`W${suffixes[0]}`, arrays[`W${suffixes[0]}`]!, 0);
  const cell: Record<string, Tensor> = {};
  for (const suffix of suffixes) {
    const at = (letter: string, meaning: string, sizes: number[]): void => {
      const name = letter + suffix;
      cell[name] = take(name, arrays[name]!, meaning, sizes);
    };
    at('W', '[I, H]', [inputs, hidden]);
    at('U', '[H, H]', [hidden, hidden]);
    at('b', '[H]', [hidden]);
  }
  return parametersOf(keras1Gates(cell, names, hidden), { own: ownOrder, inputs, hidden });
}

function toKeras1(given: CellParameters, names: object, ownOrder: string): Keras1Cell {
  const { parameters, sizes } = own(given, ownOrder);
  refuse(parameters, "Keras 1's layers", 'weight_peephole', 'h0', 'c0');
  const { inputs, hidden } = sizes;
  const cell: Record<string, Tensor> = {};
  for (const suffix of Object.values(names)) {
    cell[`W${suffix}`] = zeros(inputs, hidden);
    cell[`U${suffix}`] = zeros(hidden, hidden);
    cell[`b${suffix}`] = zeros(hidden);
  }
  spread(parameters, keras1Gates(cell, names, hidden), sizes);
  return cell;
}

/** Keras 1: an array for each gate. Its GRU resets before the product (`resetAfter: false`). */
export interface Keras1Layouts {
  /** `{ W_i, U_i, b_i, W_f, ..., W_c, ..., W_o, ... }`. */
  lstm(arrays: Keras1Cell): CellParameters;
  /** The inverse of `lstm`. */
  toLstm(parameters: CellParameters): Keras1Cell;
  /** `{ W_z, U_z, b_z, W_r, ..., W_h, ... }`. */
  gru(arrays: Keras1Cell): CellParameters;
  /** The inverse of `gru`. */
  toGru(parameters: CellParameters): Keras1Cell;
  /** `{ W, U, b }`. */
  rnn(arrays: Keras1Cell): CellParameters;
  /** The inverse of `rnn`. */
  toRnn(parameters: CellParameters): Keras1Cell;
}

export const keras1: Keras1Layouts = {
  lstm: (arrays) => fromKeras1(arrays, KERAS1.lstm, OWN.lstm),
  toLstm: (parameters) => toKeras1(parameters, KERAS1.lstm, OWN.lstm),
  gru: (arrays) => fromKeras1(arrays, KERAS1.gru, OWN.gru),
  toGru: (parameters) => toKeras1(parameters, KERAS1.gru, OWN.gru),
  rnn: (arrays) => fromKeras1(arrays, KERAS1.rnn, OWN.rnn),
  toRnn: (parameters) => toKeras1(parameters, KERAS1.rnn, OWN.rnn),
};

/** The inputs of ONNX' operators, D directions in each. */
export interface OnnxCell {
  /** [D, G H, I]. */
  readonly W: Tensor;
  /** [D, G H, H]. */
  readonly R: Tensor;
  /** [D, 2 G H]: input, recurrent. */
  readonly B?: Tensor;
  /** [D, 3H]: `i o f`. */
  readonly P?: Tensor;
}

/** What ONNX' attributes say beside the arrays. */
export interface OnnxLayout {
  /** Which of the directions; default 0, the first one. */
  readonly direction?: 0 | 1;
  /** LSTM: `input_forget`, coupled gates; default false. */
  readonly inputForget?: boolean;
}

function onnxGates({ W, R, B }: OnnxCell, order: string, k: number): Cell {
  const [, wide, inputs] = W.shape as [number, number, number];
  const hidden = R.shape[2]!;
  const bias = (half: number): Gates[] => [vector(order, B!.data, (2 * k + half) * wide)];
  return {
    input: [rows(order, W.data, inputs, k * wide * inputs)],
    recurrent: [rows(order, R.data, hidden, k * wide * hidden)],
    biases: B ? [bias(0), bias(1)] : [],
  };
}

const onnxPeepholes = ({ P, R }: OnnxCell, k: number): Gates =>
  vector(ONNX.peephole, P!.data, k * 3 * R.shape[2]!);

function fromOnnx(
  given: OnnxCell,
  order: string,
  ownOrder: string,
  options: OnnxLayout = {},
): CellParameters {
  const { direction = 0 } = readOptions('options', options, ['direction', 'inputForget']);
  if (direction !== 0 && direction !== 1) {
    const message = `"options.direction" expected 0 or 1, got ${show(direction)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const hidden = sizeAt('R', given.R, 2);
  const count = order.length;
  const [wide, letters] = [count * hidden, count > 1 ? `${count}H` : 'H'];
  const R = take('R', given.R, `[D, ${letters}, H]`, ['D', wide, hidden]);
  const D = R.shape[0]!;
  if (direction >= D) {
    const message = `"R" expected a direction ${direction}, got ${D} in the shape [D, ${letters}, H]`;
    throw new GatefoldError('ERR_SHAPE', message);
  }
  const W = take('W', given.W, `[D, ${letters}, I]`, [D, wide, 'I']);
  const B = given.B && take('B', given.B, `[D, ${2 * count}H]`, [D, 2 * wide]);
  const P = given.P && take('P', given.P, '[D, 3H]', [D, 3 * hidden]);
  const cell = { W, R, B, P };
  const sizes = { own: ownOrder, inputs: W.shape[2]!, hidden };
  const parameters = parametersOf(onnxGates(cell, order, direction), sizes);
  if (!P) return parameters;
  const seen = ownOrder === OWN.coupled ? OWN.few : OWN.peephole;
  const shape = [seen.length, hidden];
  return {
    ...parameters,
    weight_peephole: gathered([onnxPeepholes(cell, direction)], seen, hidden, shape),
  };
}

function toOnnx(given: readonly CellParameters[], order: string, ownOrder: string): OnnxCell {
  if (given.length === 0 || given.length > 2) {
    const message = `expected the parameters of one or two directions, got ${given.length}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const directions = given.map((one) => own(one, ownOrder));
  const [{ sizes, parameters: first }] = directions as [(typeof directions)[0]];
  const { inputs, hidden } = sizes;
  const wide = order.length * hidden;
  const D = directions.length;
  const cell: OnnxCell = {
    W: zeros(D, wide, inputs),
    R: zeros(D, wide, hidden),
    ...((first.bias_ih ?? first.bias_hh) && { B: zeros(D, 2 * wide) }),
    ...(first.weight_peephole && { P: zeros(D, 3 * hidden) }),
  };
  for (const [k, { parameters, sizes: same }] of directions.entries()) {
    refuse(parameters, "ONNX' weights: they are inputs of their own", 'h0', 'c0');
    const isSame = same.inputs === inputs && same.hidden === hidden;
    const roles: readonly Role[] = ['bias_ih', 'weight_peephole'];
    if (!isSame || roles.some((role) => !parameters[role] !== !first[role])) {
      const message = 'expected both directions with the same sizes, biases and peepholes';
      throw new GatefoldError('ERR_SHAPE', message);
    }
    spread(parameters, onnxGates(cell, order, k), same);
    const { weight_peephole: peephole } = parameters;
    const seen = ownOrder === OWN.coupled ? OWN.few : OWN.peephole;
    if (peephole) moveGates(vector(seen, peephole.data), onnxPeepholes(cell, k), hidden, 1);
  }
  return cell;
}

const lstmOrder = (options?: OnnxLayout): string => (options?.inputForget ? OWN.coupled : OWN.lstm);

/** ONNX: a row for each unit, LSTM `i o f c`, GRU `z r h`, both biases in one. */
export interface OnnxLayouts {
  /** `W` [D, 4H, I], `R` [D, 4H, H], `B` [D, 8H], `P` [D, 3H]. */
  lstm(W: Tensor, R: Tensor, B?: Tensor, P?: Tensor, options?: OnnxLayout): CellParameters;
  /** Of the only direction, or of both. Coupled gates have three gates each. */
  toLstm(...directions: readonly CellParameters[]): OnnxCell;
  /** `W` [D, 3H, I], `R` [D, 3H, H], `B` [D, 6H]. */
  gru(W: Tensor, R: Tensor, B?: Tensor, options?: OnnxLayout): CellParameters;
  /** Of the only direction, or of both. */
  toGru(...directions: readonly CellParameters[]): OnnxCell;
  /** `W` [D, H, I], `R` [D, H, H], `B` [D, 2H]. */
  rnn(W: Tensor, R: Tensor, B?: Tensor, options?: OnnxLayout): CellParameters;
  /** Of the only direction, or of both. */
  toRnn(...directions: readonly CellParameters[]): OnnxCell;
}

export const onnx: OnnxLayouts = {
  lstm: (W, R, B, P, options) => fromOnnx({ W, R, B, P }, ONNX.lstm, lstmOrder(options), options),
  toLstm: (...directions) => {
    const [first] = directions;
    const isCoupled = first?.weight_ih?.shape?.[0] === 3 * (first?.weight_hh?.shape?.[1] ?? 0);
    return toOnnx(directions, ONNX.lstm, isCoupled ? OWN.coupled : OWN.lstm);
  },
  gru: (W, R, B, options) => fromOnnx({ W, R, B }, ONNX.gru, OWN.gru, options),
  toGru: (...directions) => toOnnx(directions, ONNX.gru, OWN.gru),
  rnn: (W, R, B, options) => fromOnnx({ W, R, B }, ONNX.rnn, OWN.rnn, options),
  toRnn: (...directions) => toOnnx(directions, ONNX.rnn, OWN.rnn),
};

/** A kernel [I + H, G H] that multiplies x and h side by side, and its bias [G H]. */
export interface Tf1Cell {
  /** [I + H, G H]. */
  readonly kernel: Tensor;
  /** [G H]. */
  readonly bias: Tensor;
}

/** What the cell does beside its arrays. */
export interface Tf1LstmLayout {
  /** What the cell adds to the forget gate at run time; default 1. */
  readonly forgetBias?: number;
}

/** Where kernels of x and h side by side keep their gates. */
function tf1Gates(cells: readonly (Tf1Cell & { readonly order: string })[], inputs: number): Cell {
  const at = (begin: number): Gates[] =>
    cells.map(({ order, kernel: { data, shape } }) =>
      columns(order, data, shape[1]!, begin * shape[1]!),
    );
  const bias = cells.map(({ order, bias: { data } }) => vector(order, data));
  return { input: at(0), recurrent: at(inputs), biases: [bias] };
}

/** Arrays of a cell of TensorFlow 1 with `count` gates; `prefix` of their names in errors. */
function takeTf1(prefix: string, cell: Tf1Cell, order: string, H?: number): Tf1Cell {
  const { kernel, bias } = checkObject(prefix.slice(0, -1) || 'cell', cell) as Tf1Cell;
  const [name, count] = [`${prefix}kernel`, order.length];
  const hidden = H ?? Math.floor(sizeAt(name, kernel, 1) / count);
  const letters = count > 1 ? `${count}H` : 'H';
  const own = take(name, kernel, `[I + H, ${letters}]`, ['I + H', count * hidden]);
  if (own.shape[0]! <= hidden) {
    const message = `"${name}" expected the shape [I + H, ${letters}], I at least 1 and H ${hidden}, got ${list(own.shape)}`;
    throw new GatefoldError('ERR_SHAPE', message);
  }
  return { kernel: own, bias: take(`${prefix}bias`, bias, `[${letters}]`, [count * hidden]) };
}

function fromTf1(cells: readonly (Tf1Cell & { order: string })[], own: string): CellParameters {
  const [{ kernel, order }] = cells as [Tf1Cell & { order: string }];
  const hidden = kernel.shape[1]! / order.length;
  const inputs = kernel.shape[0]! - hidden;
  return parametersOf(tf1Gates(cells, inputs), { own, inputs, hidden });
}

function toTf1(given: CellParameters, own_: string, orders: readonly string[]): Tf1Cell[] {
  const { parameters, sizes } = own(given, own_);
  refuse(parameters, "TensorFlow 1's cells", 'weight_peephole', 'h0', 'c0');
  const { inputs, hidden } = sizes;
  const cells = orders.map((order) => {
    const units = order.length * hidden;
    return { order, kernel: zeros(inputs + hidden, units), bias: zeros(units) };
  });
  spread(parameters, tf1Gates(cells, inputs), sizes);
  return cells.map(({ kernel, bias }) => ({ kernel, bias }));
}

/** The bias of a BasicLSTMCell with another forget gate. */
function withForget({ kernel, bias }: Tf1Cell, add: number): Tf1Cell {
  const hidden = bias.shape[0]! / 4;
  const from = TF1.lstm.indexOf('f') * hidden;
  const data = bias.data.map((b, k) => (k >= from && k < from + hidden ? b + add : b));
  return { kernel, bias: { shape: bias.shape, data } };
}

const forgetOf = (options: Tf1LstmLayout | undefined): number => {
  const { forgetBias = 1 } = readOptions('options', options ?? {}, ['forgetBias']);
  if (typeof forgetBias === 'number' && Number.isFinite(forgetBias)) return forgetBias;
  const message = `"options.forgetBias" expected a number, got ${show(forgetBias)}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
};

/** TensorFlow 1: one kernel for x and h side by side, LSTM `i j f o`, GRU `r u` and a candidate. */
export interface Tf1Layouts {
  /** `BasicLSTMCell`, `LSTMCell`: `kernel` [I + H, 4H], `bias` [4H]. */
  lstm(kernel: Tensor, bias: Tensor, options?: Tf1LstmLayout): CellParameters;
  /** The inverse of `lstm`. */
  toLstm(parameters: CellParameters, options?: Tf1LstmLayout): Tf1Cell;
  /** `GRUCell`: `gates` [I + H, 2H] and `candidate` [I + H, H]; resets before the product. */
  gru(gates: Tf1Cell, candidate: Tf1Cell): CellParameters;
  /** The inverse of `gru`. */
  toGru(parameters: CellParameters): { gates: Tf1Cell; candidate: Tf1Cell };
  /** `BasicRNNCell`: `kernel` [I + H, H], `bias` [H]. */
  rnn(kernel: Tensor, bias: Tensor): CellParameters;
  /** The inverse of `rnn`. */
  toRnn(parameters: CellParameters): Tf1Cell;
}

export const tf1: Tf1Layouts = {
  lstm: (kernel, bias, options) => {
    const cell = withForget(takeTf1('', { kernel, bias }, TF1.lstm), forgetOf(options));
    return fromTf1([{ ...cell, order: TF1.lstm }], OWN.lstm);
  },
  toLstm: (parameters, options) =>
    withForget(toTf1(parameters, OWN.lstm, [TF1.lstm])[0]!, -forgetOf(options)),
  gru: (gates, candidate) => {
    const first = takeTf1('gates.', gates, TF1.gates);
    const hidden = first.bias.shape[0]! / 2;
    const second = takeTf1('candidate.', candidate, TF1.candidate, hidden);
    take('candidate.kernel', second.kernel, '[I + H, H]', [first.kernel.shape[0]!, hidden]);
    const cells = [
      { ...first, order: TF1.gates },
      { ...second, order: TF1.candidate },
    ];
    return fromTf1(cells, OWN.gru);
  },
  toGru: (parameters) => {
    const [gates, candidate] = toTf1(parameters, OWN.gru, [TF1.gates, TF1.candidate]);
    return { gates: gates!, candidate: candidate! };
  },
  rnn: (kernel, bias) =>
    fromTf1([{ ...takeTf1('', { kernel, bias }, TF1.rnn), order: TF1.rnn }], OWN.rnn),
  toRnn: (parameters) => toTf1(parameters, OWN.rnn, [TF1.rnn])[0]!,
};

/** A layer of a NAM file: a matrix for x and h side by side, a bias, the initial states. */
export interface NamCell {
  /** [4H, I + H]. */
  readonly weight: Tensor;
  /** [4H]. */
  readonly bias: Tensor;
  /** [H]. */
  readonly h0: Tensor;
  /** [H]. */
  readonly c0: Tensor;
}

const namGates = ({ weight, bias }: NamCell, inputs: number): Cell => {
  const row = weight.shape[1]!;
  return {
    input: [rows(NAM.lstm, weight.data, row)],
    recurrent: [rows(NAM.lstm, weight.data, row, inputs)],
    biases: [[vector(NAM.lstm, bias.data)]],
  };
};

/** Neural Amp Modeler: [W | R] in one matrix, `i f g o`, one bias, stored initial states. */
export interface NamLayouts {
  /** `weight` [4H, I + H], `bias` [4H], `h0` and `c0` [H]; for `initialState: 'learned'`. */
  lstm(weight: Tensor, bias: Tensor, h0: Tensor, c0: Tensor): CellParameters;
  /** The inverse of `lstm`. */
  toLstm(given: CellParameters): NamCell;
}

export const nam: NamLayouts = {
  lstm: (weight, bias, h0, c0) => {
    const hidden = Math.floor(sizeAt('weight', weight, 0) / 4);
    const matrix = take('weight', weight, '[4H, I + H]', [4 * hidden, 'I + H']);
    const inputs = matrix.shape[1]! - hidden;
    if (inputs < 1) {
      const message = `"weight" expected the shape [4H, I + H], I at least 1 and H ${hidden}, got ${list(matrix.shape)}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const cell = {
      weight: matrix,
      bias: take('bias', bias, '[4H]', [4 * hidden]),
      h0: take('h0', h0, '[H]', [hidden]),
      c0: take('c0', c0, '[H]', [hidden]),
    };
    const sizes = { own: OWN.lstm, inputs, hidden };
    const state = { h0: copy(cell.h0), c0: copy(cell.c0) };
    return { ...parametersOf(namGates(cell, inputs), sizes), ...state };
  },
  toLstm: (given) => {
    const { parameters, sizes } = own(given, OWN.lstm);
    refuse(parameters, "NAM's layers", 'weight_peephole');
    const { inputs, hidden } = sizes;
    const { h0 = zeros(hidden), c0 = zeros(hidden) } = parameters;
    const [weight, bias] = [zeros(4 * hidden, inputs + hidden), zeros(4 * hidden)];
    const cell = { weight, bias, h0: copy(h0), c0: copy(c0) };
    spread(parameters, namGates(cell, inputs), sizes);
    return cell;
  },
};

const copy = ({ shape, data }: Tensor): Tensor => ({ shape, data: data.slice() });

/** Which part of a recurrent layer parameters are of. */
export interface CellPlace {
  /** Sub-layer, from 0 to `numLayers` - 1; default 0. */
  readonly subLayer?: number;
  /** The direction of a `bidirectional` layer that reads backwards; default false. */
  readonly reverse?: boolean;
}

function suffixOf(place: CellPlace): string {
  const { subLayer = 0, reverse = false } = readOptions('place', place, ['subLayer', 'reverse']);
  return `_l${subLayer}${reverse ? '_reverse' : ''}`;
}

/** Parameters by the names that a `stateDict()` of a model has for them. */
export function toStateDict(
  layer: string,
  parameters: CellParameters,
  place: CellPlace = {},
): StateDict {
  checkText('layer', layer);
  const suffix = suffixOf(place);
  const given = readOptions('parameters', parameters, ROLES);
  const state: StateDict = new Map();
  for (const role of ROLES) {
    const tensor = given[role];
    if (tensor) state.set(`${layer}.${role}${suffix}`, tensor);
  }
  return state;
}

/** The parameters of a layer in a `stateDict()`. */
export function fromStateDict(
  state: ReadonlyMap<string, Tensor>,
  layer: string,
  place: CellPlace = {},
): CellParameters {
  checkText('layer', layer);
  const suffix = suffixOf(place);
  const given = checkMap('state', state, 'names to { shape, data }');
  const found = ROLES.flatMap((role) => {
    const tensor = given.get(`${layer}.${role}${suffix}`);
    return tensor ? [[role, tensor]] : [];
  });
  const parameters = Object.fromEntries(found) as CellParameters;
  for (const role of ['weight_ih', 'weight_hh'] as const) {
    if (parameters[role]) continue;
    const message = `the state has no "${layer}.${role}${suffix}", which a recurrent layer has`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  return parameters;
}
