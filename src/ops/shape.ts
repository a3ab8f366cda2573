import { checkInteger, roundUp, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { NONE, part } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Context, Node, Op, PassSize, Places, Resample } from './op.ts';
import { MAX_WIDTH, inputWidth } from './options.ts';
import type { OptionSpec } from './options.ts';

/** The features of several layers side by side at every step. */
export interface ConcatSpec {
  readonly type: 'concat';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Features of each layer that it reads; taken from these when absent. */
  readonly inputSizes?: readonly number[];
}

/** Features `from` to `to`, without `to` itself. */
export interface SliceSpec {
  readonly type: 'slice';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** The first feature, from 0. */
  readonly from: number;
  /** The feature after the last one. */
  readonly to: number;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

/** The valid steps of every row in the opposite order. */
export interface ReverseSpec {
  readonly type: 'reverse';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

/**
 * Features in pieces of `sizes`, from the first on: other layers read piece k as `name.k`; `name`
 * itself is the first.
 */
export interface SplitSpec {
  readonly type: 'split';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Features of every piece. */
  readonly sizes: readonly number[];
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteConcat = Required<ConcatSpec>;
export type CompleteSlice = Required<SliceSpec>;
export type CompleteReverse = Required<ReverseSpec>;
export type CompleteSplit = Required<SplitSpec>;

/** Features that a node copies from one of its sources. */
interface Piece {
  /** First feature of the source. */
  readonly from: number;
  /** First feature of the outputs. */
  readonly to: number;
  readonly width: number;
}

/** How a node that copies differs from one whose steps stay as they are. */
interface CopyOptions {
  /** All valid steps in the opposite order. */
  readonly isMirrored?: boolean;
  /** One row a sequence, in the order of all others that are. */
  readonly reorder?: Resample;
  readonly ways?: Node['ways'];
}

/** Copies features of its sources, each row as it is or in another order. */
class CopyNode implements Node {
  readonly parameters = [];
  readonly states = [];
  readonly sources: readonly number[];
  readonly name: string;
  readonly layer: string;
  readonly widths: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly isRowwise: boolean;
  readonly isWhole: boolean;
  readonly resample?: Resample;
  readonly noStream?: string;
  readonly ways?: Node['ways'];
  readonly #pieces: readonly Piece[];

