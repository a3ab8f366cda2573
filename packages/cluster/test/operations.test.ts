import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeCase, parseResults } from './support/case.ts';
import { Cluster } from './support/cluster.ts';
import { Command, TestRedis, freePort } from './support/processes.ts';

let cluster: Cluster;
let commands: Command[];

beforeEach(async () => {
  cluster = await Cluster.start();
  commands = [];
});
afterEach(async () => {
  for (const { process } of commands) process.kill('SIGKILL');
  await cluster.end();
});

interface Where {
  readonly url?: string;
  readonly env?: NodeJS.ProcessEnv;
}

function start(
  parameters: readonly string[],
  { url = cluster.redis.url, env }: Where = {},
): Command {
  const where = ['data', 'out'].flatMap((name) => [
    name === 'data' ? '--read' : '--store',
    `${name}=${join(cluster.folder, name)}`,
  ]);
  const command = new Command([...parameters, ...where], { GATEFOLD_REDIS: url, ...env });
  commands.push(command);
  return command;
}

/** A manifest of records by index, made by a module, and the model for them. */
async function prepare(body: string, count: number): Promise<string[]> {
  const file = (name: string): string => join(cluster.folder, name);
  writeFileSync(file('model'), (await makeCase(1)).model);
  writeFileSync(file('manifest.json'), JSON.stringify({ source: 'made', count }));
  writeFileSync(
    file('sources.mjs'),
    `export const made = { count: ${count}, record(index) { ${body}; return new Float32Array(4 * 20).fill(index / 1000); } };`,
  );
  return [file('model'), file('manifest.json'), '--out', 'out:run'];
}

const sources = (): string[] => ['--sources', join(cluster.folder, 'sources.mjs')];
const SLOW = 'const end = performance.now() + 1; while (performance.now() < end)';

it('ends on SIGTERM after the shards in work, with logs as JSON and metrics', async () => {
  const what = await prepare(SLOW, 1000);
  const port = await freePort();
  const flags = ['--metrics', String(port), '--log', 'debug', '--threads', '1'];
  const worker = start(['worker', ...sources(), ...flags]);
  const producer = start(['score', ...what, '--shard-records', '100']);
  await worker.says('"msg":"done"');
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const metrics = await response.text();
  expect(metrics).toMatch(/^gatefold_jobs_total\{kind="score",end="done"\} [1-9]/m);
  expect(metrics).toMatch(/^gatefold_records_total\{end="done"\} [1-9]\d*00$/m);
  expect(metrics).toMatch(/^gatefold_store_written_bytes_total [1-9]/m);
  expect(metrics).toMatch(/^process_cpu_seconds_total /m);
  expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text()).toBe('ok\n');
  expect((await fetch(`http://127.0.0.1:${port}/etc/passwd`)).status).toBe(404);
  expect(await worker.kill('SIGTERM')).toBe(0);
  const logs = worker.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string });
  const count = (msg: string): number => logs.filter((line) => line.msg === msg).length;
  expect(count('done')).toBe(count('begins'));
  expect(count('done')).toBeLessThan(10);
  expect(logs.at(-1)!.msg).toBe('ended');

  const next = start(['worker', ...sources()]);
  expect(await producer.ended).toBe(0);
  expect(parseResults(cluster.lines('run')).size).toBe(1000);
  expect(await next.kill('SIGTERM')).toBe(0);
  // It had ended all it had: the next one took nothing from it.
  expect(next.out).not.toContain('dead worker');
});

it('leaves what takes longer than its grace to others', async () => {
  const what = await prepare(SLOW, 1000);
  const worker = start(['worker', ...sources(), '--grace', '0.1', '--lock', '1', '--log', 'debug']);
  const producer = start(['score', ...what]);
  await worker.says('"msg":"begins"');
  expect(await worker.kill('SIGTERM')).toBe(0);
  expect(worker.out).toContain('go to other workers');
  start(['worker', ...sources(), '--lock', '1']);
  expect(await producer.ended).toBe(0);
  expect(parseResults(cluster.lines('run')).size).toBe(1000);
});

