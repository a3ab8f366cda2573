import { WaveFile } from 'wavefile';
import { GatefoldError } from '../../base/errors.ts';
import type { NumberArray } from './files.ts';

/** Of files that say nothing, as most amplifier models are made for. */
const SAMPLE_RATE = 48_000;

/** Sound, its channels side by side in every frame. */
interface Sound {
  readonly samples: Float32Array;
  readonly channels: number;
  readonly sampleRate: number;
}

/** Reads a WAV file of any depth as numbers from -1 to 1. */
export function readWav(bytes: Uint8Array): Sound {
  try {
    const wav = new WaveFile(bytes);
    wav.toBitDepth('32f');
    const { numChannels: channels, sampleRate } = wav.fmt as {
      numChannels: number;
      sampleRate: number;
    };
    const given = wav.getSamples(false, Float32Array) as unknown as Float32Array | Float32Array[];
    if (!Array.isArray(given)) return { samples: given, channels, sampleRate };
    const frames = given[0]!.length;
    const samples = new Float32Array(frames * channels);
    for (const [k, channel] of given.entries()) {
      for (let i = 0; i < frames; i++) samples[i * channels + k] = channel[i]!;
    }
    return { samples, channels, sampleRate };
  } catch (error) {
    throw new GatefoldError('ERR_FORMAT', `no WAV file to read: ${String(error)}`);
  }
}

/** A WAV file of [T, channels], or [1, T, channels], in float32. */
export function writeWav(
  { shape, data }: NumberArray,
  sampleRate: number = SAMPLE_RATE,
): Uint8Array {
  const channels = shape.at(-1) ?? 1;
  const frames = data.length / channels;
  const samples = Array.from({ length: channels }, (_, k) =>
    Float32Array.from({ length: frames }, (_unused, i) => data[i * channels + k]!),
  );
  const wav = new WaveFile();
  wav.fromScratch(channels, sampleRate, '32f', samples as never);
  return wav.toBuffer();
}
