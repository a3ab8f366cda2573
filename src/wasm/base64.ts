/** Bytes of standard base64 with padding. By hand, because an AudioWorklet has no `atob`. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let from = 0, to = 0; from < text.length; from += 4, to += 3) {
    const word =
      (sextet(text.charCodeAt(from)) << 18) |
      (sextet(text.charCodeAt(from + 1)) << 12) |
      (sextet(text.charCodeAt(from + 2)) << 6) |
      sextet(text.charCodeAt(from + 3));
    // Stores beyond the end, where the padding would go, are ignored.
    bytes[to] = word >> 16;
    bytes[to + 1] = word >> 8;
    bytes[to + 2] = word;
  }
  return bytes;
}

/** The six bits of one character; padding counts as zero. The text is the build's own, so nothing is checked. */
function sextet(code: number): number {
  if (code >= 0x61) return code - 0x61 + 26;
  if (code >= 0x41) return code - 0x41;
  if (code >= 0x30) return code === 0x3d ? 0 : code - 0x30 + 52;
  return code === 0x2b ? 62 : 63;
}
