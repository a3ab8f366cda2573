/** The examples whose tools only the slow run has. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { APPS, start } from './drivers/apps.mjs';
import { launchChromium } from './drivers/engines.mjs';
import { closeAll, once } from './drivers/running.mjs';
import { runIn } from './drivers/slow.mjs';
import { installPackage } from './package.mjs';

afterAll(closeAll);

test('next-edge writes the same words on the edge and in the page', async () => {
  const { build, serve, files } = APPS.next;
  const program = fileURLToPath(new URL('../../examples/next-edge/main.mjs', import.meta.url));
  const prepare = async (folder) => {
    await runIn(folder, process.execPath, program, '--quick', '--write', '--project', folder);
    // The packages of Next are in a folder above this one.
    await writeFile(join(folder, 'next.config.mjs'), files['next.config.mjs']);
  };
  const installed = await installPackage();
  const app = await start(installed, { files: {}, prepare, build, serve });
  try {
    const { browser } = await once(launchChromium, launchChromium);
    const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
    const errors = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    await page.goto(app.origin);
    const texts = [];
    for (const way of ['on the edge', 'in this page']) {
      await page.getByRole('button', { name: `Write ${way}` }).click();
      const written = page.getByRole('region', { name: `Written ${way}` });
      await written.getByText('all 60 after').waitFor();
      texts.push(await written.locator('.words').textContent());
    }
    expect(texts[0].split(' ').length).toBeGreaterThan(50);
    expect(texts[1]).toBe(texts[0]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    expect(errors).toEqual([]);
  } finally {
    await app.close();
    await installed.remove();
  }
});
