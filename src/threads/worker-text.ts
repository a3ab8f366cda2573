/**
 * The program of `worker.ts` as text, for hosts that do not find its file. The build writes it
 * (build/build.mjs); sources have none.
 */
export const WORKER_TEXT: string = '';
