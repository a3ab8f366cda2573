/** Kills of workers, of the producer and of Redis, while a shard or a round is in work. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Job } from 'bullmq';
import type { JobData } from '../../dist/jobs.js';
import { makeCase, parseResults } from './case.ts';
import { filesOf } from './cluster.ts';
import { Command, TestRedis, temporary } from './processes.ts';

export type Victim = 'worker' | 'producer' | 'redis';
export type Task = 'score' | 'train';

/** A process that was killed, and what was in work then. */
export interface Kill {
  readonly number: number;
  readonly task: Task;
  readonly victim: Victim;
  /** Milliseconds since its start, or since the last kill. */
  readonly afterMs: number;
  readonly inWork: readonly string[];
}

const WORKERS = 2;
const RECORDS = 1600;
const TEXT = 'It is a truth universally acknowledged, that a single man in possession. '.repeat(
  300,
);
const TRAINING = {
  text: 'text.txt',
  hiddenSize: 48,
  shards: 3,
  rounds: 8,
  updates: 12,
  batch: 8,
  steps: 32,
  seed: 2,
};

interface Active {
  readonly name: string;
  readonly pid: number;
}

/** A run of one task with its Redis and processes, each of which may be killed. */
class Run {
  readonly #task: Task;
  readonly #folder: string;
  readonly #redis: TestRedis;
  readonly #queue: Queue;
  readonly #workers: Command[] = [];
  #producer: Command;

  private constructor(task: Task, folder: string, redis: TestRedis) {
    this.#task = task;
    this.#folder = folder;
    this.#redis = redis;
    const options = { url: redis.url, maxRetriesPerRequest: null, retryStrategy: () => 30 };
    this.#queue = new Queue('gatefold', { connection: options });
    this.#queue.on('error', () => {});
    for (let k = 0; k < WORKERS; k++) this.#workers.push(this.#work());
    this.#producer = this.#produce();
  }

  static async start(task: Task, folder: string): Promise<Run> {
    rmSync(join(folder, 'out'), { recursive: true, force: true });
    mkdirSync(join(folder, 'out'));
    return new Run(task, folder, await TestRedis.start());
  }

