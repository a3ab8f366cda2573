// Writes docs/face.d.ts: every declaration that the entries of package.json reach, in one text, so
// that each change of the public face is a change of that file. Reads dist/; `npm run face` builds
// it. `--check` only says whether the file is as it would be written.
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const FACE = 'docs/face.d.ts';

/**
 * A statement of a declaration file as tsc prints it: at the margin only its first and last lines.
 */
const STATEMENT = /^[a-z][^]*?(?=^[a-z]|(?![^]))/gm;
const COMMENT = /\/\*[^]*?\*\/|^\s*\/\/.*$/gm;
const PRIVATE = /^ +(#private|private (?!constructor)\b.*);\n/gm;
const DECLARATION =
  /^(export )?(?:declare )?(?:abstract )?(?:class|const|function|interface|type) (\w+)/;
const NAMES = /^(import|export)(?: type)? \{([^}]*)\}(?: from '([^']+)')?;/;
const ALL = /^export(?: type)? \* from '([^']+)';/;

/** What a module declares, imports and exports. */
class Module {
  /** Text of each declaration; overloads of one function are one text. */
  declarations = new Map();
  /** Where a name of this module's text, or one that it exports, comes from. */
  imports = new Map();
  exports = new Map();
  /** Modules whose exports are also those of this one. */
  all = [];

  constructor(path, text) {
    const modulePath = (from) => join(dirname(path), from.replace(/\.js$/, '.d.ts'));
    for (const statement of text.match(STATEMENT) ?? []) {
      const [, all] = ALL.exec(statement) ?? [];
      const [, kind, list, from] = NAMES.exec(statement) ?? [];
      const [, isExported, name] = DECLARATION.exec(statement) ?? [];
      if (all) this.all.push(modulePath(all));
      else if (kind) {
        for (const one of list.split(',').filter((one) => one.trim())) {
          const [origin, local = origin] = one
            .trim()
            .replace(/^type /, '')
            .split(' as ');
          const isOwn = from?.startsWith('.') !== false;
          if (isOwn)
            this[`${kind}s`].set(local, { path: from ? modulePath(from) : path, name: origin });
        }
      } else if (name) {
        this.declarations.set(name, (this.declarations.get(name) ?? '') + statement);
        if (isExported) this.exports.set(name, { path, name });
      } else throw new Error(`${path}: cannot read\n${statement}`);
    }
  }
}

const modules = new Map();
async function moduleAt(path) {
  if (!modules.has(path)) {
    const text = (await readFile(path, 'utf8'))
      .replace(COMMENT, '')
      .replace(PRIVATE, '')
      .replace(/^\s+\n/gm, '');
    if (/\bimport\(/.test(text)) throw new Error(`${path}: cannot follow import()`);
    modules.set(path, new Module(path, text));
  }
  return modules.get(path);
}

async function exportsOf(path) {
  const { exports, all } = await moduleAt(path);
  const inherited = await Promise.all(all.map(exportsOf));
  return new Map([...inherited.flatMap((names) => [...names]), ...exports]);
}

/** The declaration that a name of a module stands for. */
async function declarationOf({ path, name }) {
  const module = await moduleAt(path);
  if (module.declarations.has(name)) return { path, name, module };
  const origin = module.imports.get(name) ?? (await exportsOf(path)).get(name);
  if (!origin) throw new Error(`${path}: no ${name}`);
  return declarationOf(origin);
}

const manifest = JSON.parse(await readFile('package.json', 'utf8'));
const entries = Object.entries(manifest.exports).map(([entry, { types }]) => ({
  entry: entry.replace('.', manifest.name),
  types,
}));

/** Everything reached, by path and name: its text, and the entries that export it. */
const reached = new Map();
const add = ({ path, name, module }) => {
  const key = `${path} ${name}`;
  if (!reached.has(key))
    reached.set(key, { path, name, module, text: module.declarations.get(name), exportedBy: [] });
  return reached.get(key);
};
for (const { entry, types } of entries.filter(({ types }) => typeof types === 'string')) {
  for (const [name, origin] of await exportsOf(join(types))) {
    const { exportedBy, ...declaration } = add(await declarationOf(origin));
    exportedBy.push(name === declaration.name ? entry : `${entry} as ${name}`);
  }
}
// A map goes on to what is added while it is iterated.
for (const declaration of reached.values()) {
  const { path, module } = declaration;
  for (const word of new Set(declaration.text.replace(/'[^']*'/g, '').match(/[A-Za-z_$][\w$]*/g))) {
    if (module.declarations.has(word) || module.imports.has(word))
      add(await declarationOf({ path, name: word }));
  }
}

const order = ({ name, exportedBy }) => `${name} ${exportedBy}`;
const blocks = [...reached.values()]
  .sort((a, b) => (order(a) < order(b) ? -1 : 1))
  .map(({ text, exportedBy }) => {
    const by = exportedBy.length ? exportedBy.join(', ') : 'no entry, but others name it';
    return `// ${by}\n${text.replace(/^(export )?(declare )?/gm, '')}`;
  });
const head = `// The public face, written by \`npm run face\`: each declaration with the entries that export it.\n`;
const list = entries.map(({ entry }) => `//   ${entry}\n`).join('');
const options = { ...(await resolveConfig(FACE)), filepath: FACE };
const face = await format(`${head}// Entries:\n${list}\n${blocks.join('\n')}`, options);

if (!process.argv.includes('--check')) await writeFile(FACE, face);
else if ((await readFile(FACE, 'utf8')) !== face) {
  process.stderr.write(`${FACE} is out of date: run npm run face, and look at what changes\n`);
  process.exitCode = 1;
}
