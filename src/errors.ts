/** What went wrong, for code that reacts to it; the message is for people and may change. */
export type ErrorCode =
  /** An argument or option of the wrong kind or value. */
  | 'ERR_ARGUMENT'
  /** An array of the wrong length, or a tensor of the wrong shape. */
  | 'ERR_SHAPE'
  /** The engine's memory limit. */
  | 'ERR_MEMORY'
  /** Use of something after `dispose()`. */
  | 'ERR_DISPOSED'
  /** A file that is damaged, foreign or not allowed. */
  | 'ERR_FORMAT'
  /** A loss or gradient that is not finite. */
  | 'ERR_NON_FINITE'
  /** Something this host, or this version, cannot do. */
  | 'ERR_UNSUPPORTED'
  /** A call in the wrong order. */
  | 'ERR_STATE';

/** The one class of every error this package throws on purpose. */
export class GatefoldError extends Error {
  override readonly name = 'GatefoldError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
