/** A model in an AudioWorklet. */

import { Engine } from '../engine/engine.ts';
import { loadModel } from '../formats/gatefold.ts';
import { Frames } from './frames.ts';
import { factsOf, failureOf } from './protocol.ts';
import type { Answer, Opening, Request } from './protocol.ts';

/** What the node sends with it. */
export interface ProcessorOptions extends Opening {
  readonly overlap: number;
}

/** What an AudioWorkletGlobalScope has. */
interface Scope {
  readonly sampleRate: number;
  readonly AudioWorkletProcessor: new () => { readonly port: MessagePort };
  /** Samples of a block; absent in hosts where it is always 128. */
  readonly renderQuantumSize?: number;
}

const ZEROS = new Float32Array(128);

/** The class to register; a function, for its base is in no other scope. */
export function processorOf(
  scope: Scope,
): new (options: { processorOptions: ProcessorOptions }) => object {
  return class extends scope.AudioWorkletProcessor {
    #engine: Engine | undefined;
    #frames: Frames | undefined;
    readonly #overlap: number;
    #isOver = false;
    /** Milliseconds of work, and the samples that it was for. */
    #busyMs = 0;
    #samples = 0;

    constructor({ processorOptions }: { processorOptions: ProcessorOptions }) {
      super();
      this.#overlap = processorOptions.overlap;
      this.port.onmessage = ({ data }) => this.#answer(data as Request);
      this.#answer({ id: 0, target: 0, method: 'load', args: [processorOptions] });
    }

    process([[input = ZEROS] = []]: Float32Array[][], [outputs]: Float32Array[][]): boolean {
      if (!this.#frames) return !this.#isOver;
      // Clocks count whole milliseconds here. Blocks begin anywhere between two ticks, so that
      // the sum is right over many of them.
      const begun = Date.now();
      this.#frames.run(input, outputs![0]);
      for (let k = 1; k < outputs!.length; k++) outputs![k]!.set(outputs![0]!);
      this.#busyMs += Date.now() - begun;
      this.#samples += input.length;
      return true;
    }

    #answer({ id, method, args }: Request): void {
      let answer: Answer;
      try {
        answer = { id, result: this.#call(method, args[0] as Opening) };
      } catch (error) {
        answer = { id, failure: failureOf(error) };
      }
      this.port.postMessage(answer);
    }

    #call(method: string, opening: Opening): unknown {
      if (method === 'load') return this.#load(opening);
      if (method === 'reset') this.#frames?.reset();
      if (method === 'usage') return this.#usage();
      if (method === 'dispose') {
        this.#frames = undefined;
        this.#isOver = true;
      }
      return undefined;
    }

    #load({ module, model: bytes, maxBytes }: Opening): unknown {
      this.#engine ??= Engine.createSync({ module, maxBytes });
      const model = loadModel(this.#engine, bytes);
      const block = scope.renderQuantumSize ?? ZEROS.length;
      const tell = (output: Float32Array, frame: number): void =>
        this.port.postMessage({ output, frame });
      try {
        const frames = new Frames(model, this.#overlap, block, tell);
        const before = this.#frames;
        // What a later model runs has been compiled by then.
        if (before) frames.follow(before);
        else frames.warmUp();
        this.#frames = frames;
        before?.dispose();
        return { ...factsOf(model), isSound: frames.isSound, latency: frames.latency };
      } catch (error) {
        model.dispose();
        throw error;
      }
    }

    /** What the work took since this was asked last. */
    #usage(): { seconds: number; share: number } {
      const seconds = this.#samples / scope.sampleRate;
      const share = seconds > 0 ? this.#busyMs / 1000 / seconds : 0;
      [this.#busyMs, this.#samples] = [0, 0];
      return { seconds, share };
    }
  };
}
