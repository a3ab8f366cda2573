// A Worker that runs a model, and a Durable Object with one stream a session.
import { Engine } from 'gatefold';
import { loadModel } from 'gatefold/formats/safetensors';
import bytes from './model.bin';

// Deterministic: a session goes on with the same bits on whatever machine it wakes up.
const engine = Engine.createSync({ simd: 'deterministic' });
const model = loadModel(engine, bytes);

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const [, kind, name] = pathname.split('/');
    if (kind === 'sessions' && name) {
      return env.SESSIONS.get(env.SESSIONS.idFromName(name)).fetch(request);
    }
    // A whole sequence at once.
    const x = Float32Array.from((await request.json()).flat());
    const { output } = model.forward(x, { steps: x.length / model.inputSize });
    return Response.json([...output]);
  },
};

/** A stream that outlives its process: every answer is sent after the state behind it is kept. */
export class Session {
  #storage;
  #stream = model.stream();
  #frames = 0;

  constructor(context) {
    this.#storage = context.storage;
    void context.blockConcurrencyWhile(async () => {
      const kept = await this.#storage.get('session');
      if (!kept) return;
      this.#frames = kept.frames;
      this.#stream.restore(kept.state);
    });
  }

  async fetch(request) {
    const output = new Float32Array(model.outputSize);
    this.#stream.step(Float32Array.from(await request.json()), output);
    this.#frames++;
    // The host holds the answer back until this is on the disk.
    this.#storage.put('session', { frames: this.#frames, state: this.#stream.save() });
    return Response.json({ frames: this.#frames, output: [...output] });
  }
}
