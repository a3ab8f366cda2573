import { POOL_FIRST, POOL_LAST, POOL_MAX, POOL_MEAN } from '../../assembly/shared/codes.ts';
import { roundUp } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, GraphBuilder, Node, Op, PassSize, Places, Resample } from './op.ts';
import { inputWidth } from './options.ts';
import { pooledExtent } from './pass.ts';

/**
 * Many to one: the valid steps of every row become one. Only layers that work row by row may
 * follow; the output is [B, O], and every sequence given to a trainer is whole. A row of length 0
 * becomes zero.
 */
export interface PoolSpec {
  readonly type: 'pool';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /**
   * `last`: the final output of the layer before, for one that reads backwards that of its first
   * step, for one that reads both ways the final output of each way, merged. `mean` and `max` over
   * the steps, element by element.
   */
  readonly mode: 'last' | 'mean' | 'max';
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompletePool = Required<PoolSpec>;

/** One row for every sequence. */
export const POOLING: Resample = { pools: true, key: 'pool', steps: () => 1, extent: pooledExtent };

/** Makes the steps of a sequence one row. */
class PoolNode implements Node {
  readonly parameters = [];
  readonly states = [];
  readonly layer: string;
  readonly name: string;
  readonly isWhole = true;
  readonly resample = POOLING;
  readonly noStream?: string;
  readonly sources: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly #mode: PoolSpec['mode'];
  readonly #last: number;

  constructor(name: string, source: number, before: Node | undefined, layer: CompletePool) {
    const { mode, inputSize } = layer;
    this.layer = layer.name;
    this.name = name;
    this.#mode = mode;
    // The last output of what reads backwards is that of the first step.
    this.#last = before?.isReverse ? POOL_FIRST : POOL_LAST;
    this.sources = [source];
    this.inputs = inputSize;
    this.outputs = inputSize;
    this.rowLength = roundUp(inputSize, 4);
    if (mode === 'last') return;
    this.noStream =
      "a stream cannot run a pool of mean or max, which has no output before the end: use mode 'last', or model.forward()";
  }

  reserve(plan: Plan, at: Places, { batch, mode }: PassSize): Bound {
    const { kernels } = at;
    // Every step is the last one so far.
    if (mode === 'stream') return { output: at.input(0), gradient: NONE, forward: () => undefined };
    const row = this.rowLength;
    const isTraining = mode === 'train';
    const pool = plan.descriptor('Pool');
    const output = plan.reserve(batch * row);
    const gradient = isTraining ? plan.reserve(batch * row) : NONE;
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const x = at.input(0);
        kernels.write(pool, {
          mode: { last: this.#last, mean: POOL_MEAN, max: POOL_MAX }[this.#mode],
          batch,
          width: row * 4,
          yRow: row * 4,
          xRow: x.row * 4,
          offsets: at.offsets,
          x: x.slot,
          y: output,
        });
        const masked = at.masked(0);
        if (masked && this.#mode === 'mean') kernels.write(pool, { masked });
        if (!isTraining) return;
        const dx = at.gradientOfInput(0);
        kernels.write(pool, { dy: gradient, dx: dx.slot, dxRow: dx.row * 4 });
      },
      arrange: ({ steps }) => kernels.set(pool, 'steps', steps),
      forward: () => kernels.run.pool_forward(pool.address),
      backward: () => kernels.run.pool_backward(pool.address),
    };
  }
}

/**
 * Pools what it reads. The final outputs of two directions are at different ends: each is pooled,
 * and these are merged.
 */
function lower(layer: CompletePool, build: GraphBuilder): void {
  const { name, mode } = layer;
  const top = build.at(build.top);
  if (mode !== 'last' || !top?.ways) {
    build.add(new PoolNode(name, build.top, top, layer));
    return;
  }
  const { width: inputSize, merge } = top.ways;
  const ways = top.sources.map((source, way) => {
    const each = { ...layer, inputSize };
    return build.add(new PoolNode(`${name}.${way}`, source, build.at(source), each));
  });
  build.add(merge(name, ways));
}

export const pool: Op<PoolSpec, CompletePool> = {
  type: 'pool',
  options: {
    mode: {
      kind: 'choice',
      choices: ['last', 'mean', 'max'],
      otherwise: 'needed',
      about: 'The final output, or the mean or maximum over all valid steps.',
      keras: 'return_sequences=False, GlobalAveragePooling1D, GlobalMaxPooling1D',
    },
    inputSize: inputWidth(),
  },
  prepare(spec, { at, readsInputs, layers, reads }) {
    // Its kernel reads whole vectors, which inputs and unfolded steps are not.
    const isOpened = reads.outer !== undefined && layers.at(-1)?.type === 'unfold';
    if (!readsInputs && !isOpened) return spec;
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}" a pool needs a layer before it, such as { type: 'activation', activation: 'identity' }`,
    );
  },
  complete: (spec) => spec as CompletePool,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize, resample: [POOLING] }),
  lower,
};