it('sets a shard aside that kills its workers, and names it', async () => {
  const what = await prepare(`if (index === 137) process.kill(process.pid, 'SIGKILL')`, 300);
  const producer = start(['score', ...what, '--shard-records', '100']);
  let deaths = 0;
  let isOver = false;
  void producer.ended.then(() => (isOver = true));
  while (!isOver) {
    const flags = ['--lock', '1', '--tries', '2', '--concurrency', '1'];
    const worker = start(['worker', ...sources(), ...flags]);
    const end = await Promise.race([worker.ended, producer.ended.then(() => 'over')]);
    if (end === 'SIGKILL') deaths++;
  }
  expect(await producer.ended).toBe(2);
  expect(deaths).toBe(2);
  expect(producer.out).toContain('200 records');
  expect(producer.out).toMatch(/set aside: shard 1, job stalled more than allowable limit/);
  expect(JSON.parse(cluster.text('run', 'index.json'))).toMatchObject({
    setAside: [{ shard: 1, input: { source: 'made', from: 100, to: 200 } }],
  });
});

it('ends with status 3 above its memory', async () => {
  const worker = start(['worker', '--memory', '10']);
  expect(await worker.ended).toBe(3);
  expect(worker.out).toContain('above its memory');
});

it('waits for a Redis that is away, and loses nothing', async () => {
  const what = await prepare(SLOW, 1500);
  const worker = start(['worker', ...sources(), '--lock', '2']);
  const producer = start(['score', ...what, '--shard-records', '100']);
  await worker.says('"msg":"done"');
  await cluster.redis.kill();
  await sleep(3000);
  expect([worker, producer].map(({ process }) => process.exitCode)).toEqual([null, null]);
  await cluster.redis.start();
  expect(await producer.ended).toBe(0);
  expect(parseResults(cluster.lines('run')).size).toBe(1500);
});

it('speaks TLS with a password, and shows it nowhere', async () => {
  const file = (name: string): string => join(cluster.folder, name);
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', file('key.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', ...key, '-out', file('cert.pem'), '-days', '2', ...subject],
    {
      stdio: 'ignore',
    },
  );
  const port = await freePort();
  const tls = ['--tls-port', String(port), '--tls-auth-clients', 'no'];
  const files = ['--tls-cert-file', file('cert.pem'), '--tls-key-file', file('key.pem')];
  const redis = await TestRedis.start(
    ['--requirepass', 'sesame-42', ...tls, ...files, '--tls-ca-cert-file', file('cert.pem')],
    () => `rediss://:sesame-42@localhost:${port}`,
  );
  try {
    const where = { url: redis.url, env: { NODE_EXTRA_CA_CERTS: file('cert.pem') } };
    const what = await prepare('', 50);
    const worker = start(['worker', ...sources(), '--log', 'debug'], where);
    const producer = start(['score', ...what], where);
    expect(await producer.ended).toBe(0);
    expect(worker.out + worker.err + producer.out + producer.err).not.toContain('sesame');
    const stranger = start(['worker'], { ...where, env: {} });
    await stranger.says('self-signed certificate');
    const other = start(['worker'], {
      ...where,
      url: redis.url.replace('sesame-42', 'wrong-word'),
    });
    await other.says('WRONGPASS');
    expect(other.out + other.err).not.toContain('wrong-word');
  } finally {
    await redis.end();
  }
});

it('says what is missing', async () => {
  const none = new Command(['worker'], { GATEFOLD_REDIS: '' });
  expect(await none.ended).toBe(1);
  expect(none.err).toContain('name the Redis by --redis');
  const odd = start(['worker', '--store', 'Bad Name=/tmp']);
  expect(await odd.ended).toBe(1);
  expect(odd.err).toContain('expected a name such as');
});
