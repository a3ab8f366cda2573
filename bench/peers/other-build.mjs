/** Another build of gatefold, in a folder: modules, engine and memory of its own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBuild } from '../../test/support/other-build.ts';
import { OTHER } from '../cases.mjs';
import { createBuildPeer } from './build.mjs';

export async function openOtherBuild(folder) {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return createBuildPeer(OTHER, version, await openBuild(folder));
}
