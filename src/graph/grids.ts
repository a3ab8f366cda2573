import { GatefoldError } from '../base/errors.ts';
import type { InputSpec } from '../ops/index.ts';
import type { Node, Resample } from '../ops/op.ts';
import { POOLING } from '../ops/pool.ts';

/** A way in which rows follow from those of the inputs. */
export interface Grid {
  /** The grid that it is made of; -1 for the rows of a sequence of inputs. */
  readonly before: number;
  readonly resample?: Resample;
  /** The layer that first has these rows. */
  readonly layer: string;
  /** The sequence of inputs whose rows it has, or the last one where it is one row a sequence. */
  readonly sequence: number;
  /** Of steps within a step: the grid of the rows that they are in. */
  readonly outer?: number | undefined;
}

/** The grids of a model, one for every way in which rows follow from those of the inputs. */
export class Grids {
  readonly all: Grid[] = [];
  /** Names of the inputs that say how many steps each sequence has; the first grids are theirs. */
  readonly sequences: readonly string[];
  readonly #ofInput: readonly number[];

  constructor(inputs: readonly InputSpec[]) {
    const [first, ...others] = inputs.filter(({ each }) => each !== 'sequence');
    const own = others.filter(({ name, stepsOf }) => stepsOf === name);
    this.sequences = [(first ?? inputs[0]!).name, ...own.map(({ name }) => name)];
    this.all = this.sequences.map((layer, sequence) => ({ before: -1, layer, sequence }));
    this.#ofInput = inputs.map(({ name, each, stepsOf = this.sequences[0]! }) =>
      each === 'sequence' ? this.#pooled(this.#main, name) : this.sequences.indexOf(stepsOf),
    );
  }

  /** The sequence in whose order rows are that stand for whole sequences. */
  get #main(): number {
    return this.sequences.length - 1;
  }

  ofInput(input: number): number {
    return this.#ofInput[input]!;
  }

  /** Whether rows stand for whole sequences, but in the order of another one than all others. */
  isAstray(grid: number): boolean {
    const { resample, sequence } = this.all[grid]!;
    return resample?.pools === true && sequence !== this.#main;
  }

  /** The grid of the outputs of a node that reads rows of these grids. */
  after(
    { layer, resample, isRowwise, aside }: Pick<Node, 'layer' | 'resample' | 'isRowwise' | 'aside'>,
    reads: readonly number[],
  ): number {
    const [before = 0, ...others] = reads.slice(0, aside);
    const grid = this.all[before]!;
    const beside = aside === undefined ? [] : reads.slice(aside);
    const isApart = (other: number): boolean =>
      other !== beside[0] || (other !== before && this.#isInside(before, other));
    if (others.some((other) => other !== before) || beside.some(isApart)) {
      const message = `"${layer}" reads layers whose outputs differ in their steps: bring all to the same steps first`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    if (grid.resample?.pools && !isRowwise && !resample?.spreads) {
      const message = `"${layer}" stands after a pool; only layers that work row by row may follow: move the pool after it, or make it a sequence again by repeat or reshape`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    if (!resample) return before;
    if (!resample.pools) return this.#made(before, resample, layer);
    if (grid.outer !== undefined) return grid.outer;
    return this.#pooled(resample === IN_ORDER ? this.#main : grid.sequence, layer);
  }

  #isInside(...grids: readonly number[]): boolean {
    return grids.some((grid) => this.all[grid]!.outer !== undefined);
  }

  #pooled(sequence: number, layer: string): number {
    return this.#find({ before: sequence, resample: POOLING, layer, sequence });
  }

  #made(before: number, resample: Resample, layer: string): number {
    const { outer, resample: made, sequence } = this.all[before]!;
    const isOpened = resample.spreads === true && !made?.pools;
    const index = this.#find({
      before,
      resample,
      layer,
      sequence,
      outer: isOpened ? before : outer,
    });
    if (this.all[index]!.outer === undefined || this.stepsWithin(index) > 0) return index;
    const message = `"${layer}" has too few steps within a step for one output: give it more`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }

  #find(grid: Grid): number {
    const known = this.all.findIndex(
      ({ before, resample, outer }) =>
        before === grid.before && resample?.key === grid.resample!.key && outer === grid.outer,
    );
    return known < 0 ? this.all.push(grid) - 1 : known;
  }

  /** Steps within a step. */
  stepsWithin(grid: number): number {
    const { before, resample } = this.all[grid]!;
    return resample!.steps(resample!.spreads ? 1 : this.stepsWithin(before));
  }

  /** Rows of a grid for each row of its sequence that it stands in; 1 but within a step. */
  rowsWithin(grid: number): number {
    const { outer } = this.all[grid]!;
    return outer === undefined ? 1 : this.rowsWithin(outer) * this.stepsWithin(grid);
  }
}

/** Rows that stand for whole sequences, brought to the order of all others. */
export const IN_ORDER: Resample = { ...POOLING };
