import { afterAll, beforeAll, expect, test } from 'vitest';
import { conformance } from './conformance.mjs';
import { withBundle } from './drivers/bundlers.mjs';
import { launchChromium } from './drivers/engines.mjs';
import { ISOLATED, visit } from './drivers/pages.mjs';
import { installPackage } from './package.mjs';

conformance('bundlers');

let installed;
beforeAll(async () => {
  installed = await installPackage();
});
afterAll(() => installed?.remove());

test('a page whose policy refuses blobs says that both ways failed', async () => {
  const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
  const headers = { ...ISOLATED, 'content-security-policy': policy };
  const look = (address) => visit(launchChromium, address);
  const { threads, threadsReason } = await withBundle(installed, 'esbuild', headers, look);
  expect(threads).toBe(1);
  expect(threadsReason).toMatch(/^a worker from its file: .*; a worker from its text: /);
});
