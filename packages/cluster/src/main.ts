#!/usr/bin/env node
/** The command `gatefold-cluster`. */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { ClusterError } from './errors.ts';
import { Producer } from './producer.ts';
import type { ProducerSettings } from './producer.ts';
import type { Manifest } from './score.ts';
import { prepareTraining } from './text.ts';
import type { TrainingText } from './text.ts';
import { modelAt } from './train.ts';
import { startWorker } from './worker.ts';

interface Shared {
  readonly redis: string;
  readonly store: Record<string, string>;
  readonly read: Record<string, string>;
  readonly blobs?: string;
  readonly queue?: string;
  readonly tries?: number;
}

interface WorkerFlags extends Shared {
  readonly concurrency?: number;
  readonly threads?: number;
  readonly onlyModel?: string[];
  readonly lock?: number;
  readonly memory?: number;
  readonly engineMemory?: number;
  readonly grace?: number;
  readonly metrics?: number;
  readonly metricsHost: string;
  readonly sources?: string;
  readonly log: string;
}

interface ScoreFlags extends Shared {
  readonly out: string;
  readonly simd: 'auto' | 'deterministic';
  readonly skipBad?: boolean;
  readonly x: string;
  readonly id: string;
  readonly shardRecords?: number;
  readonly shardBytes?: number;
}

/** Memory above which a worker should end: the host says it by an exit code that is not 0. */
const EXIT_MEMORY = 3;
const EXIT_SET_ASIDE = 2;
const MIB = 2 ** 20;

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('expected a whole number');
}

function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('expected NAME=URL');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}

const gather = (text: string, before: string[] = []): string[] => [...before, text];

const program = new Command('gatefold-cluster').description(
  'Batch scoring and training rounds over many machines, by BullMQ and Redis',
);

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--redis <url>', 'default GATEFOLD_REDIS', process.env.GATEFOLD_REDIS)
    .option('--store <name=url>', 'a folder or s3://bucket/prefix that jobs may use', pair, {})
    .option('--read <name=url>', 'the same, for reading only', pair, {})
    .option('--blobs <address>', 'where models go by their hash (default: redis:blobs)')
    .option('--queue <name>', 'name of the queue (default: gatefold)')
    .option('--tries <n>', 'tries of a job before it is set aside (default: 5)', whole);
}

function settingsOf({ redis, store, read, blobs, queue, tries }: Shared): ProducerSettings {
  if (!redis)
    throw new ClusterError('name the Redis by --redis redis://host:6379 or GATEFOLD_REDIS');
  return { redis, stores: store, readOnly: read, blobs, queue, tries };
}

command('worker', 'Takes jobs until it is told to end')
  .option('--concurrency <n>', 'jobs at once (default: 2)', whole)
  .option('--threads <n>', 'threads that score (default: one a core)', whole)
  .option('--only-model <hash>', 'a model that may be run; all where none is named', gather)
  .option('--lock <seconds>', 'silence after which a job is retaken (default: 30)', Number)
  .option('--memory <MiB>', 'ends, with status 3, above this', whole)
  .option('--engine-memory <MiB>', 'of a model that is trained, and of a scoring thread', whole)
  .option('--grace <seconds>', 'for the jobs in work on SIGTERM (default: 25)', Number)
  .option('--metrics <port>', 'serves Prometheus metrics', whole)
  .option('--metrics-host <host>', 'on this address', '127.0.0.1')
  .option('--sources <file>', 'a module whose exports are records by index')
  .option('--log <level>', 'debug, info, warn or error', 'info')
  .action(async (flags: WorkerFlags) => {
    const log = pino({ level: flags.log, name: 'gatefold-cluster' });
    const sources = flags.sources && (await import(pathToFileURL(resolve(flags.sources)).href));
    const worker = await startWorker(
      {
        ...settingsOf(flags),
        sources: sources && { ...sources },
        concurrency: flags.concurrency,
        threads: flags.threads,
        onlyModels: flags.onlyModel,
        lockMs: flags.lock && 1e3 * flags.lock,
        graceMs: flags.grace && 1e3 * flags.grace,
        maxMemory: flags.memory && flags.memory * MIB,
        maxEngineBytes: flags.engineMemory && flags.engineMemory * MIB,
      },
      log,
    );
    if (flags.metrics !== undefined) worker.metrics.listen(flags.metrics, flags.metricsHost);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => void worker.close());
    }
    const reason = await worker.ended;
    log.info({ reason }, 'ended');
    process.exit(reason === 'memory' ? EXIT_MEMORY : 0);
  });

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Says something once. */
function teller(): (text: string) => void {
  let last: string | undefined;
  return (text) => {
    if (text !== last) process.stderr.write(`${text}\n`);
    last = text;
  };
}

