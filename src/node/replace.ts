/**
 * Writes files that are whole after any crash: beside the old one, to the disk, then renamed over
 * it. `flush` of Node's `writeFile` came with Node 20.10, and is ignored before; a handle's `sync`
 * is in every Node.
 */

import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { access, lstat, open, readFile, readdir, readlink, realpath } from 'node:fs/promises';
import { rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import process from 'node:process';
import { GatefoldError } from '../base/errors.ts';

/** What follows the name of the file that is written: host, process, its start, a random number. */
const PART = /^\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.part$/;
/** Longest name in bytes that goes whole into that of its part: some hosts have 143 for a name. */
const MAX_STEM = 90;
const MAX_LINKS = 40;
/** How long a part may be that of a process which cannot be asked: of another host. */
const MAX_AGE_MS = 24 * 3600 * 1000;
/** Attempts where somebody takes the part away, as a host that takes us for dead would. */
const ATTEMPTS = 3;
const PERMISSIONS = 0o7777;
/** What hosts and file systems say that cannot flush a folder. */
const NO_SYNC: ReadonlySet<unknown> = new Set(
  'EACCES EBADF EINVAL EISDIR ENOSYS ENOTSUP EOPNOTSUPP EPERM'.split(' '),
);

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

/** What a promise gives, `undefined` where there is no such file. */
async function found<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What something is that is no file and no folder, and would not keep what is written. */
export function kindOfFile(stats: Stats): string | undefined {
  if (stats.isFile() || stats.isDirectory()) return undefined;
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/** Where a path leads to through all its links, whether or not there is a file yet. */
async function follow(path: string): Promise<string> {
  let at = path;
  for (let links = 0; ; links++) {
    const stats = await found(lstat(at));
    if (!stats?.isSymbolicLink() || links === MAX_LINKS) return at;
    const to = await readlink(at);
    // Not `join`: "x/.." is no place of its own where x is a link.
    at = isAbsolute(to) ? to : `${await realpath(dirname(at))}${sep}${to}`;
  }
}

/** The file that writing to a path would replace. */
export interface Target {
  readonly path: string;
  /** Of the file that is there. */
  readonly stats: Stats | undefined;
}

/** Finds what writing to a path would replace; refuses what is no file, or may not be written. */
export async function targetOf(path: string): Promise<Target> {
  const stats = await found(stat(path));
  const kind = stats && kindOfFile(stats);
  if (kind !== undefined) {
    const message = `"path" expected a file to replace, and ${path} is ${kind}: name a file`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  if (stats) await access(path, constants.W_OK);
  return { path: await follow(path), stats };
}

/** The longest beginning of a name that has at most so many bytes. */
function cut(name: string, bytes: number): string {
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept + character) > bytes) break;
    kept += character;
  }
  return kept;
}

/** What the parts of a file are called before all that tells one from another. */
function stemOf(path: string): string {
  const name = basename(path);
  if (Buffer.byteLength(name) <= MAX_STEM) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 12);
  return `${cut(name, MAX_STEM - 13)}~${hash}`;
}

/** Deno asks its user before it tells of hosts and processes. */
const asks = 'Deno' in globalThis;

/** When a process began, in ticks since the machine did; 0 if nothing tells, -1 after its end. */
async function startOf(pid: number | 'self'): Promise<number> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in brackets, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return 'ZX'.includes(fields[0]!) ? -1 : Number(fields[19]);
  } catch {
    return 0;
  }
}

/** Names this process among all that may write to the same folder. */
async function identify(): Promise<string> {
  const host = createHash('sha256').update(asks ? 'deno' : hostname());
  const start = asks ? 0 : await startOf('self');
  return `${host.digest('hex').slice(0, 8)}-${process.pid}-${start}`;
}

let identity: Promise<string> | undefined;
const self = (): Promise<string> => (identity ??= identify());

/** Whether the process that was writing a part is no more. */
async function isDead(host: string, pid: number, start: number, path: string): Promise<boolean> {
  const stats = await found(stat(path));
  if (!stats) return false;
  if (Date.now() - stats.mtimeMs > MAX_AGE_MS) return true;
  if (asks || !(await self()).startsWith(`${host}-`)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
  const began = await startOf(pid);
  return began < 0 || (began > 0 && start > 0 && began !== start);
}

/** Files whose folders have been swept by this process. */
const swept = new Set<string>();

/** Removes what processes left behind that were killed while they wrote this file. */
async function sweep(path: string): Promise<void> {
  if (swept.has(path)) return;
  swept.add(path);
  const [folder, stem] = [dirname(path), stemOf(path)];
  try {
    for (const name of await readdir(folder)) {
      if (!name.startsWith(stem)) continue;
      const [, host, pid, start] = PART.exec(name.slice(stem.length)) ?? [];
      const part = join(folder, name);
      if (host && (await isDead(host, Number(pid), Number(start), part))) {
        await rm(part, { force: true });
      }
    }
  } catch {
    // A folder that cannot be listed or cleaned can still be written to.
  }
}

/** Waits until a file or folder is on the disk. */
async function flush(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!NO_SYNC.has(codeOf(error))) throw error;
  }
}

/** Writes a new file with the permissions and, where allowed, the owner of the old one. */
async function writePart(path: string, bytes: Uint8Array, old: Stats | undefined): Promise<void> {
  const handle = await open(path, 'wx', old ? old.mode & 0o666 : 0o666);
  try {
    await handle.writeFile(bytes);
    if (old) {
      const own = await handle.stat();
      if (own.uid !== old.uid || own.gid !== old.gid) {
        // Only the owner's own groups, and root, may.
        await handle.chown(old.uid, old.gid).catch(() => {});
      }
      await handle.chmod(old.mode & PERMISSIONS);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What `writeWhole` does. */
export async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const target = await targetOf(path);
  await sweep(target.path);
  for (let attempt = 1; ; attempt++) {
    const nonce = randomBytes(4).toString('hex');
    const folder = dirname(target.path);
    const part = join(folder, `${stemOf(target.path)}.${await self()}-${nonce}.part`);
    try {
      await writePart(part, bytes, target.stats);
      await rename(part, target.path);
      return await flush(folder);
    } catch (error) {
      await rm(part, { force: true });
      if (codeOf(error) !== 'ENOENT' || attempt === ATTEMPTS) throw error;
    }
  }
}
