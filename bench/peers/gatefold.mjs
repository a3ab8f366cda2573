/** Ourselves, as a user gets us: the built package. */
import * as gatefold from '../../dist/index.js';
import manifest from '../../package.json' with { type: 'json' };
import { buildOf } from '../../test/support/builds.ts';
import { OURS } from '../cases.mjs';
import { createBuildPeer } from './build.mjs';

export const { name, version, lacks, prepare } = await createBuildPeer(
  OURS,
  manifest.version,
  buildOf(gatefold),
);
