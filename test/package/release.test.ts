/** Nothing is published before release.json says whose package it is. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
// @ts-expect-error a script of the build
import * as release from '../../build/release.mjs';
import { root } from '../support/consumer.ts';

const { missingFields } = release as {
  missingFields(fields: Readonly<Record<string, unknown>>): string[];
};

test('a release names the fields that release.json lacks, and does nothing', () => {
  const fields = JSON.parse(readFileSync(join(root, 'release.json'), 'utf8')) as object;
  expect(fields).toEqual({});
  const script = join(root, 'build/release.mjs');
  const { status, stderr, stdout } = spawnSync(process.execPath, [script, '--dry-run'], {
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^release\.json lacks repository, homepage, bugs, author: /);
});

test('fields are addresses and a name', () => {
  const at = 'https://host.example/gatefold/';
  const good = { repository: `git+${at}gatefold.git`, homepage: at, bugs: at, author: 'A Name' };
  expect(missingFields(good)).toEqual([]);
  expect(missingFields({ ...good, homepage: 'http://host.example/', author: ' ' })).toEqual([
    'homepage',
    'author',
  ]);
});
