/** Pages of the examples, in headless Chromium. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Engine, Model } from '../../dist/index.js';
import { writeRtneural } from '../../dist/formats/audio.js';
import { saveModel } from '../../dist/formats/safetensors.js';
import { serve } from '../../examples/common/serve.mjs';
import { serve as serveFolder } from './drivers/pages.mjs';
import { makeWave } from '../../examples/service-worker/wave.mjs';
import { FILES, bytesOf } from '../../examples/voice-activity/runtimes.mjs';

const example = new URL('../../examples/keras-forecaster/', import.meta.url);
let browser;
const servers = [];
beforeAll(async () => {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const media = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
  const args = ['--no-sandbox', '--disable-gpu', ...media];
  browser = await chromium.launch({ executablePath, args });
});
afterAll(async () => {
  await browser.close();
  for (const server of servers) server.close();
});

/** A page of an example at a phone's width, and the errors that it has had. */
async function open(name, files) {
  const server = serve(name, files, 'is tested', 0);
  servers.push(server);
  const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
  const errors = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  return { page, errors };
}

/** That nothing has failed, and nothing is wider than the phone. */
async function expectWhole({ page, errors }) {
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
  expect(errors).toEqual([]);
  await page.close();
}

test('keras-forecaster fine-tunes what is pasted and dropped, and gives the model', async () => {
  const bytes = readFileSync(new URL('household.h5', example));
  const { page, errors } = await open('keras-forecaster', { 'model.h5': bytes });
  const text = (id) => page.locator(`#${id}`).textContent();
  await page.waitForFunction("document.getElementById('before').textContent");
  const values = Array.from({ length: 400 }, (_, t) => `${t},${100 + 20 * Math.sin(t / 3)}`);
  await page.fill('#text', ['time,value', ...values].join('\n'));
  expect(await text('series')).toBe('pasted: 400 values');
  const gru = new URL('../fixtures/keras/household-gru.h5', import.meta.url);
  const dropped = [...readFileSync(gru)];
  await page.evaluate(`{
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.of(${dropped})], 'gru.h5'));
    document.dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }));
  }`);
  await page.waitForFunction("document.getElementById('model').textContent.startsWith('gru.h5')");
  await page.click('#tune');
  await page.waitForFunction("document.getElementById('after').textContent");
  expect(Number(await text('after'))).toBeLessThan(0.9 * Number(await text('before')));
  expect(await page.locator('#chart path').count()).toBe(5);
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
  expect(download.suggestedFilename()).toBe('forecaster.safetensors');
  await page.click('#save-tfjs');
  expect(await text('state')).toContain('no GRU with resetAfter');
  await expectWhole({ page, errors });
});

test('guitar-amplifier plays, and says what it costs', async () => {
  const layers = [
    { type: 'lstm', inputSize: 1, hiddenSize: 8 },
    { type: 'linear', outFeatures: 1 },
  ];
  const amplifier = writeRtneural(Model.create(await Engine.create(), { layers }));
  const { page, errors } = await open('guitar-amplifier', { 'amplifier.json': amplifier });
  await page.click('#guitar');
  await page.waitForFunction("document.getElementById('state').textContent.includes('of a core')");
  await page.click('#stop');
  await expectWhole({ page, errors });
});

test('voice-activity listens to the microphone', async () => {
  const { file, ...net } = FILES.v5;
  const files = { 'model.onnx': bytesOf({ file }), 'net.json': JSON.stringify(net) };
  const { page, errors } = await open('voice-activity', files);
  await page.click('#microphone');
  await page.waitForFunction("document.getElementById('state').textContent.includes('of a core')");
  const heard = await page.evaluate(`{
    const canvas = document.getElementById('chart');
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
  }`);
  expect(heard).toBe(true);
  await expectWhole({ page, errors });
});

