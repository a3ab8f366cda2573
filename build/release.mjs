// `npm run release -- --dry-run`: builds, packs with the fields of release.json, and writes what is
// in the package (an SBOM in the format of CycloneDX) and hashes into build/out/release/. Without
// `--dry-run` it publishes the tarball. Refuses while release.json does not say whose package this
// is.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesOf } from './steps.mjs';

const OUT = 'build/out/release';
const isAddress = (value) => /^(git\+)?https:\/\/[\w.-]+\.\w+\/\S*$/.test(value);
const isName = (value) => typeof value === 'string' && value.trim() !== '';
const FIELDS = { repository: isAddress, homepage: isAddress, bugs: isAddress, author: isName };

const sha256 = (content) => createHash('sha256').update(content).digest('hex');
const readJson = async (path) => JSON.parse(await readFile(path, 'utf8'));

/** Fields of release.json that are absent or not what they have to be. */
export function missingFields(fields) {
  return Object.keys(FIELDS).filter((name) => !FIELDS[name](fields[name]));
}

/** One hash for all files of the build: the same sources give the same. */
export async function hashOfBuild() {
  const lines = (await filesOf('dist')).map(
    async (file) => `${sha256(await readFile(file))}  ${file}\n`,
  );
  return sha256((await Promise.all(lines)).join(''));
}

/** Names of packages whose code is in the bundles, as the source maps tell. */
async function bundledPackages() {
  const names = new Set();
  for (const file of (await filesOf('dist')).filter((path) => path.endsWith('.map'))) {
    for (const source of (await readJson(file)).sources) {
      const [, name] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source) ?? [];
      if (name) names.add(name);
    }
  }
  return [...names].sort();
}

/** What CycloneDX 1.5 says of a package. */
function component({ name, version, license, description }) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const licenses = [{ license: { id: license } }];
  return { type: 'library', 'bom-ref': purl, name, version, description, licenses, purl };
}

/** The bill of materials: no time and no random number, so that it can be made again. */
async function printSbom(manifest) {
  const manifests = (await bundledPackages()).map((name) =>
    readJson(`node_modules/${name}/package.json`),
  );
  return JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      version: 1,
      metadata: { component: component(manifest) },
      components: (await Promise.all(manifests)).map(component),
    },
    undefined,
    2,
  );
}

function pack(folder, to) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', to];
  const printed = JSON.parse(execFileSync('npm', args, { cwd: folder, maxBuffer: 2 ** 26 }));
  return join(to, Object.values(printed)[0].filename);
}

/** Gives the path of the tarball, whose manifest has the fields. */
async function prepare(fields) {
  execFileSync(process.execPath, ['build/build.mjs'], { stdio: 'inherit' });
  const out = join(process.cwd(), OUT);
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const plain = pack('.', out);
  execFileSync('tar', ['-xzf', plain, '-C', out]);
  const { devDependencies: _dev, scripts: _scripts, ...manifest } = await readJson('package.json');
  const { repository: url, ...rest } = fields;
  const whole = { ...manifest, repository: { type: 'git', url }, ...rest };
  await writeFile(join(out, 'package/package.json'), `${JSON.stringify(whole, undefined, 2)}\n`);
  const tarball = pack(join(out, 'package'), out);
  await rm(join(out, 'package'), { recursive: true });
  await writeFile(join(out, 'sbom.cdx.json'), await printSbom(whole));
  const lines = [tarball, join(out, 'sbom.cdx.json')].map(
    async (file) => `${sha256(await readFile(file))}  ${basename(file)}\n`,
  );
  await writeFile(join(out, 'SHA256SUMS'), (await Promise.all(lines)).join(''));
  return tarball;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  const at = process.argv.indexOf('--fields');
  const path = at < 0 ? 'release.json' : process.argv[at + 1];
  const fields = await readJson(path);
  const missing = missingFields(fields);
  if (missing.length > 0) {
    console.error(`${path} lacks ${missing.join(', ')}: addresses begin with https://`);
    process.exit(1);
  }
  const tarball = await prepare(fields);
  console.log(await readFile(join(OUT, 'SHA256SUMS'), 'utf8'));
  console.log(`${await hashOfBuild()}  dist, all files`);
  if (!process.argv.includes('--dry-run'))
    execFileSync('npm', ['publish', tarball], { stdio: 'inherit' });
}
