import type { GruSpec, IndrnnSpec, LstmSpec, RnnSpec } from '../specs.ts';

/** An activation as the kernels take it. */
export interface ActivationCode {
  readonly kind: number;
  readonly alpha: number;
  readonly beta: number;
}

/** What a layer has beyond its cell, resolved; see `Options` in assembly/base/structs.ts. */
export interface CellOptions {
  readonly kind: number;
  readonly coupled: boolean;
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
}

/** What a layer needs to know of its cell: shapes and names, no arithmetic. */
export interface CellForm {
  /** The kernels' number for it. */
  readonly code: number;
  /** Which state the recurrent product multiplies. */
  readonly operand: number;
  /** Gates in the order of the rows of the parameters, PyTorch's. */
  readonly gates: readonly string[];
  /**
   * Gates that see the cell state through a vector of their own, in the order of the rows of
   * `weight_peephole`.
   */
  readonly peepholes: readonly string[];
  /** Hidden units are padded to a multiple of this. */
  readonly unit: number;
  /** Vectors of a panel of gates. */
  readonly panelVectors: number;
  readonly hasCellState: boolean;
  /** Second buffer of every step: as wide as the gates, as the state, or none. */
  readonly products: 'gates' | 'state' | 'none';
  /** Whether the recurrent bias stays apart from the other one. */
  readonly biasApart: boolean;
  readonly options?: CellOptions;
}

export type RecurrentLayerSpec = RnnSpec | IndrnnSpec | LstmSpec | GruSpec;
