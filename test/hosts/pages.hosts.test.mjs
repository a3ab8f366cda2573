/** Pages of the examples, in headless Chromium. */
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve } from '../../examples/common/serve.mjs';

const example = new URL('../../examples/keras-forecaster/', import.meta.url);
let browser;
let server;
beforeAll(async () => {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const bytes = readFileSync(new URL('household.h5', example));
  server = serve('keras-forecaster', { 'model.h5': bytes }, 'is tested', 0);
});
afterAll(async () => {
  await browser.close();
  server.close();
});

test('keras-forecaster fine-tunes what is pasted and dropped, and gives the model', async () => {
  const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
  const errors = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
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
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
  expect(errors).toEqual([]);
});