test('audio-worklet learns an effect while it plays, and another', async () => {
  const { page, errors } = await open('audio-worklet', {});
  const error = async () => Number.parseFloat(await page.locator('#error').textContent());
  await page.click('#start');
  await page.waitForFunction("document.getElementById('error').textContent.includes('pass 8')");
  expect(await error()).toBeLessThan(20);
  await page.waitForFunction("document.getElementById('state').textContent.includes('of a core')");
  const levels = "['effect', 'model'].map((id) => document.getElementById(id).value)";
  const [effect, model] = await page.evaluate(levels);
  expect(effect).toBeGreaterThan(-40);
  expect(Math.abs(effect - model)).toBeLessThan(12);
  await page.locator('#cutoff').fill('3000');
  await page.waitForFunction("document.getElementById('error').textContent.includes('pass 2')");
  await page.click('#stop');
  await expectWhole({ page, errors });
});

test('service-worker forecasts, and still does when the server is gone', async () => {
  const layers = [
    { type: 'gru', inputSize: 1, hiddenSize: 8 },
    { type: 'pool', mode: 'last' },
    { type: 'linear', outFeatures: 60 },
  ];
  const engine = await Engine.create();
  const model = Model.create(engine, { layers }, { seed: 1 });
  const { page, errors } = await open('service-worker', { 'model.bin': saveModel(model) });
  const answered = "document.getElementById('state').textContent.includes('by the service worker')";
  await page.waitForFunction(answered);
  const server = servers.at(-1);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await page.reload();
  await page.waitForFunction(answered);
  expect(await page.locator('#chart path').count()).toBe(2);
  // What the page was told is what the model says here, to what another variant rounds.
  const wave = makeWave(120, 10_000);
  const values = await page.evaluate(`fetch('forecast', {
    method: 'POST',
    body: Float32Array.from(${JSON.stringify([...wave])}),
  }).then(async (response) => [...new Float32Array(await response.arrayBuffer())])`);
  const { output } = model.forward(wave, { steps: 120 });
  expect(values).toHaveLength(60);
  values.forEach((value, k) => expect(value).toBeCloseTo(output[k], 4));
  await expectWhole({ page, errors });
});

test('cloudflare-worker keeps its sessions over a SIGKILL, bit for bit', async () => {
  const program = fileURLToPath(
    new URL('../../examples/cloudflare-worker/main.mjs', import.meta.url),
  );
  const { stdout } = await promisify(execFile)(process.execPath, [program, '--quick']);
  expect(stdout).toMatch(/^a whole sequence +6 +0$/m);
  expect(stdout).toMatch(/^a session, killed after frame 3 +6 +0$/m);
});

test('cloudflare-worker says what it weighs, and what CPU time a request takes', async () => {
  const program = fileURLToPath(
    new URL('../../examples/cloudflare-worker/cost.mjs', import.meta.url),
  );
  const { stdout } = await promisify(execFile)(process.execPath, [program, '--quick']);
  const [, raw, packed] = /^all +([\d.]+) +([\d.]+)$/m.exec(stdout).map(Number);
  expect(raw).toBeLessThan(1024);
  expect(packed).toBeLessThan(140);
  const [, , first, warm] = /^GRU, linear +([\d.]+) +([\d.]+) +([\d.]+)$/m.exec(stdout).map(Number);
  expect(warm).toBeGreaterThan(0);
  expect(warm).toBeLessThan(first / 4);
});

