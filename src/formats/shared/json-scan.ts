/** Why a text must not reach `JSON.parse`, as the end of a sentence; `undefined` when it may. */
export type JsonFault =
  | 'names the same thing twice'
  | 'nests too deep'
  | 'is not valid JSON'
  | 'holds a number that is not a plain whole number';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const [OPEN_BRACE, CLOSE_BRACE] = [0x7b, 0x7d];
const [OPEN_BRACKET, CLOSE_BRACKET] = [0x5b, 0x5d];

/** Index after the string that opens at `start`, or -1 when it never ends. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return -1;
}

/** What a string says; most say it without escapes. */
function decodeString(token: string): string | undefined {
  if (!token.includes('\\')) return token.slice(1, -1);
  try {
    return JSON.parse(token) as string;
  } catch {
    return undefined;
  }
}

const SPACES = /[ \t\n\r]*/y;
/** Everything of a number; JSON's other tokens do not begin like one. */
const NUMBER = /[-+.0-9a-zA-Z]+/y;
const beginsNumber = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2b || code === 0x2e;
const WHOLE = /^(?:0|[1-9][0-9]{0,15})$/;

/** Whether a number is a plain whole one. */
const isWhole = (token: string): boolean => WHOLE.test(token);

/** Whether a number is written as `JSON.stringify` does: no digit of it gets lost. */
export const isPlain = (token: string): boolean => String(Number(token)) === token;

/**
 * Looks for what `JSON.parse` would let pass: it keeps the last of two equal keys without a word,
 * rounds numbers, and may overflow the stack. It does not check the grammar; `JSON.parse` does that
 * afterwards. One pass, linear time.
 */
export function scanJson(
  text: string,
  maxDepth: number,
  isNumber: (token: string) => boolean = isWhole,
): JsonFault | undefined {
  /** The keys of each open object; arrays have none. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length;) {
    const character = text.charCodeAt(at);
    if (character === OPEN_BRACE || character === OPEN_BRACKET) {
      if (open.length === maxDepth) return 'nests too deep';
      open.push(character === OPEN_BRACE ? new Set() : undefined);
      at++;
    } else if (character === CLOSE_BRACE || character === CLOSE_BRACKET) {
      open.pop();
      at++;
    } else if (character === QUOTE) {
      const end = endOfString(text, at);
      if (end < 0) return 'is not valid JSON';
      SPACES.lastIndex = end;
      SPACES.test(text);
      if (text.charCodeAt(SPACES.lastIndex) === COLON) {
        const key = decodeString(text.slice(at, end));
        const keys = open.at(-1);
        if (key === undefined || keys === undefined) return 'is not valid JSON';
        if (keys.has(key)) return 'names the same thing twice';
        keys.add(key);
      }
      at = end;
    } else if (beginsNumber(character)) {
      NUMBER.lastIndex = at;
      NUMBER.test(text);
      const end = NUMBER.lastIndex;
      if (!isNumber(text.slice(at, end))) return 'holds a number that is not a plain whole number';
      at = end;
    } else {
      at++;
    }
  }
  return undefined;
}
