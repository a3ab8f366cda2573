import { Engine, createImports, kernelsOf } from '../engine/engine.ts';
import type { CoreEngineOptions } from '../engine/engine.ts';
import { MEMORY_FLAGS_AT } from '../engine/generated/wasm-bytes.ts';
import type { KernelImports } from '../engine/imports.ts';
import type { Kernels } from '../engine/kernels.ts';
import { CALLS } from './calls.ts';
import { Team } from './team.ts';
import type { TeamOptions, ThreadWorker } from './team.ts';

/**
 * An engine whose larger calls are shared out to several threads. Their number changes no bit of
 * any result.
 */
export class TeamEngine extends Engine {
  /** @internal The kernels for its shared memory; absent where there is none. */
  readonly sharedKernels: Uint8Array<ArrayBuffer> | undefined;
  readonly #team: Team | undefined;

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

  /** @internal Whether this thread takes all of every call, as it may at any time. */
  get isAlone(): boolean {
    return this.#team?.isResting ?? true;
  }

  /** @internal */
  set isAlone(value: boolean) {
    if (this.#team) this.#team.isResting = value;
  }

  /** @internal */
  static async start(
    options: CoreEngineOptions & { readonly module: Uint8Array<ArrayBuffer> },
    threads: number,
    worker: () => ThreadWorker,
    teamOptions: Partial<TeamOptions> = {},
  ): Promise<TeamEngine> {
    let team: Team | undefined;
    try {
      team = new Team(threads, teamOptions);
      const { imports, maxBytes } = createImports(options, true);
      const bytes = forSharedMemory(options.module);
      const { instance } = await WebAssembly.instantiate(bytes, { ...imports });
      await team.begin(threads - 1, worker, { bytes, imports });
      return new this(instance, imports, maxBytes, team, bytes);
    } catch {
      team?.end();
      return (await super.create(options)) as TeamEngine;
    }
  }

  override dispose(): void {
    this.#team?.end();
    super.dispose();
  }
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