command('score', 'Scores the inputs of a manifest, and waits for the index of the results')
  .argument('<model>', 'a file of saveModelFile')
  .argument('<manifest>', 'JSON: {"inputs": ["store:key"]} or {"source": NAME, "count": N}')
  .requiredOption('--out <address>', 'store:key of the folder of the results')
  .option('--simd <kind>', 'deterministic for the same bits on every kind of machine', 'auto')
  .option('--skip-bad', 'passes over bad records')
  .option('--x <field>', 'field of the inputs', 'x')
  .option('--id <field>', 'field of the id', 'id')
  .option('--shard-records <n>', 'records of a shard at most (default: 4096)', whole)
  .option('--shard-bytes <n>', 'bytes of a shard at most (default: 4 MiB)', whole)
  .action(async (model: string, manifest: string, flags: ScoreFlags) => {
    const producer = new Producer(settingsOf(flags));
    const what = JSON.parse(await readFile(manifest, 'utf8')) as Manifest;
    const plan = await producer.score(what, {
      model: await producer.context.blobs.put(await readFile(model)),
      output: flags.out,
      simd: flags.simd,
      skipBad: flags.skipBad,
      fields: { x: flags.x, id: flags.id },
      maxRecords: flags.shardRecords,
      maxBytes: flags.shardBytes,
    });
    const tell = teller();
    tell(`run ${plan.end.run}: ${plan.end.records} records in ${plan.shards.length} shards`);
    const index = await producer.scored(plan, ({ shards, done, setAside }) =>
      tell(`${done} of ${shards} shards${setAside > 0 ? `, ${setAside} set aside` : ''}`),
    );
    say(`${flags.out}/index.json: ${index.records} records, ${index.skipped} skipped`);
    for (const { shard, reason } of index.setAside) say(`set aside: shard ${shard}, ${reason}`);
    await producer.close();
    if (index.setAside.length > 0) process.exitCode = EXIT_SET_ASIDE;
  });

command('train', 'Trains in rounds, and waits for the model')
  .argument('<config>', 'JSON: the text, shards, rounds, updates and the rest')
  .requiredOption('--out <address>', 'store:key of the folder of checkpoints and model')
  .action(async (path: string, flags: Shared & { readonly out: string }) => {
    const { text, ...given } = JSON.parse(await readFile(path, 'utf8')) as TrainingText & {
      text: string;
    };
    const producer = new Producer(settingsOf(flags));
    const words = await readFile(resolve(dirname(path), text), 'utf8');
    const { config, first } = await prepareTraining(producer.context, given, words);
    const from = await producer.train(config, flags.out, first);
    const tell = teller();
    tell(`run ${from.run}: from round ${from.round} of ${config.rounds}`);
    await producer.trained(from, config, flags.out, ({ round, losses }) => {
      const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
      tell(`round ${round} of ${config.rounds}: loss ${mean.toFixed(4)}`);
    });
    say(modelAt(flags.out));
    await producer.close();
  });

try {
  await program.parseAsync();
} catch (error) {
  const { message } = error as Error;

  process.stderr.write(`gatefold-cluster: ${message}\n`);
  process.exit(1);
}