  /**
   * @param widths features of each source.
   * @param pieces one of each source.
   */
  constructor(
    layer: string,
    name: string,
    sources: readonly number[],
    widths: readonly number[],
    pieces: readonly Piece[],
    { isMirrored = false, reorder, ways }: CopyOptions = {},
  ) {
    this.name = name;
    this.layer = layer;
    if (ways) this.ways = ways;
    if (reorder) this.resample = reorder;
    this.sources = sources;
    this.widths = widths;
    this.inputs = widths.reduce((sum, width) => sum + width);
    this.outputs = pieces.reduce((sum, { width }) => sum + width, 0);
    this.rowLength = roundUp(this.outputs, 4);
    this.isRowwise = !isMirrored;
    this.isWhole = isMirrored;
    this.#pieces = pieces;
    if (!isMirrored) return;
    this.noStream = `a stream cannot run "${name}", which begins at the last step: use model.forward()`;
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const row = this.rowLength;
    const size = batch * steps * row;
    const [output, gradient] = [plan.reserve(size), mode === 'train' ? plan.reserve(size) : NONE];
    const mirror = this.isWhole ? at.mirror() : NONE;
    const masked = this.isWhole ? at.masked(0) : undefined;
    const turnedMasked = masked && plan.reserve(batch * steps);
    const turned = { there: mirror, back: mirror };
    const index = this.resample ? at.crossing(0) : turned;
    const there = this.#pieces.map(() => plan.descriptor('Rows'));
    if (masked) there.push(plan.descriptor('Rows'));
    const back = mode === 'train' ? this.#pieces.map(() => plan.descriptor('Rows')) : [];
    let rows = 0;
    return {
      output: { slot: output, row },
      gradient,
      ...(turnedMasked && { masked: turnedMasked }),
      describe: () => {
        if (masked) {
          const turn = { index: mirror, width: 4, toRow: 4, fromRow: 4 };
          kernels.write(there.at(-1)!, { ...turn, to: turnedMasked!, from: masked });
        }
        this.#pieces.forEach((piece, k) => {
          const width = piece.width * 4;
          const [x, dx] = [at.input(k), at.gradientOfInput(k)];
          const [from, to] = [part(x.slot, piece.from), part(output, piece.to)];
          const own = { index: index.there, width, to, toRow: row * 4, from, fromRow: x.row * 4 };
          kernels.write(there[k]!, own);
          if (!back[k]) return;
          kernels.write(back[k], {
            index: index.back,
            width,
            to: part(dx.slot, piece.from),
            toRow: dx.row * 4,
            from: part(gradient, piece.to),
            fromRow: row * 4,
          });
        });
      },
      arrange: (inputs) => {
        ({ rows } = inputs);
        for (const rowsOf of [there, back])
          for (const descriptor of rowsOf) kernels.set(descriptor, 'rows', rows);
      },
      forward: () => {
        for (const { address } of there) kernels.run.rows_gather(address);
      },
      backward: (wantsInput) => {
        if (!wantsInput) return;
        back.forEach(({ address }, k) => {
          const { slot, row: length } = at.gradientOfInput(k);
          // What other features have got since belongs to the last pass.
          if (this.#pieces[k]!.width < this.widths[k]!) kernels.zero(slot, 0, rows * length);
          kernels.run.rows_gather(address);
        });
      },
    };
  }
}

/** The same values once more. */
export function copyNode(layer: string, source: number, width: number): Node {
  return sliceNode(layer, `${layer}.copy`, source, width, { from: 0, to: 0, width });
}

/** Some features of a source. */
export function sliceNode(
  layer: string,
  name: string,
  source: number,
  width: number,
  piece: Piece,
): Node {
  return new CopyNode(layer, name, [source], [width], [piece]);
}

/** Rows that stand for whole sequences, in the order of all others that do. */
export function reorderNode(
  { layer, outputs: width }: Node,
  source: number,
  order: Resample,
): Node {
  const piece = { from: 0, to: 0, width };
  return new CopyNode(layer, `${layer}.order`, [source], [width], [piece], { reorder: order });
}

/** The features of several sources side by side. */
export function concatNode(
  layer: string,
  name: string,
  sources: readonly number[],
  widths: readonly number[],
  ways?: Node['ways'],
): Node {
  let to = 0;
  const pieces = widths.map((width) => {
    to += width;
    return { from: 0, to: to - width, width };
  });
  return new CopyNode(layer, name, sources, widths, pieces, ways && { ways });
}

function checkWidths(name: string, value: unknown): readonly number[] {
  if (!Array.isArray(value)) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${name}" expected a list of whole numbers, got ${show(value)}`,
    );
  }
  return Object.freeze(value.map((width, k) => checkInteger(`${name}[${k}]`, width, 1, MAX_WIDTH)));
}

const WIDTHS = { kind: 'own', expects: 'a list of whole numbers', check: checkWidths } as const;

/** The widths of what a layer of several inputs reads. */
export const inputWidths: OptionSpec = {
  ...WIDTHS,
  otherwise: 'off',
  about: 'Features of each layer that it reads.',
};

