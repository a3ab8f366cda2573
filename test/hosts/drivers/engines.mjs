// Engines of browsers, headless. Each opens an address in a tab of its own and gives what the page
// has put into its title: no script of ours runs in the page, so that no policy can be in its way.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const PATIENCE = 60_000;
const MINI_BROWSER = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';

/** Asks until there is an answer. */
export async function until(ask, what, patience = PATIENCE) {
  for (const end = Date.now() + patience; ;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`${what} did not come within ${patience} ms`);
    await wait(25);
  }
}

/** What a page left in its title; one that failed has left the error. */
async function outcomeOf(title, complaints = []) {
  const asked = async () => {
    const text = await title();
    return text.startsWith('{') ? JSON.parse(text) : undefined;
  };
  const { outcome, error } = await until(asked, 'the outcome of a page').catch((late) => {
    throw new Error([late.message, ...complaints].join('\n'));
  });
  if (error !== undefined) throw new Error([error, ...complaints].join('\n'));
  return outcome;
}

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function end(process) {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.once('exit', resolve));
  process.kill();
  await ended;
}

/** Chromium by Playwright; `browser` for tests that need more than a title. */
export async function launchChromium() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    browser,
    version: browser.version(),
    async visit(address) {
      const tab = await browser.newPage();
      const complaints = [];
      tab.on('pageerror', (error) => complaints.push(String(error)));
      try {
        await tab.goto(address);
        return await outcomeOf(() => tab.title(), complaints);
      } finally {
        await tab.close();
      }
    },
    close: () => browser.close(),
  };
}

/** Firefox by Marionette: messages "length:json" of [0, id, command, parameters]. */
export async function launchFirefox() {
  const profile = await mkdtemp(join(tmpdir(), 'gatefold-firefox-'));
  await writeFile(join(profile, 'user.js'), 'user_pref("marionette.port", 0);\n');
  const args = ['--headless', '--marionette', '--no-remote', '--profile', profile];
  const firefox = spawn('firefox-esr', args, { stdio: 'ignore' });
  const read = () => readFile(join(profile, 'MarionetteActivePort'), 'utf8').catch(() => undefined);
  const port = Number(await until(async () => (await read()) || undefined, 'the port of Firefox'));

  const socket = connect(port, '127.0.0.1');
  const waiting = new Map();
  let received = Buffer.alloc(0);
  socket.on('data', (data) => {
    received = Buffer.concat([received, data]);
    for (;;) {
      const colon = received.indexOf(':');
      const start = colon + 1;
      const length = Number(received.subarray(0, colon));
      if (colon < 0 || received.length < start + length) return;
      const message = JSON.parse(received.subarray(start, start + length));
      received = received.subarray(start + length);
      // The greeting is an object.
      if (!Array.isArray(message)) continue;
      const [, id, error, result] = message;
      const [resolve, reject] = waiting.get(id);
      waiting.delete(id);
      if (error) reject(new Error(`${error.error}: ${error.message}`));
      else resolve(result);
    }
  });
  let count = 0;
  const send = (command, parameters = {}) =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, [resolve, reject]);
      const text = JSON.stringify([0, id, `WebDriver:${command}`, parameters]);
      socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
  const { capabilities } = await send('NewSession', {});
  return {
    version: capabilities.browserVersion,
    async visit(address) {
      const { handle } = await send('NewWindow', { type: 'tab' });
      await send('SwitchToWindow', { handle });
      await send('Navigate', { url: address });
      const outcome = await outcomeOf(async () => (await send('GetTitle')).value);
      const [left] = await send('CloseWindow');
      await send('SwitchToWindow', { handle: left });
      return outcome;
    },
    async close() {
      socket.destroy();
      await end(firefox);
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/**
 * WebKitGTK by its WebDriver, on a display of its own. Each address has a browser of its own: the
 * second AudioWorklet of one never starts.
 */
export async function launchWebkit() {
  const display = `:${90 + (process.pid % 900)}`;
  const xvfb = spawn('Xvfb', [display, '-screen', '0', '800x600x24', '-nolisten', 'tcp'], {
    stdio: 'ignore',
  });
  const port = await freePort();
  const driver = spawn('WebKitWebDriver', [`--port=${port}`], {
    stdio: 'ignore',
    env: { ...process.env, DISPLAY: display, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' },
  });
  const call = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  await until(() => call('GET', '/status').catch(() => undefined), 'WebKitWebDriver');
  const options = { binary: MINI_BROWSER, args: ['--automation'] };
  const wanted = { capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': options } } };
  return {
    async visit(address) {
      const { sessionId, capabilities } = await call('POST', '/session', wanted);
      this.version = capabilities.browserVersion;
      try {
        await call('POST', `/session/${sessionId}/url`, { url: address });
        return await outcomeOf(() => call('GET', `/session/${sessionId}/title`));
      } finally {
        await call('DELETE', `/session/${sessionId}`);
      }
    },
    async close() {
      await end(driver);
      await end(xvfb);
    },
  };
}
