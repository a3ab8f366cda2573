/**
 * What a program is, as plain JSON: steps over tensors of fixed shapes. Readers of formats write
 * it; everything is checked here, so that no step reaches outside of its tensors.
 */
import * as codes from '../../../assembly/shared/codes.ts';
import { checkChoice, checkInteger, checkList, checkNumber } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { checkActivation } from '../activations.ts';
import type { RowActivation } from '../activations.ts';
import { gru } from '../recurrent/gru.ts';
import type { GruSpec } from '../recurrent/gru.ts';
import { lstm } from '../recurrent/lstm.ts';
import type { LstmSpec } from '../recurrent/lstm.ts';
import { rnn } from '../recurrent/rnn.ts';
import type { RnnSpec } from '../recurrent/rnn.ts';

/** A tensor by its number, and the first element that counts. */
export type ProgramPlace = readonly [tensor: number, from: number];
/** How often, and how many elements the result and both operands go on. */
export type ProgramAxis = readonly [count: number, to: number, a: number, b: number];

/** Windows over two axes, [height, width]. */
export interface ProgramImage {
  readonly channels: number;
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
  readonly taps: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Zeros before the first, and after the last. */
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
  /** Elements that each input stands for, of which the others are zeros. */
  readonly up: readonly [number, number];
}

/** Rows, depth and columns of a product, and the elements between neighbours. */
export interface ProgramMatrix {
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly aRow: number;
  readonly aColumn: number;
  /** Both absent where b is a constant in panels. */
  readonly bRow?: number;
  readonly bColumn?: number;
  readonly toRow: number;
  readonly isAdded?: boolean;
}

type Cell = RnnSpec | LstmSpec | GruSpec;

/** One operator over tensors; which of the options it has depends on `op`. */
export interface ProgramStep {
  readonly op: string;
  readonly to: ProgramPlace;
  readonly a: ProgramPlace;
  readonly b?: ProgramPlace;
  readonly axes?: readonly ProgramAxis[];
  /** Of a reduction and of rows: how many elements, or rows. */
  readonly count?: number;
  /** Of rows: how many there are to choose from, and elements of each. */
  readonly size?: number;
  readonly row?: number;
  readonly matrix?: ProgramMatrix;
  readonly image?: ProgramImage;
  /** Of an activation and of a norm: rows side by side. */
  readonly rows?: number;
  readonly width?: number;
  readonly activation?: ProgramActivation;
  readonly eps?: number;
  /** Of a recurrent layer: its options, steps and batch, and where its states come from and go. */
  readonly layer?: Cell;
  readonly steps?: number;
  readonly batch?: number;
  readonly from?: readonly (ProgramPlace | null)[];
  readonly last?: readonly (ProgramPlace | null)[];
}

/** An activation of a layer, or the exponential or error function, which only programs have. */
export type ProgramActivation = RowActivation | 'exp' | 'erf';

export interface ProgramConstant {
  readonly shape: readonly number[];
  /** Whether it is a matrix [columns, depth] that products read in panels. */
  readonly isMatrix?: boolean;
}

/**
 * Operators over tensors of fixed shapes, one call of them for every step of a sequence: what the
 * reader of ONNX makes of a graph that layers cannot carry. Tensors are numbered: its inputs, then
 * those carried from the step before, its constants, and what steps make. It cannot be trained.
 */
export interface ProgramSpec {
  readonly type: 'program';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Elements of each input; taken from the layers that it reads when absent. */
  readonly inputSizes?: readonly number[];
  /** What the step before has left, which begins as zeros: where it is when a step has run. */
  readonly carries?: readonly { readonly size: number; readonly from: ProgramPlace }[];
  /** Its parameters, `constant.0` and so on, which nothing trains. */
  readonly constants?: readonly ProgramConstant[];
  /** Elements of each tensor that steps make. */
  readonly tensors: readonly number[];
  /** Its steps, each a call of a kernel, in their order. */
  readonly steps: readonly ProgramStep[];
  /** What a row of outputs is made of, one after the other. */
  readonly outputs: readonly { readonly size: number; readonly from: ProgramPlace }[];
}

export type CompleteProgram = Required<ProgramSpec>;

