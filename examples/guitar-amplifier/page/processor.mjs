// The amplifier in the audio thread: a block of 128 samples in, a block out.
import { Engine } from '/dist/worklet.js';
import { loadAudio } from '/dist/formats/audio.js';

class Amplifier extends AudioWorkletProcessor {
  #stream;
  #silence = new Float32Array(128);

  constructor({ processorOptions: { kernels, model } }) {
    super();
    this.#stream = loadAudio(Engine.createSync({ module: kernels }), model).stream();
  }

  process([[input = this.#silence]], [outputs]) {
    this.#stream.run(input, outputs[0], input.length);
    for (const other of outputs.slice(1)) other.set(outputs[0]);
    return true;
  }
}

registerProcessor('amplifier', Amplifier);
