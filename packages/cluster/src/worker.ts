/** A worker: takes jobs from the queue, as many at once as it may. */

import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowProducer, Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Logger } from 'pino';
import { Context, DEFAULT_QUEUE } from './context.ts';
import type { Settings } from './context.ts';
import { ClusterError, refuse } from './errors.ts';
import { checkJob, checkScored, checkTrained } from './jobs.ts';
import type { JobData, ScoreShard } from './jobs.ts';
import { Metrics } from './metrics.ts';
import { connect } from './redis.ts';
import { finishScore, scoreShard } from './score.ts';
import type { SetAside } from './score.ts';
import { TrainThreads } from './threads.ts';
import { addRound, finishRound, runTrainShard } from './train.ts';

export interface WorkerSettings extends Settings {
  readonly redis: string;
  /** Jobs at once; default 2: one is read or written while another is computed. */
  readonly concurrency?: number;
  /** Tries of a job whose workers die or fail before it is set aside; default 5. */
  readonly tries?: number;
  /** Milliseconds without a sign of life after which a job is taken from a worker; default 30,000. */
  readonly lockMs?: number;
  /** Bytes of the process above which it takes no more jobs, and ends after those it has. */
  readonly maxMemory?: number;
  /** Milliseconds that jobs in work have to end when the worker is told to; default 25,000. */
  readonly graceMs?: number;
}

export interface RunningWorker {
  readonly metrics: Metrics;
  /** Takes no more jobs, and ends after those in work; what takes too long goes to other workers. */
  close(): Promise<void>;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<'closed' | 'memory'>;
}

export async function startWorker(settings: WorkerSettings, log: Logger): Promise<RunningWorker> {
  const { concurrency = 2, tries = 5, lockMs = 30_000, graceMs = 25_000, maxMemory } = settings;
  const { queue = DEFAULT_QUEUE } = settings;
  const redis = connect(settings.redis);
  const context = new Context(settings, redis);
  const metrics = new Metrics(context.stores);
  const threads = new TrainThreads();
  const flows = new FlowProducer({ connection: redis });
  const jobs = new Queue(queue, { connection: redis });
  // A Redis that is away says so again and again.
  let said: string | undefined;
  const tell = (error: Error): void => {
    if (error.message !== said) log.warn({ error: error.message }, 'redis');
    said = error.message;
  };
  redis.on('ready', () => (said = undefined));
  redis.on('error', tell);
  flows.on('error', tell);
  jobs.on('error', tell);

  const work: Work = { context, threads, flows, jobs, queue, tries };
  const worker = new Worker(queue, (job) => run(job, work, metrics, log), {
    connection: redis,
    // Jobs say who has them.
    name: `${hostname()}-${process.pid}`,
    concurrency,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    maxStalledCount: tries - 1,
    drainDelay: 5,
  });
  worker.on('error', tell);
  worker.on('stalled', (id) => {
    metrics.stalled.inc();
    log.warn({ id }, 'taken from a dead worker');
  });
  worker.on('failed', (job, error) => {
    const isOver = job?.finishedOn !== undefined;
    metrics.jobs.inc({ kind: nameOf(job), end: isOver ? 'set aside' : 'retried' });
    const fields = { id: job?.id, kind: nameOf(job), tried: job?.attemptsMade };
    log[isOver ? 'error' : 'warn'](
      { ...fields, error: error.message },
      isOver ? 'set aside' : 'failed',
    );
  });

  let end: (reason: 'closed' | 'memory') => void;
  const ended = new Promise<'closed' | 'memory'>((resolve) => (end = resolve));
  let closing: Promise<void> | undefined;
  const close = (reason: 'closed' | 'memory' = 'closed'): Promise<void> =>
    (closing ??= (async () => {
      clearInterval(watch);
      log.info({ reason, grace: graceMs }, 'closing');
      const isDone = await Promise.race([
        worker.close().then(() => true),
        sleep(graceMs, false, { ref: false }),
      ]);
      if (!isDone) log.warn('jobs in work go to other workers');
      await threads.end();
      if (isDone) await context.end();
      redis.disconnect();
      end(reason);
    })());
  const watch = setInterval(() => {
    const { rss } = process.memoryUsage();
    if (maxMemory === undefined || rss <= maxMemory) return;
    log.warn({ rss, maxMemory }, 'above its memory: ends after the jobs in work');
    void close('memory');
  }, 1000);
  watch.unref();
  await worker.waitUntilReady();
  log.info({ queue, concurrency }, 'ready');
  return { metrics, close: () => close(), ended };
}

interface Work {
  readonly context: Context;
  readonly threads: TrainThreads;
  readonly flows: FlowProducer;
  readonly jobs: Queue;
  readonly queue: string;
  readonly tries: number;
}

/** The kind of a job as a label: forged ones have no name of their own. */
function nameOf(job: Job | undefined): string {
  return /^(score|train)(-end)?$/.test(job?.name ?? '') ? job!.name : 'foreign';
}

async function run(job: Job, work: Work, metrics: Metrics, log: Logger): Promise<unknown> {
  const start = performance.now();
  const kind = nameOf(job);
  metrics.active.inc();
  try {
    const data = checkJob(job.data);
    log.debug({ id: job.id, kind, run: data.run }, 'begins');
    const result = await resultOf(job, data, work);
    const seconds = (performance.now() - start) / 1e3;
    metrics.seconds.observe({ kind }, seconds);
    metrics.jobs.inc({ kind, end: 'done' });
    if (data.kind === 'score') {
      const { records, skipped } = checkScored(result);
      metrics.records.inc({ end: 'done' }, records);
      metrics.records.inc({ end: 'skipped' }, skipped);
    }
    const shard = 'shard' in data ? data.shard : undefined;
    const round = 'round' in data ? data.round : undefined;
    log.info({ id: job.id, kind, run: data.run, shard, round, seconds }, 'done');
    return result;
  } catch (error) {
    // What a job itself does wrong it does wrong again.
    if (error instanceof ClusterError) throw new UnrecoverableError(error.message);
    throw error;
  } finally {
    metrics.active.dec();
  }
}

async function resultOf(job: Job, data: JobData, work: Work): Promise<unknown> {
  const { context, threads, flows, queue, tries } = work;
  switch (data.kind) {
    case 'score':
      return scoreShard(data, context);
    case 'score-end': {
      const done = Object.values(await job.getChildrenValues()).map(checkScored);
      const { records, skipped, setAside } = await finishScore(
        data,
        done,
        await setAsideOf(job, work),
        context,
      );
      return { records, skipped, setAside: setAside.length };
    }
    case 'train':
      return runTrainShard(data, context, threads);
    case 'train-end': {
      const done = Object.values(await job.getChildrenValues()).map(checkTrained);
      const { round, losses } = await finishRound(data, done, context, (checkpoint, shards) =>
        addRound(flows, checkpoint, shards, data.output, { queue, tries }),
      );
      return { round, losses };
    }
  }
}

/** The shards of a run that were set aside, by name. */
async function setAsideOf(job: Job, { jobs }: Work): Promise<SetAside[]> {
  const failures = await job.getIgnoredChildrenFailures();
  return Promise.all(
    Object.entries(failures).map(async ([key, reason]) => {
      const child = await Job.fromId(jobs, key.slice(key.lastIndexOf(':') + 1));
      const data = checkJob(child?.data);
      if (data.kind !== 'score') return refuse('a shard of another kind');
      const { shard, input } = data satisfies ScoreShard;
      return { shard, input, reason };
    }),
  );
}
