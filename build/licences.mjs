// The licence texts of other people's code inside the bundles.
import { readFile, readdir } from 'node:fs/promises';

/** One text over all packages that esbuild's metafile names as inputs. */
export async function printLicences({ inputs }) {
  const packages = Object.keys(inputs).map(
    (path) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1],
  );
  const texts = [...new Set(packages)]
    .filter(Boolean)
    .sort()
    .map(async (name) => {
      const folder = `node_modules/${name}`;
      const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
      if (!file) throw new Error(`${name} is bundled, but has no licence file`);
      return `${name}\n\n${await readFile(`${folder}/${file}`, 'utf8')}`;
    });
  return `Code of these packages is inside dist/cli.js.\n\n${(await Promise.all(texts)).join('\n\n')}`;
}
