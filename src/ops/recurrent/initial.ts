/** The states that a recurrent layer starts from, and those that it ends with as outputs. */

import { checkKeys, roundUp, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { NONE } from '../../engine/plan.ts';
import type { Plan } from '../../engine/plan.ts';
import type {
  Bound,
  Context,
  Node,
  ParameterSpec,
  PassSize,
  Places,
  Resample,
  StateSpec,
} from '../op.ts';
import { POOLING } from '../pool.ts';

/**
 * `learned`: parameters h0 and c0, the same for every sequence. An object names what h and c are:
 * layers or parts with one row a sequence, such as `encoder.h`; sub-layers and directions side by
 * side.
 */
export type InitialState =
  | 'zero'
  | 'learned'
  | {
      /** The layer, or a part such as `encoder.h`, whose rows h begins with. */
      readonly h: string;
      /** The same of c, of an LSTM; zeros where absent. */
      readonly c?: string;
    };

/** Checks the option by itself. */
export function checkInitialState(name: string, value: unknown): unknown {
  if (value === 'zero' || value === 'learned') return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${name}" expected 'zero', 'learned' or an object such as { h: 'encoder.h' }, got ${show(value)}`,
    );
  }
  checkKeys(name, value, ['h', 'c']);
  return value;
}

/** Checks what an option names against the states of a layer: `widths` features of each. */
export function checkInitialSources(
  initial: InitialState | undefined,
  widths: Readonly<Record<string, number>>,
  { at, shapeOf }: Context,
): void {
  if (typeof initial !== 'object') return;
  checkKeys(`${at}.initialState`, initial, Object.keys(widths));
  const given: Readonly<Record<string, unknown>> = initial;
  const roles = Object.keys(widths).filter((role) => role === 'h' || given[role] !== undefined);
  for (const role of roles) {
    const name = given[role];
    const shape = typeof name === 'string' ? shapeOf(name) : undefined;
    const title = `${at}.initialState.${role}`;
    if (!shape?.isRow) {
      const got = shape ? `${show(name)}, which has a row for each step` : show(name);
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${title}" expected the name of something before it with one row a sequence, such as a pool or 'encoder.h', got ${got}`,
      );
    }
    if (shape.features === undefined || shape.features === widths[role]) continue;
    throw new GatefoldError(
      'ERR_SHAPE',
      `"${title}" expected ${widths[role]} features, got ${shape.features} of ${show(name)}`,
    );
  }
}

/** The last state of a node of a recurrent layer, one row a sequence. */
export class FinalStateNode implements Node {
  readonly parameters: readonly ParameterSpec[] = [];
  readonly states: readonly StateSpec[] = [];
  readonly resample: Resample = POOLING;
  readonly isWhole = true;
  readonly name: string;
  readonly layer: string;
  readonly sources: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly #spec: StateSpec;

  /** @param outputs of the node that has the state. */
  constructor(source: number, { layer, name, outputs }: Node, spec: StateSpec) {
    this.layer = layer;
    this.name = `${name}.${spec.role}`;
    this.sources = [source];
    this.inputs = outputs;
    this.outputs = spec.width;
    this.rowLength = roundUp(spec.width, 4);
    this.#spec = spec;
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const { role, row } = this.#spec;
    const { values, gradient: last, rowOf } = at.stateOf(0, role);
    if (mode === 'stream') {
      // Every step is the last one so far.
      const slot = plan.part(values, batch * row);
      return { output: { slot, row }, gradient: NONE, forward: () => undefined };
    }
    const isTraining = mode === 'train';
    const [take, give] = [plan.descriptor('Rows'), plan.descriptor('Rows')];
    const output = plan.reserve(batch * row);
    const gradient = isTraining ? plan.reserve(batch * row) : NONE;
    const index = plan.reserve(batch);
    let rows = batch * steps;
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const own = { rows: batch, width: 4 * row, toRow: 4 * row, fromRow: 4 * row };
        kernels.write(take, { ...own, index, from: values, to: output });
        kernels.write(give, { ...own, from: gradient, to: last });
      },
      arrange: (extent) => {
        ({ rows } = extent);
        const places = kernels.integers(index);
        for (const [place, length] of extent.lengths.entries()) {
          places[place] = rowOf(extent, place, length, 0);
        }
      },
      forward: () => kernels.run.rows_gather(take.address),
      backward: () => {
        kernels.run.rows_add(give.address);
        // What its last state was is all that it has seen of the outputs.
        const dx = at.gradientOfInput(0);
        kernels.zero(dx.slot, 0, rows * dx.row);
      },
    };
  }
}
