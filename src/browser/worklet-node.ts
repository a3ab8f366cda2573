import { checkInteger, readOptions, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { asBytes } from '../formats/shared/bytes.ts';
import { FIX, fileAddress, openingOf, textAddress } from './program.ts';
import type { ProgramOptions } from './program.ts';
import { PROCESSOR, errorOf } from './protocol.ts';
import type { Answer, Facts } from './protocol.ts';
import type { ProcessorOptions } from './processor.ts';

/** How a model is started in an AudioWorklet. */
export interface WorkletNodeOptions extends ProgramOptions {
  /**
   * Samples at the beginning of each input of the model that are the last ones of the input before;
   * default 0.
   */
  readonly overlap?: number;
  /** Hears the outputs of a model that gives no sound, frame by frame; frames count from 1. */
  readonly onOutput?: (output: Float32Array, frame: number) => void;
}

/** What the audio thread knows of its model. */
export interface WorkletFacts extends Facts {
  /** Whether the outputs are the sound of the node; else `onOutput` hears them. */
  readonly isSound: boolean;
  /** Samples by which the sound is late. */
  readonly latency: number;
}

/** A model that runs in an AudioWorklet. */
export interface ModelNode extends AudioWorkletNode {
  /** Resolves when the audio thread has the model, rejects where it cannot run it. */
  readonly ready: Promise<WorkletFacts>;
  /**
   * Another model from the next block on. One with the same layers goes on from the states of the
   * one before.
   */
  load(bytes: Uint8Array | ArrayBuffer): Promise<WorkletFacts>;
  /** Starts over from zero states. */
  reset(): Promise<void>;
  /** The share of real time that the model took since this was asked last, and of how long. */
  usage(): Promise<{ readonly share: number; readonly seconds: number }>;
  /** Ends the model; the node is silent from then on. */
  dispose(): void;
}

/** Scopes that have the processor, or are about to. */
const prepared = new WeakMap<BaseAudioContext, Promise<void>>();

/**
 * A node that runs a model in the audio thread: a filter, where the model gives as many numbers as
 * it reads new samples; else `onOutput` hears what it finds. It takes one channel, the mean of
 * those that come in. A node without sound has to be connected to `destination` too: it is silent.
 *
 * @example
 *   const node = await createWorkletNode(context, await fetchBytes('amplifier.safetensors'));
 *   source.connect(node).connect(context.destination);
 *
 * @param bytes of a file that `saveModel` wrote.
 * @throws `ERR_UNSUPPORTED` where the program cannot be loaded, with what to change.
 */
export async function createWorkletNode(
  context: BaseAudioContext,
  bytes: Uint8Array | ArrayBuffer,
  options: WorkletNodeOptions = {},
): Promise<ModelNode> {
  const keys = ['simd', 'maxBytes', 'overlap', 'onOutput', 'program'] as const;
  const given = readOptions('options', options, keys);
  const { overlap, onOutput, program } = given;
  if (onOutput !== undefined && typeof onOutput !== 'function') {
    const message = `"onOutput" expected a function, got ${show(onOutput)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const opening = openingOf(bytes, given);
  const processorOptions: ProcessorOptions = {
    ...opening,
    overlap: checkInteger('overlap', overlap ?? 0, 0),
  };
  if (!context?.audioWorklet) {
    const message = `"context" expected one with AudioWorklet, got ${show(context)}: serve the page by https or from localhost`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  if (!prepared.has(context)) {
    prepared.set(context, prepare(context, program));
    prepared.get(context)!.catch(() => prepared.delete(context));
  }
  await prepared.get(context);
  const node = new AudioWorkletNode(context, PROCESSOR, {
    outputChannelCount: [1],
    channelCount: 1,
    channelCountMode: 'explicit',
    processorOptions,
  });
  const { call, ready } = talk<WorkletFacts>(node, onOutput);
  return Object.assign(node, {
    ready,
    load: (model: Uint8Array | ArrayBuffer) =>
      call<WorkletFacts>('load', [{ ...opening, model: asBytes(model) }]),
    reset: () => call<void>('reset', []),
    usage: () => call<{ share: number; seconds: number }>('usage', []),
    dispose: () => void call('dispose', []),
  });
}

/** Loads the program: the page's own, or the text and else the file of this package. */
async function prepare(
  context: BaseAudioContext,
  program: string | URL | undefined,
): Promise<void> {
  const addresses = program ? [() => program] : [textAddress, fileAddress];
  const reasons: string[] = [];
  for (const address of addresses) {
    try {
      await context.audioWorklet.addModule(address());
      return;
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  const message = `the program of the AudioWorklet could not be loaded (${reasons.join('; ')}): ${FIX}`;
  throw new GatefoldError('ERR_UNSUPPORTED', message);
}

/** Calls of a processor by its port; the answer to call 0 comes without one. */
function talk<Facts>(
  node: AudioWorkletNode,
  onOutput: WorkletNodeOptions['onOutput'],
): { ready: Promise<Facts>; call<T>(method: string, args: readonly unknown[]): Promise<T> } {
  const waiting = new Map<number, [(result: never) => void, (error: Error) => void]>();
  const wait = <T>(id: number): Promise<T> =>
    new Promise((resolve, reject) => waiting.set(id, [resolve, reject]));
  const ready = wait<Facts>(0);
  let calls = 0;
  node.port.onmessage = ({ data }: MessageEvent) => {
    const { output, frame } = data as { output?: Float32Array; frame: number };
    if (output) return onOutput?.(output, frame);
    const { id, result, failure } = data as Answer;
    const [resolve, reject] = waiting.get(id) ?? [];
    waiting.delete(id);
    if (failure) reject?.(errorOf(failure));
    else resolve?.(result as never);
  };
  node.addEventListener('processorerror', () => {
    const error = new GatefoldError('ERR_STATE', 'the processor has failed: see the console');
    for (const [, reject] of waiting.values()) reject(error);
    waiting.clear();
  });
  const call = <T>(method: string, args: readonly unknown[]): Promise<T> => {
    const id = ++calls;
    node.port.postMessage({ id, target: 0, method, args });
    return wait<T>(id);
  };
  return { ready, call };
}
