import { reserveBuffers, roundUp4 } from './buffers.ts';
import type { Buffers } from './buffers.ts';
import { NONE, Plan } from '../engine/plan.ts';
import type { Fields } from '../engine/kernels.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import { int8Operands } from '../engine/int8.ts';
import type { Store } from './parameters.ts';
import type { Unit } from '../ops/units.ts';

export interface WorkspaceOptions {
  readonly batch: number;
  /** Most steps of one pass. */
  readonly steps: number;
  /**
   * A vector like the parameters that gradients are added to; the workspace then keeps what the
   * backward pass needs.
   */
  readonly gradients?: Slot;
  /** Bound of the gradient of every gate's sum at every step. */
  readonly gradientLimit?: number;
  /**
   * Whether every step is the last one for now, so that a pool hands on what it reads: for streams.
   */
  readonly everyStep?: boolean;
}

/** What a workspace takes, before there is memory for it. */
export interface WorkspaceLayout {
  readonly plan: Plan;
  /** Units from this one on have one row a sequence. */
  readonly pooledFrom: number;
  /** Slots of the workspace by these names. */
  readonly input: Slot;
  readonly inputGradient: Slot;
  readonly staging: Slot;
  readonly offsets: Slot;
  readonly gates: Slot;
  readonly mirror: Slot;
  readonly product: Descriptor<'Product'>;
  /** What all products with weights of 8 bits share. */
  readonly int8: Fields<'Int8Product'>;
  readonly buffers: readonly Buffers[];
}

/** Plans the buffers of all units. */
export function layOut(
  store: Store,
  { batch, steps, gradients, everyStep = false }: WorkspaceOptions,
): WorkspaceLayout {
  const plan = new Plan();
  const { units } = store;
  const inputs = units[0]!.inputs;
  const training = gradients !== undefined;
  const pooledFrom = everyStep ? units.length : store.pooledFrom;
  const input = plan.reserve(steps * batch * inputs);
  const inputGradient = training ? plan.reserve(steps * batch * roundUp4(inputs)) : NONE;
  const staging = plan.reserve(steps * batch * Math.max(inputs, units.at(-1)!.outputs));
  const offsets = plan.reserve(steps + 1);
  const widest = units.map((unit) => (unit.kind === 'recurrent' ? unit.columns : 0));
  const gates = plan.reserve(Math.max(...widest));
  const mirror = store.causal ? NONE : plan.reserve(steps * batch);
  const product = plan.descriptor('Product');
  const int8 = store.int8 ? reserveInt8(plan, units, steps * batch) : {};
  const buffers = units.map((unit, i) => {
    const own = i < pooledFrom ? steps : 1;
    return reserveBuffers(plan, store, unit, batch, own, training);
  });
  return {
    plan,
    pooledFrom,
    input,
    inputGradient,
    staging,
    offsets,
    gates,
    mirror,
    product,
    int8,
    buffers,
  };
}

/** Room for the quantised activations of any product. */
function reserveInt8(plan: Plan, units: readonly Unit[], rows: number): Fields<'Int8Product'> {
  const depths = units.map((unit) =>
    unit.kind === 'recurrent' ? Math.max(unit.inputs, unit.depth) : unit.inputs,
  );
  const { length, ...sizes } = int8Operands(rows, Math.max(...depths));
  return { ...sizes, operands: plan.reserve(length) };
}