/** The widths of what a layer reads, which its `inputSizes` may say. */
export function widthsOf(
  given: readonly number[] | undefined,
  { at, widths }: Context,
): readonly number[] {
  if (given && given.length !== widths.length) {
    throw new GatefoldError(
      'ERR_SHAPE',
      `"${at}.inputSizes" expected ${widths.length} numbers, one for each of its inputs, got ${given.length}`,
    );
  }
  const all = widths.map((width, k) => {
    const size = given?.[k] ?? width;
    if (size === undefined) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${at}.inputSizes" is needed in the first layer that reads the inputs of the model`,
      );
    }
    if (width === undefined || width === size) return size;
    throw new GatefoldError(
      'ERR_SHAPE',
      `"${at}.inputSizes[${k}]" expected ${width}, the outputs of that layer, got ${size}`,
    );
  });
  return Object.freeze(all);
}

export const concat: Op<ConcatSpec, CompleteConcat> = {
  type: 'concat',
  isJoin: true,
  options: { inputSizes: inputWidths },
  complete: (spec, context) =>
    ({ ...spec, inputSizes: widthsOf(spec.inputSizes, context) }) as CompleteConcat,
  sizes({ inputSizes: each }) {
    const total = each.reduce((sum, width) => sum + width);
    return { inputs: total, each, outputs: checkInteger('outputs of concat', total, 1, MAX_WIDTH) };
  },
  lower: ({ name, inputSizes }, build) =>
    void build.add(concatNode(name, name, build.sources, inputSizes)),
};

export const slice: Op<SliceSpec, CompleteSlice> = {
  type: 'slice',
  options: {
    from: {
      kind: 'integer',
      low: 0,
      high: MAX_WIDTH - 1,
      otherwise: 'needed',
      about: 'The first feature of the slice.',
    },
    to: {
      kind: 'integer',
      low: 1,
      high: MAX_WIDTH,
      otherwise: 'needed',
      about: 'The first feature after the slice.',
    },
    inputSize: inputWidth(),
  },
  complete(spec, { at }) {
    const { from, to, inputSize } = spec as CompleteSlice;
    checkInteger(`${at}.to`, to, from + 1, inputSize);
    return spec as CompleteSlice;
  },
  sizes: ({ from, to, inputSize }) => ({ inputs: inputSize, outputs: to - from }),
  lower({ name, from, to, inputSize }, build) {
    const piece = { from, to: 0, width: to - from };
    build.add(sliceNode(name, name, build.top, inputSize, piece));
  },
};

export const reverse: Op<ReverseSpec, CompleteReverse> = {
  type: 'reverse',
  options: { inputSize: inputWidth() },
  complete: (spec) => spec as CompleteReverse,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower({ name, inputSize }, build) {
    const piece = { from: 0, to: 0, width: inputSize };
    build.add(new CopyNode(name, name, [build.top], [inputSize], [piece], { isMirrored: true }));
  },
};

export const split: Op<SplitSpec, CompleteSplit> = {
  type: 'split',
  options: {
    sizes: { ...WIDTHS, otherwise: 'needed', about: 'Features of every piece.', onnx: 'split' },
    inputSize: inputWidth(),
  },
  complete(spec, { at }) {
    const { sizes, inputSize } = spec as CompleteSplit;
    const sum = sizes.reduce((total, size) => total + size, 0);
    if (sum === inputSize) return spec as CompleteSplit;
    const message = `"${at}.sizes" expected numbers whose sum is ${inputSize}, the features that it reads, got ${sum}`;
    throw new GatefoldError('ERR_SHAPE', message);
  },
  sizes: ({ sizes, inputSize }) => ({
    inputs: inputSize,
    outputs: sizes[0]!,
    parts: Object.fromEntries(sizes.map((outputs, k) => [k, { outputs }])),
  }),
  lower({ name, sizes, inputSize }, build) {
    const source = build.top;
    let from = 0;
    const pieces = sizes.map((width, k) => {
      const piece = { from, to: 0, width };
      from += width;
      return sliceNode(name, `${name}.${k}`, source, inputSize, piece);
    });
    for (const [k, node] of pieces.entries()) {
      if (k > 0) build.addPart(String(k), node);
    }
    build.addPart('0', pieces[0]!);
    build.top = build.find(`${name}.0`);
  },
};
