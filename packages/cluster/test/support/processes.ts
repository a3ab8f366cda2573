/** A real Redis on loopback, and workers and producers as processes of their own. */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'gatefold-cluster-'));
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A Redis that can be killed and started again over its append-only file. */
export class TestRedis {
  readonly folder: string = temporary();
  readonly port: number;
  readonly #more: readonly string[];
  readonly #url: string | undefined;
  #process: ChildProcess | undefined;

  private constructor(port: number, more: readonly string[], url: string | undefined) {
    this.port = port;
    this.#more = more;
    this.#url = url;
  }

  static async start(
    more: readonly string[] = [],
    url?: (port: number) => string,
  ): Promise<TestRedis> {
    const port = await freePort();
    const redis = new TestRedis(port, more, url?.(port));
    await redis.start();
    return redis;
  }

  get url(): string {
    return this.#url ?? `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  async start(): Promise<void> {
    const options = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder];
    const kept = ['--appendonly', 'yes', '--save', ''];
    this.#process = spawn('redis-server', [...options, ...kept, ...this.#more], {
      stdio: 'ignore',
    });
    this.#process.on('error', (error) => {
      throw new Error('install it by apt-get install redis-server', { cause: error });
    });
    if (this.#url) return void (await sleep(500));
    const client = new Redis(this.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
    client.on('error', () => {});
    await client.ping();
    client.disconnect();
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const ended = once(this.#process!, 'exit');
    this.#process!.kill(signal);
    await ended;
  }

  async end(): Promise<void> {
    if (this.#process!.exitCode === null && this.#process!.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A command in a process of its own, with what it says. */
export class Command {
  readonly process: ChildProcess;
  out = '';
  err = '';
  /** The exit status, or the signal. */
  readonly ended: Promise<number | string>;

  constructor(parameters: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.process = spawn(process.execPath, [main, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.process.stdout!.on('data', (text) => (this.out += text));
    this.process.stderr!.on('data', (text) => (this.err += text));
    this.ended = once(this.process, 'close').then(([code, signal]) => code ?? signal);
  }

  /** Waits until it has said something. */
  async says(text: string): Promise<void> {
    const end = performance.now() + 30_000;
    while (!(this.out + this.err).includes(text)) {
      if (performance.now() > end || this.process.exitCode !== null) {
        throw new Error(`it has not said "${text}": ${this.out}${this.err}`);
      }
      await sleep(20);
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string> {
    this.process.kill(signal);
    return this.ended;
  }
}
