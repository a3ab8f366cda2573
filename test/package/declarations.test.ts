/** The declarations of the packed package: what a program of a user sees of them. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createConsumer, root, type Consumer } from '../support/consumer.ts';

let consumer: Consumer;
beforeAll(() => {
  consumer = createConsumer();
});
afterAll(() => consumer.remove());

const COMPILERS = {
  'TypeScript 7': 'node_modules/typescript/lib/tsc.js',
  'TypeScript 6': 'node_modules/@typescript/typescript6/bin/tsc6',
};

/** What a compiler says to a strict program; nothing where it is content. */
function compile(
  program: string,
  options: Readonly<Record<string, unknown>>,
  compiler: keyof typeof COMPILERS = 'TypeScript 7',
): string {
  writeFileSync(join(consumer.folder, 'main.ts'), program);
  const compilerOptions = { strict: true, noEmit: true, target: 'es2022', types: [], ...options };
  const config = JSON.stringify({ compilerOptions, files: ['main.ts'] });
  writeFileSync(join(consumer.folder, 'tsconfig.json'), config);
  const command = [join(root, COMPILERS[compiler]), '-p', consumer.folder];
  try {
    return execFileSync(process.execPath, command, { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

const PROGRAM = `
import { Engine, GatefoldError, Model, Stream, Trainer, wasmBytes } from 'gatefold';
import type { EngineOptions, ModelDescription, SequenceResult, TrainerOptions } from 'gatefold';
import { Engine as CoreEngine, Model as CoreModel } from 'gatefold/core';
import { Normalizer, SequenceBuckets, SeriesWindows } from 'gatefold/data';
import { Kernels } from 'gatefold/kernels';
import { Trainer as NodeTrainer, loadModelFile } from 'gatefold/node';
import { ThreadedEngine } from 'gatefold/threads';
import 'gatefold/threads/worker';
import { loadModel } from 'gatefold/worklet';
import { readSafetensors } from 'gatefold/formats/safetensors';

const options: EngineOptions = { simd: 'deterministic' };
const description: ModelDescription = { layers: [{ type: 'lstm', inputSize: 4, hiddenSize: 8 }] };
const training: TrainerOptions = { batch: 1, steps: 2, loss: 'mse' };
export async function main(): Promise<SequenceResult> {
  const engine: Engine = await Engine.create(options);
  const core: CoreEngine = CoreEngine.createSync({ module: wasmBytes() });
  const model: Model = Model.create(engine, description);
  const same: [CoreModel, CoreEngine, CoreEngine] = [model, engine, await ThreadedEngine.create()];
  const stream: Stream = model.stream();
  stream.step(new Float32Array(4), new Float32Array(8));
  const { loss }: { loss: number } = Trainer.create(model, training).trainOn(new Float32Array(8), new Float32Array(16));
  if (!(loss >= 0)) throw new GatefoldError('ERR_STATE', 'no loss');
  const series = new SeriesWindows(new Float32Array(9), { batch: 1, steps: 2, order: 'shuffled' });
  const buckets = new SequenceBuckets([{ input: Int32Array.of(1), target: 0 }], { batch: 1 });
  for (const data of [series, buckets]) Trainer.create(model, training).fit(data, { epochs: 1 });
  const normalizer: readonly number[] = Normalizer.fit(new Float32Array(9)).mean;
  const trainer: NodeTrainer = Trainer.create(same[0], training);
  trainer.fit(series, { epochs: normalizer.length, signal: { aborted: false } });
  Kernels.create(engine).tanh(new Float32Array(1));
  loadModel(core, readSafetensors(new Uint8Array(8)));
  await loadModelFile(engine, 'model.safetensors');
  // @ts-expect-error: no such layer
  Model.create(engine, { layers: [{ type: 'transformer' }] });
  return model.forward(new Float32Array(4), { steps: 1 });
}
`;

const NODENEXT = { module: 'nodenext', moduleResolution: 'nodenext' };
const RESOLUTIONS = [
  { module: 'esnext', moduleResolution: 'bundler' },
  { module: 'node16', moduleResolution: 'node16' },
  NODENEXT,
];

describe('a strict program', () => {
  const everywhere = RESOLUTIONS.flatMap((resolution) =>
    [['es2022'], ['es2022', 'dom']].flatMap((lib) =>
      [true, false].map((skipLibCheck) => ({ ...resolution, lib, skipLibCheck })),
    ),
  );
  test.each([
    ...everywhere,
    { ...NODENEXT, lib: ['es2022', 'webworker'], skipLibCheck: false },
    { ...NODENEXT, lib: ['esnext', 'dom'], skipLibCheck: false },
  ])('compiles: $moduleResolution, lib $lib, skipLibCheck $skipLibCheck', (options) => {
    expect(compile(PROGRAM, options)).toBe('');
  });

  test('compiles beside the types of Node', () => {
    const typeRoots = [join(root, 'node_modules/@types')];
    const options = { ...NODENEXT, lib: ['es2022'], types: ['node'], typeRoots };
    expect(compile(PROGRAM, options)).toBe('');
  });

  test('compiles with the compiler before this one', () => {
    const options = { ...NODENEXT, lib: ['es2022'], skipLibCheck: false };
    expect(compile(PROGRAM, options, 'TypeScript 6')).toBe('');
  });

  /** What an import of a `.wasm` file gives, which depends on the host and its build step. */
  const WASM = `
import { Engine } from 'gatefold/core';
import relaxed from 'gatefold/wasm/gatefold-relaxed.wasm';
import kernels from 'gatefold/wasm/gatefold.wasm';
`;

  test.each(RESOLUTIONS)('imports the kernels as modules: $moduleResolution', (resolution) => {
    const use = `for (const module of [kernels, relaxed]) Engine.createSync({ module });
// @ts-expect-error: a module is no URL
export const url: string = kernels;`;
    const isModule = 'export const same: WebAssembly.Module = kernels;';
    for (const [program, lib] of [
      [`${WASM}${use}`, ['es2022']],
      [`${WASM}${use}\n${isModule}`, ['es2022', 'dom']],
    ]) {
      expect(compile(String(program), { ...resolution, lib, skipLibCheck: false })).toBe('');
    }
  });

  test.each(RESOLUTIONS)('as URLs under the condition browser: $moduleResolution', (resolution) => {
    const program = `${WASM}
const urls: readonly string[] = [kernels, relaxed];
export const engine = async () =>
  Engine.create({ module: await (await fetch(urls[0]!)).arrayBuffer() });`;
    const options = { ...resolution, lib: ['es2022', 'dom'], customConditions: ['browser'] };
    expect(compile(program, options)).toBe('');
  });

  test('knows the metrics that it asked for, and layers outside of a call', () => {
    const program = `
import { Engine, Model, Trainer, defineLayers } from 'gatefold';
import type { FitOptions, Measures, Metric, TrainingData } from 'gatefold';
const layers = defineLayers([
  { type: 'lstm', inputSize: 4, hiddenSize: 8 },
  { type: 'linear', outFeatures: 2 },
]);
const kind: 'lstm' = layers[0].type;
const size: 8 = layers[0].hiddenSize;
// @ts-expect-error: no such layer
defineLayers([{ type: 'transformer' }]);
// @ts-expect-error: a size is missing
defineLayers([{ type: 'lstm', inputSize: 4 }]);
export async function main(data: TrainingData, asked: Metric[], later: FitOptions): Promise<number> {
  const trainer = Trainer.create(Model.create(await Engine.create(), { layers }), { batch: 1 });
  const found = trainer.evaluate(data, ['accuracy', 'perplexity']);
  const both: number = found.accuracy + found.perplexity + found.loss;
  // @ts-expect-error: was not asked for
  found.mae;
  // @ts-expect-error: nothing was
  trainer.evaluate(data).accuracy;
  const perhaps: number | undefined = trainer.evaluate(data, asked).accuracy;
  // @ts-expect-error: may be absent, for nobody knows what was asked for
  const surely: number = trainer.evaluate(data, asked).accuracy;
  for await (const { metrics } of trainer.fit(data, { epochs: 1, metrics: ['mae'] })) {
    const error: number | undefined = metrics?.mae;
    // @ts-expect-error: was not asked for
    metrics?.accuracy;
  }
  const report = await trainer.fit(data, later);
  const any: Measures | undefined = report?.metrics;
  return both + (perhaps ?? 0) + surely + (any?.mae ?? 0) + kind.length + size;
}
`;
    const options = { ...NODENEXT, lib: ['es2022'] };
    expect(compile(program, options)).toBe('');
    expect(compile(program, options, 'TypeScript 6')).toBe('');
  });

  test('may do nothing that the package would refuse or that only it can do', () => {
    const refused = [
      'Engine.createSync({ module: 1 });',
      'Engine.createSync({});',
      'new Engine();',
      'new Stream();',
      'new Model();',
      'export const model: Model = {} as Stream;',
      'new ReduceOnPlateau(1).heard;',
    ];
    const program = [
      `import { Engine, Model, ReduceOnPlateau, Stream } from 'gatefold/core';`,
      ...refused,
    ].join('\n');
    const said = compile(program, { ...NODENEXT, lib: ['es2022'] });
    const lines = [...said.matchAll(/^\S*main\.ts\((\d+),\d+\): error/gm)].map(([, line]) =>
      Number(line),
    );
    expect([...new Set(lines)], said).toEqual(refused.map((_, k) => k + 2));
  });
});

describe('`using`', () => {
  const USING = `
import { Engine, Model, Trainer } from 'gatefold';
import { ThreadedEngine } from 'gatefold/threads';
export async function main(): Promise<void> {
  using engine = await Engine.create();
  using model = Model.create(engine, { layers: [{ type: 'rnn', inputSize: 1, hiddenSize: 1 }] });
  using stream = model.stream();
  using trainer = Trainer.create(model, { batch: 1, steps: 1 });
  using threads = await ThreadedEngine.create();
  const all: Disposable[] = [engine, model, stream, trainer, threads];
}
`;

  test('ends everything that has dispose(), where the lib declares it', () => {
    for (const skipLibCheck of [true, false]) {
      const options = { ...NODENEXT, lib: ['es2022', 'esnext.disposable'], skipLibCheck };
      expect(compile(USING, options)).toBe('');
    }
  });

  test('is declared to nobody whose lib lacks it', () => {
    const program = `import { Model } from 'gatefold';
export const end = (model: Model): void => model[Symbol.dispose]();`;
    expect(compile(program, { ...NODENEXT, lib: ['es2022'] })).toMatch(/main\.ts\(2,.*dispose/);
    const options = { ...NODENEXT, lib: ['es2022', 'esnext.disposable'] };
    expect(compile(program, options)).toBe('');
  });

  test('runs where the host has Symbol.dispose', () => {
    const program = `
      import { Engine, Model, Trainer } from 'gatefold';
      const engine = Engine.createSync();
      const model = Model.create(engine, { layers: [{ type: 'rnn', inputSize: 1, hiddenSize: 1 }] });
      const all = [model.stream(), Trainer.create(model, { batch: 1, steps: 1, loss: 'mse' }), model, engine];
      const uses = [
        () => all[0].save(), () => all[1].zeroGradients(), () => model.stateDict(), () => engine.bytes,
      ];
      for (const [k, one] of all.entries()) {
        uses[k]();
        one[Symbol.dispose]();
        try { uses[k](); } catch ({ code }) { console.log(one.constructor.name, code); }
      }`;
    const ended = ['Stream', 'Trainer', 'Model', 'Engine'].map((name) => `${name} ERR_DISPOSED`);
    expect(consumer.run(program)).toBe(ended.join('\n'));
  });
});

describe('the files', () => {
  /** The names that files declare, each with the first word of its declaration. */
  const declaredIn = (texts: readonly string[]): Map<string, string> =>
    new Map(
      texts
        .flatMap((text) => [
          ...text.matchAll(
            /^(?:export )?(?:declare )?(?:abstract )?(class|function|const|interface|type) (\w+)/gm,
          ),
        ])
        .map(([, kind, name]) => [name!, kind!]),
    );
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');

  /** Names that the entries of package.json export. */
  function exportedNames(): Set<string> {
    const { exports } = JSON.parse(read('package.json')) as {
      exports: Record<string, string | { types: string | object }>;
    };
    const texts = Object.values(exports).flatMap((target) =>
      typeof target === 'object' && typeof target.types === 'string' ? [read(target.types)] : [],
    );
    const lists = texts.flatMap((text) => [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]);
    return new Set(
      lists.flatMap(([, list]) =>
        list!.split(',').map((name) => name.trim().replace(/ as .*/, '')),
      ),
    );
  }

  const filesWith = (ending: string): string[] =>
    consumer.files.filter((file) => file.endsWith(ending));

  test('are one for each entry, and the chunks that entries share', () => {
    const files = filesWith('.d.ts').filter((file) => !file.startsWith('dist/chunks/'));
    const entries =
      'browser browser/worker core data formats/audio formats/keras formats/layouts formats/npz formats/onnx formats/pytorch formats/safetensors formats/tf1 formats/tfjs index kernels node node/score-worker sessions threads threads/worker wasm/module wasm/url worklet';
    expect(files.sort()).toEqual(entries.split(' ').map((name) => `dist/${name}.d.ts`));
  });

  test('declare no class, function or object that no entry exports', () => {
    const exported = exportedNames();
    expect([...exported]).toContain('Trainer');
    const hidden = [...declaredIn(filesWith('.d.ts').map(read))].filter(
      ([name, kind]) => !exported.has(name) && kind !== 'interface' && kind !== 'type',
    );
    expect(hidden.sort()).toEqual([
      // `ThreadedEngine` inherits from it.
      ['TeamEngine', 'class'],
      // The default exports of the `.wasm` files.
      ['kernels', 'const'],
      ['url', 'const'],
    ]);
  });

  test('name nothing of the engine and of the graph but what is public', () => {
    const sources = ['src/engine', 'src/graph'].flatMap((room) =>
      readdirSync(join(root, room), { encoding: 'utf8', recursive: true })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => join(room, file)),
    );
    const inside = declaredIn(sources.map(read));
    for (const name of ['Slot', 'Store', 'Workspace', 'Arena', 'Plan'])
      expect([...inside.keys()]).toContain(name);
    const exported = exportedNames();
    const code = filesWith('.d.ts').map((file) =>
      read(file)
        .replace(/\/\*[^]*?\*\//g, '')
        .replace(/'[^'\n]*'/g, ''),
    );
    const named = new Set(code.flatMap((text) => text.match(/\b[A-Z]\w*/g) ?? []));
    expect([...inside.keys()].filter((name) => named.has(name) && !exported.has(name))).toEqual([]);
  });

  test('keep the comment of every class and function', () => {
    const texts = filesWith('.d.ts').map(read);
    const declarations = texts.flatMap((text) => [
      ...text.matchAll(/^(.*)\ndeclare (?:class|function) (\w+)(.*)/gm),
    ]);
    expect(declarations.length).toBeGreaterThan(40);
    const names = new Set<string>();
    for (const [, before, name] of declarations) {
      // Overloads after the first may go without.
      if (!names.has(name!)) expect(before, name).toMatch(/\*\/$/);
      names.add(name!);
    }
    const comment = 'Gives the memory back. Streams and trainers of the model throw from then on.';
    expect(texts.join()).toContain(comment);
  });
});