/** The codes of walks by the names of their operators. */
export const WALKS: Readonly<Record<string, number>> = {
  copy: codes.WALK_COPY,
  add: codes.WALK_ADD,
  subtract: codes.WALK_SUBTRACT,
  multiply: codes.WALK_MULTIPLY,
  divide: codes.WALK_DIVIDE,
  power: codes.WALK_POWER,
  min: codes.WALK_MIN,
  max: codes.WALK_MAX,
  equal: codes.WALK_EQUAL,
  greater: codes.WALK_GREATER,
  notLess: codes.WALK_NOT_LESS,
  and: codes.WALK_AND,
  or: codes.WALK_OR,
  prelu: codes.WALK_PRELU,
  pick: codes.WALK_PICK,
  floor: codes.WALK_FLOOR,
  ceil: codes.WALK_CEIL,
  round: codes.WALK_ROUND,
  truncate: codes.WALK_TRUNCATE,
  sum: codes.WALK_SUM,
  product: codes.WALK_PRODUCT,
  largest: codes.WALK_LARGEST,
  smallest: codes.WALK_SMALLEST,
  gather: codes.WALK_GATHER,
  scatter: codes.WALK_SCATTER,
  matrix: codes.WALK_MATRIX,
  convolution: codes.WALK_CONVOLUTION,
  maxPool: codes.WALK_POOL,
  meanPool: codes.WALK_POOL,
};

const OTHERS = ['activation', 'norm', 'recurrent'];

export const CELLS: Readonly<Record<string, typeof lstm | typeof gru | typeof rnn>> = {
  rnn,
  lstm,
  gru,
};

/** Most tensors, steps and elements of a tensor. */
const MAX_COUNT = 2 ** 14;
const MAX_SIZE = 2 ** 28;
const MAX_RANK = 8;

/** Elements from a place on that an operand reads or a result takes. */
interface Extents {
  readonly to: number;
  readonly a: number;
  readonly b?: number;
}

const area = ([high, wide]: readonly [number, number]): number => high * wide;

function wrong(at: string, problem: string): never {
  throw new GatefoldError('ERR_ARGUMENT', `"${at}" ${problem}`);
}

function pair(at: string, value: unknown, low: number, high: number): void {
  const list = checkList(at, value as readonly unknown[]);
  if (list.length !== 2) wrong(at, 'expected two numbers');
  for (const [k, size] of [...(list as unknown[])].entries()) {
    checkInteger(`${at}[${k}]`, size, low, high);
  }
}

function imageExtents(at: string, step: ProgramStep): Extents {
  const { image, matrix } = step;
  if (!image) wrong(`${at}.image`, 'is needed');
  const sizes = ['input', 'output', 'taps', 'strides', 'dilations', 'up'] as const;
  checkInteger(`${at}.image.channels`, image.channels, 1, MAX_SIZE);
  for (const key of sizes) pair(`${at}.image.${key}`, image[key], 1, 2 ** 20);
  for (const key of ['before', 'after'] as const) {
    pair(`${at}.image.${key}`, image[key], -(2 ** 20), 2 ** 20);
  }
  if (step.op !== 'convolution') return { to: area(image.output), a: area(image.input) };
  const { rows, depth, columns } = checkMatrix(at, matrix);
  const taps = image.channels * area(image.taps);
  if (depth !== taps || columns !== area(image.output)) wrong(`${at}.matrix`, 'does not fit');
  return { to: rows * columns, a: image.channels * area(image.input), b: rows * depth };
}

function checkMatrix(at: string, matrix: ProgramMatrix | undefined): ProgramMatrix {
  if (!matrix) wrong(`${at}.matrix`, 'is needed');
  for (const key of ['rows', 'depth', 'columns'] as const) {
    checkInteger(`${at}.matrix.${key}`, matrix[key], 1, MAX_SIZE);
  }
  for (const key of ['aRow', 'aColumn', 'bRow', 'bColumn', 'toRow'] as const) {
    checkInteger(`${at}.matrix.${key}`, matrix[key] ?? 0, 0, MAX_SIZE);
  }
  if (matrix.toRow < matrix.columns) wrong(`${at}.matrix.toRow`, 'is less than its columns');
  return matrix;
}

