import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GatefoldError } from '../../base/errors.ts';
import { describeModule } from '../../formats/pytorch.ts';
import type { PytorchFile } from '../../formats/pytorch.ts';
import { build } from '../../formats/shared/imported.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Model } from '../../model/model.ts';
import { createEngine } from '../engine.ts';
import { fail } from '../failure.ts';
import { say } from '../output.ts';
import { ONLY_INPUT, arrayOf, readArrays } from './arrays.ts';
import type { NumberArray } from './files.ts';
import { callModel } from './call.ts';
import { readJson } from './files.ts';
import { openModel, readOptions } from './open.ts';
import type { WiringOptions } from './open.ts';
import type { OpenModel } from './open.ts';
import { tableOf, wrapped } from './table.ts';

export interface CheckOptions extends WiringOptions {
  readonly against?: readonly string[];
  readonly tolerance: number;
}

type Arrays = ReadonlyMap<string, NumberArray>;

/** How far outputs are from the expected ones. */
interface Difference {
  readonly name: string;
  /** The largest, and the largest as a share of the expected number. */
  readonly absolute: number;
  readonly relative: number;
  /** The largest of |a - b| / (1 + |b|), which the tolerance bounds. */
  readonly both: number;
}

function compare(name: string, got: NumberArray, wanted: NumberArray): Difference {
  if (got.data.length !== wanted.data.length) {
    return fail(
      `"${name}" has the shape [${got.shape.join(', ')}], not [${wanted.shape.join(', ')}]`,
    );
  }
  let [absolute, relative, both] = [0, 0, 0];
  for (let k = 0; k < got.data.length; k++) {
    const [a, b] = [got.data[k]!, wanted.data[k]!];
    if (Object.is(a, b)) continue;
    const distance = Math.abs(a - b);
    const worst = Number.isNaN(distance) ? Infinity : distance;
    absolute = Math.max(absolute, worst);
    relative = Math.max(relative, worst / Math.max(Math.abs(b), Number.MIN_VALUE));
    both = Math.max(both, worst / (1 + Math.abs(b)));
  }
  return { name, absolute, relative, both };
}

/** The outputs of a model beside those that somebody expects, by name or in their order. */
function compareAll(results: Arrays, wanted: Arrays): Difference[] {
  const names = [...results.keys()];
  if (wanted.size > names.length) {
    fail(`${wanted.size} outputs are expected, and the model has ${names.join(', ')}`);
  }
  return [...wanted].map(([name, array], k) => {
    const own = results.has(name) ? name : names[k]!;
    return compare(own, results.get(own)!, array);
  });
}

/** The command `gatefold check`; gives the exit status. */
export async function check(path: string, options: CheckOptions): Promise<number> {
  const { against, tolerance } = options;
  const engine = await createEngine('auto');
  try {
    if (!against) return await checkFolder(path, tolerance, engine);
    const [inputs, outputs] = against as [string, string];
    const opened = await openModel(path, await readOptions(options));
    const given = await readArrays(inputs);
    const wanted = await readArrays(outputs, 'y');
    const model = opened.load(engine);
    const found = compareAll(callModel(model, given.arrays), wanted.arrays);
    const rows = found.map(({ name, absolute, relative, both }) => [
      name,
      absolute.toExponential(2),
      relative.toExponential(2),
      both <= tolerance ? 'yes' : 'NO',
    ]);
    const within = `within ${tolerance}`;
    say(`${tableOf(['output', 'largest difference', 'relative', within], rows)}\n`);
    return found.every(({ both }) => both <= tolerance) ? 0 : 1;
  } finally {
    engine.dispose();
  }
}

/** What came of one model of a folder. */
interface Outcome {
  readonly path: string;
  readonly format: string;
  readonly result: 'right' | 'wrong' | 'refused' | 'no reference';
  readonly worst?: number;
  readonly reason?: string;
}

/** Endings of files that stand beside models, and of names that no model has. */
const BESIDE = ['.golden.json', '.description.json', '.csv', '.md', '.txt', '.npz', '.wav'];

