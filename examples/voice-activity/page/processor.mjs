// Voice activity in the audio thread: blocks of 128 samples in, a probability a frame out. A frame
// takes a fraction of the time that a block lasts, so that the sound never waits.
import { Engine } from '/dist/worklet.js';
import { loadOnnx } from '/dist/formats/onnx.js';

class VoiceActivity extends AudioWorkletProcessor {
  #stream;
  #samples;
  #frame;
  #context;
  #filled;
  #output = new Float32Array(1);
  #frames = 0;
  #busyMs = 0;

  constructor({ processorOptions: { kernels, model, net } }) {
    super();
    const { dims, set, carry, context, frame } = net;
    const engine = Engine.createSync({ module: kernels });
    this.#stream = loadOnnx(engine, model, { dims, set, carry }).stream();
    this.#samples = new Float32Array(context + frame);
    this.#context = context;
    this.#frame = frame;
    this.#filled = context;
  }

  process([[input]]) {
    if (!input) return true;
    this.#samples.set(input, this.#filled);
    this.#filled += input.length;
    if (this.#filled === this.#samples.length) this.#run();
    return true;
  }

  #run() {
    const started = Date.now();
    this.#stream.step(this.#samples, this.#output);
    // Milliseconds are whole, but right on average.
    this.#busyMs += Date.now() - started;
    this.#frames++;
    // The end of this frame is what the next one begins with.
    this.#samples.copyWithin(0, this.#frame);
    this.#filled = this.#context;
    const lastedMs = (1000 * this.#frames * this.#frame) / sampleRate;
    const busy = this.#busyMs / lastedMs;
    this.port.postMessage({ probability: this.#output[0], frames: this.#frames, busy });
  }
}

registerProcessor('voice-activity', VoiceActivity);
