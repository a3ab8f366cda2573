/** A result: its id as JSON, if any, and the outputs in the order of the model. */
export interface Result {
  readonly id?: string;
  readonly outputs: readonly Float32Array[];
}
