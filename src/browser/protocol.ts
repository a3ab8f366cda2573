/** What pages and their workers and worklets say to each other. */

import { isBuffer } from '../base/arrays.ts';
import { GatefoldError } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Model } from '../model/model.ts';

/** The name of the processor in an AudioWorklet. */
export const PROCESSOR = 'gatefold';

/** What the other side needs to run a model. */
export interface Opening {
  /** The kernels. */
  readonly module: Uint8Array;
  /** The bytes of a file that `saveModel` wrote. */
  readonly model: Uint8Array;
  readonly maxBytes: number;
}

/** What both sides know of a model. */
export type Facts = Pick<
  Model,
  | 'description'
  | 'inputs'
  | 'outputs'
  | 'inputSize'
  | 'outputSize'
  | 'takesTokens'
  | 'pooled'
  | 'parameterCount'
  | 'metadata'
  | 'float32Layers'
>;

export const factsOf = ({
  description,
  inputs,
  outputs,
  inputSize,
  outputSize,
  takesTokens,
  pooled,
  parameterCount,
  metadata,
  float32Layers,
}: Model): Facts => ({
  description,
  inputs,
  outputs,
  inputSize,
  outputSize,
  takesTokens,
  pooled,
  parameterCount,
  metadata,
  float32Layers,
});

/** A call of the model, which is target 0, or of one of its streams. */
export interface Request {
  readonly id: number;
  readonly target: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** What comes of it. */
export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: Failure;
}

/** An error on its way. */
export interface Failure {
  readonly code?: ErrorCode;
  readonly message: string;
}

export function failureOf(error: unknown): Failure {
  const { code, message } = Object(error) as { code?: ErrorCode; message?: unknown };
  return { ...(error instanceof GatefoldError && { code }), message: String(message ?? error) };
}

export function errorOf({ code, message }: Failure): Error {
  return code === undefined ? new Error(message) : new GatefoldError(code, message);
}

/** The buffers of all arrays in a value, each once; none that is shared. */
export function buffersOf(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const visit = (own: unknown): void => {
    if (typeof own !== 'object' || own === null) return;
    if (ArrayBuffer.isView(own)) {
      if (isBuffer(own.buffer)) found.add(own.buffer);
      return;
    }
    const isMap = Object.prototype.toString.call(own) === '[object Map]';
    for (const item of isMap ? (own as Map<unknown, unknown>).values() : Object.values(own)) {
      visit(item);
    }
  };
  visit(value);
  return [...found];
}
