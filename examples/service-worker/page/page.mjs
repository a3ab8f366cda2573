// The page: it knows nothing of models.
import { draw } from '/examples/common/chart.mjs';
import { HORIZON, SEEN, makeWave } from '../wave.mjs';

const at = (id) => document.getElementById(id);
let start = 10_000;

async function forecast() {
  const wave = makeWave(SEEN + HORIZON, start);
  start += 37;
  const seen = wave.subarray(0, SEEN);
  const asked = performance.now();
  const response = await fetch('forecast', { method: 'POST', body: seen });
  if (!response.ok) throw new Error(`the service worker answered ${response.status}`);
  const values = [...new Float32Array(await response.arrayBuffer())];
  const milliseconds = (performance.now() - asked).toFixed(1);
  const by = response.headers.get('x-answered-by');
  at('state').textContent = `${values.length} values in ${milliseconds} ms, by ${by}`;
  const labelOf = (step) => (step === 0 ? 'now' : `${step > 0 ? '+' : ''}${step}`);
  const lines = [
    { name: 'truth', start: -SEEN, values: [...wave] },
    { name: 'after', start: -1, values: [seen.at(-1), ...values] },
  ];
  draw(at('chart'), lines, labelOf);
}

const trying = (task) => () => task().catch(({ message }) => (at('state').textContent = message));

at('next').onclick = trying(forecast);
at('forget').onclick = trying(async () => {
  for (const own of await navigator.serviceWorker.getRegistrations()) await own.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
  indexedDB.deleteDatabase('service-worker');
  location.reload();
});
await trying(async () => {
  at('state').textContent = 'The service worker starts.';
  await navigator.serviceWorker.register('worker.mjs', { type: 'module' });
  await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) {
    await new Promise((resolve) => (navigator.serviceWorker.oncontrollerchange = resolve));
  }
  at('next').disabled = at('forget').disabled = false;
  await forecast();
})();
