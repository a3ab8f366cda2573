// The page: the guitar, the effect and the LSTM side by side, of which one is heard.
import { createWorkletNode } from '/dist/browser.js';
import { draw } from '/examples/common/chart.mjs';
import { RATE, applyEffect, makeSound } from '../filter.mjs';

const at = (id) => document.getElementById(id);
const sound = makeSound();
let playing;

const knobs = () => ({ drive: Number(at('drive').value), cutoff: Number(at('cutoff').value) });

/** A sound in a loop, with its level and how loud it is heard. */
function play(context, samples, through) {
  const buffer = new AudioBuffer({ length: sound.length, sampleRate: RATE });
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(context, { buffer, loop: true });
  const analyser = new AnalyserNode(context, { fftSize: 4096 });
  const gain = new GainNode(context, { gain: 0 });
  (through ? source.connect(through) : source).connect(analyser);
  analyser.connect(gain).connect(context.destination);
  return { source, analyser, gain };
}

/** Trains in a Worker; every pass gives a model. */
function learn(onModel) {
  const worker = new Worker('trainer.mjs', { type: 'module' });
  worker.onmessage = ({ data }) => onModel(data);
  worker.onerror = ({ message }) => (at('state').textContent = message);
  worker.postMessage({ sound, target: applyEffect(sound, knobs()) });
  return worker;
}

function hear() {
  const heard = document.querySelector('input[name=heard]:checked').value;
  for (const [name, { gain }] of Object.entries(playing?.tracks ?? {})) {
    gain.gain.setTargetAtTime(name === heard ? 1 : 0, 0, 0.02);
  }
}

async function start() {
  await stop();
  const context = new AudioContext({ sampleRate: RATE });
  const errors = [];
  playing = { context, errors, node: undefined, tracks: {} };
  const own = playing;
  const onModel = async ({ bytes, error, epoch }) => {
    if (own !== playing) return;
    // The first model makes the node; the others take its place between two blocks.
    if (own.node) await (await own.node).load(bytes);
    else {
      own.node = createWorkletNode(context, bytes);
      await begin(own, await own.node);
    }
    if (error === undefined) return;
    errors.push(error);
    at('error').textContent = `${(100 * error).toFixed(1)} %, pass ${epoch}`;
    draw(at('chart'), [{ name: 'training', start: 1, values: errors }]);
  };
  own.worker = learn(onModel);
  at('stop').disabled = false;
}

async function begin(own, node) {
  const { context } = own;
  own.tracks = {
    dry: play(context, sound),
    effect: play(context, applyEffect(sound, knobs())),
    model: play(context, sound, node),
  };
  await context.resume();
  for (const { source } of Object.values(own.tracks)) source.start();
  hear();
}

/** Another effect: what was learned so far is where the next training begins. */
function change() {
  if (!playing?.tracks.effect) return;
  const target = applyEffect(sound, knobs());
  const { effect } = playing.tracks;
  effect.source.stop();
  effect.gain.disconnect();
  playing.tracks.effect = play(playing.context, target);
  playing.tracks.effect.source.start();
  hear();
  playing.errors.length = 0;
  playing.worker.postMessage({ sound, target });
}

async function stop() {
  const own = playing;
  playing = undefined;
  own?.worker.terminate();
  await own?.context.close();
  at('stop').disabled = true;
  at('state').textContent = '';
}

const samples = new Float32Array(4096);
function showLevels() {
  for (const [name, { analyser }] of Object.entries(playing?.tracks ?? {})) {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    const level = Math.max(-60, 10 * Math.log10(power + 1e-9));
    at(name).value = level;
    at(`${name}-level`).textContent = `${level.toFixed(0)} dB`;
  }
  requestAnimationFrame(showLevels);
}

setInterval(async () => {
  if (playing?.context.state !== 'running' || !playing.tracks.model) return;
  const { share } = await (await playing.node).usage();
  at('state').textContent = `The LSTM takes ${(100 * share).toFixed(1)} % of a core.`;
}, 1000);

showLevels();
at('start').onclick = () => start().catch(({ message }) => (at('state').textContent = message));
at('stop').onclick = stop;
at('heard').onchange = hear;
at('drive').onchange = at('cutoff').onchange = change;
