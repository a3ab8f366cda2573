/** A Redis, stores in folders, and workers and producers in this process. */

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Producer, startWorker } from '../../dist/index.js';
import type { RunningWorker, WorkerSettings } from '../../dist/index.js';
import { TestRedis, temporary } from './processes.ts';

export const silent = pino({ level: 'silent' });

/** The bytes of all files of a folder, by name. */
export function filesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder).sort();
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'base64')]));
}

export class Cluster {
  readonly folder: string = temporary();
  readonly redis: TestRedis;
  readonly settings: WorkerSettings;
  readonly #closing: (() => Promise<void>)[] = [];

  private constructor(redis: TestRedis) {
    this.redis = redis;
    for (const name of ['data', 'out']) mkdirSync(join(this.folder, name));
    this.settings = {
      redis: redis.url,
      readOnly: { data: join(this.folder, 'data') },
      stores: { out: join(this.folder, 'out') },
      threads: 1,
      lockMs: 2000,
    };
  }

  static async start(): Promise<Cluster> {
    return new Cluster(await TestRedis.start());
  }

  async worker(more: Partial<WorkerSettings> = {}): Promise<RunningWorker> {
    const worker = await startWorker({ ...this.settings, ...more }, silent);
    this.#closing.push(() => worker.close());
    return worker;
  }

  producer(more: Partial<WorkerSettings> = {}): Producer {
    const { redis, readOnly, stores } = this.settings;
    const producer = new Producer({ redis, readOnly, stores, everyMs: 20, ...more });
    this.#closing.push(() => producer.close());
    return producer;
  }

  put(name: string, text: string): void {
    writeFileSync(join(this.folder, 'data', name), text);
  }

  /** The files of a folder of the results, by name. */
  results(folder: string): Map<string, string> {
    return filesOf(join(this.folder, 'out', folder));
  }

  text(folder: string, name: string): string {
    return readFileSync(join(this.folder, 'out', folder, name), 'utf8');
  }

  /** The lines of all parts. */
  lines(folder: string): string {
    const parts = [...this.results(folder).keys()].filter((name) => name.startsWith('part-'));
    return parts.map((name) => this.text(folder, name)).join('');
  }

  async end(): Promise<void> {
    for (const close of this.#closing.splice(0)) await close();
    await this.redis.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
