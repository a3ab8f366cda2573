import type { Fields } from '../engine/kernels.ts';
import { part } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Places } from './op.ts';

/** A batch normalisation that trains. */
export interface BatchStatistics {
  /** W, and elements of a row. */
  readonly width: number;
  readonly row: number;
  /** Weight of a window in the running statistics, and whether its variance is unbiased. */
  readonly momentum: number;
  readonly unbiased: boolean;
  /** All fields but those of this file. */
  fields(): Fields<'BatchNorm'>;
}

/** A running variance stays finite: float32 has no larger number. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/**
 * Makes a normalisation by running statistics one by those of the rows, in passes of training. The
 * next update moves the running ones: a window whose loss or gradients are not finite moves
 * nothing.
 */
export function withBatchStatistics(
  bound: Bound,
  plan: Plan,
  at: Places,
  { width, row, momentum, unbiased, fields }: BatchStatistics,
): Bound {
  const { kernels } = at;
  const { run } = kernels;
  const norm = plan.descriptor('BatchNorm');
  /** [5, W] f64 */
  const statistics = plan.reserve(10 * row);
  /** [2, W]: mean and variance of the passes since the last update, each by its weight. */
  const moved = plan.reserve(2 * row);
  /** The weight that they leave to the running ones. */
  let kept = 1;
  let counted = 0;
  let isTraining = false;
  const discard = (): void => {
    kernels.zero(moved);
    kept = 1;
  };
  return {
    ...bound,
    describe: () => {
      bound.describe!();
      kernels.write(norm, { ...fields(), statistics });
    },
    arrange: (inputs, outputs, sources) => {
      bound.arrange!(inputs, outputs, sources);
      counted = inputs.counted ?? inputs.rows;
      kernels.set(norm, 'rows', inputs.rows);
      kernels.set(norm, 'counted', counted);
    },
    mask: (_, draw) => {
      isTraining = draw !== undefined;
    },
    forward: () => {
      if (isTraining) run.batch_norm_forward(norm.address);
      else bound.forward();
    },
    backward: (wantsInput) => {
      if (!isTraining) return bound.backward!(wantsInput);
      kernels.set(norm, 'dx', wantsInput ? at.gradientOfInput(0).slot.address : 0);
      run.batch_norm_backward(norm.address);
    },
    finish: () => {
      if (!isTraining || !counted) return;
      const moments = kernels.doubles(statistics, 2 * row);
      const sums = kernels.floats(moved);
      const factor = unbiased ? counted / Math.max(counted - 1, 1) : 1;
      for (let k = 0; k < 2 * row; k++) {
        const moment = k < row ? moments[k]! : Math.min(moments[k]! * factor, LARGEST);
        sums[k] = (1 - momentum) * sums[k]! + momentum * moment;
      }
      kept *= 1 - momentum;
    },
    discard,
    settle: () => {
      if (kept === 1) return;
      for (const [n, role] of ['running_mean', 'running_var'].entries()) {
        const running = kernels.floats(at.parameter(role));
        const own = kernels.floats(part(moved, n * row));
        for (let k = 0; k < width; k++) running[k] = kept * running[k]! + own[k]!;
      }
      discard();
    },
  };
}
