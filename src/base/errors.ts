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
  /** A loss, gradient or logit that is not finite. */
  | 'ERR_NON_FINITE'
  /** Something this host, or this version, cannot do. */
  | 'ERR_UNSUPPORTED'
  /** A call in the wrong order. */
  | 'ERR_STATE'
  /**
   * A thread of the engine ended, failed or stood still in the middle of a call. The engine goes on
   * on one thread.
   */
  | 'ERR_THREADS';

/** What a terminal obeys or reorders rather than shows, what ends a line, and what XML forbids. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/gu;

/** One line that is safe to print: characters that would act rather than show become escapes. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const digits = character.codePointAt(0)!.toString(16);
    return digits.length > 4 ? `\\u{${digits}}` : `\\u${digits.padStart(4, '0')}`;
  });
}

/** The beginning of a text that may be long, for a message. */
export function shorten(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

const MAX_SHOWN = 80;

/** The one class of every error this package throws on purpose. Its message is safe to print. */
export class GatefoldError extends Error {
  /** Always `GatefoldError`, also where classes of two copies of the package differ. */
  override readonly name = 'GatefoldError';
  /** What went wrong, for programs. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(printable(message));
    this.code = code;
  }
}