async function checkFolder(folder: string, tolerance: number, engine: Engine): Promise<number> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) {
    fail(
      `${folder} expected a folder of models; of one model name what to expect: --against IN OUT`,
    );
  }
  const outcomes: Outcome[] = [];
  for (const path of await modelsIn(folder)) {
    outcomes.push(await outcomeOf(path, tolerance, engine));
  }
  if (outcomes.length === 0) fail(`${folder} has no models`);
  const rows = outcomes.map(({ path, format, result, worst, reason }) => [
    path.slice(folder.length).replace(/^\//, ''),
    format,
    result,
    worst === undefined ? '' : worst.toExponential(1),
    reason ?? '',
  ]);
  const titles = ['model', 'format', 'result', 'worst'];
  say(
    `${tableOf(
      titles,
      rows.map((row) => row.slice(0, 4)),
    )}\n`,
  );
  for (const [name, , , , reason] of rows) if (reason) say(`\n${wrapped(`${name}: ${reason}`)}\n`);
  const count = (wanted: Outcome['result']): number =>
    outcomes.filter(({ result }) => result === wanted).length;
  const failed = count('wrong') + count('refused');
  say(`\n${outcomes.length} models: ${count('right')} right, ${count('wrong')} wrong, `);
  say(`${count('refused')} refused, ${count('no reference')} without reference\n`);
  return failed > 0 ? 1 : 0;
}

/** Models in a folder and those in it, in the order of their names. */
async function modelsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: string[] = [];
  const names = entries.map(({ name }) => name).sort();
  const main = ['model.json', 'manifest.json'].find((name) => names.includes(name));
  if (main) return [join(folder, main)];
  for (const name of names) {
    const path = join(folder, name);
    const isFolder = entries.find((entry) => entry.name === name)!.isDirectory();
    if (isFolder) found.push(...(await modelsIn(path)));
    else if (name !== 'golden.json' && !BESIDE.some((end) => name.endsWith(end))) found.push(path);
  }
  return found;
}

const isThere = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => null)) !== null;

async function outcomeOf(path: string, tolerance: number, engine: Engine): Promise<Outcome> {
  let format = '';
  try {
    const beside = `${path}.description.json`;
    const short = path.replace(/\.\w+$/, '.description.json');
    const wiring = (await isThere(beside)) ? beside : (await isThere(short)) ? short : undefined;
    const opened = await openModel(
      path,
      await readOptions(wiring === undefined ? {} : { description: wiring }),
    );
    ({ format } = opened);
    const worst = await worstOf(path, opened, engine);
    if (worst === undefined) return { path, format, result: 'no reference' };
    return { path, format, worst, result: worst <= tolerance ? 'right' : 'wrong' };
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    return { path, format, result: 'refused', reason: error.message.replace(`${path}: `, '') };
  }
}

/** The worst difference from all that is expected; `undefined` where nothing is. */
async function worstOf(
  path: string,
  opened: OpenModel,
  engine: Engine,
): Promise<number | undefined> {
  const golden = [`${path}.golden.json`, join(path, '..', 'golden.json')];
  for (const file of basename(path) === 'model.json' ? golden.reverse() : golden) {
    if (await isThere(file)) return worstOfGolden(opened, (await readJson(file)) as Golden, engine);
  }
  if (opened.unwired) return tryOutModules(opened.unwired, engine);
  const model = opened.load(engine);
  try {
    const [x, y] = ['x', 'y'].map((role) => path.replace(/\.\w+$/, `_${role}_python.csv`));
    if ((await isThere(x!)) && (await isThere(y!))) {
      const { arrays } = await readArrays(x!);
      const expected = (await readArrays(y!, 'y')).arrays;
      const results = callModel(model, asSequence(model, arrays));
      return Math.max(...compareAll(results, expected).map(({ both }) => both));
    }
    tryOut(model);
    return undefined;
  } finally {
    model.dispose();
  }
}

