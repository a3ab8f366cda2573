/**
 * Bytes from the text that build/embed.mjs makes of them: one printable ASCII character for the
 * more frequent bytes, two for the others. gzip sees the machine code byte for byte in it, of which
 * base64 hides two repetitions of three: a third less to fetch. By hand, because an AudioWorklet
 * has neither `atob` nor `TextDecoder`.
 */
export function decodeBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  let shift = BYTE_SHIFT;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < FIRST) {
      shift = BYTE_SHIFT - SYMBOLS * (code - SPACE + 1);
      continue;
    }
    // Between the symbols lies the backslash, which is none.
    bytes[length++] = code - FIRST - (code > 0x5c ? 1 : 0) - shift;
    shift = BYTE_SHIFT;
  }
  return bytes.slice(0, length);
}

/**
 * Symbols are `#` to `~` without the backslash; before them, a space stands for 91 more, an
 * exclamation mark for 182.
 */
const FIRST = 0x23;
const SPACE = 0x20;
const SYMBOLS = 91;
/** What is added to a byte first, so that the frequent ones take one character. */
const BYTE_SHIFT = 5;
