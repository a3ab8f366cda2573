/** A model in a Worker. */

import { Engine } from '../engine/engine.ts';
import { loadModel } from '../formats/gatefold.ts';
import type { Model } from '../model/model.ts';
import type { Stream } from '../model/stream.ts';
import { buffersOf, factsOf, failureOf } from './protocol.ts';
import type { Answer, Facts, Opening, Request } from './protocol.ts';

type Method = (...args: unknown[]) => unknown;

/** Calls whose second argument takes their results. */
const FILLING: ReadonlySet<string> = new Set(['step', 'run']);

/** Answers requests, of which the first opens a model. */
export class Server {
  #engine: Engine | undefined;
  readonly #targets = new Map<number, Model | Stream>();

  /** The answer, and the buffers to transfer with it. */
  answer({ id, target, method, args }: Request): [answer: Answer, transfer: ArrayBuffer[]] {
    try {
      const result = this.#call(target, method, args);
      return [{ id, result }, buffersOf(result)];
    } catch (error) {
      return [{ id, failure: failureOf(error) }, []];
    }
  }

  #call(target: number, method: string, args: readonly unknown[]): unknown {
    if (method === 'open') return this.#open(args[0] as Opening);
    const object = this.#targets.get(target)!;
    if (method === 'stream') {
      const [place, options] = args as [number, Parameters<Model['stream']>[0]];
      this.#targets.set(place, (object as Model).stream(options));
      return undefined;
    }
    if (method === 'dispose') this.#targets.delete(target);
    const result = (object as unknown as Record<string, Method>)[method]!(...args);
    return FILLING.has(method) ? args[1] : result;
  }

  #open({ module, model: bytes, maxBytes }: Opening): Facts {
    this.#engine = Engine.createSync({ module, maxBytes });
    const model = loadModel(this.#engine, bytes);
    this.#targets.set(0, model);
    return factsOf(model);
  }
}
