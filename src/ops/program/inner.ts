/** A recurrent layer as a step of a program: the node of a model, in tensors of the program. */
import { GatefoldError } from '../../base/errors.ts';
import type { Fields, Kernels } from '../../engine/kernels.ts';
import { NONE } from '../../engine/plan.ts';
import type { Descriptor, Plan, Slot } from '../../engine/plan.ts';
import type {
  BoundState,
  Context,
  Crossing,
  Derived,
  GraphBuilder,
  Matrix,
  Node,
  ParameterPlaces,
  ParameterSpec,
  Places,
} from '../op.ts';
import { readTable } from '../options.ts';
import { reversal, uniformExtent } from '../pass.ts';
import { recurrent } from '../recurrent/recurrent.ts';
import type { CellKind } from '../recurrent/form.ts';
import { CELLS } from './spec.ts';
import type { ProgramPlace, ProgramStep } from './spec.ts';

/** A step in the memory of one workspace. */
export interface BoundStep {
  /** To be called once there is memory. */
  describe(): void;
  /** To be called after the parameters have changed. */
  prepare?(): void;
  run(): void;
}

/** The node of a checked layer of one direction. */
function nodeOf(name: string, given: NonNullable<ProgramStep['layer']>): Node {
  const op = recurrent(CELLS[given.type] as unknown as CellKind);
  const at = `${name}.layer`;
  const options = readTable(op.options, given, at, (_, value) => value as number);
  const { bidirectional, numLayers } = options;
  const more = 'initialState projSize dropout inputDropout recurrentDropout zoneout layerNorm';
  const isPlain = !bidirectional && numLayers === 1;
  if (!isPlain || more.split(' ').some((key) => options[key])) {
    const message = `"${at}" expected one direction of one layer, without options of training`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const layer = op.complete({ ...options, type: given.type, name } as never, { at } as Context);
  const nodes: Node[] = [];
  const build: GraphBuilder = {
    top: -1,
    sources: [-1],
    add: (node) => nodes.push(node) - 1,
    addPart: () => 0,
    find: () => -1,
    at: (index) => nodes[index],
    of: () => nodes[0]!,
  };
  op.lower(layer, build);
  return nodes[0]!;
}

/** Where the node finds what is not its own: in the program that it is a step of. */
class InnerPlaces implements Places {
  readonly kernels: Kernels;
  readonly isInt8 = false;
  readonly derived: Derived | undefined;
  readonly offsets: Slot;
  readonly outputOffsets: Slot;
  readonly mirror: () => Slot;
  readonly product: Descriptor<'Product'>;
  readonly operands: Fields<'Int8Product'> = {};
  readonly gradientLimit: number = Infinity;
  readonly stream = 0;
  readonly #outer: Places;
  readonly #x: Matrix;
  readonly #parameter: (role: string) => Slot;

  constructor(
    outer: Places,
    derived: Derived | undefined,
    x: Matrix,
    offsets: Slot,
    mirror: () => Slot,
    parameter: (role: string) => Slot,
  ) {
    this.kernels = outer.kernels;
    this.product = outer.product;
    this.offsets = offsets;
    this.outputOffsets = offsets;
    this.mirror = mirror;
    this.derived = derived;
    this.#outer = outer;
    this.#x = x;
    this.#parameter = parameter;
  }

  input(): Matrix {
    return this.#x;
  }

  parameter(role: string): Slot {
    return this.#parameter(role);
  }

  of(_: Node, role: string): Slot {
    return this.#parameter(role);
  }

  int8(): undefined {}
  masked(): undefined {}
  gradientOfInput = (): Matrix => ({ slot: NONE, row: 0 });
  gradient = (): Slot => NONE;
  gradientOf = (): Slot => NONE;
  sums = (): Slot => NONE;
  rest = (): Slot => NONE;
  offsetsOf = (): Slot => this.offsets;
  stepsOf = (): number => 0;
  stateOf = (): BoundState => this.#outer.stateOf(0, 'h');
  crossing = (): Crossing => ({ there: NONE, back: NONE });
}

export class Inner {
  readonly parameters: readonly ParameterSpec[];
  readonly #node: Node;
  readonly #step: ProgramStep;
  readonly #roleOf: (role: string) => string;

  constructor(name: string, step: ProgramStep) {
    this.#step = step;
    this.#node = nodeOf(name, step.layer!);
    this.#roleOf = (role) => `${name} ${role}`;
    this.parameters = this.#node.parameters.map((own) => {
      const { isInt8: _, ...parameter } = own;
      return { ...parameter, role: this.#roleOf(own.role), isFixed: true };
    });
  }

  derive(plan: Plan, at: ParameterPlaces): Derived | undefined {
    return this.#node.derive?.(plan, {
      kernels: at.kernels,
      isInt8: false,
      parameter: (role) => at.parameter(this.#roleOf(role)),
      of: (_, role) => at.parameter(this.#roleOf(role)),
      int8: () => undefined,
    });
  }

  reserve(
    plan: Plan,
    at: Places,
    derived: Derived | undefined,
    slotOf: (place: ProgramPlace) => Slot,
  ): BoundStep {
    const { kernels } = at;
    const { a, to, steps = 1, batch = 1, from = [], last = [] } = this.#step;
    const node = this.#node;
    const { inputs, outputs } = node;
    const extent = uniformExtent(steps, batch);
    const offsets = plan.reserve(steps + 1);
    let mirror: Slot | undefined;
    const mirrorOf = (): Slot => (mirror ??= plan.reserve(steps * batch));
    const parameter = (role: string): Slot => at.parameter(this.#roleOf(role));
    const x = { slot: slotOf(a), row: inputs };
    const places = new InnerPlaces(at, derived, x, offsets, mirrorOf, parameter);
    const bound = node.reserve(plan, places, { batch, steps, mode: 'infer' });
    const states = bound.states!.map(({ values }, k) => ({ values, row: node.states[k]!.row }));
    /** Rows between a state, or the outputs, and a tensor of the program. */
    const rows: { to: Slot; toRow: number; from: Slot; fromRow: number; count: number }[] = [];
    const width = 4 * outputs;
    for (const [k, { values, row }] of states.entries()) {
      const place = from[k];
      if (!place) continue;
      const [toRow, count] = [4 * row, batch];
      rows.push({ to: values, toRow, from: slotOf(place), fromRow: width, count });
    }
    const before = rows.length;
    const { slot, row: outputRow } = bound.output;
    const whole = steps * batch;
    rows.push({ to: slotOf(to), toRow: width, from: slot, fromRow: 4 * outputRow, count: whole });
    for (const [k, { values, row }] of states.entries()) {
      const place = last[k];
      if (!place) continue;
      const end = plan.part(values, whole * row);
      const [fromRow, count] = [4 * row, batch];
      rows.push({ to: slotOf(place), toRow: width, from: end, fromRow, count });
    }
    const copies = rows.map(() => plan.descriptor('Rows'));
    const copy = (first: number, end: number): void => {
      for (let k = first; k < end; k++) kernels.run.rows_gather(copies[k]!.address);
    };
    return {
      describe: () => {
        kernels.integers(offsets).set(extent.offsets);
        if (mirror) kernels.integers(mirror).set(reversal(extent));
        for (const { values, row } of states) kernels.zero(values, 0, batch * row);
        for (const [k, { count, ...fields }] of rows.entries()) {
          kernels.write(copies[k]!, { ...fields, width, rows: count });
        }
        bound.describe!();
        bound.arrange!(extent, extent, [extent]);
      },
      prepare: () => bound.prepare!(),
      run: () => {
        copy(0, before);
        bound.forward();
        copy(before, copies.length);
      },
    };
  }
}
