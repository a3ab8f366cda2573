import type { ActivationCode, ActivationName } from '../activations.ts';
import type { OptionTable } from '../options.ts';
import type { CellSpec } from './specs.ts';

/** What a layer has beyond its cell, resolved; see `Options` in assembly/base/structs.ts. */
export interface CellOptions {
  readonly gate: ActivationCode;
  readonly candidate: ActivationCode;
  readonly output: ActivationCode;
  readonly preactClip: number;
  readonly cellClip: number;
  readonly projClip: number;
  readonly zoneout: number;
  readonly recurrentDropout: number;
  /** P, or 0. */
  readonly projected: number;
  readonly layerNorm: boolean;
  /** Whether the slopes of the activations need their sums. */
  readonly keepsSums: boolean;
}

/** What a layer needs to know of its cell: shapes and names, no arithmetic. */
export interface CellForm {
  /** The kernels' number for it. */
  readonly code: number;
  /** The kernels' number for its activations and bounds. */
  readonly policy: number;
  /** Which state the recurrent product multiplies. */
  readonly operand: number;
  /** Gates in the order of the rows of the parameters, PyTorch's. */
  readonly gates: readonly string[];
  /** Hidden units are padded to a multiple of this. */
  readonly unit: number;
  /** Vectors of a panel of gates. */
  readonly panelVectors: number;
  /** Gates that share panels, the first ones; all where absent. */
  readonly together?: number;
  /** Gates that see the cell state through a vector of their own: rows of `weight_peephole`. */
  readonly peepholes?: number;
  readonly hasCellState?: boolean;
  /** A second buffer of every step, as wide as the gates or as the state. */
  readonly products?: 'gates' | 'state';
  /** Whether the recurrent bias stays apart from the other one. */
  readonly biasApart?: boolean;
  /**
   * How gates see a state, where it is not through a matrix R: each unit its own through a vector,
   * or not at all, with one bias.
   */
  readonly recurrence?: 'vector' | 'none';
  readonly options?: CellOptions;
}

/** What a cell is without options. */
export type PlainForm = Omit<CellForm, 'policy' | 'options'>;

/** A kind of cell: all that its file says of it. */
export interface CellKind<Spec extends CellSpec = CellSpec> {
  readonly type: Spec['type'];
  /** Options beside those of every recurrent layer that a description keeps only where given. */
  readonly offOptions?: OptionTable;
  /** Options that always have a value. */
  readonly options: OptionTable;
  /** The usual activations of gates, candidate and outgoing cell state, as many as it has. */
  usual(spec: Spec): readonly ActivationName[];
  form(spec: Spec): PlainForm;
  /**
   * The policy of its kernels for these activations, without any bound; `POLICY_CHOSEN` where they
   * are asked for at run time.
   */
  policy(spec: Spec, options: CellOptions, isUsual: boolean): number;
  /** Checks what no single option tells. */
  check?(spec: Spec, at: string): void;
}
