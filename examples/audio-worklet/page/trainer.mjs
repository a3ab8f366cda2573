// The Worker: trains on what it is sent, and sends the model after every pass.
import { Engine, Model, Trainer, cosineDecay } from '/dist/index.js';
import { saveModel } from '/dist/formats/safetensors.js';
import { LAYERS, learn } from '../filter.mjs';

const EPOCHS = 150;
// At once: a message that comes before there is a listener is lost.
const engine = Engine.createSync();
const model = Model.create(engine, { layers: LAYERS }, { seed: 1 });
let run;

function send(more) {
  const bytes = saveModel(model);
  postMessage({ bytes, ...more }, [bytes.buffer]);
}

self.onmessage = async ({ data: { sound, target } }) => {
  run?.abort();
  await run?.end;
  const own = (run = new AbortController());
  const plan = { epochs: EPOCHS, signal: own.signal };
  own.end = (async () => {
    for await (const progress of learn({ Trainer, cosineDecay }, model, sound, target, plan)) {
      send(progress);
    }
  })();
};
send();
