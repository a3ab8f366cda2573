import {
  PART_ADD,
  PART_DENSE,
  PART_DENSE_BACK,
  PART_DENSE_WEIGHTS,
  PART_GATHER,
  PART_INPUTS,
  PART_INPUTS_BACK,
  PART_LOSS,
  PART_UPDATE,
  PART_WEIGHTS,
} from '../../assembly/shared/codes.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Seat, SharedCall } from './control.ts';

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

/** A phase of assembly/threads.ts over a descriptor, but for steps. */
function takePhase(run: Run, phase: number, descriptor: number, seat: Seat): void {
  seat.inPieces(run.part_work(phase, descriptor), (part, count) =>
    run.part_run(phase, descriptor, part, count),
  );
}

/**
 * All steps of a sequence by rows of the batch; a piece is some of its rows over some of its steps.
 */
function takeSteps(run: Run, back: boolean, q: number, seat: Seat): void {
  const steps = run.part_step_count(q);
  const work = run.part_step_work(q);
  const stride = Math.max(1, Math.floor(seat.limit / work));
  seat.inPieces(work, (part, count) => {
    const from = run.part_row(q, back, part, count);
    const until = run.part_row(q, back, part + 1, count);
    run.part_rows(from, until);
    for (let done = 0; done < steps && from < until; done += stride) {
      const next = Math.min(done + stride, steps);
      const [first, end] = back ? [steps - next, steps - done] : [done, next];
      run.part_steps(q, back, first, end);
      seat.raise();
    }
  });
}

/**
 * A sequence forward: products of the inputs, then steps by rows of the batch. Where one large
 * model has too few of them, all threads take every step together, each its units, and meet before
 * the next.
 */
const forward: Shared = {
  name: 'sequence_forward',
  work: (run, [q]) => run.part_work(PART_INPUTS, q!),
  call: (run, [q, scratch, least], seat) => {
    run.part_seat(scratch!, seat.share);
    takePhase(run, PART_INPUTS, q!, seat);
    seat.meet();
    if (!run.part_together(q!, seat.shares, least!))
      return takeSteps(run, /* back */ false, q!, seat);
    const steps = run.part_step_count(q!);
    for (let t = 0; t < steps; t++) {
      if (t) seat.meet();
      run.part_units(q!, t, seat.share, seat.shares);
      seat.raise();
    }
  },
};

/**
 * A sequence backward: steps by rows of the batch, then gradients of the weights by columns, then
 * those of the inputs by rows.
 */
const backward: Shared = {
  name: 'sequence_backward',
  work: (run, [q]) => run.part_work(PART_WEIGHTS, q!),
  call: (run, [q, scratch], seat) => {
    run.part_seat(scratch!, seat.share);
    takeSteps(run, /* back */ true, q!, seat);
    for (const phase of [PART_WEIGHTS, PART_INPUTS_BACK]) {
      seat.meet();
      takePhase(run, phase, q!, seat);
    }
  },
};

/**
 * Phases, one after the other. Their descriptor is followed by the scratch of the threads and the
 * least work of a step worth meeting for.
 */
function byPhases(name: Name, ...phases: number[]): Shared {
  return {
    name,
    work: (run, [descriptor]) => run.part_work(phases[0]!, descriptor!),
    call: (run, [descriptor, scratch], seat) => {
      run.part_seat(scratch!, seat.share);
      for (const [k, phase] of phases.entries()) {
        if (k) seat.meet();
        takePhase(run, phase, descriptor!, seat);
      }
    },
  };
}

/** All that is shared out, in the order that both sides count. */
export const CALLS: readonly Shared[] = [
  forward,
  backward,
  byPhases('dense_forward', PART_DENSE),
  byPhases('dense_backward', PART_DENSE_WEIGHTS, PART_DENSE_BACK),
  byPhases('optimizer_update', PART_UPDATE),
  byPhases('loss_rows', PART_LOSS),
  byPhases('rows_gather', PART_GATHER),
  byPhases('rows_add', PART_ADD),
];
