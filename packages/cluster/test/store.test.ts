import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Redis } from 'ioredis';
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FolderStore, RedisStore, S3Store, Stores, openStore } from '../dist/index.js';
import type { Store } from '../dist/index.js';
import { checkKey } from '../dist/address.js';
import { Blobs, hashOf } from '../dist/blobs.js';
import { TestRedis, freePort, temporary } from './support/processes.ts';

const stores: Record<string, Store> = {};
const folder = temporary();
let redis: TestRedis;
let client: Redis;
let s3: S3rver;

beforeAll(async () => {
  redis = await TestRedis.start();
  client = new Redis(redis.url);
  const port = await freePort();
  const s3folder = join(folder, 's3');
  mkdirSync(s3folder);
  s3 = new S3rver({ port, address: '127.0.0.1', directory: s3folder, silent: true });
  await s3.run();
  process.env.AWS_ACCESS_KEY_ID = process.env.AWS_SECRET_ACCESS_KEY = 'S3RVER';
  const endpoint = `http://127.0.0.1:${port}`;
  const s3client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
  await s3client.send(new CreateBucketCommand({ Bucket: 'bucket' }));
  mkdirSync(join(folder, 'own'));
  stores.folder = new FolderStore(join(folder, 'own'));
  stores.redis = new RedisStore(client, 'test:');
  stores.s3 = openStore(`s3://bucket/some/where?endpoint=${endpoint}`);
});

afterAll(async () => {
  client.disconnect();
  await redis.end();
  await s3.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(['folder', 'redis', 's3'])('the store %s', (name) => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, k) => (k * 7) % 256);

  it('gives back what was written, and parts of it', async () => {
    const store = stores[name]!;
    expect(await store.size('a/b/c.bin')).toBeUndefined();
    await expect(store.read('a/b/c.bin')).rejects.toThrow('there is no a/b/c.bin');
    await expect(store.read('a/b/c.bin', 1, 5)).rejects.toThrow('there is no a/b/c.bin');
    await store.write('a/b/c.bin', bytes);
    expect(await store.size('a/b/c.bin')).toBe(1000);
    expect(Buffer.compare(await store.read('a/b/c.bin'), bytes)).toBe(0);
    for (const [from, to] of [
      [0, 10],
      [10, 1000],
      [990, 2000],
      [5, 5],
      [1, 2],
      [999, 1000],
    ] as const) {
      const part = await store.read('a/b/c.bin', from, to);
      expect([...part]).toEqual([...bytes.subarray(from, to)]);
    }
    expect(await store.read('a/b/c.bin', 1000, 1010)).toHaveLength(0);
  });

  it('replaces, and removes', async () => {
    const store = stores[name]!;
    await store.write('x', bytes);
    await store.write('x', Uint8Array.of(1, 2));
    expect([...(await store.read('x'))]).toEqual([1, 2]);
    await store.write('empty', new Uint8Array());
    expect(await store.size('empty')).toBe(0);
    await store.remove('x');
    await store.remove('x');
    expect(await store.size('x')).toBeUndefined();
  });
});

it('takes no key that could be a path out of a store', () => {
  const bad = ['', '.', '..', '../a', 'a/../b', '/a', 'a/', 'a//b', 'a/.b', '.a', 'a\\b', 'a\0'];
  for (const key of [
    ...bad,
    'a b',
    'é',
    '-a',
    'a/..',
    'x'.repeat(121),
    'a/'.repeat(220) + 'a',
    7,
  ]) {
    expect(() => checkKey(key), String(key)).toThrow('a key has parts');
  }
  for (const key of ['a', 'a/b/c', 'part-00001.ndjson', '_x=1/y']) expect(checkKey(key)).toBe(key);
});

it('follows no link out of a folder', async () => {
  const own = join(folder, 'own');
  writeFileSync(join(folder, 'secret'), 'secret');
  symlinkSync(folder, join(own, 'out'));
  symlinkSync(join(folder, 'secret'), join(own, 'file'));
  const store = stores.folder!;
  await expect(store.read('out/secret')).rejects.toThrow('leads out of its store');
  await expect(store.write('out/new', new Uint8Array(1))).rejects.toThrow('leads out of its store');
  await expect(store.write('out/a/b/new', new Uint8Array(1))).rejects.toThrow('leads out');
  await expect(store.read('file')).rejects.toThrow('is no file');
  await expect(store.write('file', new Uint8Array(1))).rejects.toThrow('is no file');
  await expect(store.remove('file')).rejects.toThrow('is no file');
  expect(readdirSync(folder).sort()).toEqual(['own', 's3', 'secret']);
});

it('reaches the stores of its configuration, and writes to those that it may', async () => {
  const named = new Map([
    ['in', { store: stores.redis!, isReadOnly: true }],
    ['out', { store: stores.folder!, isReadOnly: false }],
  ]);
  const own = new Stores(named);
  await own.write('out:k', Uint8Array.of(3));
  expect([...(await own.read('out:k'))]).toEqual([3]);
  await expect((async () => own.write('in:k', new Uint8Array(1)))()).rejects.toThrow('for reading');
  await expect((async () => own.remove('in:k'))()).rejects.toThrow('for reading');
  await expect((async () => own.read('other:k'))()).rejects.toThrow('has no store other');
  await expect((async () => own.read('out:../k'))()).rejects.toThrow('a key has parts');
  await expect((async () => own.read('/etc/passwd'))()).rejects.toThrow('expected "store:key"');
  await expect((async () => own.read('file:///etc/passwd'))()).rejects.toThrow('a key has parts');
});

it('opens folders and s3:// only', () => {
  mkdirSync(join(folder, 'own', 'x y'));
  expect(openStore(folder)).toBeInstanceOf(FolderStore);
  expect(openStore(`file://${folder}/own/x%20y`)).toBeInstanceOf(FolderStore);
  expect(() => openStore(join(folder, 'none'))).toThrow('there is no folder');
  expect(openStore('s3://b/p')).toBeInstanceOf(S3Store);
  expect(() => openStore('http://host/p')).toThrow('a store is a folder or s3://');
});

it('gives no blob that has other bytes than its name, or too many', async () => {
  const named = new Map([['out', { store: stores.folder!, isReadOnly: false }]]);
  const own = new Stores(named);
  const hash = await new Blobs(own, 'out:blobs', 100).put(new Uint8Array(50));
  expect(hash).toBe(hashOf(new Uint8Array(50)));
  expect(await new Blobs(own, 'out:blobs', 100).get(hash)).toHaveLength(50);
  await expect(new Blobs(own, 'out:blobs', 49).get(hash)).rejects.toThrow('above 49');
  await own.write(`out:blobs/${hash}`, Uint8Array.of(1));
  await expect(new Blobs(own, 'out:blobs', 100).get(hash)).rejects.toThrow('other bytes');
  await expect(new Blobs(own, 'out:blobs', 100).get('../x')).rejects.toThrow('expected a hash');
});
