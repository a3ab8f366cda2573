/**
 * The program of `worker.ts` as text: it needs no file that a bundler would have to find. The build
 * writes it (build/build.mjs); sources have none.
 */
export const WORKER_TEXT: string = '';