function extentsOf(at: string, step: ProgramStep): Extents {
  const code = WALKS[step.op]!;
  const { count = 0, size = 0, row = 0 } = step;
  if (code < codes.WALK_SUM) return { to: 1, a: 1, ...(step.b && { b: 1 }) };
  if (code < codes.WALK_GATHER) {
    return { to: 1, a: checkInteger(`${at}.count`, count, 1, MAX_SIZE) };
  }
  if (code < codes.WALK_MATRIX) {
    for (const [key, value] of Object.entries({ count, size, row })) {
      checkInteger(`${at}.${key}`, value, 1, MAX_SIZE);
    }
    const [some, all] = [count * row, size * row];
    return step.op === 'gather' ? { to: some, a: all, b: count } : { to: all, a: some, b: count };
  }
  if (code > codes.WALK_MATRIX) return imageExtents(at, step);
  const m = checkMatrix(at, step.matrix);
  const reach = (n: number, by: number): number => (n - 1) * by;
  const isPacked = m.bRow === undefined || m.bColumn === undefined;
  return {
    to: reach(m.rows, m.toRow) + m.columns,
    a: reach(m.rows, m.aRow) + reach(m.depth, m.aColumn) + 1,
    b: isPacked ? m.depth * m.columns : reach(m.depth, m.bRow!) + reach(m.columns, m.bColumn!) + 1,
  };
}

/** Where steps may read and write, and what they have written so far. */
class Checker {
  readonly #sizes: readonly number[];
  /** The first tensor that steps make. */
  readonly #own: number;
  readonly #written = new Set<number>();
  readonly #constants: readonly ProgramConstant[];
  readonly #firstConstant: number;

  constructor({ inputSizes, carries, constants, tensors }: CompleteProgram) {
    const shapes = constants.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    this.#firstConstant = inputSizes.length + carries.length;
    this.#constants = constants;
    this.#own = this.#firstConstant + constants.length;
    this.#sizes = [...inputSizes, ...carries.map(({ size }) => size), ...shapes, ...tensors];
  }

  /** A range of a tensor: from `low` to `high` after its place. */
  range(at: string, place: unknown, low: number, high: number, isResult = false): void {
    const list = checkList(at, place as ArrayLike<unknown>);
    const tensor = checkInteger(
      `${at}[0]`,
      list[0],
      isResult ? this.#own : 0,
      this.#sizes.length - 1,
    );
    const from = checkInteger(`${at}[1]`, list[1], 0, MAX_SIZE);
    if (!(from + low >= 0 && from + high <= this.#sizes[tensor]!)) {
      wrong(at, `reaches outside of its tensor of ${this.#sizes[tensor]} elements`);
    }
    if (isResult) this.#written.add(tensor);
    else if (tensor >= this.#own && !this.#written.has(tensor)) {
      wrong(at, 'is read before it is written');
    }
  }

  step(at: string, step: ProgramStep): void {
    checkChoice(`${at}.op`, step?.op, [...Object.keys(WALKS), ...OTHERS]);
    if (step.op === 'recurrent') this.#recurrent(at, step);
    else if (OTHERS.includes(step.op)) this.#rows(at, step);
    else this.#walk(at, step);
  }

  #walk(at: string, step: ProgramStep): void {
    const axes = checkList(`${at}.axes`, step.axes as readonly ProgramAxis[]);
    if (axes.length < 1 || axes.length > MAX_RANK) wrong(`${at}.axes`, `expected 1 to ${MAX_RANK}`);
    let visits = 1;
    const spans = [0, 0, 0, 0, 0, 0];
    for (let k = 0; k < axes.length; k++) {
      const axis = checkList(`${at}.axes[${k}]`, axes[k]!);
      const count = checkInteger(`${at}.axes[${k}][0]`, axis[0], 1, MAX_SIZE);
      visits *= count;
      for (let j = 0; j < 3; j++) {
        const by = checkInteger(`${at}.axes[${k}][${j + 1}]`, axis[j + 1], -MAX_SIZE, MAX_SIZE);
        spans[2 * j + (by < 0 ? 0 : 1)]! += (count - 1) * by;
      }
    }
    const { to, a, b } = extentsOf(at, step);
    this.range(`${at}.a`, step.a, spans[2]!, spans[3]! + a);
    if (b !== undefined) this.range(`${at}.b`, step.b, spans[4]!, spans[5]! + b);
    if (step.op === 'pick') this.range(`${at}.to`, step.to, spans[0]!, spans[1]! + to);
    this.range(`${at}.to`, step.to, spans[0]!, spans[1]! + to, true);
    const { matrix, image } = step;
    // Each visit has elements of its own: no description makes a step run for ever.
    const made = matrix ? matrix.rows * matrix.columns : image ? area(image.output) : 1;
    if (visits * made > this.#sizes[step.to[0]]!) wrong(`${at}.axes`, 'go over too many elements');
    if (step.op !== 'matrix') return;
    const isPacked = matrix!.bRow === undefined || matrix!.bColumn === undefined;
    const constant = this.#constants[step.b![0] - this.#firstConstant];
    const [columns, depth] = constant?.isMatrix ? constant.shape : [];
    if (isPacked !== (constant?.isMatrix === true)) wrong(`${at}.b`, 'is in another layout');
    if (!isPacked) return;
    const isWhole = step.b![1] === 0 && spans[4] === 0 && spans[5] === 0;
    if (columns !== matrix!.columns || depth !== matrix!.depth || !isWhole) {
      wrong(`${at}.b`, 'does not fit');
    }
  }

  /** Rows side by side, of which a kernel writes whole vectors. */
  #rows(at: string, step: ProgramStep): void {
    const rows = checkInteger(`${at}.rows`, step.rows, 1, MAX_SIZE);
    const width = checkInteger(`${at}.width`, step.width, 1, MAX_SIZE);
    const { activation } = step;
    if (step.op === 'norm') checkNumber(`${at}.eps`, step.eps, 0);
    else if (activation !== 'exp' && activation !== 'erf') {
      checkActivation(`${at}.activation`, activation);
    }
    this.range(`${at}.a`, step.a, 0, rows * width);
    this.range(`${at}.to`, step.to, 0, rows * width, true);
    // What is after the last row is written over.
    if (step.to[1] !== 0 || step.to[0] === step.a[0]) wrong(`${at}.to`, 'expected a whole tensor');
  }

