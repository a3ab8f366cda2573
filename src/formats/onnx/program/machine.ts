/** The program in the making: tensors and steps. */
import { GatefoldError, shorten } from '../../../base/errors.ts';
import type { Tensor as Parameter } from '../../../base/tensor.ts';
import type {
  ProgramActivation,
  ProgramAxis,
  ProgramPlace,
  ProgramSpec,
  ProgramStep,
} from '../../../ops/program/spec.ts';
import type { Call, Value } from '../call.ts';
import { floatsOf } from '../constants.ts';
import type { Constant } from '../constants.ts';
import type { Folding } from '../fold.ts';
import { broadcast } from '../fold.ts';
import type { Node } from '../node.ts';
import { isPlain, plainStrides, sizeOf, spread } from './tensor.ts';
import type { Store, Tensor } from './tensor.ts';

/** Most elements of a tensor, and of all that steps make. */
const MAX_SIZE = 2 ** 28;
const MAX_RANK = 8;

/** A step whose tensors are stores yet. */
interface Step extends Omit<ProgramStep, 'to' | 'a' | 'b' | 'from' | 'last'> {
  readonly to: Tensor;
  readonly a: Tensor;
  readonly b?: Tensor;
  readonly from?: readonly (Tensor | null)[];
  readonly last?: readonly (Tensor | null)[];
  /** Of a recurrent layer: its parameters. */
  readonly parameters?: ReadonlyMap<string, Parameter>;
}

/** Axes that all three go over alike, as few as can be. */
export function axesOf(to: Tensor, a: Tensor, b: Tensor): ProgramAxis[] {
  const axes: [number, number, number, number][] = [];
  for (const [k, size] of to.dims.entries()) {
    if (size === 1) continue;
    const own = [to, a, b].map(({ strides }) => strides[k]!) as [number, number, number];
    const outer = axes.at(-1);
    if (outer && own.every((stride, j) => outer[j + 1] === stride * size)) {
      axes[axes.length - 1] = [outer[0] * size, ...own];
    } else axes.push([size, ...own]);
  }
  return axes.length ? axes : [[1, 0, 0, 0]];
}

const readBy = ({ op, to, a, b, from = [] }: Step): Store[] =>
  [
    ...(op === 'pick' || op === 'scatter' ? [to] : []),
    ...[a, b, ...from].flatMap((tensor) => tensor ?? []),
  ].map(({ store }) => store);

const madeBy = ({ to, last = [] }: Step): Store[] =>
  [to, ...last.flatMap((tensor) => tensor ?? [])].map(({ store }) => store);

export class Machine {
  readonly #steps: Step[] = [];
  readonly #constants = new Map<Constant, Tensor>();
  readonly #numbers = new Map<number, Tensor>();
  readonly #matrices = new Map<Constant, Tensor>();
  readonly inputs: Map<string, Tensor> = new Map();

