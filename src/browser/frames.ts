import { GatefoldError } from '../base/errors.ts';
import type { Model } from '../model/model.ts';
import type { Stream } from '../model/stream.ts';

/**
 * A model over the blocks of samples that an audio thread gets. A step reads `inputSize` samples,
 * of which the first `overlap` are the last ones of the step before. Where it gives as many numbers
 * as it reads new samples they are sound; else they are told.
 */
export class Frames {
  readonly isSound: boolean;
  /** New samples of a step. */
  readonly frame: number;
  /** Samples by which the sound is late, in blocks of `block` samples. */
  readonly latency: number;
  readonly #model: Model;
  readonly #stream: Stream;
  readonly #overlap: number;
  readonly #isWhole: boolean;
  readonly #tell: (output: Float32Array, frame: number) => void;
  readonly #samples: Float32Array;
  readonly #output: Float32Array;
  #filled: number;
  #frames = 0;

  constructor(
    model: Model,
    overlap: number,
    block: number,
    tell: (output: Float32Array, frame: number) => void,
  ) {
    const { inputs, outputs, takesTokens, inputSize, outputSize } = model;
    if (takesTokens || inputs.length + outputs.length > 2 || overlap >= inputSize) {
      throw new GatefoldError(
        'ERR_UNSUPPORTED',
        `an audio node takes a model with one input of more than ${overlap} samples, and one output`,
      );
    }
    this.frame = inputSize - overlap;
    this.isSound = outputSize === this.frame;
    this.#isWhole = this.isSound && overlap === 0 && block % this.frame === 0;
    this.latency = this.isSound && !this.#isWhole ? this.frame : 0;
    this.#model = model;
    // A number that is not finite would stay in the states for ever.
    this.#stream = model.stream({ onNonFinite: 'reset' });
    this.#overlap = overlap;
    this.#tell = tell;
    this.#samples = new Float32Array(inputSize);
    this.#output = new Float32Array(outputSize);
    this.#filled = overlap;
  }

  /** Runs a block; allocates nothing but what `tell` does. */
  run(input: Float32Array, output: Float32Array | undefined): void {
    if (this.#isWhole && output && input.length % this.frame === 0) {
      this.#stream.run(input, output, input.length / this.frame);
      return;
    }
    const { frame, isSound } = this;
    const [samples, result] = [this.#samples, this.#output];
    for (let i = 0; i < input.length; i++) {
      if (isSound && output) output[i] = result[this.#filled - this.#overlap]!;
      samples[this.#filled++] = input[i]!;
      if (this.#filled < samples.length) continue;
      this.#stream.step(samples, result);
      // The end of this step is what the next one begins with.
      samples.copyWithin(0, frame);
      this.#filled = this.#overlap;
      this.#frames++;
      if (!isSound) this.#tell(result, this.#frames);
    }
  }

  /** Takes tens of milliseconds: once, before there is sound. */
  warmUp(): void {
    this.#stream.warmUp();
  }

  reset(): void {
    this.#stream.reset();
    this.#samples.fill(0);
    this.#output.fill(0);
    this.#filled = this.#overlap;
  }

  /** Goes on from where another one is, where both have the same layers. */
  follow(other: Frames): void {
    const [own, before] = [this.#model, other.#model].map(({ description }) =>
      JSON.stringify(description),
    );
    if (own !== before) return;
    this.#stream.restore(other.#stream.save());
    this.#samples.set(other.#samples);
    this.#output.set(other.#output);
    this.#filled = other.#filled;
    this.#frames = other.#frames;
  }

  dispose(): void {
    this.#stream.dispose();
    this.#model.dispose();
  }
}
