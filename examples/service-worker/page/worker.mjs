// The service worker: keeps the page and the model, and answers requests for forecasts. Its own
// imports are kept by the browser.
import { Engine } from '/dist/index.js';
import { ByteStore, fetchBytes } from '/dist/browser.js';
import { loadModel } from '/dist/formats/safetensors.js';

const PAGE = ['./', 'page.mjs', '../wave.mjs'];
const COMMON = ['page.css', 'chart.mjs', 'random.mjs'].map((name) => `/examples/common/${name}`);
const store = new ByteStore('service-worker');

async function install() {
  const cache = await caches.open('page');
  await cache.addAll([...PAGE, ...COMMON]);
  await store.write('model', await fetchBytes('model.bin'));
  await self.skipWaiting();
}

/** The model, once in the life of this process: browsers end it when nothing asks. */
let loading;
const modelOf = () =>
  (loading ??= (async () => loadModel(await Engine.create(), await store.read('model')))());

async function forecast(request) {
  const seen = new Float32Array(await request.arrayBuffer());
  const model = await modelOf();
  const { output } = model.forward(seen, { steps: seen.length });
  return new Response(output, { headers: { 'x-answered-by': 'the service worker' } });
}

self.oninstall = (event) => event.waitUntil(install());
self.onactivate = (event) => event.waitUntil(self.clients.claim());
self.onfetch = (event) => {
  const { request } = event;
  const isForecast = request.method === 'POST' && request.url.endsWith('/forecast');
  if (isForecast) event.respondWith(forecast(request));
  // The network, where there is one: a newer page takes the place of the one that is kept.
  else event.respondWith(fetch(request).catch(() => caches.match(request)));
};
