/** Ourselves in the fast lane, which is the process's: nobody else may be in it. */
import * as gatefold from '../../dist/node.js';
import manifest from '../../package.json' with { type: 'json' };
import { buildOf } from '../../test/support/builds.ts';
import { createBuildPeer } from './build.mjs';

const { enabled } = gatefold.enableFastLane();
export const { name, version, lacks, prepare } = await createBuildPeer(
  'gatefold-fast',
  manifest.version,
  buildOf(gatefold),
  { wide: enabled },
);
