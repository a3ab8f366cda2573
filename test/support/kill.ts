import { GatefoldError, type Engine } from '../../src/hosts/default.ts';
import { createRandom } from './random.ts';
import { courseOfThreads, sameCourse } from './threads-course.ts';
import { createFaultyWorker, createWorker, startThreads, type Fault } from './threads.ts';

/** Kernel calls of a worker: one or two courses, in pieces of this size. */
const CALLS = 400;
const PIECE = 400;

function requireCourse(engine: Engine, expected: readonly Float32Array[]): void {
  if (!sameCourse(courseOfThreads(engine), expected)) throw new Error('the engine made other bits');
}

/**
 * One worker of two or three ends at a random kernel call, before it or after. The call has to
 * become an error, and the engine has to go on alone with the bits that are expected.
 */
export async function kill(seed: number, expected: readonly Float32Array[]): Promise<Fault> {
  const random = createRandom(seed);
  const threads = random.integer(2, 4);
  const fault: Fault = {
    nth: random.integer(1, CALLS),
    what: random.integer(0, 1) ? 'exit before' : 'exit after',
  };
  const victim = random.integer(1, threads - 1);
  let made = 0;
  const worker = (): ReturnType<typeof createWorker> =>
    ++made === victim ? createFaultyWorker(fault) : createWorker();
  const first = random.integer(-50, 0);
  const options = { stillMs: 200, piece: PIECE, first };
  const engine = await startThreads('baseline', threads, options, worker);
  try {
    for (let course = 0; course < 5; course++) requireCourse(engine, expected);
    throw new Error(`the end of worker ${victim} went unseen: ${JSON.stringify(fault)}`);
  } catch (error) {
    if (!(error instanceof GatefoldError) || error.code !== 'ERR_THREADS') throw error;
  }
  if (engine.threads !== 1) throw new Error('the engine has not left its threads');
  requireCourse(engine, expected);
  engine.dispose();
  return fault;
}
