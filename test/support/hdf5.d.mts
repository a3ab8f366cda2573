export interface Dataset {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint16Array | Int32Array;
}
/** `fixed`: of a fixed length, padded with NUL; others are in the global heap. */
export type Value = string | readonly string[] | { readonly fixed: string | readonly string[] };
export interface Group {
  attributes?: Record<string, Value>;
  members?: Record<string, Group | Dataset>;
}
export function writeHdf5(root: Group): Uint8Array;
