/** The command: see `test/same-bits.mjs`. */
import { setFlagsFromString } from 'node:v8';
import { parseArgs } from 'node:util';
import { openBuild, otherFolder } from '../support/other-build.ts';
import { optionsIn } from './configuration.ts';
import { compareBuilds, type Outcome } from './run.ts';

const USAGE = `npm run build && node test/same-bits.mjs DIR [--count N] [--from SEED]

  DIR           another build of the package: a folder with its dist/
  --count N     how many configurations; default 300
  --from SEED   the seed of the first, the others follow; default 0`;

// Node 20 has relaxed SIMD behind this flag, later versions have it without.
if (process.versions.node.startsWith('20.')) {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
}

interface Command {
  readonly folder: string;
  readonly range: { readonly from: number; readonly count: number };
}

function parseCommand(root: string): Command {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: 'string', default: '300' },
      from: { type: 'string', default: '0' },
    },
  });
  const [folder, ...more] = positionals;
  if (folder === undefined || more.length) throw new Error('one folder expected');
  const [count, from] = [values.count, values.from].map(Number) as [number, number];
  for (const [name, value, least] of [
    ['count', count, 1],
    ['from', from, 0],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new Error(`--${name} expected a whole number of at least ${least}`);
  }
  return { folder: otherFolder(folder, root), range: { from, count } };
}

function formatTable({ rows }: Outcome): string {
  const header = ['kind', 'compared', 'equal', 'cannot be expressed there', 'refused by both'];
  const cells = [
    header,
    ...rows.map(({ kind, compared, equal, refusedThere, refusedByBoth }) =>
      [kind, compared, equal, refusedThere, refusedByBoth].map(String),
    ),
  ];
  const widths = header.map((_, k) => Math.max(...cells.map((row) => row[k]!.length)));
  return cells
    .map((row) =>
      row.map((cell, k) => (k ? cell.padStart(widths[k]!) : cell.padEnd(widths[k]!))).join('  '),
    )
    .join('\n');
}

const NONE = 'no option';

/** By option of the layers: how many configurations with it, or with it alone, differ. */
function formatOptions(asked: Outcome['asked']): string[] {
  const all = [...asked].map(([configuration, differs]) => {
    const names = optionsIn(configuration);
    return { names: names.length ? names : [NONE], differs };
  });
  const share = (some: typeof all): string =>
    `${some.filter(({ differs }) => differs).length} of ${some.length}`;
  const lines = [...new Set(all.flatMap(({ names }) => names))].sort().map((name) => {
    const having = all.filter(({ names }) => names.includes(name));
    const alone = having.filter(({ names }) => names.length === 1);
    return `  ${name}: ${share(having)} differ${name === NONE ? '' : `; alone ${share(alone)}`}`;
  });
  const plain = all.filter(({ names, differs }) => differs && names[0] === NONE).length;
  const where = plain
    ? `${plain} of those that differ have layers without any option:`
    : 'differing only where layers have options:';
  return [where, ...lines];
}

function report(outcome: Outcome): string[] {
  const { engines, numbers, notFinite, skipped, refusals, asked, first } = outcome;
  const each = [...engines].sort().map(([engine, count]) => `${count} in ${engine}`);
  const lines = [
    formatTable(outcome),
    `${each.join(', ')}; ${numbers} numbers, ${notFinite} of them not finite`,
    ...[...skipped].map(([lacking, count]) => `left out, ${count} x: ${lacking}`),
    ...[...refusals].map(([reason, count]) => `refused, ${count} x: ${reason}`),
  ];
  if (!first) return [...lines, 'all bits are equal'];
  const { kind, configuration, array, index, here, there } = first;
  const differing = [...asked].flatMap(([{ seed }, differs]) => (differs ? [seed] : []));
  return [
    ...lines,
    `${differing.length} of ${asked.size} configurations differ: ${differing.join(', ')}`,
    ...formatOptions(asked),
    `first difference: ${kind}, ${array}, index ${index}`,
    `  here ${here}, there ${there}`,
    `  configuration ${configuration.seed} (--from ${configuration.seed} --count 1):`,
    `  ${JSON.stringify(configuration)}`,
  ];
}

/** Compares the build in `root` with another one; sets the exit status. */
export async function main(root: string): Promise<void> {
  let command: Command;
  try {
    command = parseCommand(root);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const [here, there] = [await openBuild(root), await openBuild(command.folder)];
  const outcome = await compareBuilds(here, there, command.range);
  console.log(report(outcome).join('\n'));
  if (outcome.first) process.exitCode = 1;
}
