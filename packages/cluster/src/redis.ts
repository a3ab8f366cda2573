import { Redis } from 'ioredis';

const MAX_WAIT_MS = 2000;

/**
 * A connection that waits for its Redis however long that is away, and sends again what was under
 * way. TLS by `rediss://`, user and password by the URL.
 */
export function connect(url: string): Redis {
  return new Redis(url, {
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), MAX_WAIT_MS),
    // "LOADING" is a Redis that has started and reads its file.
    reconnectOnError: (error) => (/^(LOADING|READONLY)/.test(error.message) ? 2 : false),
  });
}
