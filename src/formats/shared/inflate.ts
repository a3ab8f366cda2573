import { Inflate } from 'fflate';

/** Bytes that are inflated at a time: at most 1,032 times as many come out before it is checked. */
const PIECE = 2048;
/** Bytes that DEFLATE makes of one, at most. */
const MAX_RATIO = 1032;

/** The `length` bytes of a DEFLATE stream; `undefined` where it has more, less, or faults. */
export function inflate(bytes: Uint8Array, length: number): Uint8Array | undefined {
  if (length > bytes.length * MAX_RATIO) return undefined;
  const out = new Uint8Array(length);
  let at = 0;
  const stream = new Inflate((piece) => {
    if (at + piece.length <= length) out.set(piece, at);
    at += piece.length;
  });
  try {
    for (let start = 0; start < bytes.length && at <= length; start += PIECE) {
      const end = start + PIECE;
      stream.push(bytes.subarray(start, end), end >= bytes.length);
    }
  } catch {
    return undefined;
  }
  return at === length ? out : undefined;
}
