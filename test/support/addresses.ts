/**
 * The rule of addresses: whoever is handed one passes it on and calculates nothing with it. Two
 * looks at it: at the text of a source, and at what a call of threads hands to its kernels.
 */
import type { Kernels } from '../../src/engine/kernels.ts';
import type { CALLS } from '../../src/threads/calls.ts';

/** A pattern of an operand, and the part of a source in which it means an address. */
interface Operand {
  readonly pattern: string;
  readonly from: number;
  readonly end: number;
}

/** Where the block ends that is open at a place of the code. */
function endOfBlock(code: string, from: number): number {
  let depth = 0;
  for (let k = from; k < code.length; k++) {
    if (code[k] === '{') depth++;
    if (code[k] === '}' && --depth < 0) return k;
  }
  return code.length;
}

/** Identifiers that hold an address, and elements of lists that are the arguments of a kernel. */
function operandsOf(code: string): Operand[] {
  const all = (pattern: RegExp) => [...code.matchAll(pattern)];
  const inScope = (name: string, from: number): Operand => {
    return { pattern: String.raw`(?<![\w.])${name}\b`, from, end: endOfBlock(code, from) };
  };
  const end = (match: RegExpExecArray): number => match.index + match[0].length;
  const named = all(/\b(?:const|let)\s+(\w+)\s*=\s*[\w.#!()[\]]+\.address\s*;/g).map((match) =>
    inScope(match[1]!, end(match)),
  );
  const destructured = all(/\{([^{}]*\baddress\b[^{}]*)\}\s*=[^=>]/g).flatMap((match) =>
    [...match[1]!.matchAll(/\baddress\b(?:\s*:\s*(\w+))?/g)].map(([, name]) =>
      inScope(name ?? 'address', end(match)),
    ),
  );
  const listed = all(/\[([^[\]]*)\]\s*=\s*\[([^[\]]*)\]/g).flatMap((match) => {
    const names = match[1]!.split(',').map((name) => name.trim());
    return match[2]!.split(',').flatMap((value, k) => {
      const name = names[k];
      return name && /\.address\s*$/.test(value) ? [inScope(name, end(match))] : [];
    });
  });
  // What is spread into a kernel's call, however the kernel is named.
  const spread = all(/\brun(?:\.\w+|\[\w+\])[^;\n]*\(\s*\.\.\.(\w+)/g).map(([, name]) => {
    return { pattern: String.raw`(?<![\w.])${name}\[[^;]*?\]`, from: 0, end: code.length };
  });
  const own = { pattern: String.raw`(?:[\w#]+|[)\]])!?\.address\b`, from: 0, end: code.length };
  return [own, ...named, ...destructured, ...listed, ...spread];
}

const OPERATOR = String.raw`(?:[-+*%/&|^]|<<|>>)`;

/** The lines of a source that calculate with an address, or with an argument by its place. */
export function addressArithmetic(source: string): string[] {
  const blank = (comment: string): string => comment.replace(/[^\n]/g, ' ');
  const code = source.replace(/\/\*[^]*?\*\/|\/\/.*/g, blank);
  const lines = new Set<number>();
  for (const { pattern, from, end } of operandsOf(code)) {
    const before = String.raw`${pattern}!?\s*${OPERATOR}=?(?![&|])`;
    const after = String.raw`[\w)\]!]\s*(?<![&|])${OPERATOR}=?\s*(?:[\w#]+\.)*${pattern}`;
    for (const { index } of code.slice(from, end).matchAll(new RegExp(`${before}|${after}`, 'g'))) {
      lines.add(code.slice(0, from + index).split('\n').length - 1);
    }
  }
  return [...lines].map((line) => code.split('\n')[line]!.trim());
}

type Run = Kernels['run'];

/**
 * What a call of threads hands to its kernels that is neither a small number nor an argument as it
 * was given: an address that somebody has calculated.
 */
export function calculatedArguments(shared: (typeof CALLS)[number], run: Run): number[] {
  const SMALL = 4096;
  const { length } = run[shared.name] as { length: number };
  // The arguments, and those that the team adds: its scratch and the least work of a step.
  const given = Array.from({ length: length + 2 }, (_, k) => 2 ** 24 + 12_345 * (k + 1));
  const strangers = new Set<number>();
  const record = (...args: number[]): number => {
    for (const value of args) {
      const isSmall = Math.abs(Number(value)) < SMALL;
      if (!isSmall && !given.includes(value)) strangers.add(value);
    }
    return 1;
  };
  for (const together of [false, true]) {
    const recorded = Object.fromEntries(
      Object.keys(run).map((name) => [
        name,
        name === 'part_together' ? () => together : name === 'part_step_count' ? () => 3 : record,
      ]),
    ) as unknown as Run;
    const seat = {
      share: 1,
      shares: 3,
      limit: 1,
      meet: () => undefined,
      raise: () => undefined,
      inPieces: (_work: number, piece: (part: number, count: number) => void) => {
        for (const part of [2, 3]) piece(part, 6);
      },
    };
    shared.work(recorded, given);
    shared.call(recorded, Float64Array.from(given), seat as never);
  }
  return [...strangers];
}
