import {
  PART_DENSE,
  PART_DENSE_BACK,
  PART_INPUTS,
  PART_STEPS,
  PART_STEPS_BACK,
  PART_UPDATE,
  PART_WEIGHTS,
} from '../../assembly/shared/codes.ts';
import type { Kernels } from '../kernels.ts';
import type { SharedCall } from './control.ts';

type Run = Kernels['run'];
/** Calls that return nothing. */
type Name = {
  [N in keyof Run]: Run[N] extends (...args: never[]) => void ? N : never;
}[keyof Run];

/** A call that threads share out. */
interface Shared {
  readonly name: Name;
  /** How many products it is worth. */
  readonly work: (run: Run, args: readonly number[]) => number;
  readonly call: SharedCall;
}

/**
 * A sequence forward: products of the inputs, then steps by rows of the batch. Where one large model has too few of them, all threads
 * take every step together, each its units, and meet before the next.
 */
const forward: Shared = {
  name: 'sequence_forward',
  work: (run, [descriptor]) => run.part_work(PART_INPUTS, descriptor!),
  call: (run, [descriptor, scratch, least], seat) => {
    const { share, shares } = seat;
    run.part_run(PART_INPUTS, descriptor!, scratch!, share, shares);
    seat.meet();
    const together = run.part_steps(descriptor!, shares, least!);
    for (let t = 0; t < together; t++) {
      if (t) seat.meet();
      run.part_units(descriptor!, t, scratch!, share, shares);
    }
    if (!together) run.part_run(PART_STEPS, descriptor!, scratch!, share, shares);
  },
};

/** By phases of assembly/parts.ts, over a descriptor; behind it stand the scratch of the threads and the least work worth meeting for. */
function byPhases(name: Name, ...phases: number[]): Shared {
  return {
    name,
    work: (run, [descriptor]) => run.part_work(phases[0]!, descriptor!),
    call: (run, [descriptor, scratch], seat) => {
      for (const [k, phase] of phases.entries()) {
        if (k) seat.meet();
        run.part_run(phase, descriptor!, scratch!, seat.share, seat.shares);
      }
    },
  };
}

/** What an element of a row costs, in products. */
const COST = 10;

/**
 * By rows that know nothing of each other.
 *
 * @param rows the argument that counts them.
 * @param width of a row in numbers.
 * @param steps by argument, how many bytes it moves on from row to row.
 */
function byRows(
  name: Name,
  rows: number,
  width: (args: ArrayLike<number>) => number,
  steps: (args: ArrayLike<number>) => Readonly<Record<number, number>>,
): Shared {
  return {
    name,
    work: (_, args) => args[rows]! * width(args) * COST,
    call: (run, args, { share, shares }) => {
      const own = args.slice();
      const first = Math.floor((args[rows]! * share) / shares);
      for (const [k, bytes] of Object.entries(steps(args))) own[Number(k)]! += first * bytes;
      own[rows] = Math.floor((args[rows]! * (share + 1)) / shares) - first;
      (run[name] as (...args: number[]) => void)(...own);
    },
  };
}

/** All that is shared out, in the order that both sides count. */
export const CALLS: readonly Shared[] = [
  forward,
  byPhases('sequence_backward', PART_STEPS_BACK, PART_WEIGHTS),
  byPhases('dense_forward', PART_DENSE),
  byPhases('dense_backward', PART_DENSE_BACK),
  byPhases('optimizer_update', PART_UPDATE),
  byRows(
    'loss_cross_entropy',
    6,
    (a) => a[7]!,
    (a) => ({ 0: a[1]!, 2: 4, 5: 4 }),
  ),
  byRows(
    'loss_elements',
    5,
    (a) => a[6]!,
    (a) => ({ 1: a[2]!, 3: 4 * a[6]!, 4: 4 }),
  ),
  byRows(
    'rows_gather',
    5,
    (a) => a[6]! / 4,
    (a) => ({ 0: a[1]!, 4: 4 }),
  ),
  byRows(
    'rows_add_gathered',
    5,
    (a) => a[6]! / 4,
    (a) => ({ 0: a[1]!, 4: 4 }),
  ),
];
