/** `gatefold/browser` in headless Chromium; what it computes is compared with Node. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Engine, Model } from '../../dist/index.js';
import { saveModel } from '../../dist/formats/safetensors.js';
import { launchChromium } from './drivers/engines.mjs';
import { serve } from './drivers/pages.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = { '/page.html': '<!doctype html><meta charset="utf-8" /><title>gatefold</title>' };
/** The strictest policy under which a page may run WebAssembly and fetch its own files. */
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

const engine = await Engine.create({ simd: 'deterministic' });
const made = (layers, seed = 1) => Model.create(engine, { layers }, { seed });
const lstm = made([
  { type: 'lstm', inputSize: 1, hiddenSize: 8 },
  { type: 'linear', outFeatures: 1 },
]);
const other = made(lstm.description.layers, 2);
const frames = made([
  { type: 'gru', inputSize: 40, hiddenSize: 6 },
  { type: 'linear', outFeatures: 2 },
]);
const tokens = made([
  { type: 'embedding', numEmbeddings: 5, embeddingDim: 3 },
  { type: 'lstm', hiddenSize: 4 },
]);
const sound = Float32Array.from({ length: 1280 }, (_, t) => Math.sin(t / 7) * Math.cos(t / 90));

let browser;
let server;
let strict;
/** Files of this length without their length, and a compressed one. */
let odd;
beforeAll(async () => {
  ({ browser } = await launchChromium());
  const models = { lstm, other, frames, tokens };
  const files = Object.entries(models).map(([name, model]) => [`/${name}.model`, saveModel(model)]);
  const pages = { ...PAGE, ...Object.fromEntries(files) };
  server = await serve(root, {}, pages);
  strict = await serve(root, { 'content-security-policy': POLICY }, pages);
  odd = createServer((request, response) => {
    response.writeHead(200, { 'access-control-allow-origin': '*' });
    response.write(new Uint8Array(3000));
    setTimeout(() => response.end(new Uint8Array(3000)), 20);
  });
  await new Promise((resolve) => odd.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await browser.close();
  for (const one of [server, strict, odd]) one.close();
});

/** Runs a program in a page, with the names of the entry; gives what it returns. */
async function inPage(program, { origin, tab } = {}) {
  const page = tab ?? (await browser.newPage());
  if (!tab) await page.goto(`${origin ?? server.origin}/page.html`);
  // As text: vitest rewrites the imports of functions.
  return page.evaluate(`(async () => {
    const { ByteStore, createWorkerModel, createWorkletNode, fetchBytes } =
      await import('/dist/browser.js');
    const tried = (promise) =>
      promise.then(() => 'no error', ({ name, code, message }) => ({ name, code, message }));
    const sound = Float32Array.from(${JSON.stringify([...sound])});
    ${program}
  })()`);
}

describe('ByteStore', () => {
  test('keeps files over a reload, whole and apart', async () => {
    const tab = await browser.newPage();
    await tab.goto(`${server.origin}/page.html`);
    const before = `
      const store = new ByteStore('one');
      await store.write('a', Uint8Array.of(1, 2, 3).subarray(1));
      await store.write('b', new Uint8Array(1e6).fill(7).buffer);
      await store.write('b', Uint8Array.of(9));
      await new ByteStore('two').write('a', Uint8Array.of(4));
      return store.names();`;
    expect(await inPage(before, { tab })).toEqual(['a', 'b']);
    await tab.reload();
    const after = `
      const store = new ByteStore('one');
      const found = [await store.read('a'), await store.read('b'), await store.read('c')];
      await store.remove('a');
      await store.remove('c');
      const [other] = await new ByteStore('two').read('a');
      const size = found[0].buffer.byteLength;
      return [found.map((bytes) => bytes && [...bytes]), size, await store.names(), other];`;
    expect(await inPage(after, { tab })).toEqual([[[2, 3], [9], undefined], 2, ['b'], 4]);
    await tab.close();
  });

  test('names what it was given, and what the host says', async () => {
    const [wrong, foreign] = await inPage(`
      const store = new ByteStore('three');
      const wrong = [store.read(1), store.write('a', [1]), store.write(), store.remove()];
      indexedDB.open('foreign', 7).onsuccess = ({ target }) => target.result.close();
      await new Promise((resolve) => setTimeout(resolve, 200));
      return [await Promise.all(wrong.map(tried)), await tried(new ByteStore('foreign').names())];`);
    expect(wrong.map(({ code }) => code)).toEqual(Array(4).fill('ERR_ARGUMENT'));
    expect(foreign).toMatchObject({ name: 'GatefoldError', code: 'ERR_UNSUPPORTED' });
    expect(foreign.message).toContain('"foreign"');
  });
});

describe('fetchBytes', () => {
  const file = readFileSync(new URL('../../dist/index.js', import.meta.url));
  const hash = (algorithm, bytes) =>
    `${algorithm}-${createHash(algorithm).update(bytes).digest('base64')}`;

  test('gives the bytes, tells of them, and checks their hash', async () => {
    const integrity = `${hash('sha256', 'another file')} ${hash('sha384', file)}`;
    const [sum, last, count] = await inPage(`
      const seen = [];
      const options = { integrity: '${integrity}', onProgress: (part) => seen.push(part) };
      const bytes = await fetchBytes('/dist/index.js', options);
      return [bytes.reduce((sum, byte) => sum + byte, 0), seen.at(-1), seen.length];`);
    expect(sum).toBe(file.reduce((total, byte) => total + byte, 0));
    expect(last.received).toBe(file.length);
    expect(count).toBeGreaterThan(0);
  });

  test('refuses other bytes, other answers and too many', async () => {
    const { port } = odd.address();
    const url = `http://127.0.0.1:${port}/`;
    const integrity = `${hash('sha384', 'another file')} ${hash('sha256', file)}`;
    const [seen, ...failures] = await inPage(`
      const seen = [];
      await fetchBytes('${url}', { onProgress: (part) => seen.push(part) });
      const calls = [
        fetchBytes('/dist/index.js', { integrity: '${integrity}' }),
        fetchBytes('/no-such.model'),
        fetchBytes('/dist/index.js', { maxBytes: 1000 }),
        fetchBytes('${url}', { maxBytes: 4000 }),
        fetchBytes('/dist/index.js', { integrity: 'md5-abc' }),
        fetchBytes('/dist/index.js', { onProgres: () => {} }),
        fetchBytes('/dist/index.js', { signal: AbortSignal.abort() }),
      ];
      return [seen, ...(await Promise.all(calls.map(tried)))];`);
    expect(seen.at(-1)).toEqual({ received: 6000 });
    const codes = failures.map(({ code }) => code);
    expect(codes.slice(0, 4)).toEqual(['ERR_FORMAT', 'ERR_FORMAT', 'ERR_MEMORY', 'ERR_MEMORY']);
    expect(codes.slice(4, 6)).toEqual(['ERR_ARGUMENT', 'ERR_ARGUMENT']);
    expect(failures[6].name).toBe('AbortError');
    expect(failures[0].message).toContain(hash('sha384', file));
    expect(failures[1].message).toContain('404');
  });
});

describe('createWorkerModel', () => {
  const OPEN = `
    const open = async (name) =>
      createWorkerModel(await fetchBytes('/' + name + '.model'), { simd: 'deterministic' });`;

  test('computes the bits of a model in this thread', async () => {
    const found = await inPage(`${OPEN}
      const model = await open('lstm');
      const { output, state } = await model.forward(sound, { steps: 640, batch: 2 });
      const gates = await model.gates(sound.subarray(0, 20), { steps: 20 });
      const stream = await model.stream({ batch: 2 });
      const out = new Float32Array(12);
      await stream.run(sound, out, 5);
      await stream.step(sound.subarray(10, 12), out.subarray(10));
      const saved = await stream.save();
      await stream.restore(state);
      await stream.reset(1);
      const row = await stream.state(1);
      stream.dispose();
      const tensors = await (await open('other')).stateDict();
      await model.loadStateDict(tensors);
      const after = await model.forward(sound, { steps: 1280 });
      const { inputSize, outputSize, parameterCount, description, outputs } = model;
      return {
        output: [...output], h: [...state.lstm.h], forget: [...gates.lstm.forget], out: [...out],
        saved: [...saved.lstm.c], row: [...row.lstm.h], after: [...after.output],
        facts: { inputSize, outputSize, parameterCount, description, outputs },
      };`);
    const { output, state } = lstm.forward(sound, { steps: 640, batch: 2 });
    expect(found.output).toEqual([...output]);
    expect(found.h).toEqual([...state.lstm.h]);
    expect(found.out).toEqual([...output.subarray(0, 12)]);
    const six = lstm.forward(sound.subarray(0, 12), { steps: 6, batch: 2 });
    expect(found.saved).toEqual([...six.state.lstm.c]);
    expect(found.row).toEqual(Array(8).fill(0));
    const gates = lstm.gates(sound.subarray(0, 20), { steps: 20 });
    expect(found.forget).toEqual([...gates.lstm.forget]);
    expect(found.after).toEqual([...other.forward(sound, { steps: 1280 }).output]);
    const { inputSize, outputSize, parameterCount, description, outputs } = lstm;
    const facts = { inputSize, outputSize, parameterCount, description, outputs };
    expect(found.facts).toEqual(JSON.parse(JSON.stringify(facts)));
  });

  test('goes on while the page does, and gives arrays away where it is told to', async () => {
    const found = await inPage(`${OPEN}
      const model = await open('lstm');
      let turns = 0;
      const clock = setInterval(() => turns++, 1);
      await model.forward(new Float32Array(1e6), { steps: 1e6 });
      clearInterval(clock);
      const [kept, given] = [new Float32Array(4), new Float32Array(4)];
      await model.forward(kept, { steps: 4 });
      await model.forward(given, { steps: 4, transfer: true });
      return [turns, kept.length, given.length];`);
    expect(found[0]).toBeGreaterThan(5);
    expect(found.slice(1)).toEqual([4, 0]);
  });

  test('brings errors back with their codes, and ends', async () => {
    const [errors, waiting, after] = await inPage(`${OPEN}
      const model = await open('lstm');
      const errors = await Promise.all(
        [
          model.forward(sound, { steps: 3 }),
          model.forward(sound, { stepz: 3 }),
          model.forward(() => 3, { steps: 3 }),
          model.forward(sound, { steps: 1280, transfer: 'yes' }),
          createWorkerModel(new Uint8Array(100)),
          createWorkerModel('model.bytes'),
          createWorkerModel(new Uint8Array(100), { program: '/no-such.js' }),
        ].map(tried),
      );
      const waiting = tried(model.forward(new Float32Array(1e6), { steps: 1e6 }));
      model.dispose();
      return [errors, await waiting, await tried(model.stateDict())];`);
    expect(errors.map(({ name }) => name)).toEqual(Array(7).fill('GatefoldError'));
    const codes = [
      'SHAPE',
      'ARGUMENT',
      'ARGUMENT',
      'ARGUMENT',
      'FORMAT',
      'ARGUMENT',
      'UNSUPPORTED',
    ];
    expect(errors.map(({ code }) => code)).toEqual(codes.map((code) => `ERR_${code}`));
    expect(errors[6].message).toContain('gatefold/browser/worker');
    expect(waiting.code).toBe('ERR_DISPOSED');
    expect(after.code).toBe('ERR_DISPOSED');
  });

  test('starts under a strict Content-Security-Policy, from its file', async () => {
    const program = `${OPEN}
      const model = await open('lstm');
      return [...(await model.forward(sound, { steps: 1280 })).output];`;
    const output = await inPage(program, { origin: strict.origin });
    expect(output).toEqual([...lstm.forward(sound, { steps: 1280 }).output]);
  });
});

describe('createWorkletNode', () => {
  const RENDER = `
    const play = async (name, options = {}, length = sound.length) => {
      const context = new OfflineAudioContext(1, length, 48000);
      const bytes = await fetchBytes('/' + name + '.model');
      const node = await createWorkletNode(context, bytes, { simd: 'deterministic', ...options });
      const buffer = new AudioBuffer({ length: sound.length, sampleRate: 48000 });
      buffer.copyToChannel(sound, 0);
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(node).connect(context.destination);
      source.start();
      return { context, node, render: async () => (await context.startRendering()).getChannelData(0) };
    };`;
  const expected = () => lstm.forward(sound, { steps: 1280 }).output;

  test('is a filter with the bits of the model in this thread, and says what it costs', async () => {
    const found = await inPage(`${RENDER}
      const { node, render } = await play('lstm');
      const output = [...(await render())];
      const { isSound, latency, parameterCount } = await node.ready;
      return { output, isSound, latency, parameterCount, usage: await node.usage() };`);
    expect(found.output).toEqual([...expected()]);
    expect(found).toMatchObject({ isSound: true, latency: 0 });
    expect(found.parameterCount).toBe(lstm.parameterCount);
    expect(found.usage.seconds).toBeCloseTo(1280 / 48000, 9);
    expect(found.usage.share).toBeGreaterThanOrEqual(0);
  });

  test('tells what a model finds that gives no sound, frame by frame', async () => {
    const found = await inPage(`${RENDER}
      const heard = [];
      const onOutput = (output, frame) => heard.push([frame, ...output]);
      const { node, render } = await play('frames', { onOutput, overlap: 8 });
      const silence = (await render()).every((value) => value === 0);
      await node.usage();
      return { heard, silence, isSound: (await node.ready).isSound };`);
    expect(found).toMatchObject({ silence: true, isSound: false });
    // Frames of 32 samples, each with the 8 before it.
    const padded = Float32Array.of(...Array(8).fill(0), ...sound);
    const stream = frames.stream();
    const wanted = Array.from({ length: 40 }, (_, k) => {
      const out = new Float32Array(2);
      stream.step(padded.slice(32 * k, 32 * k + 40), out);
      return [k + 1, ...out];
    });
    expect(found.heard).toEqual(wanted);
  });

  test('takes another model, which goes on from the states of the one before', async () => {
    const found = await inPage(`${RENDER}
      const { context, node, render } = await play('lstm');
      const change = context.suspend(640 / 48000).then(async () => {
        await node.load(await fetchBytes('/other.model'));
        await context.resume();
      });
      const output = [...(await render())];
      await change;
      return output;`);
    const first = lstm.forward(sound.subarray(0, 640), { steps: 640 });
    const rest = other.forward(sound.subarray(640), { steps: 640, state: first.state });
    expect(found).toEqual([...first.output, ...rest.output]);
  });

  test('says what it cannot run', async () => {
    const [rejected, wrong] = await inPage(`${RENDER}
      const { node, render } = await play('tokens');
      const rejected = await Promise.all([tried(node.ready), render()]);
      const bytes = await fetchBytes('/lstm.model');
      const wrong = [
        createWorkletNode({}, bytes),
        createWorkletNode(new OfflineAudioContext(1, 128, 48000), 'bytes'),
        createWorkletNode(new OfflineAudioContext(1, 128, 48000), bytes, { overlap: -1 }),
        createWorkletNode(new OfflineAudioContext(1, 128, 48000), bytes, { onOutput: 3 }),
        createWorkletNode(new OfflineAudioContext(1, 128, 48000), bytes, { program: '/no.js' }),
      ];
      return [rejected[0], await Promise.all(wrong.map(tried))];`);
    expect(rejected).toMatchObject({ name: 'GatefoldError', code: 'ERR_UNSUPPORTED' });
    const codes = ['UNSUPPORTED', 'ARGUMENT', 'ARGUMENT', 'ARGUMENT', 'UNSUPPORTED'];
    expect(wrong.map(({ code }) => code)).toEqual(codes.map((code) => `ERR_${code}`));
    expect(wrong[4].message).toContain('gatefold/browser/worker');
  });

  test('a frame of NaN starts it over, and disposing silences it', async () => {
    const found = await inPage(`${RENDER}
      sound[300] = NaN;
      const { context, node, render } = await play('lstm');
      const end = context.suspend(1024 / 48000).then(async () => {
        node.dispose();
        await new Promise((resolve) => setTimeout(resolve, 50));
        await context.resume();
      });
      const output = [...(await render())];
      await end;
      return output;`);
    expect(found.slice(0, 300)).toEqual([...expected().subarray(0, 300)]);
    const later = sound.slice(300, 1024);
    later[0] = 0;
    // The step of the NaN reads zero, from zero states.
    expect(found.slice(300, 1024)).toEqual([...lstm.forward(later, { steps: 724 }).output]);
    expect(found.slice(1024)).toEqual(Array(256).fill(0));
  });

  test('loads under a strict Content-Security-Policy, from its file', async () => {
    const program = `${RENDER}
      const { render } = await play('lstm');
      return [...(await render())];`;
    expect(await inPage(program, { origin: strict.origin })).toEqual([...expected()]);
  });
});