  #recurrent(at: string, { a, to, layer, steps, batch, from = [], last = [] }: ProgramStep): void {
    const cell = checkChoice(`${at}.layer.type`, layer?.type as string, Object.keys(CELLS));
    const T = checkInteger(`${at}.steps`, steps, 1, 2 ** 20);
    const B = checkInteger(`${at}.batch`, batch, 1, 2 ** 20);
    const I = checkInteger(`${at}.layer.inputSize`, layer!.inputSize, 1, 2 ** 20);
    const H = checkInteger(`${at}.layer.hiddenSize`, layer!.hiddenSize, 1, 2 ** 20);
    const states = cell === 'lstm' ? 2 : 1;
    this.range(`${at}.a`, a, 0, T * B * I);
    for (const [key, list, isResult] of [
      ['from', from, false],
      ['last', last, true],
    ] as const) {
      checkList(`${at}.${key}`, list);
      if (list.length > states) wrong(`${at}.${key}`, `expected at most ${states}`);
      for (const [k, place] of list.entries()) {
        if (place !== null) this.range(`${at}.${key}[${k}]`, place, 0, B * H, isResult);
      }
    }
    this.range(`${at}.to`, to, 0, T * B * H, true);
  }
}

function count(at: string, list: readonly unknown[] | undefined): void {
  checkInteger(`${at}.length`, checkList(at, list!).length, 0, MAX_COUNT);
}

/** Refuses a program whose steps do not fit their tensors. */
export function checkProgram(at: string, program: CompleteProgram): void {
  const { carries, constants, tensors, steps, outputs } = program;
  for (const [key, list] of Object.entries({ carries, constants, tensors, steps, outputs })) {
    count(`${at}.${key}`, list);
  }
  for (const [k, { shape }] of constants.entries()) {
    count(`${at}.constants[${k}].shape`, shape);
    if (!shape.length) wrong(`${at}.constants[${k}].shape`, 'is empty');
    const sizes = shape.map((size) =>
      checkInteger(`${at}.constants[${k}].shape`, size, 1, MAX_SIZE),
    );
    checkInteger(
      `${at}.constants[${k}]`,
      sizes.reduce((a, b) => a * b, 1),
      1,
      MAX_SIZE,
    );
    if (constants[k]!.isMatrix && shape.length !== 2)
      wrong(`${at}.constants[${k}]`, 'is no matrix');
  }
  for (const [k, size] of tensors.entries()) {
    checkInteger(`${at}.tensors[${k}]`, size, 1, MAX_SIZE);
  }
  const checker = new Checker(program);
  for (const [k, { size }] of [...carries, ...outputs].entries()) {
    checkInteger(`${at}.outputs[${k}].size`, size, 1, MAX_SIZE);
  }
  for (const [k, step] of steps.entries()) checker.step(`${at}.steps[${k}]`, step);
  for (const [k, { size, from }] of [...carries, ...outputs].entries()) {
    checker.range(`${at}.outputs[${k}].from`, from, 0, size);
  }
  if (!outputs.length) wrong(`${at}.outputs`, 'is empty');
}