/** Rows of a file as the steps of one sequence. */
function asSequence(model: Model, arrays: Arrays): Arrays {
  const { data } = arrays.get(ONLY_INPUT)!;
  const size = model.inputSize;
  return new Map([[ONLY_INPUT, { shape: [1, data.length / size, size], data }]]);
}

/** Runs a model once where nobody knows what it should give. */
function tryOut(model: Model): void {
  const steps = model.description.steps ?? 4;
  const arrays = model.inputs.map(({ name, size, takesTokens, each }) => {
    const rows = each === 'sequence' ? [1] : [1, steps];
    const shape = takesTokens ? rows : [...rows, size];
    const length = shape.reduce((all, count) => all * count, 1);
    return [name, { shape, data: new Float32Array(length) }] as const;
  });
  callModel(model, new Map(arrays));
}

/** Runs every recurrent module of a file alone, where nobody has said how they are wired. */
function tryOutModules(file: PytorchFile, engine: Engine): undefined {
  for (const { name, layer } of file.modules) {
    if (!layer || !('hiddenSize' in layer)) continue;
    const model = build(engine, describeModule(file, name));
    tryOut(model);
    model.dispose();
  }
}

interface GoldenArray {
  readonly name?: string;
  readonly kind?: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What a model file is expected to give: as a whole, or each of its modules. */
interface Golden {
  readonly inputs?: readonly GoldenArray[] | Readonly<Record<string, GoldenArray>>;
  readonly outputs?: readonly GoldenArray[] | Readonly<Record<string, GoldenArray>>;
  readonly modules?: readonly {
    readonly module: string;
    readonly input: GoldenArray;
    readonly output: GoldenArray;
    readonly head?: { readonly module: string; readonly output: GoldenArray };
  }[];
}

function listed(given: Golden['inputs']): [string | undefined, GoldenArray][] {
  if (Array.isArray(given)) return given.map((array: GoldenArray) => [array.name, array]);
  return Object.entries((given ?? {}) as Record<string, GoldenArray>);
}

function worstOfGolden(opened: OpenModel, golden: Golden, engine: Engine): number {
  if (golden.modules) return worstOfModules(opened, golden.modules, engine);
  const model = opened.load(engine);
  try {
    const { inputs } = model;
    const arrays = listed(golden.inputs).map(([name, array], k) => {
      const known = inputs.find((input) => input.name === name) ?? inputs[k];
      if (!known) return fail(`${inputs.length} inputs are fewer than are expected`);
      return [known.name, oneHot(array, known.size)] as const;
    });
    const wanted = listed(golden.outputs).map(([name, array], k) => {
      return [name ?? `${k}`, arrayOf('outputs', array)] as const;
    });
    const found = compareAll(callModel(model, new Map(arrays)), new Map(wanted));
    return Math.max(...found.map(({ both }) => both));
  } finally {
    model.dispose();
  }
}

/** Tokens as rows of a one, where the file says that they stand for such. */
function oneHot({ kind = '', shape, data }: GoldenArray, size: number): NumberArray {
  if (!/one-hot/.test(kind)) return { shape, data };
  const rows = new Float32Array(data.length * size);
  for (const [row, token] of data.entries()) rows[row * size + token] = 1;
  return { shape: [...shape, size], data: rows };
}

function worstOfModules(
  { path, unwired }: OpenModel,
  modules: NonNullable<Golden['modules']>,
  engine: Engine,
): number {
  if (!unwired) return fail(`${path} has modules to check only where nobody describes it`);
  let worst = 0;
  for (const { module, input, output, head } of modules) {
    for (const [own, wanted] of [
      [undefined, output],
      [head?.module, head?.output],
    ] as const) {
      if (!wanted) continue;
      const model = build(engine, describeModule(unwired, module, own));
      const results = callModel(model, new Map([[ONLY_INPUT, input]]));
      const found = compareAll(results, new Map([['y', wanted]]));
      worst = Math.max(worst, ...found.map(({ both }) => both));
      model.dispose();
    }
  }
  return worst;
}
