/** Adds runs to the queue, and follows them. Whoever asks again for the same run finds it again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { FlowProducer, Queue } from 'bullmq';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { Context, DEFAULT_QUEUE } from './context.ts';
import type { Settings } from './context.ts';
import { refuse } from './errors.ts';
import { flowOf } from './flow.ts';
import { idOf } from './jobs.ts';
import type { JobData, TrainShard } from './jobs.ts';
import { connect } from './redis.ts';
import { planScore } from './score.ts';
import type { Manifest, ScoreIndex, ScoreOptions, ScorePlan } from './score.ts';
import { addRound, beginTraining, isWhole, readCheckpoint, roundOf } from './train.ts';
import type { Checkpoint } from './train.ts';
import type { TrainConfig } from './rounds.ts';

export interface ProducerSettings extends Settings {
  readonly redis: string;
  /** Tries of a job before it is set aside; default 5. */
  readonly tries?: number;
  /** Milliseconds between two looks at a run; default 1,000. */
  readonly everyMs?: number;
}

/** How far a run of scoring is. */
export interface ScoreState {
  readonly shards: number;
  readonly done: number;
  readonly setAside: number;
}

export class Producer {
  readonly context: Context;
  readonly #redis: Redis;
  readonly #queue: Queue;
  readonly #flows: FlowProducer;
  readonly #options: { readonly queue: string; readonly tries: number };
  readonly #everyMs: number;

  constructor({ redis, tries = 5, everyMs = 1000, ...settings }: ProducerSettings) {
    const { queue = DEFAULT_QUEUE } = settings;
    this.#redis = connect(redis);
    this.context = new Context(settings, this.#redis);
    this.#queue = new Queue(queue, { connection: this.#redis });
    this.#flows = new FlowProducer({ connection: this.#redis });
    this.#options = { queue, tries };
    this.#everyMs = everyMs;
    // Redis is away: commands wait.
    const wait = (): void => {};
    this.#redis.on('error', wait);
    this.#queue.on('error', wait);
    this.#flows.on('error', wait);
  }

  /** Adds a run of scoring, once however often it is called. */
  async score(manifest: Manifest, options: ScoreOptions): Promise<ScorePlan> {
    const plan = await planScore(this.context, manifest, options);
    const { end, shards } = plan;
    const before = await this.#jobOf(end);
    if (before) {
      const state = await before.getState();
      const isOver = state === 'completed' || state === 'failed';
      const { setAside = 1 } = (before.returnvalue ?? {}) as { setAside?: number };
      if (!isOver || (state === 'completed' && setAside === 0)) return plan;
      await before.remove({ removeChildren: false });
    }
    await this.#removeFailed(shards);
    await this.#flows.add(flowOf(end, shards, this.#options, { ignoreDependencyOnFailure: true }));
    return plan;
  }

  /** Waits for the index of a run. */
  async scored(
    { end }: ScorePlan,
    onState: (state: ScoreState) => void = () => {},
  ): Promise<ScoreIndex> {
    for (;;) {
      const job = await this.#jobOf(end);
      if (!job) return refuse(`run ${end.run} has been removed from the queue`);
      const { processed = 0, ignored = 0 } = await job.getDependenciesCount({
        processed: true,
        ignored: true,
      });
      onState({ shards: end.shards, done: processed, setAside: ignored });
      const state = await job.getState();
      if (state === 'failed') return refuse(`run ${end.run}: ${job.failedReason}`);
      if (state === 'completed') {
        const bytes = await this.context.stores.read(`${end.output}/index.json`);
        return JSON.parse(Buffer.from(bytes).toString()) as ScoreIndex;
      }
      await sleep(this.#everyMs);
    }
  }

  /** Begins a run of training, or goes on from its last checkpoint. */
  async train(config: TrainConfig, output: string, first: Uint8Array): Promise<Checkpoint> {
    const start = await beginTraining(this.context, config, output, first);
    const last = await this.#lastCheckpoint(output, config.rounds);
    if (last && last.run !== start.run) {
      refuse(`${output} has checkpoints of run ${last.run}: name another place`);
    }
    const at = last ?? start;
    if (at.round < config.rounds) {
      const isKept = at === start || (await isWhole(at, this.context));
      const before = isKept ? at : await readCheckpoint(this.context, output, at.round - 1);
      await this.#ensureRound(before ?? start, config, output);
    }
    return at;
  }

  /** Waits for the last round. Rounds are added by their workers, whether or not anybody waits. */
  async trained(
    from: Checkpoint,
    config: TrainConfig,
    output: string,
    onRound: (checkpoint: Checkpoint) => void = () => {},
  ): Promise<Checkpoint> {
    let at = from;
    while (at.round < config.rounds) {
      const next = await readCheckpoint(this.context, output, at.round + 1);
      if (next) {
        at = next;
        onRound(at);
        continue;
      }
      const { end, children } = roundOf(at, config.data.length, output);
      const job = await this.#jobOf(end);
      // A Redis that was killed may have lost that the round was added.
      if (!job) await this.#ensureRound(at, config, output);
      else if ((await job.getState()) === 'failed') {
        const why = (await this.#failureOf(children)) ?? `: ${job.failedReason}`;
        refuse(`round ${at.round}${why}`);
      }
      await sleep(this.#everyMs);
    }
    return at;
  }

  async #lastCheckpoint(output: string, rounds: number): Promise<Checkpoint | undefined> {
    // All checkpoints stay: those before the last one are there, those after it are not.
    let [low, high] = [0, rounds];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (await readCheckpoint(this.context, output, middle)) low = middle;
      else high = middle - 1;
    }
    return low === 0 ? undefined : readCheckpoint(this.context, output, low);
  }

  /** Adds the round after a checkpoint where it is not there, or has failed. */
  async #ensureRound(at: Checkpoint, { data }: TrainConfig, output: string): Promise<void> {
    const { end, children } = roundOf(at, data.length, output);
    const job = await this.#jobOf(end);
    const state = await job?.getState();
    if (job && state !== 'failed' && state !== 'completed') return;
    await job?.remove({ removeChildren: false });
    await this.#removeFailed(children);
    await addRound(this.#flows, at, data.length, output, this.#options);
  }

  /** Which shard of a round was set aside, and why. */
  async #failureOf(children: readonly TrainShard[]): Promise<string | undefined> {
    for (const child of children) {
      const job = await this.#jobOf(child);
      if (job && (await job.isFailed())) return `, shard ${child.shard}: ${job.failedReason}`;
    }
    return undefined;
  }

  #jobOf(data: JobData): Promise<Job | undefined> {
    return this.#queue.getJob(idOf(data));
  }

  /** Removes jobs that were set aside, to be added again. */
  async #removeFailed(jobs: readonly JobData[]): Promise<void> {
    const ids = new Set(jobs.map(idOf));
    for (const job of await this.#queue.getFailed()) {
      if (ids.has(job.id!)) await job.remove();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#queue.close(), this.#flows.close(), this.context.end()]);
    this.#redis.disconnect();
  }
}
