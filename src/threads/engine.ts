import { isBuffer } from '../base/arrays.ts';
import { Engine as CoreEngine, createImports, kernelsOf } from '../engine/engine.ts';
import type { CoreEngineOptions } from '../engine/engine.ts';
import { MEMORY_FLAGS_AT } from '../engine/generated/wasm-flags.ts';
import type { KernelImports } from '../engine/imports.ts';
import type { Kernels } from '../engine/kernels.ts';
import { Engine } from '../hosts/default.ts';
import { CALLS } from './calls.ts';
import { Team, countCores } from './team.ts';
import type { TeamOptions } from './team.ts';
import type { WorkerSource } from './workers.ts';

/**
 * An engine whose larger calls are shared out to several threads. Their number changes no bit of
 * any result.
 */
export class TeamEngine extends Engine {
  /** @internal The kernels for its shared memory; absent where there is none. */
  readonly sharedKernels: Uint8Array<ArrayBuffer> | undefined;
  readonly #team: Team | undefined;
  #reason: string | undefined;

  protected constructor(
    instance: Pick<WebAssembly.Instance, 'exports'>,
    imports: KernelImports,
    maxBytes: number,
    team?: Team,
    sharedKernels?: Uint8Array<ArrayBuffer>,
  ) {
    const run = instance.exports as unknown as Kernels['run'];
    super(
      {
        exports: { ...instance.exports, ...(team && team.size > 1 ? sharedCalls(run, team) : {}) },
      },
      imports,
      maxBytes,
    );
    this.#team = team;
    this.sharedKernels = sharedKernels;
    if (!team) return;
    const bytes = (run.part_bytes.value as number) * team.size;
    team.scratch = kernelsOf(this).arena.allocate(bytes, 'an engine of threads').address;
  }

  /** Threads that it runs on: 1 where the host has no shared memory or no workers. */
  get threads(): number {
    return this.#team?.isWhole ? this.#team.size : 1;
  }

  /**
   * Why there are fewer threads than were asked for; undefined where all are there. As words for
   * people: `threads` is for programs.
   */
  get threadsReason(): string | undefined {
    return this.#reason ?? this.#team?.reason;
  }

  /** @internal Whether this thread takes all of every call, as it may at any time. */
  get isAlone(): boolean {
    return this.#team?.isResting ?? true;
  }

  /** @internal */
  set isAlone(value: boolean) {
    if (this.#team) this.#team.isResting = value;
  }

  /** @internal Tries the sources of workers in turn, and goes on with one thread. */
  static async start(
    options: CoreEngineOptions,
    threads: number,
    workers: readonly WorkerSource[],
    teamOptions: Partial<TeamOptions> = {},
  ): Promise<TeamEngine> {
    const cores = await countCores();
    const failures: string[] = [];
    const lack = lackOf(options);
    for (const { from, create } of lack ? [] : workers) {
      const team = new Team(threads, cores, teamOptions);
      try {
        const { imports, maxBytes } = createImports(options, true);
        const bytes = forSharedMemory(options.module as Uint8Array<ArrayBuffer>);
        const { instance } = await WebAssembly.instantiate(bytes, { ...imports });
        await team.begin(threads - 1, create, { bytes, imports });
        return new this(instance, imports, maxBytes, team, bytes);
      } catch (error) {
        team.end('its workers did not begin');
        failures.push(`a worker from ${from}: ${messageOf(error)}`);
      }
    }
    const engine = (await CoreEngine.create.call(this, options)) as TeamEngine;
    if (threads > 1) engine.#reason = lack ?? failures.join('; ');
    return engine;
  }

  override dispose(): void {
    this.#team?.end('the engine has been disposed');
    super.dispose();
  }
}

/** What a host has not that threads need. */
function lackOf({ module }: CoreEngineOptions): string | undefined {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (typeof SharedArrayBuffer !== 'function') {
    return crossOriginIsolated === false
      ? 'the page is not cross-origin isolated: serve it with the headers "Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"'
      : 'this host has no shared memory';
  }
  if (!isBuffer(module) && !ArrayBuffer.isView(module))
    return 'this host compiles no kernels at run time';
  return undefined;
}

/** What an error says, or an event of a worker that failed to load: those often say nothing. */
function messageOf(error: unknown): string {
  const { message } = Object(error) as { message?: unknown };
  return String(typeof error === 'string' ? error : message || 'could not be loaded');
}

/** The kernels, but that calls worth it are shared out. */
function sharedCalls(run: Kernels['run'], team: Team): Partial<Kernels['run']> {
  const calls = CALLS.map(({ name, work }, index) => {
    const whole = run[name] as (...args: number[]) => void;
    const call = (...args: number[]): void => {
      const isShared = team.isWhole && !team.isResting && work(run, args) >= team.least;
      if (!isShared) whole(...args);
      else team.run(run, index, [...args, team.scratch, team.leastStep]);
    };
    return [name, call];
  });
  return Object.fromEntries(calls) as Partial<Kernels['run']>;
}

/** The same kernels for a memory that is shared: bit 1 of the flags of their import says so. */
export function forSharedMemory(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = module.slice();
  bytes[MEMORY_FLAGS_AT]! |= 2;
  return bytes;
}