test('next-edge answers word by word, and refuses what is no request', async () => {
  const layers = [
    { type: 'embedding', name: 'words', numEmbeddings: 4, embeddingDim: 8 },
    { type: 'gru', hiddenSize: 8 },
    { type: 'linear', outFeatures: 4, tied: 'words' },
  ];
  const metadata = { words: ['?', '.', 'one', 'two'] };
  const model = Model.create(await Engine.create(), { layers }, { seed: 1, metadata });
  // In Next the address of model.bin is one that fetch takes.
  vi.stubGlobal('fetch', async () => new Response(saveModel(model)));
  const { POST } = await import('../../examples/next-edge/project/app/write/route.js');
  const ask = (body) => POST(new Request('http://localhost/write', { method: 'POST', body }));
  const wanted = { text: 'Two, one', seed: 3, count: 9 };

  const words = (await (await ask(JSON.stringify(wanted))).text()).split('\n').slice(0, -1);
  expect(words).toHaveLength(9);
  expect(words.filter((word) => !['.', 'one', 'two'].includes(word))).toEqual([]);
  const other = await ask(JSON.stringify({ ...wanted, seed: 4 }));
  expect((await other.text()).split('\n')).not.toEqual([...words, '']);

  const { body } = await ask(JSON.stringify(wanted));
  const reader = body.getReader();
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toBe(`${words[0]}\n`);
  await reader.cancel();
  const wrong = [
    { seed: -1 },
    { seed: 0.5 },
    { count: 201 },
    { text: 1 },
    { text: '-'.repeat(1001) },
  ];
  for (const more of wrong) {
    expect((await ask(JSON.stringify({ ...wanted, ...more }))).status).toBe(400);
  }
  expect((await ask('{')).status).toBe(400);
  vi.unstubAllGlobals();
});

test('browser-gesture is drawn, trained, saved, and loaded after a reload', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gestures-'));
  const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const command = ['examples/browser-gesture/main.mjs', '--build', folder];
  await promisify(execFile)(process.execPath, command, { cwd: at('.') });
  await promisify(execFile)(at('node_modules/.bin/tsc'), ['-p', at('examples/browser-gesture')]);
  const server = await serveFolder(folder, {});
  servers.push(server);
  const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
  const errors = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  await page.goto(`${server.origin}/browser-gesture/index.html`);

  /** Draws lines through points on the pad, in shares of its size. */
  const stroke = async (points) => {
    const { x, y, width, height } = await page.locator('#pad').boundingBox();
    const to = ([a, b]) => [x + a * width, y + b * height];
    await page.mouse.move(...to(points[0]));
    await page.mouse.down();
    for (const point of points.slice(1)) await page.mouse.move(...to(point), { steps: 8 });
    await page.mouse.up();
  };
  const round = Array.from({ length: 17 }, (_, k) => (k * Math.PI) / 8);
  const SHAPES = {
    circle: (s) =>
      round.map((angle) => [0.5 + 0.2 * s * Math.sin(angle), 0.5 - 0.4 * s * Math.cos(angle)]),
    zigzag: (s) =>
      [0, 1, 2, 3, 4].map((k) => [0.5 + (k - 2) * 0.1 * s, 0.5 + (k % 2 ? 0.3 : -0.3) * s]),
    tick: (s) => [
      [0.3, 0.6],
      [0.3 + 0.1 * s, 0.6 + 0.2 * s],
      [0.3 + 0.4 * s, 0.6 - 0.4 * s],
    ],
  };
  await page.waitForSelector('input[type=radio]');
  expect(await page.locator('#train').isDisabled()).toBe(true);
  for (const [name, shape] of Object.entries(SHAPES)) {
    await page.check(`input[value=${name}]`);
    for (const size of [0.7, 0.8, 0.9, 1]) await stroke(shape(size));
    await page.waitForFunction(`document.body.textContent.includes('a ${name} (4)')`);
  }
  await page.click('#train');
  await page.waitForFunction("document.getElementById('state').textContent.includes('Trained')");
  expect(Number(await page.locator('#validation').textContent())).toBeLessThan(0.3);
  expect(await page.locator('#chart path').count()).toBe(2);
  await page.reload();
  await page.waitForFunction("document.getElementById('state').textContent.includes('Loaded')");
  for (const [name, shape] of Object.entries(SHAPES)) {
    await stroke(shape(0.85));
    expect(await page.locator('dt.best').textContent()).toBe(name);
  }
  await page.click('#forget');
  await page.waitForFunction("document.body.textContent.includes('a circle (0)')");
  await expectWhole({ page, errors });
  await rm(folder, { recursive: true });
});
