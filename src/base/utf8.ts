/**
 * Strict UTF-8 by hand: an AudioWorklet has neither `TextDecoder` nor `TextEncoder`, and a model
 * must load there too.
 */

/** Code units per `String.fromCharCode` call: far below every engine's limit on arguments. */
const CHUNK = 4096;

/** Smallest code point that needs 2, 3, 4 bytes; a smaller one in that many is an overlong form. */
const MINIMUM = [0, 0, 0x80, 0x800, 0x10000];

const BEYOND_ASCII = /[^\0-\x7f]/;

/** The text, or `undefined` where the bytes are not well-formed UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (bytes.length < CHUNK) {
    // A name is ASCII nearly always, and a file has thousands.
    const plain = String.fromCharCode.apply(undefined, bytes as unknown as number[]);
    if (!BEYOND_ASCII.test(plain)) return plain;
  }
  let text = '';
  const units = new Uint16Array(Math.min(bytes.length, CHUNK));
  for (let at = 0; at < bytes.length;) {
    let count = 0;
    // A character has two units at most.
    while (at < bytes.length && count < CHUNK - 1) {
      const lead = bytes[at]!;
      if (lead < 0x80) {
        units[count++] = lead;
        at++;
        continue;
      }
      const length = lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      if (length === 0 || lead > 0xf4 || at + length > bytes.length) return undefined;
      let point = lead & (0x7f >> length);
      for (let i = 1; i < length; i++) {
        const byte = bytes[at + i]!;
        if ((byte & 0xc0) !== 0x80) return undefined;
        point = (point << 6) | (byte & 0x3f);
      }
      const isSurrogate = point >= 0xd800 && point <= 0xdfff;
      if (point < MINIMUM[length]! || point > 0x10ffff || isSurrogate) return undefined;
      at += length;
      if (point >= 0x10000) units[count++] = 0xd7c0 + (point >> 10);
      units[count++] = point < 0x10000 ? point : 0xdc00 | (point & 0x3ff);
    }
    const piece = units.subarray(0, count) as unknown as number[];
    text += String.fromCharCode.apply(undefined, piece);
  }
  return text;
}

/** The bytes of a text, which must not hold lone surrogates. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    if (point < 0x80) {
      bytes[at++] = point;
      continue;
    }
    const length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    bytes[at++] = ((0xf00 >> length) & 0xff) | (point >> (6 * (length - 1)));
    for (let shift = 6 * (length - 2); shift >= 0; shift -= 6) {
      bytes[at++] = 0x80 | ((point >> shift) & 0x3f);
    }
  }
  return bytes.slice(0, at);
}

/** Whether a text holds half of a surrogate pair, which UTF-8 cannot say. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}
