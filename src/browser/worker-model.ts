import { kindOf } from '../base/arrays.ts';
import { checkFlag, readOptions } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { HostDisposable } from '../base/disposable.ts';
import type { Inputs, ModelState, SequenceResult, StateDict } from '../base/tensor.ts';
import type { Gates } from '../model/gates.ts';
import type { ForwardOptions, Model } from '../model/model.ts';
import type { StreamOptions } from '../model/stream.ts';
import { FIX, fileAddress, openingOf, textAddress } from './program.ts';
import type { ProgramOptions } from './program.ts';
import { buffersOf, errorOf } from './protocol.ts';
import type { Answer, Facts } from './protocol.ts';

/** How a model is started in a Worker. */
export type WorkerModelOptions = ProgramOptions;

/** The sequences of one `forward` in the Worker. */
export interface WorkerForwardOptions extends Omit<ForwardOptions, 'out'> {
  /**
   * Whether the arrays of `x` are given away rather than copied: they are empty afterwards. Default
   * false.
   */
  readonly transfer?: boolean;
}

/** Outputs of a stream: one array, or several by name. */
type Outputs = Float32Array | Readonly<Record<string, Float32Array>>;

/** A call that waits for its answer. */
interface Waiting {
  resolve(result: never): void;
  reject(error: Error): void;
}

/** Milliseconds in which a worker has to say that it has begun. */
const PATIENCE_MS = 10_000;

