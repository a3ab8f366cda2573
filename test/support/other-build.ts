/** Builds in folders, for Node. */
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildOf, type Build } from './builds.ts';

/** The build in `folder/dist`: of a checkout, or of a package as it was published. */
export async function openBuild(folder: string): Promise<Build> {
  const modules = ['index', 'threads'].map((name) => join(folder, 'dist', `${name}.js`));
  const missing = modules.find((file) => !existsSync(file));
  if (missing) {
    throw new Error(`${missing} is not there: run "npm ci && npm run build" in ${folder} first`);
  }
  const [index, threads] = await Promise.all(
    modules.map((file) => import(/* @vite-ignore */ pathToFileURL(file).href) as Promise<object>),
  );
  return buildOf({ ...index, ...threads });
}

/** The path of a build that is not the one in `root`: Node loads the same modules only once. */
export function otherFolder(given: string, root: string): string {
  const folder = resolve(given);
  const dist = join(folder, 'dist');
  if (!existsSync(dist) || realpathSync(dist) !== realpathSync(join(root, 'dist'))) return folder;
  throw new Error(
    `${folder} is this build itself: give another one, or a copy ("cp -r package.json dist COPY")`,
  );
}
