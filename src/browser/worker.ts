/**
 * `gatefold/browser/worker`: what `createWorkerModel` runs in a Worker, and `createWorkletNode` in
 * an AudioWorklet. One file without imports, for pages that have to serve it. Nothing happens
 * elsewhere.
 */

import { PROCESSOR } from './protocol.ts';
import type { Request } from './protocol.ts';
import { processorOf } from './processor.ts';
import { Server } from './served.ts';

type AudioScope = Parameters<typeof processorOf>[0] & {
  registerProcessor(name: string, type: unknown): void;
};

if ('registerProcessor' in globalThis) {
  const scope = globalThis as unknown as AudioScope;
  scope.registerProcessor(PROCESSOR, processorOf(scope));
} else if ('WorkerGlobalScope' in globalThis) {
  const server = new Server();
  globalThis.addEventListener('message', ({ data }) => {
    const [answer, transfer] = server.answer(data as Request);
    globalThis.postMessage(answer, { transfer });
  });
  globalThis.postMessage({ id: -1 });
}