  get #shared(): string[] {
    const [data, out] = [join(this.#folder, 'data'), join(this.#folder, 'out')];
    const where = ['--read', `data=${data}`, '--store', `out=${out}`];
    return ['--redis', this.#redis.url, ...where, '--tries', '1000'];
  }

  #work(): Command {
    const own = ['--lock', '1', '--threads', '1', '--concurrency', '1', '--log', 'warn'];
    return new Command(['worker', ...this.#shared, ...own]);
  }

  #produce(): Command {
    const file = (name: string): string => join(this.#folder, name);
    const what =
      this.#task === 'score'
        ? [file('model'), file('manifest.json'), '--shard-records', '50', '--out', 'out:run']
        : [file('train.json'), '--out', 'out:run'];
    return new Command([this.#task, ...what, ...this.#shared]);
  }

  get isDone(): boolean {
    return this.#producer.process.exitCode !== null;
  }

  /** What workers have in work, and in which process. */
  async #active(): Promise<Active[]> {
    const jobs = (await this.#queue.getActive()) as (Job<JobData> | undefined)[];
    return jobs.flatMap((job) => {
      const pid = Number(job?.processedBy?.split('-').at(-1));
      if (!job || !this.#workers.some(({ process }) => process.pid === pid)) return [];
      const { data } = job;
      const shard = 'shard' in data ? ` shard ${data.shard}` : '';
      const round = 'round' in data ? ` round ${data.round}` : '';
      return [{ name: `${data.kind}${round}${shard}`, pid }];
    });
  }

  /** Kills one once something is in work; gives what, or nothing where the run has ended first. */
  async kill(victim: Victim, delayMs: number, awayMs = 50): Promise<readonly string[] | undefined> {
    await sleep(delayMs);
    let active: Active[];
    do {
      if (this.isDone) return undefined;
      active = await this.#active();
    } while (active.length === 0 && (await sleep(5, true)));
    if (this.isDone) return undefined;
    if (victim === 'redis') {
      await this.#redis.kill();
      await sleep(awayMs);
      await this.#redis.start();
    } else if (victim === 'producer') {
      await this.#producer.kill();
      this.#producer = this.#produce();
    } else {
      const at = this.#workers.findIndex(({ process }) => process.pid === active[0]!.pid);
      await this.#workers[at]!.kill();
      this.#workers[at] = this.#work();
    }
    return active.map(({ name }) => name);
  }

  /** Waits for the producer, and gives all files of the results. */
  async results(): Promise<Map<string, string>> {
    const status = await this.#producer.ended;
    if (status !== 0) throw new Error(`the producer ended with ${status}: ${this.#producer.err}`);
    return filesOf(join(this.#folder, 'out', 'run'));
  }

  async end(): Promise<void> {
    for (const { process } of [...this.#workers, this.#producer]) process.kill('SIGKILL');
    await this.#queue.close();
    await this.#redis.end();
  }
}

async function undisturbed(task: Task, folder: string): Promise<Map<string, string>> {
  const run = await Run.start(task, folder);
  try {
    return await run.results();
  } finally {
    await run.end();
  }
}

/** A folder with the inputs of both tasks. */
async function prepare(): Promise<{ folder: string; ids: string }> {
  const folder = temporary();
  mkdirSync(join(folder, 'data'));
  const { model, lines, expected } = await makeCase(RECORDS, 64);
  writeFileSync(join(folder, 'model'), model);
  writeFileSync(join(folder, 'data', 'all.ndjson'), lines);
  writeFileSync(join(folder, 'manifest.json'), '{"inputs":["data:all.ndjson"]}');
  writeFileSync(join(folder, 'text.txt'), TEXT);
  writeFileSync(join(folder, 'train.json'), JSON.stringify(TRAINING));
  return { folder, ids: [...expected.keys()].join() };
}

/** Takes Redis away for a time while something is in work, which it gives. */
export async function absence(task: Task, awayMs: number): Promise<readonly string[]> {
  const { folder } = await prepare();
  try {
    const reference = await undisturbed(task, folder);
    const run = await Run.start(task, folder);
    try {
      const inWork = await run.kill('redis', 0, awayMs);
      compare(await run.results(), reference);
      return inWork ?? [];
    } finally {
      await run.end();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Kills `count` of each of some victims, over as many runs as it takes. */
export async function campaign(
  task: Task,
  victims: readonly Victim[],
  count: number,
  random: () => number,
  log: (text: string) => void,
): Promise<{ kills: Kill[]; runs: number }> {
  const { folder, ids } = await prepare();
  const reference = await undisturbed(task, folder);
  const kills: Kill[] = [];
  let runs = 0;
  try {
    const plan = victims.flatMap((victim) => Array.from({ length: count }, () => victim));
    plan.sort(() => random() - 0.5);
    while (kills.length < plan.length) {
      const run = await Run.start(task, folder);
      try {
        while (kills.length < plan.length) {
          const victim = plan[kills.length]!;
          const afterMs = Math.round(700 * random());
          const inWork = await run.kill(victim, afterMs);
          if (!inWork) break;
          const kill = { number: kills.length + 1, task, victim, afterMs, inWork };
          kills.push(kill);
          log(`kill ${kill.number}: ${victim}, after ${afterMs} ms, in work: ${inWork.join(', ')}`);
        }
        compare(await run.results(), reference);
        runs++;
      } finally {
        await run.end();
      }
    }
    if (task === 'score') {
      const parts = [...reference].filter(([name]) => name.startsWith('part-'));
      const text = parts.map(([, bytes]) => Buffer.from(bytes, 'base64').toString()).join('');
      if ([...parseResults(text).keys()].join() !== ids) throw new Error('records are missing');
    }
    return { kills, runs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compare(own: ReadonlyMap<string, string>, reference: ReadonlyMap<string, string>): void {
  const names = [...own.keys()].filter((name) => !name.endsWith('.part'));
  if (names.join() !== [...reference.keys()].join()) {
    throw new Error(
      `there are ${names.join()}, and in the undisturbed run ${[...reference.keys()].join()}`,
    );
  }
  for (const name of names) {
    if (own.get(name) !== reference.get(name)) throw new Error(`${name} has other bytes`);
  }
}
