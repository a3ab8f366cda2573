/**
 * What flows between nodes when a model runs, and which axis is which.
 *
 * gatefold holds rows of features: for each step of a sequence and each sequence of a batch one.
 * The axes of a tensor of ONNX are made of atoms: the batch, the steps, and features. An axis of
 * size 1 has none, one that a Reshape has merged several. So Transpose, Reshape, Squeeze and
 * Unsqueeze change the axes alone, as long as each row keeps its features.
 */
import { productOfDims } from './dims.ts';
import type { Dim } from './dims.ts';
import type { Node } from './node.ts';

export type Role = 'batch' | 'time' | 'features';

/** A factor of a size. Those of an input have no role until an operator tells it. */
export class Atom {
  readonly size: Dim;
  #role: Role | undefined;
  #isRows = false;
  #same: Atom | undefined;

  constructor(size: Dim, role?: Role) {
    this.size = size;
    this.#role = role;
  }

  get #first(): Atom {
    let first = this.#same;
    if (!first) return this;
    while (first.#same) first = first.#same;
    return (this.#same = first);
  }

  get role(): Role | undefined {
    return this.#first.#role;
  }

  /** Whether it may be anything yet but features. */
  get isRows(): boolean {
    const { role } = this;
    return role === undefined ? this.#first.#isRows : role !== 'features';
  }

  /** Says what it is; false where it is something else. */
  become(role: Role): boolean {
    const first = this.#first;
    if (first.#role !== undefined) return first.#role === role;
    if (first.#isRows && role === 'features') return false;
    first.#role = role;
    return true;
  }

  /** Says that it is no features. */
  becomeRows(): boolean {
    const first = this.#first;
    if (first.#role === 'features') return false;
    first.#isRows = true;
    return true;
  }

  /** Says that another one is the same; false where it cannot be. */
  join(other: Atom): boolean {
    const [a, b] = [this.#first, other.#first];
    if (a === b) return true;
    if (a.#role !== undefined && b.#role !== undefined) return a.#role === b.#role;
    const known = a.#role === undefined ? b : a;
    const role = known.#role;
    if (role === 'features' && (a.#isRows || b.#isRows)) return false;
    const other_ = known === a ? b : a;
    known.#isRows ||= other_.#isRows;
    other_.#same = known;
    return true;
  }
}

export type Axis = readonly Atom[];

/** An input of the model. */
export class GraphInput {
  readonly name: string;
  readonly axes: readonly Axis[];
  readonly isFloat: boolean;
  readonly rows: Rows;
  isTokens = false;
  /** Whether some layer needs to know how many steps there are. */
  isFixed = false;

  constructor(name: string, axes: readonly Axis[], isFloat: boolean) {
    this.name = name;
    this.axes = axes;
    this.isFloat = isFloat;
    this.rows = new Rows(undefined, this);
  }

  get atoms(): readonly Atom[] {
    return this.axes.flat();
  }

  get time(): Atom | undefined {
    return this.atoms.find(({ role }) => role === 'time');
  }
}

/** Which rows there are. */
export class Rows {
  /** `step`: one for each step of each sequence; `row`: one a sequence; `inner`: within a step. */
  #kind: 'step' | 'row' | 'inner' | undefined;
  #same: Rows | undefined;
  readonly input: GraphInput | undefined;
  /** Whether some layer reads features of them as steps. */
  isSpread = false;
  /** Of steps within a step: the rows that they are in. */
  readonly outer: Rows | undefined;

  constructor(kind: 'step' | 'row' | 'inner' | undefined, input?: GraphInput, outer?: Rows) {
    this.#kind = kind;
    this.input = input;
    this.outer = outer;
  }

  get first(): Rows {
    let first = this.#same;
    if (!first) return this;
    while (first.#same) first = first.#same;
    return (this.#same = first);
  }

  get kind(): 'step' | 'row' | 'inner' | undefined {
    return this.first.#kind;
  }

  become(kind: 'step' | 'row'): void {
    this.first.#kind ??= kind;
  }

  join(other: Rows): void {
    const [a, b] = [this.first, other.first];
    if (a === b) return;
    a.#kind ??= b.#kind;
    a.isSpread ||= b.isSpread;
    b.#same = a;
  }
}

/** (erf(x / sqrt(2)) + 1) times a factor, on the way to gelu; without the 1 at first. */
export interface Erf {
  /** What gives x. */
  readonly of: string;
  readonly factor: number;
  readonly isOne: boolean;
}

/** Products of queries and keys, on the way to attention. */
export interface Scores {
  readonly queries: Flow;
  readonly keys: Flow;
  /** The axes that they have, whose last one are the steps of the keys. */
  readonly axes: readonly Axis[];
  readonly factor: number;
  /** Whether those of a query add up to 1. */
  readonly isShare: boolean;
}

/** A tensor that is only known when the model runs. */
export interface Flow {
  /** The layer, part of a layer or input that gives it. */
  readonly source: string;
  readonly rows: Rows;
  readonly axes: readonly Axis[];
  /** Atoms in the order in which a row has its features; others among them do not count. */
  readonly held: readonly Atom[];
  /** The input, of what no layer has changed. */
  readonly input?: GraphInput;
  /** Of the error function, which is read as a part of gelu alone. */
  readonly erf?: Erf;
  /** Of scores, which are read as a part of attention alone. */
  readonly scores?: Scores;
  /** Rows of zeros that are to be added in front and behind. */
  readonly pad?: readonly [number, number];
}

/** Why a flow is no tensor yet that any operator may read. */
export function partOf({ erf, scores }: Flow): string | undefined {
  if (erf) return 'it reads an Erf, which is supported as a part of Gelu alone';
  return (
    scores &&
    'it reads a product of two computed tensors, which is supported as a part of attention alone'
  );
}

export const sizeOf = (axis: Axis): Dim => productOfDims(axis.map(({ size }) => size));
export const dimsOf = ({ axes }: Flow): Dim[] => axes.map(sizeOf);

export const isFeature = ({ role }: Atom): boolean => role === 'features';

/** An axis of a new size: of size 1 it has no atoms. */
export const axisOf = (size: Dim, role?: Role): Atom[] =>
  size === 1 ? [] : [new Atom(size, role)];

/** Says that all of these are features. */
export function asFeatures(atoms: readonly Atom[], node: Node): void {
  for (const atom of atoms) {
    if (atom.become('features')) continue;
    node.refuse(
      `it works on an axis of ${atom.size} that is ${atom.role === 'time' ? 'the steps of the sequence' : 'the batch'} elsewhere: only operators that keep steps and features apart are supported`,
    );
  }
}

/** Says that all of these are rows. */
export function asRows(atoms: readonly Atom[], node: Node): void {
  for (const atom of atoms) {
    if (!atom.becomeRows()) {
      node.refuse(`it treats an axis of ${atom.size} features as rows, which is not supported`);
    }
  }
}

/** The number of features of a row, where the file says it. */
export function widthOf(flow: Flow, node: Node): number {
  const width = productOfDims(flow.held.filter(isFeature).map(({ size }) => size));
  if (typeof width === 'number') return width;
  return node.refuseOpen(width);
}