  input(name: string, dims: readonly number[], isFloat: boolean, isCarried: boolean): Tensor {
    const size = sizeOf(dims);
    if (!(size >= 1 && size <= MAX_SIZE)) {
      const message = `the input "${shorten(name)}" has ${size} elements, which is not supported`;
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
    const store: Store = { kind: isCarried ? 'carry' : 'input', size, name };
    const tensor = { store, from: 0, dims, strides: plainStrides(dims), isFloat };
    this.inputs.set(name, tensor);
    return tensor;
  }

  /** Memory for a tensor. */
  make(dims: readonly number[], node: Node, isFloat = true): Tensor {
    const size = sizeOf(dims);
    if (!(size >= 1 && size <= MAX_SIZE)) node.refuse(`it makes a tensor of ${size} elements`);
    const store: Store = { kind: 'made', size };
    return { store, from: 0, dims, strides: plainStrides(dims), isFloat };
  }

  number(value: number): Tensor {
    const known = this.#numbers.get(value);
    if (known) return known;
    const made = this.table([1], Float32Array.of(value));
    const tensor = { ...made, dims: [], strides: [] };
    this.#numbers.set(value, tensor);
    return tensor;
  }

  /** A constant of a program that the file does not have in this form. */
  table(shape: readonly number[], data: Float32Array, isMatrix = false): Tensor {
    const store: Store = { kind: 'constant', size: data.length, data, shape, isMatrix };
    return { store, from: 0, dims: shape, strides: plainStrides(shape), isFloat: true };
  }

  constant(constant: Constant, node: Node): Tensor {
    const known = this.#constants.get(constant);
    if (known) return known;
    const { dims, isFloat } = constant;
    const data = floatsOf(constant);
    if (!data.length) node.refuse('it reads a tensor without elements, which is not supported');
    const tensor =
      data.length === 1
        ? { ...this.number(data[0]!), dims, strides: dims.map(() => 1), isFloat }
        : { ...this.table(dims, data), isFloat };
    this.#constants.set(constant, tensor);
    return tensor;
  }

  /** A matrix [depth, columns] that products read in panels. */
  matrix(constant: Constant, isTurned: boolean, folding: Folding): Tensor {
    const known = isTurned ? undefined : this.#matrices.get(constant);
    if (known) return known;
    const data = floatsOf(constant);
    const [rows, columns] = constant.dims as [number, number];
    let own = data;
    if (!isTurned) {
      folding.take(data.length);
      own = new Float32Array(data.length);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) own[c * rows + r] = data[r * columns + c]!;
      }
    }
    const made = this.table(isTurned ? [rows, columns] : [columns, rows], own, true);
    if (!isTurned) this.#matrices.set(constant, made);
    return made;
  }

  /** What an input of a node is as a tensor. */
  tensorAt({ node, inputs }: Call, k: number): Tensor {
    const value = inputs[k];
    if (value && 'tensor' in value) return value.tensor;
    if (value && 'constant' in value) return this.constant(value.constant, node);
    return node.refuse(`it has no input ${k}`);
  }

  add(step: Step): void {
    this.#steps.push(step);
  }

  /** Fills a tensor by an operator of elements, which its operands fit or repeat to. */
  fill(to: Tensor, op: string, a: Tensor, b: Tensor = a): void {
    const [x, y] = [spread(a, to.dims), spread(b, to.dims)];
    const axes = axesOf(to, x, op === 'copy' ? x : y);
    this.add({ op, to, a: x, ...(op !== 'copy' && { b: y }), axes });
  }

  /** The same into memory of its own. */
  elementwise(
    op: string,
    node: Node,
    a: Tensor,
    b: Tensor = a,
    isFloat: boolean = a.isFloat,
  ): Tensor {
    const dims = broadcast(a.dims, b.dims, node);
    if (dims.length > MAX_RANK) node.refuse(`it has more than ${MAX_RANK} axes`);
    const to = this.make(dims, node, isFloat);
    this.fill(to, op, a, b);
    return to;
  }

  /** The same elements row by row. */
  plain(tensor: Tensor, node: Node): Tensor {
    if (isPlain(tensor)) return { ...tensor, strides: plainStrides(tensor.dims) };
    return this.elementwise('copy', node, tensor);
  }

  /** The same elements in memory of their own, which steps may change. */
  copy(tensor: Tensor, node: Node): Tensor {
    return this.elementwise('copy', node, tensor);
  }

  /** The same elements row by row as axes of other sizes. */
  reshaped(tensor: Tensor, dims: readonly number[], node: Node): Tensor {
    const own = this.plain(tensor, node);
    return { ...own, dims, strides: plainStrides(dims) };
  }

  activation(activation: ProgramActivation, given: Tensor, node: Node, rows = 1): Tensor {
    const a = this.plain(given, node);
    const to = this.make(a.dims, node, a.isFloat);
    const width = sizeOf(a.dims) / rows;
    this.add({ op: 'activation', to, a, rows, width, activation });
    return to;
  }

  /** The description of the layer, and its parameters. */
  finish(
    carries: readonly { readonly input: string; readonly output: Tensor }[],
    outputs: readonly Tensor[],
  ): {
    spec: ProgramSpec;
    parameters: Map<string, Parameter>;
    /** Names of the inputs that it reads. */
    inputs: string[];
  } {
    const needed = new Set(
      [...carries.map(({ output }) => output), ...outputs].map((t) => t.store),
    );
    const live = [...this.#steps]
      .reverse()
      .filter((step) => {
        if (!madeBy(step).some((store) => needed.has(store))) return false;
        for (const store of [...readBy(step), ...madeBy(step)]) needed.add(store);
        return true;
      })
      .reverse();
    const of = (kind: Store['kind']): Store[] => [...needed].filter((store) => store.kind === kind);
    const inputs = [...this.inputs.values()].map(({ store }) => store);
    const read = inputs.filter((store) => store.kind === 'input' && needed.has(store));
    const carried = carries.map(({ input }) => this.inputs.get(input)!.store);
    const [constants, made] = [of('constant'), of('made')];
    const numbers = new Map([...read, ...carried, ...constants, ...made].map((s, k) => [s, k]));
    const place = ({ store, from }: Tensor): ProgramPlace => [numbers.get(store)!, from];
    const maybe = (tensor: Tensor | null): ProgramPlace | null => tensor && place(tensor);
    const parameters = new Map<string, Parameter>();
    for (const [k, { shape, data }] of constants.entries()) {
      parameters.set(`constant.${k}`, { shape: shape!, data: data! });
    }
    const steps = live.map((step, k): ProgramStep => {
      const { to, a, b, from, last, parameters: own, ...rest } = step;
      for (const [name, tensor] of own ?? []) parameters.set(`${k}.${name}`, tensor);
      return {
        ...rest,
        to: place(to),
        a: place(a),
        ...(b && { b: place(b) }),
        ...(from && { from: from.map(maybe) }),
        ...(last && { last: last.map(maybe) }),
      };
    });
    const ends = (tensor: Tensor): { size: number; from: ProgramPlace } => {
      return { size: sizeOf(tensor.dims), from: place(tensor) };
    };
    const spec: ProgramSpec = {
      type: 'program',
      inputSizes: read.map(({ size }) => size),
      ...(carries.length && { carries: carries.map(({ output }) => ends(output)) }),
      ...(constants.length && {
        constants: constants.map(({ shape, isMatrix }) => {
          return { shape: shape!, ...(isMatrix && { isMatrix }) };
        }),
      }),
      tensors: made.map(({ size }) => size),
      steps,
      outputs: outputs.map(ends),
    };
    return { spec, parameters, inputs: read.map(({ name }) => name!) };
  }
}

/** What an operator of ONNX becomes. */
export type ProgramOperator = (call: Call, machine: Machine) => readonly (Value | undefined)[];