/** A worker, and the calls that are on their way. */
class Client {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #targets = 0;
  /** Why there are no more answers. */
  #end: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent) => this.#hear(data as Answer));
    worker.addEventListener('error', ({ message }) => {
      const reason = message || 'an error that it does not name';
      this.end(new GatefoldError('ERR_STATE', `the worker has failed: ${reason}; make another`));
    });
  }

  /** Resolves once the worker has begun. */
  static async start(worker: Worker): Promise<Client> {
    const client = new Client(worker);
    const begun = client.#wait(-1);
    const late = new GatefoldError('ERR_STATE', 'the worker does not begin');
    const clock = setTimeout(() => client.end(late), PATIENCE_MS);
    await begun.finally(() => clearTimeout(clock));
    return client;
  }

  nextTarget(): number {
    return ++this.#targets;
  }

  /** Calls a method there. */
  call<T>(
    target: number,
    method: string,
    args: readonly unknown[],
    transfer: ArrayBuffer[] = [],
  ): Promise<T> {
    if (this.#end) return Promise.reject(this.#end);
    const id = this.#calls++;
    try {
      this.#worker.postMessage({ id, target, method, args }, transfer);
    } catch (error) {
      const message = `what "${method}" was given cannot be sent to a worker: ${(error as Error).message}`;
      return Promise.reject(new GatefoldError('ERR_ARGUMENT', message));
    }
    return this.#wait<T>(id);
  }

  #wait<T>(id: number): Promise<T> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #hear({ id, result, failure }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(errorOf(failure));
    else waiting?.resolve(result as never);
  }

  end(error: Error): void {
    this.#end ??= error;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Copies what came back into the caller's arrays. */
function fill(out: Outputs, filled: Outputs): void {
  if (kindOf(out) !== undefined) (out as Float32Array).set(filled as Float32Array);
  else
    for (const [name, own] of Object.entries(filled))
      (out as Record<string, Float32Array>)[name]!.set(own);
}

/** A stream of a `WorkerModel`: as `Stream`, but every call is a promise. */
export class WorkerStream extends HostDisposable {
  /** B */
  readonly batch: number;
  readonly #client: Client;
  readonly #target: number;

  /** @internal */
  constructor(client: Client, target: number, batch: number) {
    super();
    this.#client = client;
    this.#target = target;
    this.batch = batch;
  }

  /** As `Stream.step`. */
  async step(x: Inputs, out: Outputs): Promise<void> {
    fill(out, await this.#call('step', x, out));
  }

  /** As `Stream.run`. */
  async run(x: Inputs, out: Outputs, steps: number): Promise<void> {
    fill(out, await this.#call('run', x, out, steps));
  }

  /** As `Stream.reset`. */
  reset(row?: number): Promise<void> {
    return this.#call('reset', row);
  }

  /** As `Stream.save`, into fresh arrays. */
  save(): Promise<ModelState> {
    return this.#call('save');
  }

  /** As `Stream.restore`. */
  restore(state: ModelState): Promise<void> {
    return this.#call('restore', state);
  }

  /** As `Stream.state`. */
  state(row: number): Promise<ModelState> {
    return this.#call('state', row);
  }

  #call<T>(method: string, ...args: readonly unknown[]): Promise<T> {
    return this.#client.call(this.#target, method, args);
  }

  dispose(): void {
    // A worker that has ended has no streams.
    this.#call('dispose').catch(() => {});
  }
}

/**
 * A model that runs in a Worker, so that the page goes on meanwhile: as `Model`, but every call is
 * a promise. Results are transferred; inputs are copied.
 */
export class WorkerModel extends HostDisposable {
  /** As of a `Model`. */
  readonly description: Model['description'];
  /** As of a `Model`. */
  readonly inputs: Model['inputs'];
  /** As of a `Model`. */
  readonly outputs: Model['outputs'];
  /** I of the first input. */
  readonly inputSize: number;
  /** O of the first output. */
  readonly outputSize: number;
  /** Whether the first input is an `Int32Array` of tokens. */
  readonly takesTokens: boolean;
  /** Whether the first output is one row a sequence. */
  readonly pooled: boolean;
  /** Numbers in all parameters. */
  readonly parameterCount: number;
  /** What the file of the model keeps of it. */
  readonly metadata: Model['metadata'];
  /** Layers that 8-bit weights leave in float32. */
  readonly float32Layers: readonly string[];
  readonly #client: Client;

  /** @internal */
  constructor(client: Client, facts: Facts) {
    super();
    this.#client = client;
    this.description = facts.description;
    this.inputs = facts.inputs;
    this.outputs = facts.outputs;
    this.inputSize = facts.inputSize;
    this.outputSize = facts.outputSize;
    this.takesTokens = facts.takesTokens;
    this.pooled = facts.pooled;
    this.parameterCount = facts.parameterCount;
    this.metadata = facts.metadata;
    this.float32Layers = facts.float32Layers;
  }

  /** As `Model.forward`. */
  async forward(x: Inputs, options: WorkerForwardOptions = {}): Promise<SequenceResult> {
    const { transfer, ...rest } = Object(options) as WorkerForwardOptions;
    const isGiven = checkFlag('transfer', transfer);
    return this.#client.call(0, 'forward', [x, rest], isGiven ? buffersOf(x) : []);
  }

  /** As `Model.gates`. */
  gates(x: Inputs, options: Omit<WorkerForwardOptions, 'transfer'> = {}): Promise<Gates> {
    return this.#client.call(0, 'gates', [x, options]);
  }

  /** As `Model.stateDict`. */
  stateDict(): Promise<StateDict> {
    return this.#client.call(0, 'stateDict', []);
  }

  /** As `Model.loadStateDict`: replaces all parameters, between two other calls. */
  loadStateDict(tensors: StateDict): Promise<void> {
    return this.#client.call(0, 'loadStateDict', [tensors]);
  }

  /** As `Model.warmUp`. */
  warmUp(options: Parameters<Model['warmUp']>[0] = {}): Promise<void> {
    return this.#client.call(0, 'warmUp', [options]);
  }

  /** As `Model.stream`. */
  async stream(options: StreamOptions = {}): Promise<WorkerStream> {
    const target = this.#client.nextTarget();
    await this.#client.call(0, 'stream', [target, options]);
    return new WorkerStream(this.#client, target, options.batch ?? 1);
  }

  /** Ends the worker; calls that wait reject. */
  dispose(): void {
    const message =
      'the model of the worker has been disposed; make another with createWorkerModel';
    this.#client.end(new GatefoldError('ERR_DISPOSED', message));
  }
}

/**
 * A model in a Worker of its own, with the face of `Model` in promises.
 *
 * @example
 *   const model = await createWorkerModel(await fetchBytes('model.safetensors'));
 *   const { output } = await model.forward(x, { steps: 100 });
 *
 * @param bytes of a file that `saveModel` wrote.
 * @throws `ERR_UNSUPPORTED` where no worker can be started, with what to change.
 */
export async function createWorkerModel(
  bytes: Uint8Array | ArrayBuffer,
  options: WorkerModelOptions = {},
): Promise<WorkerModel> {
  const given = readOptions('options', options, ['simd', 'maxBytes', 'program']);
  const opening = openingOf(bytes, given);
  const client = await startClient(given.program);
  try {
    return new WorkerModel(client, await client.call<Facts>(0, 'open', [opening]));
  } catch (error) {
    client.end(error as Error);
    throw error;
  }
}

/** From the page's own address, or from the text and else the file of this package. */
async function startClient(program: string | URL | undefined): Promise<Client> {
  if (typeof Worker !== 'function') {
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      'this host has no Worker: load the model in this thread',
    );
  }
  const addresses = program ? [() => program] : [textAddress, fileAddress];
  const reasons: string[] = [];
  for (const address of addresses) {
    try {
      return await Client.start(new Worker(address()));
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  const message = `no worker could be started (${reasons.join('; ')}): ${FIX}`;
  throw new GatefoldError('ERR_UNSUPPORTED', message);
}
