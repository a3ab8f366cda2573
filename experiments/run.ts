/** `npm run experiments`: trains what is not yet finished, writes the report. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { CELLS } from './cells.ts';
import { SEEDS, SHORT_TASKS, TASKS } from './plan.ts';
import { formatTable, writeReport } from './report.ts';
import { readResult, writeResult } from './results.ts';
import type { Result } from './train.ts';
import type { Job, Message } from './worker.ts';

const USAGE = `npm run experiments -- [--only PATTERN] [--quick] [--workers N]

Trains Elman, LSTM, peephole LSTM and GRU of equal size on the tasks of the founding papers, and writes docs/experiments.md.
Every finished run is kept in experiments/results/; started again after Ctrl-C, it goes on with the others.

  --only PATTERN   runs whose name, such as 'adding-200.lstm.11', matches the regular expression
  --quick          the claims at a small size, in about a minute; only prints the table
  --workers N      threads; default 2, at most one a core
  --list           print the names of the runs

For example, the adding problem at lag 200, one seed:

  npm run experiments -- --only 'adding-200.*11$'`;

const FOLDER = 'experiments/results';
const nameOf = ({ task, cell, seed }: Omit<Job, 'short'>): string => `${task}.${cell}.${seed}`;

interface Options {
  readonly jobs: readonly Job[];
  readonly short: boolean;
  readonly workers: number;
  readonly list: boolean;
}

function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const short = values.quick;
  const workers = Number(values.workers);
  if (!Number.isInteger(workers) || workers < 1) {
    throw new Error(`--workers expected a whole number from 1 on, got ${values.workers}`);
  }
  const pattern = new RegExp(values.only);
  const jobs = (short ? SHORT_TASKS : TASKS)
    .flatMap(({ id }) =>
      SEEDS.flatMap((seed) => CELLS.map((cell) => ({ task: id, cell, seed, short }))),
    )
    .filter((job) => pattern.test(nameOf(job)));
  if (jobs.length === 0) throw new Error(`--only: no run matches ${values.only}; try --list`);
  return { jobs, short, workers, list: values.list };
}

/** What a line says of a finished run. */
function describe(result: Result): string {
  const { solved, sequences, wrong, curve, seconds } = result;
  const shown = [...Array(5).keys()].map((k) => curve[Math.ceil(((k + 1) * curve.length) / 5) - 1]);
  return [
    nameOf(result).padEnd(22),
    (solved ? 'solved after' : 'not solved by').padEnd(13),
    String(sequences).padStart(7),
    `wrong ${wrong.toPrecision(3).padEnd(8)}`,
    `loss ${shown.map((point) => point![1].toPrecision(2)).join(' ')}`,
    `${seconds.toFixed(0)} s`,
  ].join('  ');
}

/** One thread: takes job after job until none is left. */
async function work(queue: Job[], onResult: (result: Result) => Promise<void>): Promise<void> {
  const thread = new Worker(new URL('worker.mjs', import.meta.url));
  try {
    for (let job = queue.shift(); job; job = queue.shift()) {
      await onResult(await runJob(thread, job));
    }
  } finally {
    await thread.terminate();
  }
}

function runJob(thread: Worker, job: Job): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number): void =>
      reject(new Error(`the thread of ${nameOf(job)} ended with status ${code}`));
    const onMessage = (message: Message): void => {
      if (message.type === 'result') {
        thread.off('message', onMessage).off('error', reject).off('exit', onExit);
        resolve(message.result);
      } else if (process.stderr.isTTY) {
        const { sequences, loss } = message;
        process.stderr.write(`\r\x1b[K${nameOf(job)}  ${sequences}  ${loss.toPrecision(3)}`);
      }
    };
    thread.on('message', onMessage).on('error', reject).on('exit', onExit);
    thread.postMessage(job);
  });
}

async function runAll({ jobs, short, workers }: Options): Promise<void> {
  const tasks = short ? SHORT_TASKS : TASKS;
  const kept = async ({ task, cell, seed }: Job): Promise<Result | undefined> =>
    short
      ? undefined
      : readResult(
          FOLDER,
          tasks.find(({ id }) => id === task)!,
          cell,
          seed,
        );
  const queue: Job[] = [];
  for (const job of jobs) if (!(await kept(job))) queue.push(job);
  const total = queue.length;
  console.log(`${jobs.length - total} runs are finished, ${total} to go`);
  const results: Result[] = [];
  const onResult = async (result: Result): Promise<void> => {
    results.push(result);
    if (!short) await writeResult(FOLDER, result);
    const clear = process.stderr.isTTY ? '\r\x1b[K' : '';
    console.log(`${clear}${String(results.length).padStart(3)}/${total}  ${describe(result)}`);
  };
  const threads = Array.from({ length: Math.min(workers, total) }, () => work(queue, onResult));
  await Promise.all(threads);
  if (short) {
    console.log(`\n${formatTable(tasks, results)}`);
    return;
  }
  const all: Result[] = [];
  for (const task of TASKS) {
    for (const cell of CELLS) {
      for (const seed of SEEDS) {
        const result = await readResult(FOLDER, task, cell, seed);
        if (result) all.push(result);
      }
    }
  }
  await writeReport('docs', all);
  console.log(`\n${formatTable(TASKS, all)}\n\nwrote ${join('docs', 'experiments.md')}`);
}

async function main(): Promise<void> {
  let options: Options | undefined;
  try {
    options = parseOptions();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  if (!options) console.log(USAGE);
  else if (options.list) console.log(options.jobs.map(nameOf).join('\n'));
  else await runAll(options);
}

await main();
