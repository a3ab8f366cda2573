// Writes docs/options.md, the reference of the options of every layer, from the tables of src/ops.
//
//   node build/options.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { format, resolveConfig } from 'prettier';

const target = new URL('../docs/options.md', import.meta.url);

function rangeOf(option) {
  if (option.kind === 'flag') return 'true or false';
  if (option.kind === 'own') return option.expects;
  if (option.kind === 'choice') return option.choices.map((choice) => `'${choice}'`).join(', ');
  const what = option.kind === 'integer' ? 'whole number' : 'number';
  if (option.high === undefined) return `${what} of at least ${option.low}`;
  return `${what}, ${option.low} to ${option.high}`;
}

function defaultOf({ otherwise, kind, check }) {
  if (otherwise === 'needed') return 'needed';
  if (otherwise === 'before') return 'from the layer before';
  if (otherwise === 'off') return 'none';
  return JSON.stringify(kind === 'own' ? check('option', undefined, {}) : otherwise);
}

const cell = (text) => String(text ?? '').replaceAll('|', '\\|');

function tableOf(options) {
  const rows = Object.entries(options).map(([name, option]) => {
    const { about, pytorch, keras, onnx } = option;
    const cells = [`\`${name}\``, about, rangeOf(option), defaultOf(option), pytorch, keras, onnx];
    return `| ${cells.map(cell).join(' | ')} |`;
  });
  return [
    '| option | meaning | values | default | PyTorch | Keras | ONNX |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** The page, as prettier leaves it. */
export async function optionsPage(ops) {
  const parts = [...ops.values()].map(({ type, options }) => `## ${type}\n\n${tableOf(options)}`);
  const text = [
    '# Options of every layer',
    'Generated from the tables in `src/ops/`, which the checks of a description read as well; do not edit. Every layer also takes a `name`: the prefix of its parameters, its type where absent.',
    ...parts,
  ].join('\n\n');
  return format(text, { ...(await resolveConfig(target)), filepath: target.pathname });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const outfile = fileURLToPath(new URL('out/ops.mjs', import.meta.url));
  const entry = fileURLToPath(new URL('../src/ops/index.ts', import.meta.url));
  await build({ entryPoints: [entry], bundle: true, format: 'esm', outfile });
  const { OPS } = await import(pathToFileURL(outfile).href);
  const page = await optionsPage(OPS);
  if (readFileSync(target, { encoding: 'utf8', flag: 'a+' }) !== page) writeFileSync(target, page);
}
