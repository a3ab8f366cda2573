// Trains the model, and makes a project of Next.js around it: an edge route and a client component.
import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine, Model, TextBatches, Trainer, cosineDecay } from 'gatefold';
import { saveModel } from 'gatefold/formats/safetensors';
import { readOptions, train } from '../common/terminal.mjs';
import { WordList, makeText, wordsOf } from '../next-word/words.mjs';
import { writeWords } from './project/story.mjs';

const USAGE = `
A project of Next.js whose edge route writes words as they are drawn; the page can write the same ones.

  node examples/next-edge/main.mjs

  --project DIR  where the project is made (next-edge-app)
  --port N       where the page is served, to this machine alone (3000)
  --epochs N     of the training before that (6)
  --write        makes the project, without packages, and ends
  --quick        a run of a few seconds: trains less, and writes here
`;
const FULL = { project: 'next-edge-app', port: 3000, epochs: 6, write: false };
const options = readOptions(USAGE, FULL, { epochs: 2 });
const at = (path) => fileURLToPath(new URL(path, import.meta.url));

const words = wordsOf(makeText({ words: 40_000, seed: 1 }).text);
const list = new WordList(words, 2);
const names = Array.from({ length: list.size }, (_, token) => list.word(token));
const engine = await Engine.create({ simd: 'deterministic' });
const layers = [
  { type: 'embedding', name: 'words', numEmbeddings: list.size, embeddingDim: 64 },
  { type: 'lstm', hiddenSize: 64 },
  { type: 'linear', outFeatures: list.size, tied: 'words' },
];
const model = Model.create(engine, { layers }, { seed: 1, metadata: { words: names } });
const size = { batch: 32, steps: 32 };
const trainer = Trainer.create(model, { ...size, loss: 'cross-entropy', gradClip: { norm: 1 } });
const plan = { epochs: options.epochs, learningRate: cosineDecay(0.01) };
await train(trainer, new TextBatches(list.encode(words), size), plan, 'LSTM');

const project = resolve(options.project);
const run = (command, ...args) =>
  execFileSync(command, args, { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] });

/** The files of a project as `create-next-app` would leave it, without its packages. */
async function makeProject() {
  await mkdir(project, { recursive: true });
  await cp(at('project'), project, { recursive: true });
  await writeFile(join(project, 'model.bin'), saveModel(model));
  const scripts = { dev: 'next dev', build: 'next build', start: 'next start' };
  const manifest = { name: 'next-edge', private: true, type: 'module', scripts };
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest, null, 2));
}

if (process.argv.includes('--quick') && !options.write) {
  const wanted = { text: 'The tired shepherds who live by the mill', seed: 1, count: 40 };
  console.log(`${wanted.text} ${[...writeWords(model, wanted)].join(' ')}`);
} else {
  await makeProject();
  if (!options.write) {
    // From npm this would be npm install gatefold; here it is what the clone has built.
    const tarball = String(run('npm', 'pack', at('../..'), '--silent')).trim();
    run('npm', 'install', `./${tarball}`, 'next', 'react', 'react-dom');
    const address = ['-H', '127.0.0.1', '-p', String(options.port)];
    spawn('npx', ['next', 'dev', ...address], { cwd: project, stdio: 'inherit' });
  }
}
