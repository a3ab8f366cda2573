// Builds the documentation as pages that need no server: `npm run docs`, then open
// site/out/index.html. The order of the pages is that of docs/README.md, their text the markdown of
// the repository, the reference the declarations of the package in dist/.
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application, Comment, Converter, LogLevel, ReflectionKind } from 'typedoc';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
const STAGE = join(HERE, 'stage');
const INDEX = 'docs/README.md';
/** The part of the reference. */
const ENTRIES = 'Entries and types';

const read = (path) => readFile(join(ROOT, path), 'utf8');

/** The pages that the index lists: where each is, and in which part. */
async function listed() {
  const parts = (await read(INDEX)).split(/^## /m).slice(1);
  return parts.flatMap((part) => {
    const [group] = part.split('\n', 1);
    const links = [...part.matchAll(/^- \[([^\]]+)\]\(([^)]+)\)/gm)];
    return links.map(([, title, link]) => ({ group, title, path: join('docs', link) }));
  });
}

/** A page for typedoc, which takes title and part from its head. */
async function stage({ path, title, group }) {
  const text = await read(path);
  const target = join(STAGE, path);
  await writeFile(target, `---\ntitle: ${JSON.stringify(title)}\ngroup: ${group}\n---\n\n${text}`);
  return target;
}

/** Names of the entries by the file of their declarations. */
async function entries() {
  const { name, exports } = JSON.parse(await read('package.json'));
  const found = Object.entries(exports).map(([entry, { types }]) => [types, name + entry.slice(1)]);
  // An entry of the same declarations as one before it is the same to a reader.
  const names = new Map();
  for (const [types, entry] of found) {
    if (typeof types === 'string' && !names.has(types)) names.set(types, entry);
  }
  return names;
}

/** What each entry is for, as the table of the hosts says it. */
async function purposesOf() {
  const row = /^\| `(gatefold[^`]*)` +\| ([^|]+)\| ([^|]+)\|$/gm;
  const plain = (cell) => cell.replace(/ \(\[[^)]*\)\)/g, '').trim();
  const rows = [...(await read('docs/hosts.md')).matchAll(row)];
  return new Map(rows.map(([, entry, who, what]) => [entry, `For ${plain(who)}: ${plain(what)}.`]));
}

// Whatever a page may link to.
const isShown = (name) =>
  ['docs', 'examples', 'bench', 'packages'].includes(name) || /^[A-Z]/.test(name);
const isText = (path) => !/node_modules|\.(?:wasm|h5)$/.test(relative(ROOT, path));
await rm(STAGE, { recursive: true, force: true });
for (const name of (await readdir(ROOT)).filter(isShown)) {
  await cp(join(ROOT, name), join(STAGE, name), { recursive: true, filter: isText });
}
const pages = await listed();
const projectDocuments = [];
for (const page of pages) projectDocuments.push(await stage(page));
await writeFile(join(STAGE, 'README.md'), (await read('README.md')).replace(/^# .+\n/, ''));

const [names, purposes] = await Promise.all([entries(), purposesOf()]);
const files = [...names.keys()].map((types) => join(ROOT, types));
const tsconfig = join(STAGE, 'tsconfig.json');
const compilerOptions = {
  strict: true,
  target: 'es2022',
  lib: ['es2022', 'dom'],
  module: 'nodenext',
  types: [],
  noEmit: true,
};
await writeFile(tsconfig, JSON.stringify({ compilerOptions, files }));

const app = await Application.bootstrap({
  name: 'gatefold',
  entryPoints: files,
  tsconfig,
  readme: join(STAGE, 'README.md'),
  projectDocuments,
  basePath: STAGE,
  out: join(HERE, 'out'),
  disableSources: true,
  hideGenerator: true,
  excludePrivate: true,
  sort: ['source-order'],
  sortEntryPoints: false,
  groupOrder: [...new Set(pages.map(({ group }) => group)), ENTRIES],
  navigation: { includeGroups: true, includeCategories: false },
  searchInDocuments: true,
  searchInComments: true,
  useFirstParagraphOfCommentAsSummary: true,
  validation: { notExported: false, invalidLink: true, invalidPath: true, notDocumented: false },
  treatWarningsAsErrors: true,
  logLevel: LogLevel.Warn,
  highlightLanguages: ['bash', 'html', 'javascript', 'json', 'python', 'sh', 'typescript'],
  customCss: join(HERE, 'site.css'),
});
app.internationalization.addTranslations('en', { kind_plural_module: ENTRIES });
// An entry is a module by its file; readers know it by its name.
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
  if (!reflection.kindOf(ReflectionKind.Module)) return;
  const [declaration] = context.getSymbolFromReflection(reflection).declarations;
  const path = relative(ROOT, declaration.getSourceFile().fileName).split(sep).join('/');
  reflection.name = names.get(`./${path}`);
  const about = purposes.get(reflection.name);
  if (about) reflection.comment = new Comment([{ kind: 'text', text: about }]);
});
// The lines of an example are indented in the sources.
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project: { reflections } }) => {
  const tags = Object.values(reflections).flatMap(({ comment }) => comment?.blockTags ?? []);
  for (const { content } of tags.filter(({ tag }) => tag === '@example')) {
    for (const part of content) part.text = part.text.replaceAll('\n  ', '\n');
  }
});
const project = await app.convert();
if (!project) process.exit(1);
app.validate(project);
await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
const index = relative(process.cwd(), join(HERE, 'out/index.html'));
console.log(`${index}: ${pages.length} pages, ${names.size} entries`);
