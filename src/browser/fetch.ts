import { checkInteger, readOptions, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';

/** How a file is fetched, and checked. */
export interface FetchOptions {
  /**
   * What the bytes have to be, as in `<script integrity>`: `sha384-...`, or several hashes with
   * spaces between. Of several algorithms the strongest decides.
   */
  readonly integrity?: string;
  /** Hears of every part that arrives. */
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Ends the download, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Most bytes to take; default 256 MiB. */
  readonly maxBytes?: number;
}

/** How much of a file has come. */
export interface FetchProgress {
  /** Bytes so far. */
  readonly received: number;
  /** Undefined where the server does not say, or compresses. */
  readonly total: number | undefined;
}

/** Algorithms of hashes, the strongest first. */
const ALGORITHMS = ['sha512', 'sha384', 'sha256'];

/**
 * The bytes of a URL, for `loadModel` and the readers of other formats.
 *
 * @example
 *   const integrity = 'sha384-...';
 *   const bytes = await fetchBytes('model.safetensors', {
 *     integrity,
 *     onProgress: ({ received, total }) => (bar.value = received / (total ?? received)),
 *   });
 *   const model = loadModel(engine, bytes);
 *
 * @throws `ERR_FORMAT` for an answer that is no success, or bytes with another hash; `ERR_MEMORY`
 *   for more than `maxBytes`. What the network does is the host's own error.
 */
export async function fetchBytes(
  url: string | URL,
  options: FetchOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const keys = ['integrity', 'onProgress', 'signal', 'maxBytes'] as const;
  const { integrity, onProgress, signal, maxBytes } = readOptions('options', options, keys);
  const most = checkInteger('maxBytes', maxBytes ?? 2 ** 28, 1, Number.MAX_SAFE_INTEGER);
  const wanted = integrity === undefined ? undefined : hashesOf(integrity);
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    const message = `"onProgress" expected a function, got ${show(onProgress)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  if (wanted && !globalThis.crypto?.subtle) {
    const message = '"integrity" needs crypto.subtle: serve the page by https or from localhost';
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const response = await fetch(url, { ...(signal && { signal }) });
  if (!response.ok) {
    const message = `${url} was answered with status ${response.status}; name a file that the server has`;
    throw new GatefoldError('ERR_FORMAT', message);
  }
  const bytes = await bodyOf(response, most, onProgress);
  if (wanted) await checkHash(String(url), bytes, wanted);
  return bytes;
}

/** The parts of an answer as one array, and what has arrived to whom it concerns. */
async function bodyOf(
  response: Response,
  most: number,
  onProgress: FetchOptions['onProgress'],
): Promise<Uint8Array<ArrayBuffer>> {
  const { headers, body } = response;
  const length = headers.has('content-encoding') ? null : headers.get('content-length');
  const total = length === null ? undefined : Number(length);
  const tooLong = (): never => {
    const message = `${response.url} has more than ${most} bytes; raise "maxBytes"`;
    throw new GatefoldError('ERR_MEMORY', message);
  };
  if (total !== undefined && total > most) {
    await body?.cancel();
    tooLong();
  }
  const parts: Uint8Array[] = [];
  let received = 0;
  const reader = body?.getReader();
  for (let part; reader && (part = await reader.read()).value;) {
    parts.push(part.value);
    received += part.value.length;
    if (received > most) {
      await reader.cancel();
      tooLong();
    }
    onProgress?.({ received, total });
  }
  const bytes = new Uint8Array(received);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The hashes of the strongest algorithm, in base 64. */
function hashesOf(integrity: string): { algorithm: string; hashes: readonly string[] } {
  const all = String(integrity)
    .trim()
    .split(/\s+/)
    .map((text) => /^(sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})(?:\?.*)?$/.exec(text));
  if (all.includes(null)) {
    const message = `"integrity" expected sha256-, sha384- or sha512- and a hash in base 64, got ${show(integrity)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const algorithm = ALGORITHMS.find((name) => all.some((found) => found![1] === name))!;
  return {
    algorithm,
    hashes: all.filter((found) => found![1] === algorithm).map((found) => found![2]!),
  };
}

async function checkHash(
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  { algorithm, hashes }: ReturnType<typeof hashesOf>,
): Promise<void> {
  const digest = await crypto.subtle.digest(algorithm.replace('sha', 'SHA-'), bytes);
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  if (hashes.includes(hash)) return;
  const message = `${url} has the hash ${algorithm}-${hash}, which "integrity" does not name: it is another file, or was changed on its way`;
  throw new GatefoldError('ERR_FORMAT', message);
}
