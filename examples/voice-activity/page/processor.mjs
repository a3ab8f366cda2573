// Voice activity in the audio thread: blocks of 128 samples in, a probability a frame out. A frame
// takes a fraction of the time that a block lasts, so that the sound never waits.
import { Engine } from '/dist/worklet.js';
import { loadOnnx } from '/dist/formats/onnx.js';

/** Frames that are run to see what one takes. */
const TRIED = 500;

class VoiceActivity extends AudioWorkletProcessor {
  #stream;
  #samples;
  #frame;
  #context;
  #filled;
  #output = new Float32Array(1);
  #frames = 0;
  #busy;

  constructor({ processorOptions: { kernels, model, net } }) {
    super();
    const { dims, set, carry, context, frame } = net;
    const engine = Engine.createSync({ module: kernels });
    this.#stream = loadOnnx(engine, model, { dims, set, carry }).stream();
    this.#samples = new Float32Array(context + frame);
    this.#context = context;
    this.#frame = frame;
    this.#filled = context;
    // What a frame takes, of the time that it lasts: here clocks count whole milliseconds.
    const started = Date.now();
    for (let k = 0; k < TRIED; k++) this.#stream.step(this.#samples, this.#output);
    this.#busy = (Date.now() - started) / ((1000 * TRIED * frame) / sampleRate);
    this.#stream.reset();
  }

  process([[input]]) {
    if (!input) return true;
    this.#samples.set(input, this.#filled);
    this.#filled += input.length;
    if (this.#filled === this.#samples.length) this.#run();
    return true;
  }

  #run() {
    this.#stream.step(this.#samples, this.#output);
    this.#frames++;
    // The end of this frame is what the next one begins with.
    this.#samples.copyWithin(0, this.#frame);
    this.#filled = this.#context;
    this.port.postMessage({ probability: this.#output[0], frames: this.#frames, busy: this.#busy });
  }
}

registerProcessor('voice-activity', VoiceActivity);
